#include "net/dns_proxy.h"

#include <gtest/gtest.h>

#include "net/engine_testing.h"

namespace pyro::net {
namespace {

using namespace std::chrono_literals;
constexpr std::uint16_t kA = 1;
constexpr std::uint16_t kAaaa = 28;
constexpr std::uint16_t kTxt = 16;
constexpr std::size_t kFlagsAt = 2;
constexpr std::uint8_t kTruncatedBit = 2;

class DnsProxyTest : public testing::Test, protected EngineRig {
 protected:
  void SetUp() override { configure(); }
  // What the guest was told, to its question of that name and type.
  struct Told {
    int rcode = -1;
    std::vector<std::string> addresses, aliases;
    std::uint32_t ttl = 0;
    bool cut = false;
    std::string raw;
    bool operator==(int other) const { return rcode == other; }
  };
  Told told(const std::string& name, std::uint16_t type = kA) {
    Told out;
    const Seen seen = next();
    if (seen.udp() == nullptr) return out;
    EXPECT_EQ(seen.udp()->source_port, kDnsPort);
    EXPECT_EQ(seen.udp()->destination_port, kAskerPort);
    EXPECT_TRUE(link.frames.empty()) << "more than one answer";
    out.raw = text_of(seen.udp()->payload);
    const auto answer = parse_answer(seen.udp()->payload, 7, {.name = name, .type = type});
    if (!answer) return out;
    out.rcode = static_cast<int>(answer->rcode);
    out.cut = answer->truncated;
    out.aliases = answer->aliases;
    for (const DnsAddress& a : answer->addresses) {
      out.addresses.push_back(a.address.text());
      out.ttl = a.ttl;
    }
    return out;
  }
  static DnsAnswer of(const std::vector<std::string>& addresses, std::uint32_t ttl = 300) {
    DnsAnswer out;
    for (const auto& a : addresses) out.addresses.push_back({.address = ip(a), .ttl = ttl});
    return out;
  }
  FakeDatagramState& upstream() { return *network.datagrams.back(); }
  std::size_t asked() const { return network.datagrams.size(); }
  bool guest_reaches(const std::string& address, std::uint16_t port = 443) {
    const std::size_t before = network.tcp.size();
    give(guest_frame::tcp(guest_frame::to(ip(address)),
                          {.source_port = next_port_++, .destination_port = port, .syn = true}));
    link.frames.clear();
    return network.tcp.size() > before;
  }
  std::uint16_t next_port_ = 2000;
};

TEST_F(DnsProxyTest, AnAllowedNameIsAskedForAndPinned) {
  configure({"example.com:443"});
  EXPECT_FALSE(guest_reaches("93.184.216.34"));
  ask("example.com");
  ASSERT_EQ(asked(), 1U);
  EXPECT_EQ(upstream().address.text(), "9.9.9.9");
  EXPECT_EQ(upstream().port, 53);
  answer(of({"93.184.216.34"}));
  const Told t = told("example.com");
  EXPECT_EQ(t.rcode, 0);
  EXPECT_EQ(t.addresses, std::vector<std::string>{"93.184.216.34"});
  EXPECT_EQ(t.ttl, 300U);
  EXPECT_TRUE(guest_reaches("93.184.216.34"));
  EXPECT_FALSE(guest_reaches("93.184.216.34", 80));
  EXPECT_FALSE(guest_reaches("93.184.216.35"));
  EXPECT_TRUE(upstream().closed);
  wait(301s);
  EXPECT_FALSE(guest_reaches("93.184.216.34"));
}

TEST_F(DnsProxyTest, AnyOtherNameIsRefusedAndTheGuestIsToldWhy) {
  configure({"example.com:443"});
  ask("example.org");
  EXPECT_EQ(asked(), 0U);
  const Told t = told("example.org");
  EXPECT_EQ(t.rcode, 5);
  // RFC 8914: option 15, with the code 15 and the text.
  EXPECT_NE(t.raw.find(std::string("\0\x0f", 2) + std::string(1, '\0') + "\x12" +
                       std::string("\0\x0f", 2) + "pyro: not-listed"),
            std::string::npos);
  EXPECT_EQ(last_event(), "dns example.org 53 refused not-listed");
  configure({}, {"*.example.org"});
  ask("a.example.org");
  EXPECT_EQ(told("a.example.org").rcode, 5);
  EXPECT_EQ(asked(), 0U);
}

TEST_F(DnsProxyTest, TheHostsNameIsTheEngineAndIsAskedOfNobody) {
  configure({"host.pyro.internal:8080"});
  ask("host.pyro.internal");
  EXPECT_EQ(told("host.pyro.internal").addresses,
            std::vector<std::string>{policy::link_of(Family::kIpv4).engine.text()});
  ask("host.pyro.internal", kAaaa);
  EXPECT_EQ(told("host.pyro.internal", kAaaa).addresses,
            std::vector<std::string>{policy::link_of(Family::kIpv6).engine.text()});
  EXPECT_EQ(asked(), 0U);
}

TEST_F(DnsProxyTest, WithoutIpv6ThereAreNoAddressesOfIt) {
  network.ipv6 = false;
  ask("example.com", kAaaa);
  EXPECT_EQ(told("example.com", kAaaa).rcode, 0);
  EXPECT_EQ(asked(), 0U);
  EXPECT_EQ(last_event(), "dns example.com 53 allowed no-route");
}

TEST_F(DnsProxyTest, OtherTypesArePassedOnOnlyWhereEveryNameIs) {
  ask("example.com", kTxt);
  ASSERT_EQ(asked(), 1U);
  std::string raw = answer_to(upstream().sent.back(), {});
  upstream().received.push_back(raw);
  ready(upstream().token);
  EXPECT_EQ(told("example.com", kTxt).rcode, 0);
  configure({"example.com:443"});
  ask("example.com", kTxt);
  EXPECT_EQ(asked(), 1U);
  EXPECT_EQ(told("example.com", kTxt).rcode, 0);
  EXPECT_EQ(last_event(), "dns example.com 53 refused type");
  // ANY is refused everywhere.
  ask("example.com", 255);
  EXPECT_EQ(asked(), 1U);
  EXPECT_EQ(last_event(), "dns example.com 53 refused query");
}

TEST_F(DnsProxyTest, APublicNameWithASpecialAddressIsRefused) {
  const std::vector<std::pair<const char*, std::uint16_t>> bad{{"127.0.0.1", kA},
                                                               {"10.1.2.3", kA},
                                                               {"192.168.0.1", kA},
                                                               {"169.254.169.254", kA},
                                                               {"100.64.0.1", kA},
                                                               {"0.0.0.0", kA},
                                                               {"224.0.0.1", kA},
                                                               {"::1", kAaaa},
                                                               {"fe80::1", kAaaa},
                                                               {"fd00::1", kAaaa},
                                                               {"::", kAaaa},
                                                               {"64:ff9b::7f00:1", kAaaa},
                                                               {"64:ff9b::a9fe:a9fe", kAaaa}};
  for (const auto& [address, type] : bad) {
    SCOPED_TRACE(address);
    const bool v6 = type == kAaaa;
    ask("evil.example", type);
    answer(of({v6 ? "2606:2800:220:1::1" : "93.184.216.34", address}));
    const Told t = told("evil.example", type);
    EXPECT_EQ(t.rcode, 5);
    EXPECT_TRUE(t.addresses.empty());
    EXPECT_EQ(last_event(), std::string("dns ") + address + " 53 refused rebinding");
  }
  EXPECT_EQ(engine.sizes().pins, 0U);
  configure({"evil.example:443", "10.1.2.3:443"});  // this one a rule names
  ask("evil.example");
  answer(of({"10.1.2.3"}));
  EXPECT_EQ(told("evil.example").addresses, std::vector<std::string>{"10.1.2.3"});
}

// ::ffff:10.0.0.1 and ::ffff:93.184.216.34: no IPv6 addresses at all.
TEST_F(DnsProxyTest, AnIpv4AddressIsNoAnswerForIpv6) {
  for (const bool special : {true, false}) {
    ask("mapped.example", kAaaa);
    std::string raw = answer_to(upstream().sent.back(), of({"2606:2800:220:1::1"}));
    const std::string was(ip("2606:2800:220:1::1").bytes());
    std::string mapped = std::string(10, '\0') + "\xff\xff" +
                         std::string(ip(special ? "10.0.0.1" : "93.184.216.34").bytes());
    raw.replace(raw.find(was), was.size(), mapped);
    upstream().received.push_back(raw);
    ready(upstream().token);
    const Told t = told("mapped.example", kAaaa);
    EXPECT_EQ(t.rcode, special ? 5 : 0);
    EXPECT_TRUE(t.addresses.empty());
    EXPECT_EQ(t.raw.find(std::string(ip("93.184.216.34").bytes())), std::string::npos);
  }
  EXPECT_EQ(engine.sizes().pins, 0U);
}

TEST_F(DnsProxyTest, ATtlOfNothingIsPinnedForAMinute) {
  configure({"example.com:443"});
  ask("example.com");
  answer(of({"93.184.216.34"}, 0));
  EXPECT_EQ(told("example.com").ttl, 0U);
  wait(59s);
  EXPECT_TRUE(guest_reaches("93.184.216.34"));
  wait(2s);
  EXPECT_FALSE(guest_reaches("93.184.216.34"));
  ask("example.com");
  answer(of({"93.184.216.34"}, 1'000'000));
  EXPECT_EQ(told("example.com").ttl, 3600U);
}

TEST_F(DnsProxyTest, AnAliasThatIsDeniedDeniesAll) {
  configure({}, {"cdn.example"});
  ask("example.com");
  DnsAnswer reply = of({"93.184.216.34"});
  reply.aliases = {"a.example", "cdn.example"};
  answer(reply);
  EXPECT_EQ(told("example.com").rcode, 5);
  EXPECT_EQ(engine.sizes().pins, 0U);
  ask("example.com");
  reply.aliases = {"a.example"};
  answer(reply);
  const Told t = told("example.com");
  EXPECT_EQ(t.aliases, std::vector<std::string>{"a.example"});
  EXPECT_EQ(t.addresses.size(), 1U);
}

TEST_F(DnsProxyTest, AnAliasEarnsNothing) {
  configure({"alias.example:443"});
  ask("example.com");
  EXPECT_EQ(told("example.com").rcode, 5);
  configure({"example.com:443", "alias.example:80"});
  ask("example.com");
  DnsAnswer reply = of({"93.184.216.34"});
  reply.aliases = {"alias.example"};
  answer(reply);
  link.frames.clear();
  EXPECT_TRUE(guest_reaches("93.184.216.34", 443));
  EXPECT_FALSE(guest_reaches("93.184.216.34", 80));
}

TEST_F(DnsProxyTest, APolicyThatComesWhileAQuestionIsUnderWayDecidesItsAnswer) {
  configure({"example.com:443"});
  ask("example.com");
  configure({"example.org:443"});
  answer(of({"93.184.216.34"}));
  EXPECT_EQ(told("example.com").rcode, 5);
  EXPECT_EQ(engine.sizes().pins, 0U);
  EXPECT_FALSE(guest_reaches("93.184.216.34"));
}

TEST_F(DnsProxyTest, TheRateOfQuestionsIsBounded) {
  constexpr int kBurst = 100;
  for (int i = 0; i < kBurst; ++i) {
    ask("n" + std::to_string(i) + ".example");
    answer({.rcode = Rcode::kNxDomain});
  }
  EXPECT_EQ(asked(), std::size_t{kBurst});
  link.frames.clear();
  ask("one.more.example");
  EXPECT_EQ(told("one.more.example").rcode, 5);
  EXPECT_EQ(last_event(), "dns one.more.example 53 refused limit");
  EXPECT_EQ(asked(), std::size_t{kBurst});
  wait(20ms);  // fifty a second
  ask("one.more.example");
  EXPECT_EQ(asked(), std::size_t{kBurst + 1});
  // What nobody upstream is asked for costs nothing.
  link.frames.clear();
  for (int i = 0; i < kBurst; ++i) ask("host.pyro.internal");
  EXPECT_EQ(link.frames.size(), std::size_t{kBurst});
  wait(20ms);
  ask("another.example");
  EXPECT_EQ(asked(), std::size_t{kBurst + 2});
}

TEST_F(DnsProxyTest, AnAnswerThatDoesNotFitIsCut) {
  std::vector<std::string> many;
  for (int i = 1; i < 200; ++i) many.push_back("93.184.216." + std::to_string(i));
  ask("example.com");
  answer(of(many));
  const Told t = told("example.com");
  EXPECT_TRUE(t.cut);
  EXPECT_LE(t.raw.size(), kMostDnsUdp);
  EXPECT_NE(t.raw[kFlagsAt] & kTruncatedBit, 0);
}

TEST_F(DnsProxyTest, WhatIsNoQuestionIsRefusedOrIgnored) {
  const Address& server = policy::link_of(Family::kIpv4).engine;
  give(guest_frame::udp(guest_frame::to(server), kAskerPort, kDnsPort, "x"));
  EXPECT_TRUE(link.frames.empty());
  EXPECT_EQ(last_event(), "dns  53 refused query");
  give(guest_frame::udp(guest_frame::to(server), kAskerPort, kDnsPort, std::string(12, '\0')));
  EXPECT_EQ(link.frames.size(), 1U);
  EXPECT_EQ(last_event(), "dns  53 refused query");
  EXPECT_EQ(asked(), 0U);
}

// ---- the name servers

class DnsUpstreamTest : public DnsProxyTest {
 protected:
  void SetUp() override {
    settings.resolvers = {{.address = ip("9.9.9.9")}, {.address = ip("8.8.8.8"), .port = 5300}};
    configure();
  }
};

TEST_F(DnsUpstreamTest, OneThatDoesNotAnswerIsFollowedByTheNext) {
  ask("example.com");
  EXPECT_EQ(upstream().address.text(), "9.9.9.9");
  wait(1499ms);
  EXPECT_EQ(asked(), 1U);
  wait(1ms);
  ASSERT_EQ(asked(), 2U);
  EXPECT_TRUE(network.datagrams[0]->closed);
  EXPECT_EQ(upstream().address.text(), "8.8.8.8");
  EXPECT_EQ(upstream().port, 5300);
  answer(of({"93.184.216.34"}));
  EXPECT_EQ(told("example.com").addresses.size(), 1U);
}

TEST_F(DnsUpstreamTest, PatienceEnds) {
  ask("example.com");
  wait(10s);
  EXPECT_EQ(asked(), 4U);
  EXPECT_EQ(told("example.com").rcode, 2);
  EXPECT_EQ(network.open_sockets(), 0U);
  EXPECT_EQ(engine.sizes().deadlines, 0U);
  EXPECT_EQ(last_event(), "dns example.com 53 allowed timeout");
  EXPECT_EQ(engine.counters().refused, 0U);
}

TEST_F(DnsUpstreamTest, OneThatIsNotThereOrFailsIsFollowedByTheNext) {
  ask("example.com");
  upstream().error = ECONNREFUSED;
  ready(upstream().token);
  ASSERT_EQ(asked(), 2U);
  answer({.rcode = Rcode::kServFail});
  EXPECT_EQ(told("example.com").rcode, 2);  // there is no other
  ask("example.com");
  answer({.rcode = Rcode::kServFail});
  EXPECT_TRUE(link.frames.empty());
  answer(of({"93.184.216.34"}));
  EXPECT_EQ(told("example.com").addresses.size(), 1U);
}

TEST_F(DnsUpstreamTest, AnAnswerToAnotherQuestionIsIgnored) {
  ask("example.com");
  const std::string right = answer_to(upstream().sent.back(), of({"93.184.216.34"}));
  std::string wrong_id = right;
  wrong_id[0] = static_cast<char>(wrong_id[0] ^ 1);
  std::string wrong_name = right;
  wrong_name[13] = 'E' ^ 3;
  for (const std::string& wrong : {wrong_id, wrong_name, std::string("x"), std::string()}) {
    upstream().received.push_back(wrong);
    ready(upstream().token);
    EXPECT_TRUE(link.frames.empty());
    EXPECT_EQ(asked(), 1U);
  }
  upstream().received.push_back(right);
  ready(upstream().token);
  EXPECT_EQ(told("example.com").rcode, 0);
}

// A name server that floods does not keep the engine from all else.
TEST_F(DnsUpstreamTest, AnswersAreReadSomeAtATime) {
  ask("example.com");
  const std::string right = answer_to(upstream().sent.back(), of({"93.184.216.34"}));
  for (int i = 0; i < 100; ++i) upstream().received.emplace_back("garbage");
  upstream().received.push_back(right);
  ready(upstream().token);
  EXPECT_EQ(upstream().received.size(), 37U);
  EXPECT_TRUE(link.frames.empty());
  wait(1ms);
  EXPECT_EQ(asked(), 1U);
  EXPECT_EQ(told("example.com").addresses.size(), 1U);
  EXPECT_EQ(engine.sizes().deadlines, 0U);
}

TEST_F(DnsUpstreamTest, WhoeverFloodsIsNotWaitedForLonger) {
  ask("example.com");
  for (int i = 0; i < 100; ++i) upstream().received.emplace_back("garbage");
  ready(upstream().token);
  wait(1499ms);
  EXPECT_EQ(asked(), 1U);
  wait(1ms);
  EXPECT_EQ(asked(), 2U);
}

TEST_F(DnsUpstreamTest, QuestionsHaveIdsThatAreTheEngines) {
  std::set<std::string> ids;
  for (int i = 0; i < 20; ++i) {
    ask("n" + std::to_string(i) + ".example", kA, 7);
    ids.insert(upstream().sent.back().substr(0, 2));
  }
  EXPECT_GT(ids.size(), 15U);
}

TEST_F(DnsUpstreamTest, ACutAnswerIsAskedForOverTcp) {
  ask("example.com");
  answer({.truncated = false});
  link.frames.clear();
  ask("example.com");
  std::string cut = answer_to(upstream().sent.back(), {});
  cut[kFlagsAt] = static_cast<char>(cut[kFlagsAt] | kTruncatedBit);
  upstream().received.push_back(cut);
  ready(upstream().token);
  ASSERT_EQ(network.tcp.size(), 1U);
  FakeTcpState& tcp = *network.tcp.back();
  EXPECT_EQ(tcp.address.text(), "9.9.9.9");
  ready(tcp.token, true);
  ASSERT_GT(tcp.stream.from_guest.size(), 2U);
  const std::string query = tcp.stream.from_guest.substr(2);
  EXPECT_EQ(static_cast<std::size_t>(tcp.stream.from_guest[1]), query.size());
  const std::string reply = answer_to(query, of({"93.184.216.34"}));
  const std::string framed = std::string(1, static_cast<char>(reply.size() >> 8U)) +
                             static_cast<char>(reply.size()) + reply;
  for (const char c : framed) {  // in the smallest pieces
    EXPECT_TRUE(link.frames.empty());
    tcp.stream.put(std::string(1, c));
    ready(tcp.token);
  }
  EXPECT_EQ(told("example.com").addresses.size(), 1U);
  EXPECT_TRUE(tcp.closed);
}

TEST_F(DnsUpstreamTest, ATcpConnectionThatFailsIsFollowedByTheNextServer) {
  ask("example.com");
  std::string cut = answer_to(upstream().sent.back(), {});
  cut[kFlagsAt] = static_cast<char>(cut[kFlagsAt] | kTruncatedBit);
  upstream().received.push_back(cut);
  ready(upstream().token);
  ASSERT_EQ(network.tcp.size(), 1U);
  network.tcp.back()->stream.ended = true;
  ready(network.tcp.back()->token, true);
  EXPECT_TRUE(network.tcp.back()->closed);
  ASSERT_EQ(asked(), 2U);
  EXPECT_EQ(upstream().address.text(), "8.8.8.8");
}

TEST_F(DnsUpstreamTest, QuestionsUnderWayAreBounded) {
  for (std::size_t i = 0; i < kMostDnsUnderWay; ++i) ask("n" + std::to_string(i) + ".example");
  EXPECT_TRUE(link.frames.empty());
  ask("more.example");
  EXPECT_EQ(told("more.example").rcode, 5);
  EXPECT_EQ(asked(), kMostDnsUnderWay);
}

TEST_F(DnsUpstreamTest, WithoutANameServerItFails) {
  settings.resolvers.clear();
  configure();
  ask("example.com");
  EXPECT_EQ(told("example.com").rcode, 2);
  EXPECT_EQ(last_event(), "dns example.com 53 allowed no-route");
  EXPECT_EQ(engine.counters().refused, 0U);
}

}  // namespace
}  // namespace pyro::net
