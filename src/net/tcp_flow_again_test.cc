// What a flow says after a retransmission was begun, and before it is through.
#include <gtest/gtest.h>

#include "net/tcp_flow_testing.h"

namespace pyro::net {
namespace {

using namespace std::chrono_literals;
constexpr std::uint32_t kOurs = 0xfffffff0;
constexpr std::uint32_t kGuests = 7000;
constexpr std::size_t kSegment = 1000;

class TcpFlowAgainTest : public testing::Test {
 protected:
  void SetUp() override { acknowledge(0, 65535); }
  void acknowledge(std::uint32_t bytes, std::uint16_t window) {
    produce();
    flow_.on_segment({.sequence = kGuests + 1,
                      .acknowledgement = kOurs + 1 + bytes,
                      .ack = true,
                      .window = window},
                     now_);
    produce();
  }
  void produce() { flow_.produce(link_, now_); }
  void hear(std::string_view text, bool end) {
    link_.sent.clear();
    host_.put(text);
    host_.ended = end;
    flow_.on_readable();
    produce();
  }
  void wait(std::chrono::milliseconds time) {
    now_ += time;
    flow_.on_timer(now_);
    produce();
  }
  // Place, size and whether it is the end, of what was sent since.
  struct Said {
    std::uint32_t at;
    std::size_t size;
    bool fin, rst;
    bool operator==(const Said&) const = default;
  };
  std::vector<Said> said() {
    std::vector<Said> out;
    for (; !link_.sent.empty(); link_.sent.pop_front()) {
      const auto& s = link_.sent.front();
      out.push_back({.at = s.head.sequence - kOurs - 1,
                     .size = s.payload.size(),
                     .fin = s.head.fin,
                     .rst = s.head.rst});
    }
    return out;
  }

  FakeHost host_;
  FakeLink link_;
  HeldBytes held_;
  TcpFlow::Time now_ = TcpFlow::Time() + 1h;
  TcpFlow flow_{host_,
                held_,
                {.ours = 443, .guests = 50'000, .max_segment = 65480, .first_sequence = kOurs},
                {.sequence = kGuests, .syn = true, .window = 65535, .max_segment = kSegment}};
};

// A guest may take its window back when it has no memory; the end of the stream is still behind
// all of it.
TEST_F(TcpFlowAgainTest, TheEndIsNotSentBeforeWhatIsBeforeIt) {
  hear(std::string(2000, 'y'), /*end=*/true);
  const std::vector<Said> all{
      {.at = 0, .size = 1000}, {.at = 1000, .size = 1000}, {.at = 2000, .size = 0, .fin = true}};
  EXPECT_EQ(said(), all);
  acknowledge(0, 0);
  wait(200ms);
  EXPECT_EQ(said(), (std::vector<Said>{{.at = 0, .size = 1}}));  // a probe
  acknowledge(0, 4000);
  EXPECT_EQ(said(), all);
}

// A sender takes three for a loss, and one that hears fewer waits for its timer.
TEST_F(TcpFlowAgainTest, EachSegmentBehindAMissingOneIsAcknowledged) {
  link_.sent.clear();
  for (std::uint32_t at = 1; at <= 5; ++at)
    flow_.on_segment({.sequence = kGuests + 1 + at,
                      .acknowledgement = kOurs + 1,
                      .ack = true,
                      .window = 1000,
                      .payload = as_bytes("x")},
                     now_);
  produce();
  ASSERT_EQ(link_.sent.size(), 3U);
  for (const auto& s : link_.sent) EXPECT_EQ(s.head.acknowledgement, kGuests + 1);
  EXPECT_EQ(link_.sent[0].head.window, link_.sent[2].head.window);
  produce();
  EXPECT_EQ(link_.sent.size(), 3U);
}

TEST_F(TcpFlowAgainTest, AResetIsWhereTheGuestBelievesIt) {
  hear(std::string(1500, 'y'), /*end=*/false);
  said();
  link_.space = 0;
  wait(200ms);  // and there is no room to send it again
  host_.broken = true;
  link_.space = 10;
  flow_.on_readable();
  produce();
  // What came before the reset is for the guest all the same.
  EXPECT_EQ(said(), (std::vector<Said>{{.at = 0, .size = 1000},
                                       {.at = 1000, .size = 500},
                                       {.at = 1500, .size = 0, .rst = true}}));
}

}  // namespace
}  // namespace pyro::net
