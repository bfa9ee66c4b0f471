// What the relays of one engine have in common.
#pragma once

#include <array>
#include <chrono>

#include "net/deadlines.h"
#include "net/frame_sink.h"
#include "net/gate.h"
#include "net/host_network.h"
#include "net/link_addresses.h"
#include "net/net_event.h"

namespace pyro::net {

using Time = std::chrono::steady_clock::time_point;

struct Counters {
  std::uint64_t frames_from_guest = 0, frames_to_guest = 0;
  std::uint64_t bytes_from_guest = 0, bytes_to_guest = 0;  // whole frames
  std::array<std::uint64_t, kDrops> drops{};               // by net::Drop
  std::uint64_t other_icmp = 0;                            // neither answered nor passed on
  std::uint64_t replies_lost = 0;                          // refusals that the link had no room for
  std::uint64_t allowed = 0, refused = 0;                  // decisions
  std::uint64_t dns_queries = 0, dns_upstream = 0;
};

inline constexpr Macs kMacs{.engine = kEngineMac, .guest = kGuestMac};
// Back to where that packet came from.
inline Route back(const IpPacket& packet) {
  return {.macs = kMacs, .source = packet.destination, .destination = packet.source};
}
// From there to the guest.
inline Route from(const Address& address) {
  return {.macs = kMacs, .source = address, .destination = policy::link_of(address.family()).guest};
}
// For a flow to the engine's own address, which stands for the loopback of the host.
inline Address host_address(const Address& address) {
  constexpr std::array<std::uint8_t, policy::kIpv4Bytes> kLoopback{127, 0, 0, 1};
  return policy::is_engine(address) ? Address::v4(kLoopback) : address;
}

struct Shared {
  FrameSink& link;
  HostNetwork& network;
  Gate gate;
  NetEvents events;
  Deadlines deadlines;
  Counters counters;
  HeldBytes held;

  // The policy's decision, also about the host's own addresses.
  Gate::Verdict judge(policy::Protocol protocol, const Address& address, std::uint16_t port,
                      Time now);
  policy::Decision judge_again(policy::Protocol protocol, const Address& address,
                               std::uint16_t port, const std::string& name, Time now);
  // Counted and told.
  void decided(NetEvent event) {
    ++(event.allow ? counters.allowed : counters.refused);
    events.add(std::move(event));
  }
  // The same for a flow that there was; `why`: what became of it.
  void ended(NetEvent event, const char* why) {
    event.kind = NetEvent::Kind::kEnd;
    event.allow = true;
    event.reason = why;
    events.add(std::move(event));
  }
  // Says from `source` why nothing gets to `remote`, in answer to a packet of the guest that is not
  // there any more: `write` makes its headers once more.
  template <class F>
  void unreachable(const Address& remote, const Address& source, Unreachable why, F write) {
    constexpr std::size_t kHeaders = 128;
    std::array<std::uint8_t, kHeaders> frame{};
    const Route there{.macs = kMacs, .source = from(remote).destination, .destination = remote};
    const std::size_t size = write(Buffer(frame), there);
    const Bytes packet = Bytes(frame).first(size).subspan(kEthernetHeader);
    reply([&](Buffer out) { return write_unreachable(out, from(source), why, packet); });
  }
  // A frame that answers one of the guest's, made by `write` in its place; lost when there is none.
  template <class F>
  void reply(F write) {
    const Buffer place = link.place();
    if (place.empty()) {
      ++counters.replies_lost;
      return;
    }
    send(write(place));
  }
  void send(std::size_t size) {
    ++counters.frames_to_guest;
    counters.bytes_to_guest += size;
    link.send(size);
  }

 private:
  policy::Decision unless_own(const policy::Decision& decision, policy::Protocol protocol,
                              const Address& address, std::uint16_t port);
};

}  // namespace pyro::net
