#include "net/packet_writer.h"

#include <algorithm>
#include <string_view>

#include "net/checksum.h"
#include "net/wire_numbers.h"

namespace pyro::net {

namespace {

constexpr std::uint8_t kHopLimit = 64;
constexpr unsigned kByteBits = 8;

void put8(Buffer b, std::size_t at, unsigned value) {
  b[at] = static_cast<std::uint8_t>(value);
}
void put16(Buffer b, std::size_t at, std::size_t value) {
  b[at] = static_cast<std::uint8_t>(value >> kByteBits);
  b[at + 1] = static_cast<std::uint8_t>(value);
}
void put32(Buffer b, std::size_t at, std::uint32_t value) {
  put16(b, at, value >> 16U);
  put16(b, at + 2, value & 0xffffU);
}
void put(Buffer b, std::size_t at, std::string_view bytes) {
  std::ranges::copy(bytes, b.begin() + static_cast<std::ptrdiff_t>(at));
}

void write_ethernet(Buffer out, const Macs& macs, std::uint16_t type) {
  std::ranges::copy(macs.guest, out.begin());
  std::ranges::copy(macs.engine, out.begin() + 6);
  put16(out, 12, type);
}

// The headers in front of `size` bytes of transport. Returns the size of the frame.
std::size_t write_ip(Buffer out, const Route& route, std::uint8_t protocol, std::size_t size,
                     std::uint8_t hop_limit = kHopLimit) {
  const Buffer ip = out.subspan(kEthernetHeader);
  if (route.destination.family() == Family::kIpv4) {
    write_ethernet(out, route.macs, ether_type::kIpv4);
    put16(ip, 0, 0x4500);
    put16(ip, 2, kIpv4Header + size);
    put16(ip, 4, 0);       // no fragments, so no identification is needed (RFC 6864, 4.1)
    put16(ip, 6, 0x4000);  // don't fragment
    put8(ip, 8, hop_limit);
    put8(ip, 9, protocol);
    put16(ip, 10, 0);
    put(ip, 12, route.source.bytes());
    put(ip, 16, route.destination.bytes());
    put16(ip, 10, Checksum().add(ip.first(kIpv4Header)).value());
  } else {
    write_ethernet(out, route.macs, ether_type::kIpv6);
    put32(ip, 0, 0x6000'0000);
    put16(ip, 4, size);
    put8(ip, 6, protocol);
    put8(ip, 7, hop_limit);
    put(ip, 8, route.source.bytes());
    put(ip, 24, route.destination.bytes());
  }
  return kEthernetHeader + ip_header(route.destination.family()) + size;
}

Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Of `transport`, whose own checksum field is 0 (RFC 9293, 3.1; RFC 8200, 8.1).
std::uint16_t checksum(const Route& route, std::uint8_t protocol, Bytes transport) {
  return Checksum()
      .add(bytes_of(route.source.bytes()))
      .add(bytes_of(route.destination.bytes()))
      .add(protocol)
      .add(static_cast<std::uint16_t>(transport.size()))
      .add(transport)
      .value();
}

Buffer transport_of(Buffer out, const Route& route, std::size_t size) {
  return out.subspan(kEthernetHeader + ip_header(route.destination.family()), size);
}

// MSS and window scale, padded to a multiple of four.
constexpr std::size_t kSynOptions = 8;
void write_syn_options(Buffer options, const TcpSegment& s) {
  put16(options, 0, 0x0204);
  put16(options, 2, s.max_segment);
  const bool scales = s.window_scale >= 0;
  put32(options, 4,
        scales ? 0x01030300U | static_cast<std::uint32_t>(s.window_scale) : 0x01010101U);
}

std::size_t finish_icmp(Buffer out, const Route& route, std::size_t size,
                        std::uint8_t hop_limit = kHopLimit) {
  const bool v4 = route.destination.family() == Family::kIpv4;
  const Buffer icmp = transport_of(out, route, size);
  put16(icmp, 2, 0);
  put16(icmp, 2, v4 ? Checksum().add(icmp).value() : checksum(route, ip_protocol::kIcmpv6, icmp));
  return write_ip(out, route, v4 ? ip_protocol::kIcmp : ip_protocol::kIcmpv6, size, hop_limit);
}

}  // namespace

std::size_t write_tcp(Buffer out, const Route& route, const TcpSegment& s, std::size_t payload) {
  const std::size_t header = kTcpHeader + (s.syn ? kSynOptions : 0);
  const Buffer tcp = transport_of(out, route, header + payload);
  put16(tcp, 0, s.source_port);
  put16(tcp, 2, s.destination_port);
  put32(tcp, 4, s.sequence);
  put32(tcp, 8, s.acknowledgement);
  const unsigned flags = (s.fin ? 1U : 0U) | (s.syn ? 2U : 0U) | (s.rst ? 4U : 0U) |
                         (s.psh ? 8U : 0U) | (s.ack ? 16U : 0U);
  put16(tcp, 12, (header / 4) << 12U | flags);
  put16(tcp, 14, s.window);
  put32(tcp, 16, 0);
  if (s.syn) write_syn_options(tcp.subspan(kTcpHeader), s);
  put16(tcp, 16, checksum(route, ip_protocol::kTcp, tcp));
  return write_ip(out, route, ip_protocol::kTcp, tcp.size());
}

std::size_t write_udp(Buffer out, const Route& route, std::uint16_t source_port,
                      std::uint16_t destination_port, std::size_t payload) {
  const Buffer udp = transport_of(out, route, kUdpHeader + payload);
  put16(udp, 0, source_port);
  put16(udp, 2, destination_port);
  put16(udp, 4, udp.size());
  put16(udp, 6, 0);
  const std::uint16_t sum = checksum(route, ip_protocol::kUdp, udp);
  put16(udp, 6, sum == 0 ? 0xffff : sum);  // 0 would mean that there is none
  return write_ip(out, route, ip_protocol::kUdp, udp.size());
}

std::size_t write_echo_reply(Buffer out, const Route& route, std::uint16_t id,
                             std::uint16_t sequence, std::size_t payload) {
  constexpr unsigned kReplyV4 = 0;
  constexpr unsigned kReplyV6 = 129;
  const Buffer icmp = transport_of(out, route, kEchoHeader + payload);
  put8(icmp, 0, route.destination.family() == Family::kIpv4 ? kReplyV4 : kReplyV6);
  put8(icmp, 1, 0);
  put16(icmp, 4, id);
  put16(icmp, 6, sequence);
  return finish_icmp(out, route, icmp.size());
}

std::size_t write_unreachable(Buffer out, const Route& route, Unreachable why, Bytes packet) {
  // As much as fits into the smallest packet that everybody takes (RFC 1812, 4.3.2.3; RFC 4443,
  // 3.1).
  constexpr std::size_t kMostQuotedV4 = 548;
  constexpr std::size_t kMostQuotedV6 = 1232;
  constexpr std::array<std::array<std::uint8_t, 2>, 5> kV4{
      {{3, 0}, {3, 1}, {3, 2}, {3, 3}, {3, 13}}};
  constexpr std::array<std::array<std::uint8_t, 2>, 5> kV6{
      {{1, 0}, {1, 3}, {4, 1}, {1, 4}, {1, 1}}};
  const bool v4 = route.destination.family() == Family::kIpv4;
  const auto& code = (v4 ? kV4 : kV6)[static_cast<std::size_t>(why)];
  const Bytes quoted = packet.first(std::min(packet.size(), v4 ? kMostQuotedV4 : kMostQuotedV6));
  const Buffer icmp = transport_of(out, route, kEchoHeader + quoted.size());
  put8(icmp, 0, code[0]);
  put8(icmp, 1, code[1]);
  // For "next header not known" IPv6 says where it stands; else unused.
  constexpr std::uint32_t kNextHeaderAt = 6;
  put32(icmp, 4, !v4 && why == Unreachable::kProtocol ? kNextHeaderAt : 0);
  std::ranges::copy(quoted, icmp.begin() + kEchoHeader);
  return finish_icmp(out, route, icmp.size());
}

std::size_t write_arp_reply(Buffer out, const Macs& macs, const ArpRequest& request) {
  constexpr std::size_t kSize = 28;
  write_ethernet(out, macs, ether_type::kArp);
  const Buffer arp = out.subspan(kEthernetHeader, kSize);
  put32(arp, 0, 0x0001'0800);
  put32(arp, 4, 0x0604'0002);
  std::ranges::copy(macs.engine, arp.begin() + 8);
  put(arp, 14, request.target.bytes());
  std::ranges::copy(macs.guest, arp.begin() + 18);
  put(arp, 24, request.sender.bytes());
  return kEthernetHeader + kSize;
}

std::size_t write_advertisement(Buffer out, const Route& route) {
  constexpr unsigned kAdvertisement = 136;
  constexpr std::uint32_t kSolicitedOverride = 0x6000'0000;
  constexpr std::size_t kSize = 32;
  const Buffer icmp = transport_of(out, route, kSize);
  put8(icmp, 0, kAdvertisement);
  put8(icmp, 1, 0);
  put32(icmp, 4, kSolicitedOverride);
  put(icmp, 8, route.source.bytes());
  put16(icmp, 24, 0x0201);  // target link-layer address, 8 bytes
  std::ranges::copy(route.macs.engine, icmp.begin() + 26);
  return finish_icmp(out, route, kSize, kNdpHopLimit);
}

}  // namespace pyro::net
