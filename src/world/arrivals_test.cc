#include "world/arrivals.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "net/link_addresses.h"
#include "net/packet_writer.h"

namespace pyro::world {
namespace {

// The packets that the engine's writer makes, without their Ethernet header.
std::vector<std::uint8_t> tcp(const net::TcpSegment& segment, std::size_t payload) {
  std::vector<std::uint8_t> frame(2000);
  const net::Route route{.macs = {.engine = net::kEngineMac, .guest = net::kGuestMac},
                         .source = *policy::Address::parse("192.168.77.2"),
                         .destination = *policy::Address::parse("93.184.216.34")};
  frame.resize(net::write_tcp(frame, route, segment, payload));
  frame.erase(frame.begin(), frame.begin() + net::kEthernetHeader);
  return frame;
}

// For what must be seen; nothing fails the test.
Seen seen_in(net::Bytes packet) {
  std::optional<Seen> seen = see(packet);
  EXPECT_TRUE(seen);
  return std::move(seen).value_or(Seen{});
}

TEST(Arrivals, AConnectionThatIsAskedForAndItsDataAreSeen) {
  const Seen opening =
      seen_in(tcp({.source_port = 1000, .destination_port = 443, .sequence = 1, .syn = true}, 0));
  EXPECT_EQ(opening.protocol, "tcp");
  EXPECT_EQ(opening.address, "93.184.216.34");
  EXPECT_EQ(opening.port, 443);
  EXPECT_TRUE(opening.opens);
  const Seen data = seen_in(tcp({.source_port = 1000, .destination_port = 443, .ack = true}, 5));
  EXPECT_EQ(data.bytes, 5U);
  EXPECT_FALSE(data.opens);
  EXPECT_FALSE(see(tcp({.source_port = 1000, .destination_port = 443, .ack = true}, 0)));
}

TEST(Arrivals, FragmentsAreCalledThat) {
  auto packet = tcp({.source_port = 1000, .destination_port = 443, .syn = true}, 0);
  packet[6] = 0x20;  // more follow
  EXPECT_EQ(seen_in(packet).protocol, "fragment");
}

TEST(Arrivals, WhatIsNoPacketIsNothing) {
  EXPECT_FALSE(see({}));
  const std::vector<std::uint8_t> junk(60, 0xff);
  EXPECT_FALSE(see(junk));
  auto cut = tcp({.source_port = 1000, .destination_port = 443, .syn = true}, 0);
  cut.resize(25);
  EXPECT_FALSE(see(cut));
}

TEST(Record, AnErrorOnTheHostsLoopbackIsItsOwn) {
  auto refused = tcp({.source_port = 1000, .destination_port = 443, .syn = true}, 0);
  std::vector<std::uint8_t> frame(2000);
  const net::Route back{.macs = {.engine = net::kEngineMac, .guest = net::kGuestMac},
                        .source = *policy::Address::parse("192.168.77.2"),
                        .destination = *policy::Address::parse("192.168.77.2")};
  frame.resize(net::write_unreachable(frame, back, net::Unreachable::kHost, refused));
  frame.erase(frame.begin(), frame.begin() + net::kEthernetHeader);
  const Seen error = seen_in(frame);
  EXPECT_EQ(error.protocol, "icmp");
  Record record;
  record.add(kAtHost, error);
  EXPECT_TRUE(record.take().list.empty());
  record.add("world", error);
  EXPECT_EQ(record.take().list.size(), 1U) << "there it was sent";
  frame[20] = 8;  // an echo request
  record.add(kAtHost, seen_in(frame));
  EXPECT_EQ(record.take().list.size(), 1U);
}

TEST(Record, SumsUpAndIsBounded) {
  Record record;
  const Seen one{.protocol = "udp", .address = "1.1.1.1", .port = 53, .bytes = 10};
  record.add("world", one);
  record.add("world", one);
  record.add("host", one);
  const Arrivals first = record.take();
  ASSERT_EQ(first.list.size(), 2U);
  EXPECT_EQ(first.list[1].where, "world");
  EXPECT_EQ(first.list[1].packets, 2);
  EXPECT_EQ(first.list[1].bytes, 20);
  EXPECT_TRUE(record.take().list.empty());
  for (std::size_t i = 0; i < Record::kMost + 3; ++i)
    record.add("world", {.protocol = "dns", .address = std::to_string(i)});
  const Arrivals many = record.take();
  EXPECT_EQ(many.list.size(), Record::kMost);
  EXPECT_EQ(many.lost, 3);
}

}  // namespace
}  // namespace pyro::world
