// The network of one guest: its frames in, its frames out, and the host's sockets. See
// docs/design/net-theory-of-operation.md. One thread; nothing here blocks or reads a clock.
#pragma once

#include <map>
#include <memory>

#include "net/datagram_relay.h"
#include "net/dns_proxy.h"
#include "net/shared.h"
#include "net/tcp_relay.h"

namespace pyro::net {

class Engine {
 public:
  Engine(FrameSink& link, HostNetwork& network);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  struct Settings {
    policy::Policy policy;
    std::vector<Resolver> resolvers;
  };
  // Until this was called every flow is refused. Later calls close what is not allowed any more.
  void configure(Settings settings, Time now);
  [[nodiscard]] const policy::Policy& policy() const { return shared_.gate.rules().policy(); }

  // 127.0.0.1:host_port of the host leads to the guest's port; host_port 0: any that is free.
  // Returns the host's port, or errno; EACCES: the policy does not allow it either. A policy that
  // does not closes those that there are.
  std::expected<std::uint16_t, int> publish(std::uint16_t host_port, std::uint16_t guest_port);
  // With its connections. False: it is not published.
  bool unpublish(std::uint16_t host_port);

  void on_frame(Bytes frame, Time now);
  void on_ready(Token token, Ready what, Time now);
  // When next_deadline() has come.
  void on_time(Time now);
  // Sends what there is to send; to be called after the others, and again when the link takes
  // frames again. False: there is more.
  bool flush(Time now);
  [[nodiscard]] std::optional<Time> next_deadline() const { return shared_.deadlines.first(); }

  NetEvents& events() { return shared_.events; }
  [[nodiscard]] const Counters& counters() const { return shared_.counters; }
  struct Sizes {
    std::size_t tcp = 0, udp = 0, echo = 0, pins = 0, deadlines = 0;
  };
  [[nodiscard]] Sizes sizes();

 private:
  struct Published {
    std::unique_ptr<HostListener> listener;
    Token token = 0;
    std::uint16_t guest_port = 0;
    Deadlines::Place place;
  };
  [[nodiscard]] bool may_publish() const;
  void drop(Drop why) { ++shared_.counters.drops[static_cast<std::size_t>(why)]; }
  void on_arp(const ArpRequest& request);
  void on_packet(const IpPacket& packet, Time now);
  void on_udp(const IpPacket& packet, const UdpDatagram& datagram, Time now);
  void on_echo(const IpPacket& packet, const EchoRequest& request, Time now);
  void on_solicitation(const IpPacket& packet, const NeighbourSolicitation& what);
  void on_other(const IpPacket& packet, const OtherTransport& what);
  void answer_query(const DnsAsker& asker, Bytes message);
  void accept(Token token, Time now);

  Shared shared_;
  DnsProxy dns_;
  TcpRelay tcp_;
  DatagramRelay udp_, echo_;
  std::map<std::uint16_t, Published> published_;  // by the host's port
  std::uint32_t listeners_ = 0;                   // ever
  Time now_;
};

}  // namespace pyro::net
