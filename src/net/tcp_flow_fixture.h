// A flow between a fake socket and a fake link, for the tests of TcpFlow.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "net/tcp_flow_testing.h"

namespace pyro::net {

inline constexpr std::uint32_t kOurs = 0xfffffff0;    // so that it goes round
inline constexpr std::uint32_t kGuests = 0xffffff00;  // so does this
inline constexpr std::size_t kSegment = 1000;

class TcpFlowTest : public testing::Test {
 protected:
  // Opened by the guest, up to its first acknowledgement.
  void open(std::uint16_t window = 65535, int scale = 4) {
    const TcpSegment syn{.sequence = kGuests,
                         .syn = true,
                         .window = window,
                         .max_segment = kSegment,
                         .window_scale = scale};
    flow_ = std::make_unique<TcpFlow>(host_, held_, kEnds, syn);
    const auto answer = next();
    EXPECT_TRUE(answer.head.syn && answer.head.ack);
    EXPECT_EQ(answer.head.sequence, kOurs);
    EXPECT_EQ(answer.head.acknowledgement, kGuests + 1);
    EXPECT_EQ(answer.head.max_segment, std::clamp<std::size_t>(host_.promises / 4, 536, 65480));
    EXPECT_EQ(answer.head.window_scale, scale >= 0 ? 7 : -1);
    window_ = static_cast<std::uint16_t>(window >> (scale > 0 ? scale : 0));
    acknowledge(0);
    EXPECT_TRUE(flow_->established());
    EXPECT_TRUE(link_.sent.empty());
  }
  void segment(TcpSegment s) {
    flow_->on_segment(s, now_);
    produce();
  }
  void produce() { flow_->produce(link_, now_); }
  // From the guest, at `at` of its stream.
  void say(std::uint32_t at, std::string_view text, bool fin = false) {
    segment({.sequence = kGuests + 1 + at,
             .acknowledgement = kOurs + 1 + acknowledged_,
             .fin = fin,
             .ack = true,
             .window = window_,
             .payload = as_bytes(text)});
  }
  // Of so many bytes (and a FIN as one more).
  void acknowledge(std::uint32_t bytes) {
    acknowledged_ = bytes;
    segment({.sequence = kGuests + 1 + said_,
             .acknowledgement = kOurs + 1 + bytes,
             .ack = true,
             .window = window_});
  }
  void hear(std::string_view text) {
    host_.put(text);
    flow_->on_readable();
    produce();
  }
  SentSegment next() {
    produce();
    if (link_.sent.empty()) {
      ADD_FAILURE() << "nothing is sent";
      return {};
    }
    auto s = std::move(link_.sent.front());
    link_.sent.pop_front();
    return s;
  }
  void expect_silence() {
    produce();
    EXPECT_TRUE(link_.sent.empty());
  }
  // Of the guest's bytes, and how far it may go on; at once, or when it has waited for an answer.
  void expect_ack(std::uint32_t bytes) {
    produce();
    if (link_.sent.empty()) wait(kAcknowledgeDelay);
    const auto s = next();
    EXPECT_TRUE(s.head.ack && !s.head.rst);
    EXPECT_TRUE(s.payload.empty());
    EXPECT_EQ(s.head.acknowledgement, kGuests + 1 + bytes);
  }
  void expect_data(std::uint32_t at, std::string_view text) {
    const auto s = next();
    EXPECT_EQ(s.head.sequence, kOurs + 1 + at);
    EXPECT_EQ(s.payload, text);
  }
  void wait(std::chrono::microseconds time) {
    now_ += time;
    flow_->on_timer(now_);
    produce();
  }

  static constexpr TcpFlow::Ends kEnds{
      .ours = 443, .guests = 50'000, .max_segment = 65480, .first_sequence = kOurs};
  FakeHost host_;
  FakeLink link_;
  HeldBytes held_;
  TcpFlow::Time now_ = TcpFlow::Time() + std::chrono::hours(1);
  std::unique_ptr<TcpFlow> flow_;
  std::uint16_t window_ = 0;
  std::uint32_t acknowledged_ = 0, said_ = 0;
};

}  // namespace pyro::net
