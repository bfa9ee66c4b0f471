// Everything that came, as the kernel saw it on a device: no program has to be there to take it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "net/packet.h"
#include "world/messages.h"

namespace pyro::world {

// Where an IP packet goes to. nullopt: what every device of Linux says by itself (neighbours,
// groups), a segment without data that asks for no connection, no IP packet.
struct Seen {
  std::string protocol, address;
  std::uint16_t port = 0;
  std::size_t bytes = 0;
  bool opens = true;   // false: data of a connection that is there
  bool error = false;  // of ICMP: about another packet
};
std::optional<Seen> see(net::Bytes packet);

inline constexpr const char* kAtHost = "host";  // where() of what came to the host's loopback

// Bounded. ICMP errors on the host's loopback are what its kernel tells itself, of a connection
// that nobody answers: nobody has sent them, and they come late.
class Record {
 public:
  static constexpr std::size_t kMost = 4096;
  void add(const std::string& where, const Seen& seen);
  Arrivals take();

 private:
  struct Sum {
    std::int64_t packets = 0, bytes = 0;
  };
  std::map<std::tuple<std::string, std::string, std::string, std::uint16_t>, Sum> sums_;
  std::int64_t lost_ = 0;
};

}  // namespace pyro::world
