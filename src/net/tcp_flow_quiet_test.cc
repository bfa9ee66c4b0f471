// A guest that has ended its side and says nothing.
#include "net/tcp_flow_fixture.h"

namespace pyro::net {
namespace {

using namespace std::chrono_literals;

class QuietTcpFlow : public TcpFlowTest {
 protected:
  void SetUp() override {
    open();
    say(0, "bye", /*fin=*/true);
    said_ = 4;
    expect_ack(4);
    EXPECT_TRUE(host_.writing_ended);
  }
  void expect_question() {
    const auto s = next();
    EXPECT_EQ(s.head.sequence, kOurs + acknowledged_);
    EXPECT_TRUE(s.head.ack && !s.head.fin && !s.head.rst);
    EXPECT_EQ(s.head.acknowledgement, kGuests + 1 + 4);
    EXPECT_TRUE(s.payload.empty());
    expect_silence();
  }
};

TEST_F(QuietTcpFlow, IsAskedEachMinuteAndStaysWhileItAnswers) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(flow_->deadline());
    wait(59s);
    expect_silence();
    wait(1s);
    expect_question();
    acknowledge(acknowledged_);
    expect_silence();
  }
  // The host goes on all the same.
  hear("late");
  expect_data(0, "late");
  EXPECT_FALSE(flow_->gone());
}

TEST_F(QuietTcpFlow, IsGoneWhenTheGuestHasForgottenIt) {
  wait(60s);
  expect_question();
  segment({.sequence = kGuests + 1 + 4, .rst = true});  // an answer has no ACK
  EXPECT_TRUE(flow_->gone());
  EXPECT_EQ(flow_->end(), TcpFlow::End::kForgotten);
  EXPECT_FALSE(host_.reset_wanted);  // the host may not have read all
  EXPECT_FALSE(flow_->deadline());
}

TEST_F(QuietTcpFlow, IsResetByAGuestThatWantsThat) {
  wait(60s);
  expect_question();
  segment({.sequence = kGuests + 1 + 4,
           .acknowledgement = kOurs + 1 + acknowledged_,
           .rst = true,
           .ack = true});
  EXPECT_EQ(flow_->end(), TcpFlow::End::kRefused);
  EXPECT_TRUE(host_.reset_wanted);
}

TEST_F(QuietTcpFlow, IsAskedAlsoWhenTheLinkIsFullAtThatMoment) {
  link_.space = 0;
  wait(60s);
  link_.space = 10;
  expect_question();
}

TEST_F(TcpFlowTest, AGuestThatHasNotEndedIsNotAsked) {
  open();
  say(0, "hello");
  expect_ack(5);
  EXPECT_FALSE(flow_->deadline());
  wait(1h);
  expect_silence();
}

}  // namespace
}  // namespace pyro::net
