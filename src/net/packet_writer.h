// Frames for the guest. Payload is put in its place first, then the headers in front of it, so that
// nothing is copied twice.
#pragma once

#include "net/packet.h"

namespace pyro::net {

using Buffer = std::span<std::uint8_t>;  // of kMostFrame bytes

struct Macs {
  MacAddress engine{}, guest{};
};

constexpr std::size_t ip_header(Family family) {
  return family == Family::kIpv4 ? kIpv4Header : kIpv6Header;
}
// Where the payload of a segment without options, a datagram and an echo reply begins.
constexpr std::size_t tcp_payload_at(Family family) {
  return kEthernetHeader + ip_header(family) + kTcpHeader;
}
constexpr std::size_t udp_payload_at(Family family) {
  return kEthernetHeader + ip_header(family) + kUdpHeader;
}
constexpr std::size_t echo_payload_at(Family family) {
  return kEthernetHeader + ip_header(family) + kEchoHeader;
}
// Of a segment to the guest (RFC 9293, 3.7.1), and what a SYN says of it.
constexpr std::size_t max_segment(Family family) {
  return kMtu - ip_header(family) - kTcpHeader;
}

// From `source` to `destination`, which are of one family.
struct Route {
  Macs macs;
  Address source, destination;
};

// Each returns the size of the frame. `payload` bytes are in their place already, and fit.
// `segment.payload` is not looked at; a SYN carries its options and no payload.
std::size_t write_tcp(Buffer out, const Route& route, const TcpSegment& segment,
                      std::size_t payload);
std::size_t write_udp(Buffer out, const Route& route, std::uint16_t source_port,
                      std::uint16_t destination_port, std::size_t payload);
std::size_t write_echo_reply(Buffer out, const Route& route, std::uint16_t id,
                             std::uint16_t sequence, std::size_t payload);

// Why a packet was not delivered (RFC 792, RFC 1812, RFC 4443).
enum class Unreachable : std::uint8_t { kNetwork, kHost, kProtocol, kPort, kProhibited };
// Quotes the packet that is refused; from the engine's address, or whose the packet was for.
std::size_t write_unreachable(Buffer out, const Route& route, Unreachable why, Bytes packet);
std::size_t write_arp_reply(Buffer out, const Macs& macs, const ArpRequest& request);
// RFC 4861, 4.4: solicited, overriding.
std::size_t write_advertisement(Buffer out, const Route& route);

}  // namespace pyro::net
