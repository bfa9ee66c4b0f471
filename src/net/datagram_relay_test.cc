#include "net/datagram_relay.h"

#include <gtest/gtest.h>

#include "net/engine_testing.h"

namespace pyro::net {
namespace {

using namespace std::chrono_literals;
constexpr std::uint16_t kGuestPort = 50'000;
constexpr std::uint16_t kPort = 4433;

class DatagramRelayTest : public testing::Test, protected EngineRig {
 protected:
  void SetUp() override {
    settings.policy.allow_udp = true;
    configure();
  }
  void send(std::string_view text, std::uint16_t from = kGuestPort) {
    give(guest_frame::udp(guest_frame::to(remote_), from, kPort, text));
  }
  void ping(std::uint16_t id, std::uint16_t sequence, std::string_view text) {
    give(guest_frame::echo(guest_frame::to(remote_), id, sequence, text));
  }
  FakeDatagramState& host() { return *network.datagrams.back(); }
  void receive(std::string_view text) {
    host().received.emplace_back(text);
    ready(host().token);
  }
  Address remote_ = ip("93.184.216.34");
};

TEST_F(DatagramRelayTest, DatagramsGoBothWaysAndKeepTheirEdges) {
  send("one");
  send("");
  send("two");
  ASSERT_EQ(network.datagrams.size(), 1U);
  EXPECT_EQ(host().address, remote_);
  EXPECT_EQ(host().port, kPort);
  EXPECT_EQ(host().sent, (std::deque<std::string>{"one", "", "two"}));
  receive("answer");
  const Seen seen = next();
  ASSERT_NE(seen.udp(), nullptr);
  EXPECT_EQ(text_of(seen.udp()->payload), "answer");
  EXPECT_EQ(seen.packet->source, remote_);
  EXPECT_EQ(seen.udp()->source_port, kPort);
  EXPECT_EQ(seen.udp()->destination_port, kGuestPort);
  receive("");
  EXPECT_NE(next().udp(), nullptr);
  wait(180s);
  const auto all = events();
  EXPECT_STREQ(all.back().reason, "idle");
  EXPECT_EQ(all.back().to_host, 6U);
  EXPECT_EQ(all.back().to_guest, 6U);
}

TEST_F(DatagramRelayTest, ARefusedOneIsToldByIcmpThatQuotesIt) {
  configure({"tcp://93.184.216.34:443"});
  send("secret");
  EXPECT_TRUE(network.datagrams.empty());
  const Seen seen = next();
  EXPECT_EQ(seen.icmp(), std::pair(3, 13));
  EXPECT_EQ(seen.packet->source, policy::link_of(Family::kIpv4).engine);
  EXPECT_EQ(text_of(seen.quoted().subspan(kIpv4Header + kUdpHeader)), "secret");
  EXPECT_EQ(last_event(), "udp 93.184.216.34 4433 refused not-listed");
  remote_ = ip("2606:2800:220:1::1");
  send("secret");
  EXPECT_EQ(next().icmp(), std::pair(1, 1));
  ping(1, 1, "x");
  EXPECT_EQ(next().icmp(), std::pair(1, 1));
}

TEST_F(DatagramRelayTest, NobodyIsToldOfMulticast) {
  for (const char* group : {"224.0.0.251", "255.255.255.255", "ff02::fb"}) {
    remote_ = ip(group);
    send("mdns");
    EXPECT_TRUE(link.frames.empty()) << group;
    EXPECT_TRUE(network.datagrams.empty()) << group;
  }
}

TEST_F(DatagramRelayTest, ErrorsOfTheSocketComeBackAsIcmp) {
  struct Case {
    int error;
    std::pair<int, int> icmp;
    bool from_remote;
    const char* reason;
  };
  for (const Case& c : {Case{ECONNREFUSED, {3, 3}, true, "refused"},
                        Case{EHOSTUNREACH, {3, 1}, false, "no-route"}}) {
    send("hello");
    host().error = c.error;
    ready(host().token);
    const Seen seen = next();
    EXPECT_EQ(seen.icmp(), c.icmp);
    EXPECT_EQ(seen.packet->source == remote_, c.from_remote);
    const Bytes quoted = seen.quoted();
    EXPECT_EQ((quoted[kIpv4Header] << 8) | quoted[kIpv4Header + 1], kGuestPort);
    EXPECT_EQ((quoted[kIpv4Header + 2] << 8) | quoted[kIpv4Header + 3], kPort);
    EXPECT_TRUE(host().closed);
    EXPECT_EQ(last_event(), std::string("udp 93.184.216.34 4433 end ") + c.reason);
    // One that sends meets it too, and the next datagram begins anew.
    send("again");
    host().error = c.error;
    send("met");
    EXPECT_EQ(next().icmp(), c.icmp);
    EXPECT_EQ(engine.sizes().udp, 0U);
  }
}

TEST_F(DatagramRelayTest, WhatCannotBeOpenedIsTold) {
  network.open_error = ENETUNREACH;
  send("x");
  EXPECT_EQ(next().icmp(), std::pair(3, 0));
  EXPECT_EQ(last_event(), "udp 93.184.216.34 4433 end no-route");
  network.open_error = EMFILE;
  send("x");
  EXPECT_EQ(last_event(), "udp 93.184.216.34 4433 end limit");
  network.open_error = EACCES;
  ping(1, 1, "x");
  EXPECT_EQ(last_event(), "icmp 93.184.216.34 0 end no-echo");
}

TEST_F(DatagramRelayTest, IdleOnesEnd) {
  send("x");
  wait(59s);
  send("y");
  wait(59s);
  EXPECT_EQ(engine.sizes().udp, 1U);
  receive("answered");
  wait(179s);
  EXPECT_EQ(engine.sizes().udp, 1U);
  wait(1s);
  EXPECT_EQ(engine.sizes().udp, 0U);
  send("never answered");
  wait(60s);
  EXPECT_EQ(engine.sizes().udp, 0U);
  EXPECT_EQ(engine.sizes().deadlines, 0U);
}

TEST_F(DatagramRelayTest, AtTheLimitTheQuietestGoes) {
  for (std::size_t i = 0; i < kMostUdpFlows; ++i) {
    now += 1ms;
    send("x", static_cast<std::uint16_t>(1024 + i));
  }
  now += 1ms;
  send("again", 1024);  // not the quietest any more
  now += 1ms;
  send("x", 60'000);
  EXPECT_EQ(engine.sizes().udp, kMostUdpFlows);
  EXPECT_FALSE(network.datagrams[0]->closed);
  EXPECT_TRUE(network.datagrams[1]->closed);
  EXPECT_EQ(network.open_sockets(), kMostUdpFlows);
}

// What is gone leaves nothing behind, however many there were.
TEST_F(DatagramRelayTest, AFloodOfFlowsIsBounded) {
  constexpr int kFlood = 5000;
  for (int i = 0; i < kFlood; ++i) {
    now += 1us;
    send("x", static_cast<std::uint16_t>(1024 + i));
    ASSERT_LE(engine.sizes().deadlines, kMostUdpFlows);
  }
}

TEST_F(DatagramRelayTest, WhatTheLinkHasNoRoomForWaitsInTheSocket) {
  send("x");
  link.space = 1;
  host().received = {"1", "2", "3"};
  ready(host().token);
  EXPECT_EQ(host().received.size(), 2U);
  EXPECT_FALSE(engine.flush(now));
  link.space = 10;
  EXPECT_TRUE(engine.flush(now));
  EXPECT_EQ(link.frames.size(), 3U);
}

TEST_F(DatagramRelayTest, ADatagramThatNoFrameCanCarryIsLost) {
  send("x");
  receive(std::string(65500, 'x'));
  receive("next");
  const Seen seen = next();
  ASSERT_NE(seen.udp(), nullptr);
  EXPECT_EQ(text_of(seen.udp()->payload), "next");
}

TEST_F(DatagramRelayTest, ANewPolicyEndsWhatItRefuses) {
  send("x");
  ping(7, 1, "x");
  configure({"udp://93.184.216.34:4433"});
  EXPECT_EQ(engine.sizes().udp, 1U);
  EXPECT_EQ(engine.sizes().echo, 0U);
  configure({"tcp://93.184.216.34:4433"});
  EXPECT_EQ(network.open_sockets(), 0U);
  EXPECT_EQ(last_event(), "udp 93.184.216.34 4433 end policy");
}

TEST_F(DatagramRelayTest, EchoKeepsTheGuestsIdentifiers) {
  ping(7, 300, "first");
  ping(8, 1, "other");
  ping(7, 301, "second");
  ASSERT_EQ(network.datagrams.size(), 2U);
  const auto& seven = *network.datagrams[0];
  ASSERT_EQ(seven.sent.size(), 2U);
  EXPECT_EQ(seven.sent[1].substr(8), "second");
  EXPECT_EQ(seven.sent[1][0], 8);
  // The host's kernel answers with an identifier of its own.
  std::string reply = seven.sent[1];
  reply[0] = 0;
  reply[4] = 77;
  network.datagrams[0]->received.push_back(reply);
  network.datagrams[0]->received.emplace_back("short");
  ready(seven.token);
  const Seen seen = next();
  ASSERT_TRUE(seen.packet);
  const Bytes icmp = seen.packet->whole.subspan(kIpv4Header);
  EXPECT_EQ((icmp[4] << 8) | icmp[5], 7);
  EXPECT_EQ((icmp[6] << 8) | icmp[7], 301);
  EXPECT_EQ(text_of(icmp.subspan(kEchoHeader)), "second");
  EXPECT_TRUE(link.frames.empty());
}

TEST_F(DatagramRelayTest, EchoesAreBounded) {
  for (std::uint16_t id = 0; id < kMostEchoFlows + 10; ++id) ping(id, 1, "x");
  EXPECT_EQ(engine.sizes().echo, kMostEchoFlows);
  EXPECT_EQ(network.open_sockets(), kMostEchoFlows);
}

TEST_F(DatagramRelayTest, TheEngineAnswersItsOwnEcho) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    remote_ = policy::link_of(family).engine;
    ping(7, 9, "hello");
    const Seen seen = next();
    ASSERT_TRUE(seen.packet);
    const Bytes icmp = seen.packet->whole.subspan(ip_header(family));
    EXPECT_EQ(icmp[0], family == Family::kIpv4 ? 0 : 129);
    EXPECT_EQ(text_of(icmp.subspan(kEchoHeader)), "hello");
    EXPECT_TRUE(network.datagrams.empty());
  }
}

}  // namespace
}  // namespace pyro::net
