// The engine on real sockets: the link is a pair, whose other end is the guest's.
#include "net/engine_loop.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include "net/engine_testing.h"

namespace pyro::net {
namespace {

constexpr int kBound = 10'000;  // ms

class LinkTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    ours_ = sys::UniqueFd(ends[0]);
    guests_ = sys::UniqueFd(ends[1]);
  }
  // What comes to the guest; empty: nothing for now.
  std::string receive(int patience = 0) {
    pollfd readable{.fd = guests_.get(), .events = POLLIN, .revents = 0};
    std::string frame(kMostFrame, 0);
    if (::poll(&readable, 1, patience) != 1) return {};
    const ssize_t n = ::recv(guests_.get(), frame.data(), frame.size(), MSG_DONTWAIT);
    frame.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return frame;
  }
  void give(const std::vector<std::uint8_t>& frame) {
    EXPECT_EQ(::send(guests_.get(), frame.data(), frame.size(), 0),
              static_cast<ssize_t>(frame.size()));
  }
  sys::UniqueFd ours_, guests_;
};

TEST_F(LinkTest, AGuestThatDoesNotReadHoldsBackAndLosesNothing) {
  auto link = Link::take(std::move(ours_));
  ASSERT_TRUE(link);
  std::size_t sent = 0;
  for (;;) {
    const Buffer place = (*link)->place();
    if (place.empty()) break;
    ASSERT_LT(sent, 10'000U);
    std::ranges::fill(place.first(1000), static_cast<std::uint8_t>(sent));
    (*link)->send(1000);
    ++sent;
  }
  EXPECT_FALSE((*link)->flush());
  std::size_t got = 0;
  for (std::string frame = receive(); !frame.empty() || !(*link)->flush(); frame = receive()) {
    if (frame.empty()) continue;
    ASSERT_EQ(frame.size(), 1000U);
    EXPECT_EQ(static_cast<std::uint8_t>(frame[0]), static_cast<std::uint8_t>(got));
    ++got;
  }
  while (!receive().empty()) ++got;
  EXPECT_EQ(got, sent);
  EXPECT_FALSE((*link)->place().empty());
}

TEST_F(LinkTest, BatchesAreShownWholeAndInOrder) {
  auto link = Link::take(std::move(ours_));
  ASSERT_TRUE(link);
  constexpr std::size_t kFrames = 20;
  for (std::size_t i = 0; i < kFrames; ++i) give(std::vector<std::uint8_t>(i + 1));
  std::vector<std::size_t> sizes;
  const auto show = [&](Bytes frame) { sizes.push_back(frame.size()); };
  EXPECT_TRUE((*link)->receive(show));
  EXPECT_FALSE((*link)->receive(show));
  ASSERT_EQ(sizes.size(), kFrames);
  for (std::size_t i = 0; i < kFrames; ++i) EXPECT_EQ(sizes[i], i + 1);
}

TEST_F(LinkTest, AGuestThatIsGoneIsNotWaitedFor) {
  auto link = Link::take(std::move(ours_));
  ASSERT_TRUE(link);
  guests_ = sys::UniqueFd();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_FALSE((*link)->place().empty());
    (*link)->send(1000);
  }
  EXPECT_TRUE((*link)->flush());
  EXPECT_FALSE((*link)->receive([](Bytes) { ADD_FAILURE(); }));
}

class EngineLoopTest : public LinkTest {
 protected:
  void SetUp() override {
    LinkTest::SetUp();
    auto made = EngineLoop::create(std::move(ours_));
    ASSERT_TRUE(made);
    loop_ = *std::move(made);
  }
  void settle() {
    while (loop_->turn()) {
    }
  }
  // Until the guest gets a frame, or nothing is left to be waited for.
  std::string answer() {
    for (;;) {
      settle();
      if (std::string frame = receive(); !frame.empty()) return frame;
      pollfd ready{.fd = loop_->fd(), .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, kBound) != 1) return {};
    }
  }
  static Seen seen(const std::string& frame) {
    EngineRig rig;
    rig.link.frames.emplace_back(frame.begin(), frame.end());
    return rig.next();
  }
  void allow(const std::string& rule) {
    Engine::Settings settings{.policy = {.preset = policy::Preset::kEgressAndPublish}};
    settings.policy.allow.push_back(*policy::parse_rule(rule, policy::Verdict::kAllow));
    loop_->engine().configure(settings, EngineLoop::now());
  }
  std::unique_ptr<EngineLoop> loop_;
};

TEST_F(EngineLoopTest, AFrameIsAnswered) {
  give(guest_frame::tcp(guest_frame::to(ip("93.184.216.34")),
                        {.source_port = 1000, .destination_port = 443, .syn = true}));
  const Seen reset = seen(answer());
  ASSERT_NE(reset.tcp(), nullptr);
  EXPECT_TRUE(reset.tcp()->rst);
}

TEST_F(EngineLoopTest, AConnectionToTheHostsLoopbackByRule) {
  allow("host.pyro.internal:1");
  const auto port = loop_->engine().publish(0, 80);  // somebody who listens there
  ASSERT_TRUE(port);
  allow("host.pyro.internal:" + std::to_string(*port));
  give(guest_frame::tcp(guest_frame::to(policy::link_of(Family::kIpv4).engine),
                        {.source_port = 1000,
                         .destination_port = *port,
                         .sequence = 5,
                         .syn = true,
                         .window = 1000}));
  // The guest's own SYN answered, and the SYN for the port that it has published.
  std::set<bool> acks;
  for (int i = 0; i < 2; ++i) {
    const Seen syn = seen(answer());
    ASSERT_NE(syn.tcp(), nullptr);
    EXPECT_TRUE(syn.tcp()->syn);
    acks.insert(syn.tcp()->ack);
  }
  EXPECT_EQ(acks.size(), 2U);
  // Time passes by itself: what is not answered is sent again.
  EXPECT_TRUE(seen(answer()).tcp()->syn);
}

TEST_F(EngineLoopTest, AGuestThatReadsAgainGetsTheRest) {
  constexpr int kSegments = 5000;  // more than its queue holds
  for (std::uint16_t port = 1; port <= kSegments; ++port) {
    give(guest_frame::tcp(guest_frame::to(ip("93.184.216.34")),
                          {.source_port = port, .destination_port = 443, .syn = true}));
    settle();
  }
  pollfd ready{.fd = loop_->fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&ready, 1, 0), 0) << "nothing can be done";
  std::size_t before = 0;
  while (!receive().empty()) ++before;
  EXPECT_GT(before, 0U);
  EXPECT_EQ(::poll(&ready, 1, kBound), 1);
  settle();
  EXPECT_FALSE(receive().empty()) << "what waited for room";
}

TEST_F(EngineLoopTest, AGuestThatIsGoneCostsNothing) {
  guests_ = sys::UniqueFd();
  settle();
  pollfd ready{.fd = loop_->fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&ready, 1, 0), 0);
}

}  // namespace
}  // namespace pyro::net
