// When what the guest sends is acknowledged.
#include "net/tcp_flow_fixture.h"

namespace pyro::net {
namespace {

TEST_F(TcpFlowTest, AnAnswerCarriesTheAcknowledgement) {
  open();

  say(0, "question");
  expect_silence();
  EXPECT_EQ(flow_->deadline(), now_ + kAcknowledgeDelay);
  hear("answer");
  const auto s = next();
  EXPECT_EQ(s.payload, "answer");
  EXPECT_EQ(s.head.acknowledgement, kGuests + 1 + 8);
  expect_silence();
  wait(kAcknowledgeDelay);
  expect_silence();
}

TEST_F(TcpFlowTest, WithoutAnAnswerItComesByItself) {
  open();
  say(0, "a");
  wait(std::chrono::microseconds(kAcknowledgeDelay) / 2);
  say(1, "b");
  expect_silence();
  wait(std::chrono::microseconds(kAcknowledgeDelay) / 2);
  EXPECT_EQ(next().head.acknowledgement, kGuests + 1 + 2);
  wait(kAcknowledgeDelay);
  expect_silence();
  EXPECT_FALSE(flow_->deadline());
}

TEST_F(TcpFlowTest, TheEndOfTheHostCarriesTheOneOfTheGuests) {
  open();
  say(0, "bye", /*fin=*/true);
  expect_silence();
  EXPECT_TRUE(host_.writing_ended);
  host_.ended = true;
  flow_->on_readable();
  const auto fin = next();
  EXPECT_TRUE(fin.head.fin);
  EXPECT_EQ(fin.head.acknowledgement, kGuests + 1 + 4);
  expect_silence();
}

TEST_F(TcpFlowTest, AGoodPartOfTheWindowIsAcknowledgedAtOnce) {
  host_.promises = 1 << 20;
  open();  // with a window of one segment, as a SYN has no scale
  const auto segment = static_cast<std::uint32_t>(kEnds.max_segment);
  say(0, std::string(segment, 'a'));
  EXPECT_EQ(next().head.acknowledgement, kGuests + 1 + segment);
  say(segment, std::string(segment, 'b'));
  expect_silence();
  say(2 * segment, std::string(segment, 'c'));
  EXPECT_EQ(next().head.acknowledgement, kGuests + 1 + (3 * segment));
}

}  // namespace
}  // namespace pyro::net
