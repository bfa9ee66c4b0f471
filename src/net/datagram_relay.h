// UDP and echo: a socket of the host for each pair of guest port (or echo identifier) and remote
// endpoint.
#pragma once

#include <deque>
#include <unordered_map>

#include "net/flow_key.h"
#include "net/shared.h"
#include "net/slab.h"

namespace pyro::net {

inline constexpr std::size_t kMostUdpFlows = 1024;
inline constexpr std::size_t kMostEchoFlows = 128;

class DatagramRelay {
 public:
  enum class What : std::uint8_t { kUdp, kEcho };
  DatagramRelay(Shared& shared, What what)
      : shared_(shared), what_(what), flows_(what == What::kUdp ? Kind::kUdp : Kind::kEcho) {}

  void on_datagram(const IpPacket& packet, const UdpDatagram& datagram, Time now);
  void on_echo(const IpPacket& packet, const EchoRequest& request, Time now);
  void on_ready(Token token, Time now);
  void on_deadline(Token token, Time now);
  void judge_again(Time now);
  // Reads what the link had no room for. False: there still is none.
  bool flush(Time now);
  [[nodiscard]] std::size_t size() const { return flows_.size(); }

 private:
  struct Flow {
    FlowKey key;
    std::unique_ptr<HostDatagrams> host;
    std::string name;
    policy::RuleId rule;
    Time last;
    bool answered = false;
    bool waiting = false;
    Deadlines::Place place;
    std::uint64_t to_host = 0, to_guest = 0;
  };

  void on_message(const IpPacket& packet, const FlowKey& key, Bytes message, Time now);
  // Null: it is refused, and the guest was told.
  Flow* open(const IpPacket& packet, const FlowKey& key, Time now);
  void unreachable(const IpPacket& packet, Unreachable why);
  void drop_quietest(Time now);
  bool receive(Token token, Flow& flow, Time now);
  void on_error(Token token, Flow& flow);
  std::size_t write(Buffer place, const FlowKey& key, std::size_t size) const;
  [[nodiscard]] Time due(const Flow& flow) const;
  [[nodiscard]] policy::Protocol protocol() const {
    return what_ == What::kUdp ? policy::Protocol::kUdp : policy::Protocol::kEcho;
  }
  [[nodiscard]] NetEvent event_of(const Flow& flow) const;
  void remove(Token token, Flow& flow, const char* why);

  Shared& shared_;
  What what_;
  Slab<Flow> flows_;
  std::unordered_map<FlowKey, Token, FlowKeyHash> by_key_;
  std::deque<Token> turn_;
};

}  // namespace pyro::net
