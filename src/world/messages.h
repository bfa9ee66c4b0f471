// Between the world and who asks what has arrived there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/json.h"

namespace pyro::world {

// The first line that pyro-world writes.
struct Opened {
  static constexpr const char* kName = "world opened";
  std::string net_namespace;  // the host's, for whoever is to have its network
  template <class M>
  void map(M& m) {
    m.required("net_namespace", net_namespace);
  }
};

// Packets of one kind to one place.
struct Arrival {
  static constexpr const char* kName = "arrival";
  std::string where;     // world, or host: its loopback, also when it is asked by another address
  std::string protocol;  // tcp: a connection is asked for, or data; udp, icmp; dns: a question;
                         // fragment; or a number
  std::string address;   // of a question, its name
  std::uint16_t port = 0;
  std::int64_t packets = 0, bytes = 0;  // bytes of payload
  template <class M>
  void map(M& m) {
    m.required("where", where);
    m.required("protocol", protocol);
    m.required("address", address);
    m.optional("port", port);
    m.required("packets", packets);
    m.required("bytes", bytes);
  }
};

// What the world is asked: a byte. The second one also makes names that change their minds begin
// anew.
inline constexpr char kTake = '?';
inline constexpr char kBeginAnew = '!';

// The answer: what has come since the last one.
struct Arrivals {
  static constexpr const char* kName = "arrivals";
  std::vector<Arrival> list;
  std::int64_t lost = 0;  // that there was no room for
  template <class M>
  void map(M& m) {
    m.required("list", list);
    m.required("lost", lost);
  }
};

}  // namespace pyro::world
