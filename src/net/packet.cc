#include "net/packet.h"

#include <algorithm>
#include <optional>

#include "net/checksum.h"
#include "net/wire_numbers.h"

namespace pyro::net {

namespace {

constexpr std::size_t kArpSize = 28;
constexpr std::uint8_t kNeighbourSolicitation = 135;
constexpr std::size_t kSolicitationSize = 24;
constexpr int kMostWindowScale = 14;

template <class T>
using Parsed = std::expected<T, Drop>;

Address ipv4_at(Bytes b, std::size_t at) {
  return Address::v4({b[at], b[at + 1], b[at + 2], b[at + 3]});
}
// nullopt: an IPv4 address in disguise, which nobody may send on a link (RFC 4291, 2.5.5.2).
std::optional<Address> ipv6_at(Bytes b, std::size_t at) {
  std::array<std::uint8_t, policy::kIpv6Bytes> bytes{};
  std::ranges::copy(b.subspan(at, bytes.size()), bytes.begin());
  const Address address = Address::v6(bytes);
  if (address.family() != Family::kIpv6) return std::nullopt;
  return address;
}

Parsed<ArpRequest> parse_arp(Bytes b) {
  constexpr std::uint64_t kEthernetAndIpv4Request = 0x0001'0800'0604'0001;
  if (b.size() < kArpSize) return std::unexpected(Drop::kShort);
  const std::uint64_t head = (std::uint64_t{be32(b, 0)} << 32U) | be32(b, 4);
  if (head != kEthernetAndIpv4Request) return std::unexpected(Drop::kHeader);
  return ArpRequest{.sender = ipv4_at(b, 14), .target = ipv4_at(b, 24)};
}

// The two options that are of use here. A list that is broken counts as one that ends.
void parse_tcp_options(Bytes options, TcpSegment& segment) {
  constexpr std::uint8_t kEnd = 0;
  constexpr std::uint8_t kPad = 1;
  constexpr std::uint8_t kMaxSegment = 2;
  constexpr std::uint8_t kWindowScale = 3;
  for (std::size_t at = 0; at < options.size() && options[at] != kEnd;) {
    if (options[at] == kPad) {
      ++at;
      continue;
    }
    if (at + 1 >= options.size()) return;
    const std::size_t size = options[at + 1];
    if (size < 2 || at + size > options.size()) return;
    if (options[at] == kMaxSegment && size == 4) segment.max_segment = be16(options, at + 2);
    if (options[at] == kWindowScale && size == 3)
      segment.window_scale = std::min<int>(options[at + 2], kMostWindowScale);
    at += size;
  }
}

Parsed<Transport> parse_tcp(Bytes b) {
  constexpr unsigned kFin = 1;
  constexpr unsigned kSyn = 2;
  constexpr unsigned kRst = 4;
  constexpr unsigned kPsh = 8;
  constexpr unsigned kAck = 16;
  if (b.size() < kTcpHeader) return std::unexpected(Drop::kShort);
  const std::size_t header = std::size_t{b[12]} / 16 * 4;
  if (header < kTcpHeader) return std::unexpected(Drop::kHeader);
  if (header > b.size()) return std::unexpected(Drop::kShort);
  const unsigned flags = b[13];
  TcpSegment s{.source_port = be16(b, 0),
               .destination_port = be16(b, 2),
               .sequence = be32(b, 4),
               .acknowledgement = be32(b, 8),
               .fin = (flags & kFin) != 0,
               .syn = (flags & kSyn) != 0,
               .rst = (flags & kRst) != 0,
               .psh = (flags & kPsh) != 0,
               .ack = (flags & kAck) != 0,
               .window = be16(b, 14),
               .payload = b.subspan(header)};
  if (s.source_port == 0 || s.destination_port == 0) return std::unexpected(Drop::kHeader);
  if (s.syn) parse_tcp_options(b.subspan(kTcpHeader, header - kTcpHeader), s);
  return s;
}

Parsed<Transport> parse_udp(Bytes b) {
  if (b.size() < kUdpHeader) return std::unexpected(Drop::kShort);
  const std::size_t length = be16(b, 4);
  if (length < kUdpHeader) return std::unexpected(Drop::kHeader);
  if (length > b.size()) return std::unexpected(Drop::kShort);
  const UdpDatagram d{.source_port = be16(b, 0),
                      .destination_port = be16(b, 2),
                      .payload = b.subspan(kUdpHeader, length - kUdpHeader)};
  if (d.source_port == 0 || d.destination_port == 0) return std::unexpected(Drop::kHeader);
  return d;
}

Parsed<Transport> parse_icmp(Bytes b, std::uint8_t request, std::uint8_t protocol) {
  if (b.size() < kEchoHeader) return std::unexpected(Drop::kShort);
  if (b[0] != request || b[1] != 0) return OtherTransport{.protocol = protocol, .icmp = true};
  return EchoRequest{.id = be16(b, 4), .sequence = be16(b, 6), .payload = b.subspan(kEchoHeader)};
}

Parsed<Transport> parse_icmpv6(Bytes b, std::uint8_t hop_limit) {
  if (b.size() < kEchoHeader) return std::unexpected(Drop::kShort);
  if (b[0] != kNeighbourSolicitation) return parse_icmp(b, kEchoRequestV6, ip_protocol::kIcmpv6);
  if (b.size() < kSolicitationSize) return std::unexpected(Drop::kShort);
  const auto target = ipv6_at(b, 8);
  if (b[1] != 0 || hop_limit != kNdpHopLimit || !target) return std::unexpected(Drop::kHeader);
  return NeighbourSolicitation{.target = *target};
}

Parsed<IpPacket> parse_ipv4(Bytes b) {
  constexpr unsigned kMoreFragments = 0x2000;
  constexpr unsigned kOffset = 0x1fff;
  if (b.size() < kIpv4Header) return std::unexpected(Drop::kShort);
  if (b[0] / 16 != 4) return std::unexpected(Drop::kHeader);
  const std::size_t header = std::size_t{b[0]} % 16 * 4;
  if (header < kIpv4Header) return std::unexpected(Drop::kHeader);
  if (header > kIpv4Header) return std::unexpected(Drop::kOptions);
  const std::size_t total = be16(b, 2);
  if (total < kIpv4Header) return std::unexpected(Drop::kHeader);
  if (total > b.size()) return std::unexpected(Drop::kShort);
  if (Checksum().add(b.first(kIpv4Header)).value() != 0) return std::unexpected(Drop::kChecksum);
  if ((be16(b, 6) & (kMoreFragments | kOffset)) != 0) return std::unexpected(Drop::kFragment);
  const Bytes whole = b.first(total);
  const Bytes payload = whole.subspan(kIpv4Header);
  const std::uint8_t protocol = b[9];
  Parsed<Transport> transport = OtherTransport{.protocol = protocol};
  if (protocol == ip_protocol::kTcp) transport = parse_tcp(payload);
  if (protocol == ip_protocol::kUdp) transport = parse_udp(payload);
  if (protocol == ip_protocol::kIcmp)
    transport = parse_icmp(payload, kEchoRequestV4, ip_protocol::kIcmp);
  if (!transport) return std::unexpected(transport.error());
  return IpPacket{.source = ipv4_at(b, 12),
                  .destination = ipv4_at(b, 16),
                  .hop_limit = b[8],
                  .transport = *transport,
                  .whole = whole};
}

bool is_extension(std::uint8_t next_header) {
  // Hop-by-hop, routing, fragment, destination options, ... (IANA, IPv6 extension header types).
  constexpr std::array<std::uint8_t, 11> kAll{0, 43, 44, 50, 51, 60, 135, 139, 140, 253, 254};
  return std::ranges::find(kAll, next_header) != kAll.end();
}

Parsed<IpPacket> parse_ipv6(Bytes b) {
  constexpr std::uint8_t kFragmentHeader = 44;
  if (b.size() < kIpv6Header) return std::unexpected(Drop::kShort);
  if (b[0] / 16 != 6) return std::unexpected(Drop::kHeader);
  const std::size_t length = be16(b, 4);
  if (kIpv6Header + length > b.size()) return std::unexpected(Drop::kShort);
  const std::uint8_t next = b[6];
  const std::uint8_t hop_limit = b[7];
  if (next == kFragmentHeader) return std::unexpected(Drop::kFragment);
  if (is_extension(next)) return std::unexpected(Drop::kOptions);
  const auto source = ipv6_at(b, 8);
  const auto destination = ipv6_at(b, 24);
  if (!source || !destination) return std::unexpected(Drop::kHeader);
  const Bytes whole = b.first(kIpv6Header + length);
  const Bytes payload = whole.subspan(kIpv6Header);
  Parsed<Transport> transport = OtherTransport{.protocol = next};
  if (next == ip_protocol::kTcp) transport = parse_tcp(payload);
  if (next == ip_protocol::kUdp) transport = parse_udp(payload);
  if (next == ip_protocol::kIcmpv6) transport = parse_icmpv6(payload, hop_limit);
  if (!transport) return std::unexpected(transport.error());
  return IpPacket{.source = *source,
                  .destination = *destination,
                  .hop_limit = hop_limit,
                  .transport = *transport,
                  .whole = whole};
}

template <class T>
Parsed<Frame> with(Frame frame, Parsed<T> content) {
  if (!content) return std::unexpected(content.error());
  frame.content = *content;
  return frame;
}

}  // namespace

const char* drop_name(Drop drop) {
  switch (drop) {
    case Drop::kShort:
      return "short";
    case Drop::kLong:
      return "long";
    case Drop::kEtherType:
      return "ether-type";
    case Drop::kHeader:
      return "header";
    case Drop::kChecksum:
      return "checksum";
    case Drop::kFragment:
      return "fragment";
    case Drop::kOptions:
      return "options";
    case Drop::kSource:
      return "source";
  }
  return "header";
}

std::expected<Frame, Drop> parse_frame(Bytes bytes) {
  if (bytes.size() < kEthernetHeader) return std::unexpected(Drop::kShort);
  if (bytes.size() > kMostFrame) return std::unexpected(Drop::kLong);
  Frame frame;
  std::ranges::copy(bytes.first(6), frame.destination.begin());
  std::ranges::copy(bytes.subspan(6, 6), frame.source.begin());
  const Bytes rest = bytes.subspan(kEthernetHeader);
  switch (be16(bytes, 12)) {
    case ether_type::kIpv4:
      return with(frame, parse_ipv4(rest));
    case ether_type::kIpv6:
      return with(frame, parse_ipv6(rest));
    case ether_type::kArp:
      return with(frame, parse_arp(rest));
    default:
      return std::unexpected(Drop::kEtherType);
  }
}

}  // namespace pyro::net
