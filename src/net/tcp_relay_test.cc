#include "net/tcp_relay.h"

#include <gtest/gtest.h>

#include "net/engine_testing.h"

namespace pyro::net {
namespace {

using namespace std::chrono_literals;
constexpr std::uint32_t kIsn = 1000;
constexpr std::uint16_t kGuestPort = 50'000;
constexpr std::uint16_t kPort = 443;

class TcpRelayTest : public testing::Test, protected EngineRig {
 protected:
  void SetUp() override { configure(); }
  void give_segment(TcpSegment s, std::string_view payload = {}) {
    s.source_port = s.source_port == 0 ? kGuestPort : s.source_port;
    s.destination_port = s.destination_port == 0 ? port_ : s.destination_port;
    give(guest_frame::tcp(guest_frame::to(remote_), s, payload));
  }
  void syn(std::uint16_t from = kGuestPort, std::uint32_t isn = kIsn) {
    give_segment({.source_port = from,
                  .sequence = isn,
                  .syn = true,
                  .window = 65535,
                  .max_segment = 1460,
                  .window_scale = 7});
  }
  // Of the guest, after its SYN.
  void say(std::string_view text, bool fin = false, bool rst = false) {
    give_segment({.sequence = kIsn + 1 + said_,
                  .acknowledgement = heard_,
                  .fin = fin,
                  .rst = rst,
                  .ack = true,
                  .window = 512},
                 text);
    said_ += static_cast<std::uint32_t>(text.size()) + (fin ? 1U : 0U);
  }
  FakeTcpState& host() { return *network.tcp.back(); }
  void connect() {
    syn();
    ASSERT_FALSE(network.tcp.empty());
    ready(host().token, /*writable=*/true);
    finish_handshake();
  }
  void finish_handshake() {
    const Seen answer = next();
    ASSERT_NE(answer.tcp(), nullptr);
    EXPECT_TRUE(answer.tcp()->syn && answer.tcp()->ack);
    EXPECT_EQ(answer.tcp()->acknowledgement, kIsn + 1);
    heard_ = answer.tcp()->sequence + 1;
    say("");
  }
  void expect_reset(std::uint32_t sequence, std::uint32_t acknowledgement) {
    const Seen answer = next();
    ASSERT_NE(answer.tcp(), nullptr);
    EXPECT_TRUE(answer.tcp()->rst);
    EXPECT_EQ(answer.packet->source, remote_);
    EXPECT_EQ(answer.tcp()->sequence, sequence);
    EXPECT_EQ(answer.tcp()->acknowledgement, acknowledgement);
    EXPECT_TRUE(link.frames.empty());
  }

  Address remote_ = ip("93.184.216.34");
  std::uint16_t port_ = kPort;
  std::uint32_t said_ = 0, heard_ = 0;
};

TEST_F(TcpRelayTest, IsAnsweredWhenTheHostHasConnected) {
  syn();
  EXPECT_TRUE(link.frames.empty());
  ASSERT_EQ(network.tcp.size(), 1U);
  EXPECT_EQ(host().address, remote_);
  EXPECT_EQ(host().port, kPort);
  EXPECT_EQ(last_event(), "tcp 93.184.216.34 443 allowed preset");
  ready(host().token, /*writable=*/true);
  finish_handshake();
  say("hello");
  EXPECT_EQ(host().stream.from_guest, "hello");
}

TEST_F(TcpRelayTest, ARefusedSynIsResetWithItsNumbers) {
  configure({"93.184.216.35:443"});
  syn();
  EXPECT_TRUE(network.tcp.empty());
  expect_reset(0, kIsn + 1);
  EXPECT_EQ(last_event(), "tcp 93.184.216.34 443 refused not-listed");
  // Any other segment of a flow that is not there (RFC 9293, 3.10.7.1).
  give_segment({.sequence = 5, .acknowledgement = 77, .ack = true, .window = 1}, "data");
  expect_reset(77, 0);
  give_segment({.sequence = 5, .rst = true, .window = 1});
  EXPECT_TRUE(link.frames.empty());
}

TEST_F(TcpRelayTest, ASynThatIsRepeatedIsTheSameFlow) {
  syn();
  syn();
  EXPECT_EQ(network.tcp.size(), 1U);
  EXPECT_EQ(engine.sizes().tcp, 1U);
  EXPECT_TRUE(link.frames.empty());
}

TEST_F(TcpRelayTest, WhatTheHostMetIsToldTheGuest) {
  struct Case {
    int error;
    bool reset;
    std::pair<int, int> icmp;
    const char* reason;
  };
  const std::vector<Case> cases{
      {ECONNREFUSED, true, {}, "refused"},      {EHOSTUNREACH, false, {3, 1}, "no-route"},
      {ENETUNREACH, false, {3, 0}, "no-route"}, {EACCES, false, {3, 13}, "no-route"},
      {ETIMEDOUT, false, {0, 0}, "timeout"},    {EMFILE, true, {}, "limit"}};
  for (const bool at_once : {false, true}) {
    for (const Case& c : cases) {
      SCOPED_TRACE(c.error);
      network.connect_error = at_once ? c.error : 0;
      syn();
      if (!at_once) {
        host().error = c.error;
        ready(host().token, /*writable=*/true);
        EXPECT_TRUE(host().closed);
      }
      EXPECT_EQ(last_event(), std::string("tcp 93.184.216.34 443 end ") + c.reason);
      EXPECT_EQ(engine.sizes().tcp, 0U);
      if (c.reset) {
        expect_reset(0, kIsn + 1);
        continue;
      }
      const Seen answer = next();
      EXPECT_EQ(answer.icmp(), c.icmp);
      if (c.icmp.first == 0) continue;
      // A kernel believes it when it quotes the very SYN.
      const Bytes quoted = answer.quoted();
      EXPECT_TRUE(text_of(quoted.subspan(16, 4)) == remote_.bytes());
      EXPECT_EQ(quoted[kIpv4Header + 4], kIsn >> 24U);
      EXPECT_EQ(quoted[kIpv4Header + 7], kIsn & 0xffU);
    }
  }
}

TEST_F(TcpRelayTest, AConnectionThatNobodyAnswersEndsSilently) {
  syn();
  wait(59s);
  EXPECT_EQ(engine.sizes().tcp, 1U);
  wait(1s);
  EXPECT_EQ(engine.sizes().tcp, 0U);
  EXPECT_TRUE(host().closed);
  EXPECT_TRUE(link.frames.empty());
  EXPECT_EQ(last_event(), "tcp 93.184.216.34 443 end timeout");
}

TEST_F(TcpRelayTest, AGuestThatGivesUpEndsTheConnect) {
  syn();
  give_segment({.sequence = kIsn + 2, .rst = true});  // of another flow
  EXPECT_EQ(engine.sizes().tcp, 1U);
  give_segment({.sequence = kIsn + 1, .rst = true});
  EXPECT_EQ(engine.sizes().tcp, 0U);
  EXPECT_TRUE(host().reset && host().closed);
}

TEST_F(TcpRelayTest, HalfOpenFlowsAreBounded) {
  for (std::size_t i = 0; i < kMostHalfOpen; ++i) syn(static_cast<std::uint16_t>(1024 + i));
  EXPECT_EQ(network.tcp.size(), kMostHalfOpen);
  EXPECT_TRUE(link.frames.empty());
  syn(60'000);
  expect_reset(0, kIsn + 1);
  EXPECT_EQ(network.tcp.size(), kMostHalfOpen);
  EXPECT_EQ(last_event(), "tcp 93.184.216.34 443 refused limit");
  // One that has failed leaves its place to another.
  network.tcp.front()->error = ECONNREFUSED;
  ready(network.tcp.front()->token, true);
  link.frames.clear();
  syn(60'000);
  EXPECT_EQ(network.tcp.size(), kMostHalfOpen + 1);
}

TEST_F(TcpRelayTest, FlowsAreBoundedAndTheirEndGivesAPlace) {
  for (std::size_t i = 0; i < kMostTcpFlows; ++i) {
    const auto from = static_cast<std::uint16_t>(1024 + i);
    syn(from);
    ready(host().token, true);
    const Seen answer = next();
    ASSERT_NE(answer.tcp(), nullptr);
    give_segment({.source_port = from,
                  .sequence = kIsn + 1,
                  .acknowledgement = answer.tcp()->sequence + 1,
                  .ack = true,
                  .window = 512});
  }
  EXPECT_EQ(engine.sizes().tcp, kMostTcpFlows);
  syn(60'000);
  expect_reset(0, kIsn + 1);
  give_segment({.source_port = 1024, .sequence = kIsn + 1, .rst = true});
  EXPECT_EQ(engine.sizes().tcp, kMostTcpFlows - 1);
  EXPECT_TRUE(network.tcp.front()->closed && network.tcp.front()->reset);
  syn(60'000);
  EXPECT_EQ(engine.sizes().tcp, kMostTcpFlows);
}

TEST_F(TcpRelayTest, ClosesWhenBothSidesHaveAndCountsBytes) {
  connect();
  say("0123456789");
  host().stream.put("abc");
  host().stream.ended = true;
  ready(host().token);
  link.frames.clear();
  heard_ += 4;  // with the FIN
  say("", /*fin=*/true);
  EXPECT_TRUE(host().stream.writing_ended);
  EXPECT_TRUE(host().closed);
  EXPECT_FALSE(host().reset);
  EXPECT_EQ(engine.sizes().tcp, 0U);
  const auto all = events();
  EXPECT_STREQ(all.back().reason, "closed");
  EXPECT_EQ(all.back().to_host, 10U);
  EXPECT_EQ(all.back().to_guest, 3U);
  // The port is free for another flow at once.
  link.frames.clear();
  said_ = 0;
  syn(kGuestPort, kIsn + 100'000);
  EXPECT_EQ(network.tcp.size(), 2U);
}

TEST_F(TcpRelayTest, ResetsGoThroughInBothDirections) {
  connect();
  say("", /*fin=*/false, /*rst=*/true);
  EXPECT_TRUE(host().closed && host().reset);
  EXPECT_EQ(last_event(), "tcp 93.184.216.34 443 end guest-reset");
  said_ = 0;
  connect();
  host().stream.broken = true;
  ready(host().token);
  const Seen answer = next();
  ASSERT_NE(answer.tcp(), nullptr);
  EXPECT_TRUE(answer.tcp()->rst);
  EXPECT_EQ(answer.tcp()->sequence, heard_);
  EXPECT_EQ(last_event(), "tcp 93.184.216.34 443 end reset");
  EXPECT_EQ(engine.sizes().tcp, 0U);
}

TEST_F(TcpRelayTest, AResetAfterTheHostsEndIsSeenByItsEvent) {
  connect();
  host().stream.ended = true;
  ready(host().token);
  ASSERT_TRUE(next().tcp()->fin);
  ++heard_;
  say("");
  EXPECT_EQ(engine.sizes().tcp, 1U);
  host().stream.broken = true;
  ready(host().token, /*writable=*/true, /*failed=*/true);
  ASSERT_FALSE(link.frames.empty());
  EXPECT_TRUE(next().tcp()->rst);
  EXPECT_EQ(engine.sizes().tcp, 0U);
}

TEST_F(TcpRelayTest, AConnectThatWasResetSinceIsOne) {
  syn();
  FakeTcpState& made = *network.tcp.back();
  made.error = ECONNRESET;
  made.stream.put("busy");
  made.stream.broken = true;
  ready(made.token, /*writable=*/true, /*failed=*/true);
  EXPECT_TRUE(next().tcp()->syn);  // and what it said is told
  EXPECT_EQ(engine.sizes().tcp, 1U);
}

TEST_F(TcpRelayTest, ANewPolicyEndsFlowsAndConnectsThatItRefuses) {
  connect();
  syn(50'001);
  const auto pending = network.tcp.back();
  link.frames.clear();
  configure({"93.184.216.34:443"});  // still allowed
  EXPECT_EQ(engine.sizes().tcp, 2U);
  configure({"93.184.216.34:80"});
  EXPECT_EQ(engine.sizes().tcp, 0U);
  EXPECT_EQ(network.open_sockets(), 0U);
  EXPECT_TRUE(pending->reset);
  ASSERT_EQ(link.frames.size(), 2U);
  EXPECT_TRUE(next().tcp()->rst);
  EXPECT_TRUE(next().tcp()->rst);
  for (const NetEvent& e : events())
    if (e.kind == NetEvent::Kind::kEnd) EXPECT_STREQ(e.reason, "policy");
}

TEST_F(TcpRelayTest, TheHostsOwnAddressesNeedARuleThatNamesThem) {
  network.own.insert(remote_);
  syn();
  expect_reset(0, kIsn + 1);
  EXPECT_EQ(last_event(), "tcp 93.184.216.34 443 refused host-loopback");
  configure({"93.184.216.0/24:443"});
  syn();
  expect_reset(0, kIsn + 1);
  configure({"93.184.216.34:443"});
  syn();
  EXPECT_EQ(network.tcp.size(), 1U);
}

// Whichever of the rules comes first; and a rule that denies it comes before them all.
TEST_F(TcpRelayTest, TheRuleForTheHostsOwnAddressCountsAlsoBehindAWiderOne) {
  remote_ = ip("192.168.1.5");
  network.own.insert(remote_);
  configure({"192.168.1.0/24:443", "192.168.1.5:80", "192.168.1.5:443"});
  syn();
  EXPECT_EQ(network.tcp.size(), 1U);
  const auto all = events();
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all.back().rule.text(), "allow[2]");
  configure({"192.168.1.0/24:443", "192.168.1.5:443"});  // it stays
  EXPECT_EQ(engine.sizes().tcp, 1U);
  configure({"192.168.1.0/24:443", "192.168.1.5:80"});
  EXPECT_EQ(engine.sizes().tcp, 0U);
  link.frames.clear();
  configure({"192.168.1.0/24:443", "192.168.1.5:443"}, {"192.168.0.0/16:443"});
  syn();
  EXPECT_EQ(last_event(), "tcp 192.168.1.5 443 refused denied");
}

TEST_F(TcpRelayTest, TheEnginesAddressIsTheHostsLoopbackByRuleOnly) {
  remote_ = policy::link_of(Family::kIpv4).engine;
  syn();
  expect_reset(0, kIsn + 1);
  configure({"host.pyro.internal:443"});
  syn();
  ASSERT_EQ(network.tcp.size(), 1U);
  EXPECT_EQ(host().address.text(), "127.0.0.1");
}

TEST_F(TcpRelayTest, AFullLinkLosesNothingOfAFlow) {
  connect();
  const std::string all(100'000, 'x');
  link.space = 3;
  host().stream.put(all);
  ready(host().token);
  EXPECT_EQ(link.space, 0U);
  std::size_t got = 0;
  for (int i = 0; i < 1000 && got < all.size(); ++i) {
    for (; !link.frames.empty();) {
      const Seen seen = next();
      ASSERT_NE(seen.tcp(), nullptr);
      got += seen.tcp()->payload.size();
      heard_ += static_cast<std::uint32_t>(seen.tcp()->payload.size());
    }
    link.space = 2;
    say("");
  }
  EXPECT_EQ(got, all.size());
  EXPECT_EQ(host().stream.discarded, all.size());
}

// Who is cut off must not go on because it does not listen to that.
TEST_F(TcpRelayTest, AFlowIsCutAlsoForAGuestThatDoesNotRead) {
  ASSERT_TRUE(engine.publish(8080, 80));
  const auto client = std::make_shared<FakeTcpState>();
  network.listeners.back()->waiting.push_back(client);
  ready(network.listeners.back()->token);
  link.frames.clear();
  connect();
  const auto revoked = network.tcp.back();
  link.space = 0;
  settings.policy.preset = policy::Preset::kEgressAndPublish;
  configure({"93.184.216.34:80"});
  EXPECT_TRUE(revoked->closed && revoked->reset);
  EXPECT_EQ(last_event(), "tcp 93.184.216.34 443 end policy");
  EXPECT_TRUE(engine.unpublish(8080));
  EXPECT_TRUE(client->closed && client->reset);
  EXPECT_EQ(engine.sizes().tcp, 0U);
  EXPECT_EQ(engine.sizes().deadlines, 0U);
  // It learns it as soon as it says something.
  link.space = 100;
  say("more");
  expect_reset(heard_, 0);
}

// ---- the name server over TCP

class DnsOverTcpTest : public TcpRelayTest {
 protected:
  void SetUp() override {
    TcpRelayTest::SetUp();
    remote_ = policy::link_of(Family::kIpv4).engine;
    port_ = kDnsPort;
    syn();
    finish_handshake();
  }
  static std::string framed(const std::string& name, std::uint16_t id) {
    const std::string query = text_of(write_query(id, {.name = name, .type = 1}));
    return std::string(1, '\0') + static_cast<char>(query.size()) + query;
  }
  // Of the engine's stream, acknowledged.
  std::string hear() {
    std::string out;
    while (!link.frames.empty()) {
      const Seen seen = next();
      if (seen.tcp() == nullptr || seen.tcp()->sequence != heard_) continue;
      out += text_of(seen.tcp()->payload);
      heard_ += static_cast<std::uint32_t>(seen.tcp()->payload.size());
      fin_ = fin_ || seen.tcp()->fin;
    }
    return out;
  }
  bool fin_ = false;
};

TEST_F(DnsOverTcpTest, AGuestThatHasHeardItsAnswerAndClosesIsGone) {
  say(framed("host.pyro.internal", 1));
  EXPECT_FALSE(hear().empty());
  say("", /*fin=*/true);
  hear();
  EXPECT_TRUE(fin_);
  ++heard_;
  say("");
  EXPECT_EQ(engine.sizes().tcp, 0U);
}

TEST_F(DnsOverTcpTest, GarbageIsReset) {
  say(std::string("\0\5abcde", 7));
  bool reset = false;
  while (!link.frames.empty()) {
    const Seen seen = next();
    reset = reset || (seen.tcp() != nullptr && seen.tcp()->rst);
  }
  EXPECT_TRUE(reset);
  EXPECT_EQ(engine.sizes().tcp, 0U);
}

// Each has buffers of the engine's own.
TEST_F(DnsOverTcpTest, FlowsToTheNameServerAreFew) {
  for (std::size_t i = 1; i < kMostDnsFlows; ++i) syn(static_cast<std::uint16_t>(1024 + i));
  EXPECT_EQ(engine.sizes().tcp, kMostDnsFlows);
  link.frames.clear();
  syn(60'000);
  expect_reset(0, kIsn + 1);
  EXPECT_EQ(engine.sizes().tcp, kMostDnsFlows);
  EXPECT_EQ(last_event(), "tcp 10.255.255.1 53 refused limit");
  give_segment({.source_port = kGuestPort, .sequence = kIsn + 1, .rst = true});
  syn(60'000);
  EXPECT_EQ(engine.sizes().tcp, kMostDnsFlows);
}

// A guest whose window is closed asks on and on.
TEST_F(DnsOverTcpTest, AGuestThatTakesNoAnswerIsReadNoFurther) {
  std::string questions;
  for (std::uint16_t i = 0; i < 100; ++i) questions += framed("refused.example", i);
  configure({"93.184.216.34:443"});
  for (int i = 0; i < 100; ++i) {
    give_segment({.sequence = kIsn + 1 + said_, .acknowledgement = heard_, .ack = true}, questions);
    said_ += static_cast<std::uint32_t>(questions.size());
    link.frames.clear();
  }
  EXPECT_LT(engine.counters().dns_queries, 3000U);
}

// More than are answered at a time; those behind wait in the flow, and an answer that comes while
// they are read must not have them read twice.
TEST_F(DnsOverTcpTest, ManyQuestionsAreEachAnsweredOnce) {
  constexpr int kSlow = 8;
  constexpr int kQuick = 40;
  std::string slow;
  for (int i = 0; i < kSlow; ++i)
    slow += framed("n" + std::to_string(i) + ".example", static_cast<std::uint16_t>(i));
  say(slow);
  std::string quick;
  for (int i = 0; i < kQuick; ++i)
    quick += framed("host.pyro.internal", static_cast<std::uint16_t>(100 + i));
  say(quick);
  ASSERT_EQ(network.datagrams.size(), std::size_t{kSlow});
  for (const auto& socket : std::vector(network.datagrams)) {
    socket->received.push_back(answer_to(socket->sent.back(), {.rcode = Rcode::kNxDomain}));
    ready(socket->token);
  }
  const std::string all = hear();
  std::multiset<int> ids;
  for (std::size_t at = 0; at + 4 <= all.size();) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(all[at + i]); };
    ids.insert((byte(2) << 8) | byte(3));
    at += 2U + ((std::size_t{byte(0)} << 8U) | byte(1));
  }
  EXPECT_EQ(ids.size(), std::size_t{kSlow + kQuick});
  EXPECT_EQ(std::set<int>(ids.begin(), ids.end()).size(), ids.size());
  // And all of it was acknowledged, no more.
  say("", /*fin=*/true);
  hear();
  EXPECT_TRUE(fin_);
}

}  // namespace
}  // namespace pyro::net
