// What a guest sends, read into types that cannot be wrong.
//
// A frame is one Ethernet frame without its check sequence. Views point into it.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <span>
#include <variant>

#include "policy/address.h"

namespace pyro::net {

using Bytes = std::span<const std::uint8_t>;
using policy::Address;
using policy::Family;

using MacAddress = std::array<std::uint8_t, 6>;
inline constexpr MacAddress kBroadcastMac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

inline constexpr std::size_t kEthernetHeader = 14;
inline constexpr std::size_t kIpv4Header = 20;
inline constexpr std::size_t kIpv6Header = 40;
inline constexpr std::size_t kTcpHeader = 20;
inline constexpr std::size_t kUdpHeader = 8;
inline constexpr std::size_t kEchoHeader = 8;
// Of an IP packet. 65520 is the largest multiple of 8 that QEMU and Linux agree on for virtio-net.
inline constexpr std::size_t kMtu = 65520;
inline constexpr std::size_t kMostFrame = kEthernetHeader + kMtu;

// Why a frame goes no further. None of these is answered: an honest guest sends none.
enum class Drop : std::uint8_t {
  kShort,      // ends within a header, or says more than there is
  kLong,       // longer than an honest guest's frames are
  kEtherType,  // neither IPv4, IPv6 nor ARP; VLAN tags
  kHeader,     // a field has a value that it cannot have
  kChecksum,   // of an IPv4 header
  kFragment,
  kOptions,  // IPv4 options, IPv6 extension headers
  kSource,   // somebody else's address
};
inline constexpr int kDrops = 8;
const char* drop_name(Drop drop);

// RFC 9293, 3.1.
struct TcpSegment {
  std::uint16_t source_port = 0, destination_port = 0;  // not 0
  std::uint32_t sequence = 0, acknowledgement = 0;
  bool fin = false, syn = false, rst = false, psh = false, ack = false;
  std::uint16_t window = 0;  // not scaled
  // Options of a SYN; 0 and -1: not there.
  std::uint16_t max_segment = 0;
  int window_scale = -1;  // 0..14 (RFC 7323, 2.3: more counts as 14)
  Bytes payload;
  // How far it moves the sequence on.
  [[nodiscard]] std::uint32_t length() const {
    return static_cast<std::uint32_t>(payload.size()) + (syn ? 1U : 0U) + (fin ? 1U : 0U);
  }
};
struct UdpDatagram {                                    // RFC 768
  std::uint16_t source_port = 0, destination_port = 0;  // not 0
  Bytes payload;
};
struct EchoRequest {  // RFC 792, RFC 4443: the same fields
  std::uint16_t id = 0, sequence = 0;
  Bytes payload;
};
struct NeighbourSolicitation {  // RFC 4861, 4.3
  Address target;
};
struct OtherTransport {
  std::uint8_t protocol = 0;  // IANA's number
  bool icmp = false;          // ICMP that is no echo request: not even refused
};
using Transport =
    std::variant<TcpSegment, UdpDatagram, EchoRequest, NeighbourSolicitation, OtherTransport>;

struct IpPacket {
  Address source, destination;
  std::uint8_t hop_limit = 0;
  Transport transport;
  Bytes whole;  // from its IP header on, for the ICMP error that quotes it
};
struct ArpRequest {  // RFC 826: who has `target`, tell `sender`
  Address sender, target;
};
struct Frame {
  MacAddress source{}, destination{};
  std::variant<ArpRequest, IpPacket> content;
};

std::expected<Frame, Drop> parse_frame(Bytes bytes);

}  // namespace pyro::net
