#include "net/packet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "net/checksum.h"
#include "net/packet_writer.h"

namespace pyro::net {
namespace {

using Packet = std::vector<std::uint8_t>;

constexpr Macs kMacs{.engine = {2, 0, 0, 0, 0, 1}, .guest = {2, 0, 0, 0, 0, 2}};

Address address(const char* text) {
  return Address::parse(text).value();
}
Route route(Family family) {
  const bool v4 = family == Family::kIpv4;
  return {.macs = kMacs,
          .source = address(v4 ? "1.2.3.4" : "2600::1"),
          .destination = address(v4 ? "10.255.255.2" : "fd70:7972:6f00::2")};
}

// A frame of `size` bytes of payload 0, 1, 2, ... at `at`, finished by `write`.
template <class Write>
Packet made(std::size_t at, std::size_t size, Write write) {
  Packet out(kMostFrame, 0xee);
  for (std::size_t i = 0; i < size; ++i) out[at + i] = static_cast<std::uint8_t>(i);
  out.resize(write(Buffer(out)));
  return out;
}
Packet tcp_frame(Family family, const TcpSegment& segment, std::size_t payload) {
  return made(tcp_payload_at(family), payload,
              [&](Buffer b) { return write_tcp(b, route(family), segment, payload); });
}
bool counts_up(Bytes payload) {
  for (std::size_t i = 0; i < payload.size(); ++i) {
    if (payload[i] != static_cast<std::uint8_t>(i)) return false;
  }
  return true;
}

// RFC 1071, 4.1, word by word.
std::uint16_t plain_checksum(Bytes b) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < b.size(); i += 2) {
    sum += static_cast<std::uint32_t>(b[i]) << 8U;
    if (i + 1 < b.size()) sum += b[i + 1];
    sum = (sum & 0xffffU) + (sum >> 16U);
  }
  return static_cast<std::uint16_t>(~sum);
}
// Over the transport with its pseudo header: 0 if the checksum in it is right.
std::uint16_t transport_checksum(const Packet& frame) {
  const bool v4 = frame[12] == 8;
  const Bytes ip = Bytes(frame).subspan(kEthernetHeader);
  const Bytes transport = ip.subspan(v4 ? kIpv4Header : kIpv6Header);
  Packet all;
  const Bytes addresses = v4 ? ip.subspan(12, 8) : ip.subspan(8, 32);
  all.insert(all.end(), addresses.begin(), addresses.end());
  for (const std::size_t word : {std::size_t{v4 ? ip[9] : ip[6]}, transport.size()}) {
    all.push_back(static_cast<std::uint8_t>(word >> 8U));
    all.push_back(static_cast<std::uint8_t>(word));
  }
  all.insert(all.end(), transport.begin(), transport.end());
  return plain_checksum(all);
}

TEST(Checksum, IsThatOfRfc1071) {
  const Packet example{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  EXPECT_EQ(Checksum().add(example).value(), static_cast<std::uint16_t>(~0xddf2U));
  std::mt19937 random(1);
  for (std::size_t size = 0; size < 300; ++size) {
    Packet bytes(size);
    std::ranges::generate(bytes, [&] { return static_cast<std::uint8_t>(random()); });
    EXPECT_EQ(Checksum().add(bytes).value(), plain_checksum(bytes)) << size;
    const std::size_t half = size / 4 * 2;
    EXPECT_EQ(Checksum().add(Bytes(bytes).first(half)).add(Bytes(bytes).subspan(half)).value(),
              plain_checksum(bytes));
  }
  EXPECT_EQ(Checksum().add(Packet(kMtu, 0xff)).value(), 0);
}

class EachFamily : public testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(All, EachFamily, testing::Values(Family::kIpv4, Family::kIpv6),
                         [](const auto& p) { return p.param == Family::kIpv4 ? "v4" : "v6"; });

TEST_P(EachFamily, ASegmentIsReadAsItWasWritten) {
  const TcpSegment wanted{.source_port = 443,
                          .destination_port = 50'000,
                          .sequence = 0xfffffff0,
                          .acknowledgement = 17,
                          .fin = true,
                          .psh = true,
                          .ack = true,
                          .window = 4096};
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{1001}, max_segment(GetParam())}) {
    const Packet frame = tcp_frame(GetParam(), wanted, size);
    EXPECT_LE(frame.size(), kMostFrame);
    EXPECT_EQ(transport_checksum(frame), 0);
    const auto read = parse_frame(frame);
    ASSERT_TRUE(read) << drop_name(read.error());
    EXPECT_EQ(read->source, kMacs.engine);
    EXPECT_EQ(read->destination, kMacs.guest);
    const auto& ip = std::get<IpPacket>(read->content);
    EXPECT_EQ(ip.source, route(GetParam()).source);
    EXPECT_EQ(ip.destination, route(GetParam()).destination);
    const auto& segment = std::get<TcpSegment>(ip.transport);
    EXPECT_EQ(segment.source_port, 443);
    EXPECT_EQ(segment.destination_port, 50'000);
    EXPECT_EQ(segment.sequence, 0xfffffff0U);
    EXPECT_EQ(segment.acknowledgement, 17U);
    EXPECT_TRUE(segment.fin && segment.psh && segment.ack && !segment.syn && !segment.rst);
    EXPECT_EQ(segment.window, 4096);
    EXPECT_EQ(segment.payload.size(), size);
    EXPECT_TRUE(counts_up(segment.payload));
    EXPECT_EQ(segment.length(), size + 1);
  }
}

TEST_P(EachFamily, ASynHasItsOptions) {
  for (const int scale : {-1, 0, 7, 14}) {
    const TcpSegment syn{.source_port = 1,
                         .destination_port = 2,
                         .syn = true,
                         .max_segment = 65480,
                         .window_scale = scale};
    const auto read = parse_frame(tcp_frame(GetParam(), syn, 0));
    ASSERT_TRUE(read);
    const auto& segment = std::get<TcpSegment>(std::get<IpPacket>(read->content).transport);
    EXPECT_EQ(segment.max_segment, 65480);
    EXPECT_EQ(segment.window_scale, scale);
    EXPECT_EQ(segment.length(), 1U);
  }
}

TEST_P(EachFamily, DatagramsAndEchoes) {
  const Packet udp = made(udp_payload_at(GetParam()), 777,
                          [](Buffer b) { return write_udp(b, route(GetParam()), 53, 4000, 777); });
  EXPECT_EQ(transport_checksum(udp), 0);
  const auto read = parse_frame(udp);
  ASSERT_TRUE(read);
  const auto& datagram = std::get<UdpDatagram>(std::get<IpPacket>(read->content).transport);
  EXPECT_EQ(datagram.source_port, 53);
  EXPECT_EQ(datagram.destination_port, 4000);
  EXPECT_EQ(datagram.payload.size(), 777U);
  EXPECT_TRUE(counts_up(datagram.payload));

  Packet echo = made(echo_payload_at(GetParam()), 56,
                     [](Buffer b) { return write_echo_reply(b, route(GetParam()), 7, 8, 56); });
  const bool v4 = GetParam() == Family::kIpv4;
  const std::size_t type_at = kEthernetHeader + ip_header(GetParam());
  EXPECT_EQ(echo[type_at], v4 ? 0 : 129);
  if (v4) {
    EXPECT_EQ(plain_checksum(Bytes(echo).subspan(type_at)), 0);
  } else {
    EXPECT_EQ(transport_checksum(echo), 0);
  }
  echo[type_at] = v4 ? 8 : 128;  // the request
  const auto request = parse_frame(echo);
  ASSERT_TRUE(request);
  const auto& asked = std::get<EchoRequest>(std::get<IpPacket>(request->content).transport);
  EXPECT_EQ(asked.id, 7);
  EXPECT_EQ(asked.sequence, 8);
  EXPECT_EQ(asked.payload.size(), 56U);
}

TEST_P(EachFamily, ARefusalQuotesThePacket) {
  const Packet refused = tcp_frame(GetParam(), {.source_port = 1, .destination_port = 2}, 3000);
  const Bytes packet = Bytes(refused).subspan(kEthernetHeader);
  Packet out(kMostFrame);
  out.resize(write_unreachable(out, route(GetParam()), Unreachable::kProhibited, packet));
  const bool v4 = GetParam() == Family::kIpv4;
  const Bytes icmp = Bytes(out).subspan(kEthernetHeader + ip_header(GetParam()));
  EXPECT_EQ(icmp[0], v4 ? 3 : 1);
  EXPECT_EQ(icmp[1], v4 ? 13 : 1);
  EXPECT_TRUE(std::ranges::equal(icmp.subspan(8), packet.first(v4 ? 548 : 1232)));
  EXPECT_EQ(v4 ? plain_checksum(icmp) : transport_checksum(out), 0);
  EXPECT_LE(out.size() - kEthernetHeader, v4 ? 576U : 1280U);
  // An ICMP message that is no echo request is nothing that one answers.
  const auto read = parse_frame(out);
  ASSERT_TRUE(read);
  EXPECT_TRUE(std::get<OtherTransport>(std::get<IpPacket>(read->content).transport).icmp);
}

TEST_P(EachFamily, WhatEndsTooEarlyIsDropped) {
  const Packet whole = tcp_frame(
      GetParam(), {.source_port = 1, .destination_port = 2, .syn = true, .max_segment = 9}, 0);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto read = parse_frame(Bytes(whole).first(size));
    ASSERT_FALSE(read) << size;
    EXPECT_EQ(read.error(), Drop::kShort);
  }
  Packet padded = whole;
  padded.resize(whole.size() + 20);  // Ethernet pads short frames
  const auto read = parse_frame(padded);
  ASSERT_TRUE(read);
  EXPECT_TRUE(std::get<TcpSegment>(std::get<IpPacket>(read->content).transport).payload.empty());
  EXPECT_EQ(parse_frame(Packet(kMostFrame + 1)).error(), Drop::kLong);
}

// One byte of a good frame changed; an IPv4 header's checksum is mended.
Drop drop_of(Family family, std::size_t at, std::uint8_t value) {
  Packet frame = tcp_frame(family, {.source_port = 1, .destination_port = 2, .ack = true}, 40);
  frame[at] = value;
  if (family == Family::kIpv4 && at >= kEthernetHeader && at < kEthernetHeader + kIpv4Header) {
    const Buffer header = Buffer(frame).subspan(kEthernetHeader, kIpv4Header);
    header[10] = header[11] = 0;
    const std::uint16_t sum = plain_checksum(header);
    header[10] = static_cast<std::uint8_t>(sum >> 8U);
    header[11] = static_cast<std::uint8_t>(sum);
  }
  const auto read = parse_frame(frame);
  EXPECT_FALSE(read) << at;
  return read ? Drop::kLong : read.error();
}

TEST(Packet, WhatAnHonestGuestDoesNotSendIsDropped) {
  constexpr std::size_t kIp = kEthernetHeader;
  constexpr Family kV4 = Family::kIpv4;
  constexpr Family kV6 = Family::kIpv6;
  EXPECT_EQ(drop_of(kV4, 12, 0x81), Drop::kEtherType);  // VLAN
  EXPECT_EQ(drop_of(kV4, kIp, 0x65), Drop::kHeader);
  EXPECT_EQ(drop_of(kV4, kIp, 0x44), Drop::kHeader);
  EXPECT_EQ(drop_of(kV4, kIp, 0x46), Drop::kOptions);
  EXPECT_EQ(drop_of(kV4, kIp + 2, 0xff), Drop::kShort);
  EXPECT_EQ(drop_of(kV4, kIp + 3, 19), Drop::kHeader);
  EXPECT_EQ(drop_of(kV4, kIp + 3, 30), Drop::kShort);  // inside the TCP header
  EXPECT_EQ(drop_of(kV4, kIp + 6, 0x20), Drop::kFragment);
  EXPECT_EQ(drop_of(kV4, kIp + 7, 1), Drop::kFragment);
  EXPECT_EQ(drop_of(kV6, kIp, 0x45), Drop::kHeader);
  EXPECT_EQ(drop_of(kV6, kIp + 4, 0xff), Drop::kShort);
  EXPECT_EQ(drop_of(kV6, kIp + 6, 44), Drop::kFragment);
  EXPECT_EQ(drop_of(kV6, kIp + 6, 0), Drop::kOptions);
  EXPECT_EQ(drop_of(kV6, kIp + 6, 60), Drop::kOptions);
  for (const Family family : {kV4, kV6}) {
    const std::size_t tcp = kIp + ip_header(family);
    EXPECT_EQ(drop_of(family, tcp + 1, 0), Drop::kHeader);  // port 0
    EXPECT_EQ(drop_of(family, tcp + 3, 0), Drop::kHeader);
    EXPECT_EQ(drop_of(family, tcp + 12, 0x40), Drop::kHeader);
  }
  Packet broken = tcp_frame(kV4, {.source_port = 1, .destination_port = 2}, 0);
  broken[kIp + 10] ^= 1;
  EXPECT_EQ(parse_frame(broken).error(), Drop::kChecksum);
  Packet mapped = tcp_frame(kV6, {.source_port = 1, .destination_port = 2}, 0);
  std::fill_n(mapped.begin() + kIp + 24, 10, 0);
  std::fill_n(mapped.begin() + kIp + 34, 2, 0xff);
  EXPECT_EQ(parse_frame(mapped).error(), Drop::kHeader);
}

TEST(Packet, ADatagramsOwnLengthCounts) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    Packet frame = made(udp_payload_at(family), 10,
                        [&](Buffer b) { return write_udp(b, route(family), 1, 2, 10); });
    const std::size_t length_at = udp_payload_at(family) - 3;
    const auto size_of = [&](std::uint8_t length) -> int {
      frame[length_at] = length;
      const auto read = parse_frame(frame);
      if (!read) return -static_cast<int>(read.error()) - 1;
      const auto& udp = std::get<UdpDatagram>(std::get<IpPacket>(read->content).transport);
      return static_cast<int>(udp.payload.size());
    };
    EXPECT_EQ(size_of(18), 10);
    EXPECT_EQ(size_of(12), 4);
    EXPECT_EQ(size_of(8), 0);
    EXPECT_EQ(size_of(7), -static_cast<int>(Drop::kHeader) - 1);
    EXPECT_EQ(size_of(19), -static_cast<int>(Drop::kShort) - 1);
  }
}

TEST(Packet, OptionsOfASynThatAreBroken) {
  const auto read = [](std::initializer_list<std::uint8_t> options) {
    Packet frame =
        tcp_frame(Family::kIpv4, {.source_port = 1, .destination_port = 2, .syn = true}, 0);
    std::ranges::copy(options, frame.begin() + tcp_payload_at(Family::kIpv4));
    const auto parsed = parse_frame(frame);
    EXPECT_TRUE(parsed);
    return std::get<TcpSegment>(std::get<IpPacket>(parsed->content).transport);
  };
  EXPECT_EQ(read({2, 4, 5, 0xb4, 0, 0, 0, 0}).max_segment, 1460);
  EXPECT_EQ(read({1, 1, 1, 3, 3, 200, 0, 0}).window_scale, 14);
  EXPECT_EQ(read({3, 0, 7, 0, 0, 0, 0, 0}).window_scale, -1);
  EXPECT_EQ(read({3, 1, 7, 0, 0, 0, 0, 0}).window_scale, -1);
  EXPECT_EQ(read({8, 10, 0, 0, 0, 0, 0, 0}).max_segment, 0);
  EXPECT_EQ(read({1, 1, 1, 1, 1, 1, 1, 2}).max_segment, 0);
  EXPECT_EQ(read({0, 2, 4, 5, 0xb4, 0, 0, 0}).max_segment, 0);
}

TEST(Packet, NeighboursAreAskedFor) {
  const ArpRequest who{.sender = address("10.255.255.2"), .target = address("10.255.255.1")};
  Packet arp(kMostFrame);
  arp.resize(write_arp_reply(arp, kMacs, who));
  EXPECT_EQ(parse_frame(arp).error(), Drop::kHeader);  // nobody asks with a reply
  arp[kEthernetHeader + 7] = 1;
  const auto read = parse_frame(arp);
  ASSERT_TRUE(read);
  EXPECT_EQ(std::get<ArpRequest>(read->content).sender, who.target);
  EXPECT_EQ(std::get<ArpRequest>(read->content).target, who.sender);

  Packet advertisement(kMostFrame);
  advertisement.resize(write_advertisement(advertisement, route(Family::kIpv6)));
  EXPECT_EQ(transport_checksum(advertisement), 0);
  const std::size_t type_at = kEthernetHeader + kIpv6Header;
  EXPECT_EQ(advertisement[type_at], 136);
  advertisement[type_at] = 135;
  const auto asked = parse_frame(advertisement);
  ASSERT_TRUE(asked);
  const auto& ip = std::get<IpPacket>(asked->content);
  EXPECT_EQ(std::get<NeighbourSolicitation>(ip.transport).target, address("2600::1"));
  advertisement[kEthernetHeader + 7] = 64;  // came from further away
  EXPECT_EQ(parse_frame(advertisement).error(), Drop::kHeader);
}

}  // namespace
}  // namespace pyro::net
