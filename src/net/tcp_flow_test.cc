#include "net/tcp_flow.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>

#include "net/tcp_flow_fixture.h"

namespace pyro::net {
namespace {

using namespace std::chrono_literals;
using End = TcpFlow::End;

TEST_F(TcpFlowTest, BytesGoBothWays) {
  open();
  say(0, "hello ");
  expect_ack(6);
  say(6, "host");
  expect_ack(10);
  EXPECT_EQ(host_.from_guest, "hello host");
  hear("hello guest");
  expect_data(0, "hello guest");
  EXPECT_EQ(host_.queue, "hello guest");  // until it is acknowledged
  said_ = 10;
  acknowledge(11);
  EXPECT_EQ(host_.queue, "");
  EXPECT_EQ(flow_->bytes_to_host(), 10U);
  EXPECT_EQ(flow_->bytes_to_guest(), 11U);
  expect_silence();
  EXPECT_FALSE(flow_->deadline());
}

TEST_F(TcpFlowTest, ASynThatIsRepeatedGetsItsAnswerAgain) {
  const TcpSegment syn{.sequence = kGuests, .syn = true, .window = 1000, .max_segment = kSegment};
  flow_ = std::make_unique<TcpFlow>(host_, held_, kEnds, syn);
  EXPECT_TRUE(next().head.syn);
  segment(syn);
  EXPECT_TRUE(next().head.syn);
  wait(200ms);
  EXPECT_TRUE(next().head.syn);
  wait(399ms);
  expect_silence();
  wait(1ms);
  EXPECT_TRUE(next().head.syn);
}

TEST_F(TcpFlowTest, LargeDataIsCutIntoSegmentsWithinTheWindow) {
  open(/*window=*/2500, /*scale=*/-1);
  hear(std::string(4000, 'x'));
  expect_data(0, std::string(1000, 'x'));
  expect_data(1000, std::string(1000, 'x'));
  expect_data(2000, std::string(500, 'x'));
  expect_silence();
  acknowledge(2000);
  expect_data(2500, std::string(1000, 'x'));
  expect_data(3500, std::string(500, 'x'));
  expect_silence();
}

TEST_F(TcpFlowTest, WhatIsLostIsSentAgain) {
  open();
  hear(std::string(2500, 'y'));
  for (int i = 0; i < 3; ++i) next();
  wait(199ms);
  expect_silence();
  wait(1ms);
  expect_data(0, std::string(1000, 'y'));
  expect_data(1000, std::string(1000, 'y'));
  expect_data(2000, std::string(500, 'y'));
  acknowledge(1000);
  expect_silence();
  wait(200ms);
  expect_data(1000, std::string(1000, 'y'));
  expect_data(2000, std::string(500, 'y'));
  acknowledge(2500);
  EXPECT_FALSE(flow_->deadline());
}

TEST_F(TcpFlowTest, ThreeDuplicatesAreALoss) {
  open();
  hear(std::string(1500, 'z'));
  next();
  next();
  acknowledge(0);
  acknowledge(0);
  expect_silence();
  acknowledge(0);
  expect_data(0, std::string(1000, 'z'));
  expect_data(1000, std::string(500, 'z'));
}

TEST_F(TcpFlowTest, AGuestThatDoesNotAnswerIsGivenUp) {
  open();
  hear("data");
  next();
  for (int i = 0; i < 20 && flow_->end() == End::kNone; ++i) wait(60s);
  EXPECT_EQ(flow_->end(), End::kTimedOut);
  while (link_.sent.size() > 1) link_.sent.pop_front();
  EXPECT_TRUE(next().head.rst);
  EXPECT_TRUE(flow_->gone());
}

TEST_F(TcpFlowTest, AClosedWindowIsProbed) {
  open(/*window=*/4, /*scale=*/-1);
  hear("abcdefgh");
  expect_data(0, "abcd");
  window_ = 0;
  acknowledge(4);
  expect_silence();
  // As long as it answers.
  for (int i = 0; i < 50; ++i) {
    wait(60s);
    expect_data(4, "e");
    acknowledge(4);
    expect_silence();
  }
  window_ = 4;
  acknowledge(4);
  expect_data(4, "efgh");
  EXPECT_EQ(flow_->end(), End::kNone);
}

TEST_F(TcpFlowTest, OutOfOrderAndOldDataIsNotTaken) {
  open();
  say(5, "later");
  expect_ack(0);
  say(0, "first");
  expect_ack(5);
  say(0, "first");
  expect_ack(5);
  say(3, "st+more");  // overlaps
  expect_ack(10);
  EXPECT_EQ(host_.from_guest, "first+more");
}

TEST_F(TcpFlowTest, WhatTheSocketDoesNotTakeIsHeld) {
  open();
  host_.takes = 3;
  host_.promises = 0;
  say(0, "abcdef");
  expect_ack(3);
  EXPECT_TRUE(host_.asked);
  EXPECT_EQ(held_.all, 3U);
  say(6, "ghi");
  expect_ack(3);
  host_.takes = 2;

  flow_->on_writable();
  expect_ack(5);
  host_.takes = 100;
  flow_->on_writable();
  expect_ack(9);
  EXPECT_EQ(host_.from_guest, "abcdefghi");
  EXPECT_EQ(held_.all, 0U);
}

TEST_F(TcpFlowTest, TooMuchIsNotHeld) {
  open();
  host_.takes = 0;
  held_.all = HeldBytes::kMost;
  say(0, "abcdef");
  expect_ack(0);
  held_.all = 0;
  host_.takes = 100;
  say(0, "abcdef");
  expect_ack(6);
  EXPECT_EQ(host_.from_guest, "abcdef");
}

TEST_F(TcpFlowTest, WhatIsBeyondTheWindowIsNotTaken) {
  host_.promises = 100;
  open(1000, -1);
  say(0, std::string(150, 'a'));
  expect_ack(100);
  EXPECT_EQ(host_.from_guest.size(), 100U);
}

TEST_F(TcpFlowTest, NothingComesAfterTheEnd) {
  open();
  say(0, "all", /*fin=*/true);
  expect_ack(4);
  say(4, "more");
  expect_ack(4);
  say(3, "xyz", /*fin=*/true);
  expect_ack(4);
  EXPECT_EQ(host_.from_guest, "all");
}

TEST_F(TcpFlowTest, AWindowIsNeverTakenBack) {
  const auto edge = [](const SentSegment& s) {
    return s.head.acknowledgement + (std::uint32_t{s.head.window} << 7U) - kGuests;
  };
  open();
  say(0, "a");
  wait(kAcknowledgeDelay);
  const std::uint32_t before = edge(next());
  EXPECT_GE(before, host_.promises);
  host_.promises = 0;
  say(1, "b");
  wait(kAcknowledgeDelay);
  EXPECT_GE(edge(next()), before);
}

TEST_F(TcpFlowTest, AGuestWithoutRoomIsToldWhenThereIsSome) {
  host_.promises = 100;
  open(1000, -1);
  say(0, std::string(100, 'a'));
  const auto closed = next();
  EXPECT_TRUE(host_.asked);
  EXPECT_EQ(closed.head.window, 100);
  host_.promises = 50'000;
  flow_->on_writable();
  EXPECT_EQ(next().head.window, 50'000);
}

TEST_F(TcpFlowTest, TheGuestCloses) {
  open();
  say(0, "bye", /*fin=*/true);
  expect_ack(4);
  EXPECT_EQ(host_.from_guest, "bye");
  EXPECT_TRUE(host_.writing_ended);
  // The other direction goes on.
  hear("one more thing");
  expect_data(0, "one more thing");
  said_ = 4;
  acknowledge(14);
  host_.ended = true;
  flow_->on_readable();
  const auto fin = next();
  EXPECT_TRUE(fin.head.fin);
  EXPECT_EQ(fin.head.sequence, kOurs + 1 + 14);
  EXPECT_FALSE(flow_->gone());
  acknowledge(15);
  EXPECT_EQ(flow_->end(), End::kClosed);
  EXPECT_TRUE(flow_->gone());
}

TEST_F(TcpFlowTest, TheHostCloses) {
  open();
  host_.ended = true;
  hear("all of it");
  expect_data(0, "all of it");
  EXPECT_TRUE(next().head.fin);
  wait(200ms);  // both are lost
  expect_data(0, "all of it");
  EXPECT_TRUE(next().head.fin);
  acknowledge(9);
  expect_silence();
  wait(200ms);
  const auto fin = next();
  EXPECT_TRUE(fin.head.fin);
  EXPECT_EQ(fin.head.sequence, kOurs + 1 + 9);
  acknowledge(10);
  EXPECT_EQ(flow_->end(), End::kNone);
  say(0, "answer", /*fin=*/true);
  EXPECT_EQ(host_.from_guest, "answer");
  expect_ack(7);
  EXPECT_EQ(flow_->end(), End::kClosed);
}

TEST_F(TcpFlowTest, AFinBehindAGapOrBehindHeldBytesWaits) {
  open();
  say(3, "def", /*fin=*/true);
  expect_ack(0);
  EXPECT_FALSE(host_.writing_ended);
  host_.takes = 1;
  say(0, "abcdef", /*fin=*/true);
  expect_ack(1);
  EXPECT_FALSE(host_.writing_ended);
  host_.takes = 100;
  flow_->on_writable();
  expect_ack(7);
  EXPECT_TRUE(host_.writing_ended);
}

TEST_F(TcpFlowTest, AResetOfTheGuestIsOneForTheHost) {
  open();
  segment({.sequence = kGuests + 1 + 5, .rst = true});  // not where we are
  EXPECT_EQ(flow_->end(), End::kNone);
  expect_ack(0);
  segment({.sequence = kGuests + 1, .rst = true});
  EXPECT_EQ(flow_->end(), End::kRefused);
  EXPECT_TRUE(flow_->gone());
}

TEST_F(TcpFlowTest, ABrokenSocketIsAResetForTheGuest) {
  open();
  host_.broken = true;
  say(0, "x");
  const auto rst = next();
  EXPECT_TRUE(rst.head.rst);
  EXPECT_EQ(flow_->end(), End::kReset);
  EXPECT_TRUE(flow_->gone());
}

TEST_F(TcpFlowTest, OneThatIsEndedFromHereTellsTheGuestOnceItCan) {
  open();
  link_.space = 0;
  flow_->reset();
  produce();
  EXPECT_FALSE(flow_->gone());
  link_.space = 1;
  EXPECT_TRUE(next().head.rst);
  EXPECT_TRUE(flow_->gone());
}

TEST_F(TcpFlowTest, AnAcknowledgementOfWhatWasNeverSentIsNone) {
  open();
  hear("abc");
  next();
  segment({.sequence = kGuests + 1, .acknowledgement = kOurs + 1 + 100, .ack = true, .window = 9});
  expect_ack(0);
  EXPECT_EQ(host_.queue, "abc");
}

TEST_F(TcpFlowTest, IsOpenedTowardsTheGuest) {
  flow_ = std::make_unique<TcpFlow>(host_, held_, kEnds);
  const auto syn = next();
  EXPECT_TRUE(syn.head.syn && !syn.head.ack);
  EXPECT_EQ(syn.head.window_scale, 7);
  segment({.sequence = kGuests, .acknowledgement = 77, .syn = true, .ack = true});  // not ours
  EXPECT_FALSE(flow_->established());
  EXPECT_TRUE(next().head.rst);
  window_ = 1000;
  segment({.sequence = kGuests,
           .acknowledgement = kOurs + 1,
           .syn = true,
           .ack = true,
           .window = 1000,
           .max_segment = kSegment,
           .window_scale = 0});
  EXPECT_TRUE(flow_->established());
  expect_ack(0);
  hear("GET /");
  expect_data(0, "GET /");
  say(0, "200");
  expect_ack(3);
  EXPECT_EQ(host_.from_guest, "200");
}

TEST_F(TcpFlowTest, AGuestMayRefuse) {
  flow_ = std::make_unique<TcpFlow>(host_, held_, kEnds);
  next();
  segment({.acknowledgement = kOurs, .rst = true, .ack = true});
  EXPECT_EQ(flow_->end(), End::kNone);
  segment({.acknowledgement = kOurs + 1, .rst = true, .ack = true});
  EXPECT_EQ(flow_->end(), End::kRefused);
}

// As a kernel answers a SYN of a flow that it has (RFC 5961, 4.2).
TEST_F(TcpFlowTest, AGuestThatHasAFlowWithThesePortsIsToldThatItIsGone) {
  flow_ = std::make_unique<TcpFlow>(host_, held_, kEnds);
  next();
  segment({.sequence = 5000, .acknowledgement = 77, .ack = true});
  const auto gone = next();
  EXPECT_TRUE(gone.head.rst && !gone.head.ack && !gone.head.syn);
  EXPECT_EQ(gone.head.sequence, 77U);
  segment({.sequence = 5000, .acknowledgement = 77, .rst = true, .ack = true});
  expect_silence();
  // Then it takes our SYN as one.
  wait(200ms);
  const auto syn = next();
  EXPECT_TRUE(syn.head.syn && !syn.head.ack);
  EXPECT_EQ(syn.head.sequence, kOurs);
  EXPECT_EQ(flow_->end(), End::kNone);
}

TEST_F(TcpFlowTest, AFullLinkIsWaitedFor) {
  open();
  link_.space = 1;
  hear(std::string(2500, 'q'));
  EXPECT_EQ(link_.sent.size(), 1U);
  link_.space = 10;
  link_.sent.clear();
  produce();
  expect_data(1000, std::string(1000, 'q'));
  expect_data(2000, std::string(500, 'q'));
}

// ---- a guest, a host and a link between them that loses, repeats and delays

// The guest's end, as plain as it can be: it keeps what comes in order and sends again what is not
// acknowledged.
class PlainGuest {
 public:
  PlainGuest(std::string to_say, std::mt19937& random)
      : to_say_(std::move(to_say)), random_(random) {}
  TcpSegment syn() const {
    return {
        .sequence = kGuests, .syn = true, .window = 3000, .max_segment = 700, .window_scale = 2};
  }
  void take(const SentSegment& s) {
    if (s.head.rst) reset = true;
    if (s.head.ack) {
      const std::uint32_t acknowledged = s.head.acknowledgement - (kGuests + 1);
      must(acknowledged <= highest_, "what was never sent is acknowledged");
      unacknowledged_ = std::max(unacknowledged_, acknowledged);
      sent_ = std::max(sent_, unacknowledged_);
      const int scale = s.head.syn ? 0 : 7;
      allowed_ = std::max(allowed_, acknowledged + (std::uint32_t{s.head.window} << scale));
    }
    const std::uint32_t at = s.head.sequence - (kOurs + 1);
    if (s.head.syn) {
      open = true;
    } else if (!s.payload.empty() && at <= heard.size() && at + s.payload.size() > heard.size()) {
      must(at + s.payload.size() <= heard.size() + kWindow, "beyond the window");
      heard += s.payload.substr(heard.size() - at);
    }
    if (s.head.fin && at + s.payload.size() == heard.size()) ended = true;
  }
  // Something to send: the next piece, an old one again, or an acknowledgement alone.
  TcpSegment give() {
    if (random_() % 4 == 0) sent_ = unacknowledged_;
    const auto end = static_cast<std::uint32_t>(to_say_.size());
    std::uint32_t size = std::min<std::uint32_t>(1 + random_() % 2000, end - std::min(end, sent_));
    size = std::min(size, allowed_ - std::min(allowed_, sent_));
    TcpSegment s{
        .sequence = kGuests + 1 + sent_,
        .acknowledgement = kOurs + 1 + static_cast<std::uint32_t>(heard.size()) + (ended ? 1 : 0),
        .ack = true,
        .window = kWindow >> 2U,
        .payload = as_bytes(to_say_).subspan(std::min(end, sent_), size)};
    sent_ = std::min(end + 1, sent_ + size);
    s.fin = s.sequence + size == kGuests + 1 + end;
    if (s.fin) sent_ = end + 1;
    highest_ = std::max(highest_, sent_);
    return s;
  }
  [[nodiscard]] bool all_said() const { return unacknowledged_ == to_say_.size() + 1; }

  static constexpr std::uint32_t kWindow = 3000;
  bool open = false, ended = false, reset = false;
  std::string heard;

 private:
  std::string to_say_;
  std::mt19937& random_;
  std::uint32_t sent_ = 0, highest_ = 0, unacknowledged_ = 0, allowed_ = 0;
};

TEST(TcpFlow, EveryByteArrivesOnceAndInOrder) {
  constexpr unsigned kRuns = 300;
  for (unsigned seed = 0; seed < kRuns; ++seed) {
    std::mt19937 random(seed);
    const auto stream = [&](std::size_t size) {
      std::string out(size, 0);
      std::ranges::generate(out, [&] { return static_cast<char>(random()); });
      return out;
    };
    const std::string to_host = stream(random() % 20'000);
    const std::string to_guest = stream(random() % 20'000);
    FakeHost host;
    FakeLink link;
    HeldBytes held;
    PlainGuest guest(to_host, random);
    host.promises = 200 + random() % 5000;
    TcpFlow flow(host, held,
                 {.ours = 1, .guests = 2, .max_segment = 65480, .first_sequence = kOurs},
                 guest.syn());
    auto now = TcpFlow::Time() + 1h;
    std::size_t fed = 0;
    int turns = 0;
    for (; flow.end() == End::kNone && turns < 100'000; ++turns) {
      now += std::chrono::milliseconds(random() % 100);
      host.takes = random() % 3 == 0 ? 0 : random() % 4000;
      if (fed < to_guest.size() && random() % 2 == 0) {
        const std::size_t size = std::min<std::size_t>(1 + random() % 3000, to_guest.size() - fed);
        host.put(std::string_view(to_guest).substr(fed, size));
        fed += size;
        flow.on_readable();
      }
      if (fed == to_guest.size() && !host.ended) {
        host.ended = true;
        flow.on_readable();
      }
      if (random() % 2 == 0) flow.on_writable();
      flow.on_timer(now);
      link.space = random() % 5;
      flow.produce(link, now);
      while (!link.sent.empty()) {
        if (random() % 5 != 0) guest.take(link.sent.front());
        if (random() % 10 != 0) link.sent.pop_front();
      }
      if (guest.open && random() % 5 != 0) flow.on_segment(guest.give(), now);
      if (flow.end() == End::kNone) flow.produce(link, now);
    }
    EXPECT_EQ(flow.end(), End::kClosed) << "seed " << seed << ", " << turns << " turns";
    // Not EXPECT_EQ: the bytes are nothing to look at.
    EXPECT_TRUE(host.from_guest == to_host) << "seed " << seed;
    EXPECT_TRUE(guest.heard == to_guest) << "seed " << seed;
    EXPECT_TRUE(host.writing_ended && guest.ended && !guest.reset);
    EXPECT_EQ(held.all, 0U);
    if (testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace pyro::net
