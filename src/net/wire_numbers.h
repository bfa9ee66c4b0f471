// Numbers in frames, as the IANA keeps them ("EtherType values", "Protocol Numbers", "ICMP
// Parameters", "ICMPv6 Parameters"), and how they lie there: in network order.
#pragma once

#include "net/packet.h"

namespace pyro::net {

namespace ether_type {
inline constexpr std::uint16_t kIpv4 = 0x0800;
inline constexpr std::uint16_t kArp = 0x0806;
inline constexpr std::uint16_t kIpv6 = 0x86dd;
}  // namespace ether_type

namespace ip_protocol {
inline constexpr std::uint8_t kIcmp = 1;
inline constexpr std::uint8_t kTcp = 6;
inline constexpr std::uint8_t kUdp = 17;
inline constexpr std::uint8_t kIcmpv6 = 58;
}  // namespace ip_protocol

inline constexpr std::uint8_t kEchoRequestV4 = 8;
inline constexpr std::uint8_t kEchoRequestV6 = 128;
inline constexpr std::uint8_t kNdpHopLimit = 255;  // RFC 4861, 7.1.1

// Of bytes that are known to be there.
inline std::uint16_t be16(Bytes b, std::size_t at) {
  return static_cast<std::uint16_t>((b[at] << 8U) | b[at + 1]);
}
inline std::uint32_t be32(Bytes b, std::size_t at) {
  return (std::uint32_t{be16(b, at)} << 16U) | be16(b, at + 2);
}

}  // namespace pyro::net
