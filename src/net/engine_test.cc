#include "net/engine.h"

#include <gtest/gtest.h>

#include "net/engine_testing.h"

namespace pyro::net {
namespace {

using namespace std::chrono_literals;
constexpr std::size_t kTypeAt = 12;
constexpr std::size_t kMacSize = 6;

class EngineTest : public testing::Test, protected EngineRig {
 protected:
  using Made = std::vector<std::uint8_t>;
  [[nodiscard]] static Made arp_request(
      const Address& target, const Address& sender = policy::link_of(Family::kIpv4).guest) {
    Made out(kEthernetHeader + 28);
    const auto size =
        write_arp_reply(out, guest_frame::kTurned, {.sender = target, .target = sender});
    out.resize(size);
    out[kEthernetHeader + 7] = 1;  // a request
    return out;
  }
  [[nodiscard]] static Made solicitation(const Address& target) {
    Made out(kMostFrame);
    const Address& guest = policy::link_of(Family::kIpv6).guest;
    out.resize(write_advertisement(out, {.macs = guest_frame::kTurned,
                                         .source = guest,
                                         .destination = policy::link_of(Family::kIpv6).engine}));
    constexpr std::uint8_t kSolicitation = 135;
    const std::size_t icmp = kEthernetHeader + kIpv6Header;
    out[icmp] = kSolicitation;
    std::ranges::copy(target.bytes(), out.begin() + static_cast<std::ptrdiff_t>(icmp + 8));
    return out;
  }
  static Made datagram(const char* to = "93.184.216.34") {
    return guest_frame::udp(guest_frame::to(ip(to)), 1000, 2000, "x");
  }
  // Dropped for that reason, and not a word about it.
  void expect_drop(const Made& frame, Drop why) {
    const auto at = static_cast<std::size_t>(why);
    const std::uint64_t before = engine.counters().drops[at];
    give(frame);
    EXPECT_EQ(engine.counters().drops[at], before + 1) << drop_name(why);
    EXPECT_TRUE(link.frames.empty());
    EXPECT_EQ(network.open_sockets(), 0U);
  }
  static void mend_checksum(Made& frame) {
    const std::span<std::uint8_t> header = std::span(frame).subspan(kEthernetHeader, kIpv4Header);
    header[10] = 0;
    header[11] = 0;
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < kIpv4Header; i += 2)
      sum += (std::uint32_t{header[i]} << 8U) | header[i + 1];
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16U);
    header[10] = static_cast<std::uint8_t>(~sum >> 8U);
    header[11] = static_cast<std::uint8_t>(~sum);
  }
  const Address engine_v4_ = policy::link_of(Family::kIpv4).engine;
  const Address engine_v6_ = policy::link_of(Family::kIpv6).engine;
};

TEST_F(EngineTest, EverythingIsRefusedBeforeThereIsAPolicy) {
  give(guest_frame::tcp(guest_frame::to(ip("93.184.216.34")),
                        {.source_port = 1000, .destination_port = 443, .syn = true}));
  const Seen reset = next();
  ASSERT_NE(reset.tcp(), nullptr);
  EXPECT_TRUE(reset.tcp()->rst);
  EXPECT_EQ(last_event(), "tcp 93.184.216.34 443 refused off");
  give(datagram());
  EXPECT_EQ(next().icmp(), std::pair(3, 13));
  give(guest_frame::echo(guest_frame::to(ip("93.184.216.34")), 1, 1, "x"));
  EXPECT_EQ(next().icmp(), std::pair(3, 13));
  ask("example.com");
  const Seen refusal = next();
  ASSERT_NE(refusal.udp(), nullptr);
  EXPECT_EQ(refusal.udp()->payload[3] & 15, 5);
  EXPECT_TRUE(network.tcp.empty());
  EXPECT_TRUE(network.datagrams.empty());
  EXPECT_EQ(engine.counters().refused, 4U);
}

TEST_F(EngineTest, ArpIsAnsweredForTheEngineAlone) {
  give(arp_request(engine_v4_));
  const Seen answer = next();
  ASSERT_EQ(answer.bytes.size(), kEthernetHeader + 28);
  EXPECT_TRUE(std::ranges::equal(std::span(answer.bytes).first(kMacSize), kGuestMac));
  EXPECT_EQ(answer.bytes[kEthernetHeader + 7], 2);
  EXPECT_TRUE(std::ranges::equal(std::span(answer.bytes).subspan(kEthernetHeader + 8, kMacSize),
                                 kEngineMac));
  give(arp_request(policy::link_of(Family::kIpv4).guest));
  give(arp_request(ip("93.184.216.34")));
  EXPECT_TRUE(link.frames.empty());
  expect_drop(arp_request(engine_v4_, ip("10.0.0.1")), Drop::kSource);
}

TEST_F(EngineTest, SolicitationsAreAnsweredForTheEngineAlone) {
  give(solicitation(engine_v6_));
  const Seen answer = next();
  EXPECT_EQ(answer.icmp(), std::pair(136, 0));
  ASSERT_TRUE(answer.packet);
  EXPECT_EQ(answer.packet->hop_limit, 255);
  give(solicitation(ip("2606:2800:220:1::1")));
  EXPECT_TRUE(link.frames.empty());
}

TEST_F(EngineTest, WhoeverElseSendsIsNotHeard) {
  settings.policy.allow_udp = true;
  configure();
  Made other_mac = datagram();
  other_mac[kMacSize + 5] ^= 1;
  expect_drop(other_mac, Drop::kSource);
  Made to_another = datagram();
  to_another[5] ^= 1;
  expect_drop(to_another, Drop::kSource);
  Made other_ip = datagram();
  other_ip[kEthernetHeader + 15] ^= 1;
  mend_checksum(other_ip);
  expect_drop(other_ip, Drop::kSource);
  Made other_v6 = datagram("2606:2800:220:1::1");
  other_v6[kEthernetHeader + 23] ^= 1;
  expect_drop(other_v6, Drop::kSource);
}

TEST_F(EngineTest, FramesThatNoHonestGuestSendsAreDropped) {
  settings.policy.allow_udp = true;
  configure();
  Made vlan = datagram();
  vlan[kTypeAt] = 0x81;
  vlan[kTypeAt + 1] = 0;
  expect_drop(vlan, Drop::kEtherType);
  Made fragment = datagram();
  fragment[kEthernetHeader + 6] = 0x20;
  mend_checksum(fragment);
  expect_drop(fragment, Drop::kFragment);
  Made options = datagram();
  options[kEthernetHeader] = 0x46;
  expect_drop(options, Drop::kOptions);
  Made extension = datagram("2606:2800:220:1::1");
  extension[kEthernetHeader + 6] = 60;
  expect_drop(extension, Drop::kOptions);
  Made wrong = datagram();
  wrong[kEthernetHeader + 8] ^= 1;
  expect_drop(wrong, Drop::kChecksum);
  Made cut = datagram();
  cut.resize(kEthernetHeader - 1);
  expect_drop(cut, Drop::kShort);
  expect_drop(Made(kMostFrame + 1), Drop::kLong);
  EXPECT_EQ(engine.counters().frames_from_guest, 7U);
}

TEST_F(EngineTest, OtherProtocolsAreToldThatTheyAreNone) {
  configure();
  constexpr std::uint8_t kSctp = 132;
  Made frame = datagram();
  frame[kEthernetHeader + 9] = kSctp;
  mend_checksum(frame);
  give(frame);
  EXPECT_EQ(next().icmp(), std::pair(3, 2));
  EXPECT_EQ(last_event(), "other 93.184.216.34 132 refused protocol");
  Made v6 = datagram("2606:2800:220:1::1");
  v6[kEthernetHeader + 6] = kSctp;
  give(v6);
  EXPECT_EQ(next().icmp(), std::pair(4, 1));
  // IGMP to a group is not answered, nor is ICMP that is no echo.
  Made igmp = datagram("224.0.0.22");
  igmp[kEthernetHeader + 9] = 2;
  mend_checksum(igmp);
  give(igmp);
  Made icmp = guest_frame::echo(guest_frame::to(ip("93.184.216.34")), 1, 1, "x");
  icmp[kEthernetHeader + kIpv4Header] = 3;
  give(icmp);
  EXPECT_TRUE(link.frames.empty());
  EXPECT_EQ(engine.counters().other_icmp, 1U);
}

TEST_F(EngineTest, RefusalsThatTheLinkHasNoRoomForAreCounted) {
  link.space = 0;
  give(datagram());
  EXPECT_EQ(engine.counters().replies_lost, 1U);
}

TEST_F(EngineTest, ANameThatIsDeniedLaterTakesItsAddressesAlong) {
  const auto reach = [this] {
    give(guest_frame::tcp(guest_frame::to(ip("93.184.216.34")),
                          {.source_port = 1000, .destination_port = 443, .syn = true}));
    return last_event();
  };
  configure();
  ask("evil.example");
  answer({.addresses = {{.address = ip("93.184.216.34"), .ttl = 300}}});
  EXPECT_EQ(reach(), "tcp 93.184.216.34 443 allowed preset");
  configure({}, {"evil.example"});
  EXPECT_TRUE(network.tcp.back()->reset);
  EXPECT_EQ(reach(), "tcp 93.184.216.34 443 refused denied");
  // Also when it was not listed in between.
  configure({"example.org:443"});
  configure({}, {"evil.example"});
  EXPECT_EQ(reach(), "tcp 93.184.216.34 443 refused denied");
}

// ---- the parts

TEST(Gate, TheNameThatAllowsIsTheOneThatIsTold) {
  Gate gate;
  policy::Policy policy{.preset = policy::Preset::kEgress};
  for (const char* text : {"b.example:443", "a.example:80"})
    policy.allow.push_back(*policy::parse_rule(text, policy::Verdict::kAllow));
  gate.set(policy);
  const Address address = ip("93.184.216.34");
  const Gate::Time now = Gate::Time() + 1h;
  const auto judge = [&](std::uint16_t port, Gate::Time when) {
    return gate.judge(policy::Protocol::kTcp, address, port, when);
  };
  EXPECT_FALSE(judge(443, now).decision.allow);
  gate.pins().pin(address, "a.example", {}, 300, now);
  gate.pins().pin(address, "b.example", {}, 600, now);
  EXPECT_TRUE(judge(443, now).decision.allow);
  EXPECT_EQ(judge(443, now).name, "b.example");
  EXPECT_EQ(judge(80, now).name, "a.example");
  EXPECT_FALSE(judge(22, now).decision.allow);
  EXPECT_FALSE(judge(80, now + 301s).decision.allow);
  EXPECT_TRUE(judge(443, now + 301s).decision.allow);
  // What was opened by a name outlives its pin, not its rule.
  const auto again = [&](const char* name) {
    return gate.judge_again(policy::Protocol::kTcp, address, 443, name, now + 2h).allow;
  };
  EXPECT_TRUE(again("b.example"));
  EXPECT_FALSE(again("a.example"));
  EXPECT_FALSE(again(""));
}

TEST(Gate, AnotherNameOfTheAddressCanOnlyDeny) {
  Gate gate;
  policy::Policy policy{.preset = policy::Preset::kEgress};
  policy.allow.push_back(*policy::parse_rule("good.example:443", policy::Verdict::kAllow));
  policy.deny.push_back(*policy::parse_rule("bad.example", policy::Verdict::kDeny));
  gate.set(policy);
  const Address address = ip("93.184.216.34");
  const Gate::Time now = Gate::Time() + 1h;
  const auto allowed = [&] {
    return gate.judge(policy::Protocol::kTcp, address, 443, now).decision.allow;
  };
  gate.pins().pin(address, "good.example", {"other.example"}, 300, now);
  EXPECT_TRUE(allowed());
  EXPECT_TRUE(gate.judge_again(policy::Protocol::kTcp, address, 443, "good.example", now).allow);
  gate.pins().pin(address, "good.example", {"bad.example"}, 300, now);
  EXPECT_FALSE(allowed());
  EXPECT_FALSE(gate.judge_again(policy::Protocol::kTcp, address, 443, "good.example", now).allow);
}

TEST(Slab, ATokenIsNeverAnothers) {
  Slab<int> slab(Kind::kUdp);
  const Token first = slab.next();
  slab.add(std::make_unique<int>(1));
  const Token second = slab.next();
  slab.add(std::make_unique<int>(2));
  EXPECT_EQ(kind_of(first), Kind::kUdp);
  ASSERT_NE(slab.find(first), nullptr);
  EXPECT_EQ(*slab.find(first), 1);
  slab.remove(first);
  slab.remove(first);
  EXPECT_EQ(slab.size(), 1U);
  EXPECT_EQ(slab.find(first), nullptr);
  const Token third = slab.next();
  slab.add(std::make_unique<int>(3));
  EXPECT_NE(third, first);
  EXPECT_EQ(slab.find(first), nullptr);
  EXPECT_EQ(*slab.find(third), 3);
  EXPECT_EQ(slab.find(token_of(Kind::kTcp)), nullptr);
  EXPECT_EQ(slab.find(token_of(Kind::kUdp, 99)), nullptr);
  std::vector<int> all;
  slab.for_each([&](Token token, int& value) {
    all.push_back(value);
    slab.remove(token);
  });
  EXPECT_EQ(all, (std::vector<int>{3, 2}));
  EXPECT_EQ(slab.size(), 0U);
  EXPECT_EQ(slab.find(second), nullptr);
}

TEST(Deadlines, EachWhoWaitsHasOne) {
  Deadlines deadlines;
  const Deadlines::Time now = Deadlines::Time() + 1h;
  Deadlines::Place one, two;
  EXPECT_FALSE(deadlines.first());
  deadlines.want(1, now + 5s, one);
  deadlines.want(2, now + 3s, two);
  deadlines.want(1, now + 9s, one);  // later: it is woken and looks again
  EXPECT_EQ(deadlines.first(), now + 3s);
  deadlines.want(1, now + 1s, one);
  EXPECT_EQ(deadlines.size(), 2U);
  EXPECT_FALSE(deadlines.pop(now));
  EXPECT_EQ(deadlines.pop(now + 2s), Token{1});
  one.reset();
  EXPECT_FALSE(deadlines.pop(now + 2s));
  deadlines.forget(2, two);
  EXPECT_EQ(deadlines.size(), 0U);
  EXPECT_FALSE(two);
  deadlines.forget(2, two);
}

TEST(NetEvents, WhatThereIsNoRoomForIsCounted) {
  NetEvents events;
  EXPECT_TRUE(events.empty());
  for (std::size_t i = 0; i < NetEvents::kMost + 3; ++i)
    events.add({.port = static_cast<std::uint16_t>(i)});
  const auto some = events.take(2);
  EXPECT_EQ(some.lost, 3U);
  ASSERT_EQ(some.events.size(), 2U);
  EXPECT_EQ(some.events[1].port, 1);
  EXPECT_GT(some.events[0].time_ns, 0);
  const auto rest = events.take(NetEvents::kMost);
  EXPECT_EQ(rest.lost, 0U);
  EXPECT_EQ(rest.events.size(), NetEvents::kMost - 2);
  EXPECT_TRUE(events.empty());
}

}  // namespace
}  // namespace pyro::net
