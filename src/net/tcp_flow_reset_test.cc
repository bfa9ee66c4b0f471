// What comes of a flow that the host's peer, or the guest, has reset.
#include "net/tcp_flow_fixture.h"

namespace pyro::net {
namespace {

using namespace std::chrono_literals;
using End = TcpFlow::End;

class ResetTcpFlow : public TcpFlowTest {
 protected:
  void expect_reset() {
    EXPECT_TRUE(next().head.rst);
    EXPECT_EQ(flow_->end(), End::kReset);
    EXPECT_TRUE(flow_->gone());
  }
  // The host's stream ends after `text`, and the guest has it all but for the end.
  void host_ends(std::string_view text) {
    host_.ended = true;
    hear(text);
    expect_data(0, text);
    EXPECT_TRUE(next().head.fin);
    acknowledge(static_cast<std::uint32_t>(text.size()));
  }
};

TEST_F(ResetTcpFlow, WhatTheHostSaidBeforeIsForTheGuest) {
  open(/*window=*/0);
  host_.broken = true;
  hear("the answer");
  expect_silence();  // the guest takes nothing
  EXPECT_EQ(flow_->end(), End::kNone);
  window_ = 1000;
  acknowledge(0);
  expect_data(0, "the answer");
  expect_reset();
}

TEST_F(ResetTcpFlow, ItIsAlsoWhenAWriteFindsIt) {
  open();
  host_.put("413 too large");
  host_.broken = true;
  say(0, "a long body");
  expect_data(0, "413 too large");
  expect_reset();
}

TEST_F(ResetTcpFlow, AGuestThatDoesNotReadIsToldSoon) {
  open(/*window=*/0);
  host_.put("the answer");
  host_.broken = true;
  say(0, "more");
  expect_silence();
  wait(200ms);
  expect_reset();
}

TEST_F(ResetTcpFlow, AGuestThatWasAskedAboutItsWindowIsToldWhereItIs) {
  open(/*window=*/0);
  hear("the answer");
  wait(200ms);
  expect_data(0, "t");  // beyond the window, and not taken
  host_.broken = true;
  flow_->on_failed();
  produce();
  wait(200ms);
  EXPECT_EQ(next().head.sequence, kOurs + 1);
  EXPECT_EQ(flow_->end(), End::kReset);
}

TEST_F(ResetTcpFlow, OneThatTheGuestHasNotTakenYetWaitsForIt) {
  flow_ = std::make_unique<TcpFlow>(host_, held_, kEnds);
  next();
  host_.put("the request");
  host_.broken = true;
  flow_->on_failed();
  produce();
  wait(200ms);
  EXPECT_TRUE(next().head.syn);
  EXPECT_EQ(flow_->end(), End::kNone);
}

TEST_F(ResetTcpFlow, ATimeoutAfterTheGuestsEndTakesNothingFromTheHost) {
  open();
  say(0, "bye", /*fin=*/true);
  hear("answer");
  for (int i = 0; i < 20 && flow_->end() == End::kNone; ++i) {
    wait(61s);
    link_.sent.clear();
  }
  EXPECT_EQ(flow_->end(), End::kTimedOut);
  EXPECT_FALSE(host_.reset_wanted);
}

TEST_F(ResetTcpFlow, HeldBytesAreDroppedAndNoneAreTaken) {
  open(/*window=*/0);
  host_.takes = 1;
  say(0, "abc");
  EXPECT_EQ(held_.all, 2U);
  host_.put("the answer");
  host_.broken = true;
  host_.takes = 100;
  flow_->on_writable();
  EXPECT_EQ(held_.all, 0U);
  say(1, "bcd", /*fin=*/true);
  EXPECT_EQ(held_.all, 0U);
  EXPECT_EQ(host_.from_guest, "a");
  EXPECT_FALSE(host_.writing_ended);
  EXPECT_EQ(flow_->end(), End::kNone);
}

TEST_F(ResetTcpFlow, AfterTheHostsEndItIsOneForTheGuest) {
  open();
  host_ends("all");
  acknowledge(4);
  EXPECT_EQ(flow_->end(), End::kNone);
  host_.broken = true;
  flow_->on_failed();
  expect_reset();
}

TEST_F(ResetTcpFlow, AfterTheHostsEndTheGuestHearsOfTheEndFirst) {
  open();
  host_ends("all");
  host_.broken = true;
  flow_->on_failed();
  expect_silence();
  acknowledge(4);
  expect_reset();
}

TEST_F(ResetTcpFlow, AnEndAndAResetAtOnceAreBoth) {
  open();
  host_.broken = true;
  host_ends("all");
  acknowledge(4);
  expect_reset();
}

TEST_F(ResetTcpFlow, AfterBothEndsItIsNothing) {
  open();
  host_ends("all");
  say(0, "", /*fin=*/true);
  host_.broken = true;
  flow_->on_failed();
  acknowledge(4);
  EXPECT_EQ(flow_->end(), End::kClosed);
  EXPECT_FALSE(host_.reset_wanted);
}

TEST_F(ResetTcpFlow, OfAGuestThatHadEndedIsOneForTheHost) {
  open();
  say(0, "bye", /*fin=*/true);
  EXPECT_TRUE(host_.writing_ended);
  segment({.sequence = kGuests + 1 + 4, .acknowledgement = kOurs + 1, .rst = true, .ack = true});
  EXPECT_EQ(flow_->end(), End::kRefused);
  EXPECT_TRUE(host_.reset_wanted);
}

TEST_F(ResetTcpFlow, AnOrderlyEndIsNone) {
  open();
  say(0, "bye", /*fin=*/true);
  host_ends("all");
  said_ = 4;
  acknowledge(4);
  wait(kAcknowledgeDelay);
  EXPECT_EQ(flow_->end(), End::kClosed);
  EXPECT_FALSE(host_.reset_wanted);
}

}  // namespace
}  // namespace pyro::net
