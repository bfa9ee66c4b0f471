#include "net/dns_stream.h"

#include <gtest/gtest.h>

#include <vector>

#include "net/tcp_flow_testing.h"

namespace pyro::net {
namespace {

constexpr int kMostUnanswered = 8;

std::string framed(const std::string& message) {
  return std::string{static_cast<char>(message.size() >> 8U), static_cast<char>(message.size())} +
         message;
}

class DnsStreamTest : public testing::Test {
 protected:
  HostIo::Kind write(std::string_view text) { return stream_.write(as_bytes(text)).kind; }
  std::string read() {
    std::string out;
    std::array<std::uint8_t, 7> piece{};
    for (;;) {
      const HostIo got = stream_.peek(out.size(), piece);
      last_ = got.kind;
      if (got.kind != HostIo::Kind::kDone) break;
      out.append(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(got.count));
    }
    stream_.discard(out.size());
    return out;
  }
  void put(const std::string& message) { stream_.put(as_bytes(message)); }

  std::vector<std::string> messages_;
  bool good_ = true;
  HostIo::Kind last_ = HostIo::Kind::kDone;
  DnsStream stream_{[this](Bytes message) {
    messages_.emplace_back(message.begin(), message.end());
    return good_;
  }};
};

TEST_F(DnsStreamTest, MessagesComeInPiecesOfAnySize) {
  const std::string all = framed("first") + framed("") + framed(std::string(300, 'x'));
  for (const char c : all) EXPECT_EQ(write({&c, 1}), HostIo::Kind::kDone);
  EXPECT_EQ(messages_, (std::vector<std::string>{"first", "", std::string(300, 'x')}));
  put("one");
  put("two");
  EXPECT_TRUE(read() == framed("one") + framed("two"));
  EXPECT_EQ(last_, HostIo::Kind::kWouldBlock);
}

TEST_F(DnsStreamTest, MessagesUnderWayAreBounded) {
  std::string all;
  for (int i = 0; i < 20; ++i) all += framed(std::to_string(i));
  EXPECT_EQ(write(all), HostIo::Kind::kDone);
  EXPECT_EQ(messages_.size(), std::size_t{kMostUnanswered});
  EXPECT_EQ(stream_.room(), 0U);
  EXPECT_EQ(write("more"), HostIo::Kind::kWouldBlock);
  put("answer");
  EXPECT_EQ(messages_.size(), std::size_t{kMostUnanswered + 1});
  EXPECT_EQ(messages_.back(), "8");
  for (int i = 0; i < 19; ++i) put("answer");
  EXPECT_EQ(messages_.size(), 20U);
  EXPECT_GT(stream_.room(), 65000U);
}

TEST_F(DnsStreamTest, TheLongestMessageFitsAndNoMoreIsKept) {
  const std::string longest(65535, 'x');
  EXPECT_EQ(write(framed(longest)), HostIo::Kind::kDone);
  ASSERT_EQ(messages_.size(), 1U);
  EXPECT_EQ(messages_[0], longest);
  write(std::string("\xff\xff", 2));
  EXPECT_EQ(stream_.room(), 65535U);
}

// As the engine answers a name that is refused: within the write that brought the question.
TEST_F(DnsStreamTest, AnswersThatNobodyTakesAreBounded) {
  constexpr std::size_t kAnswer = 1000;
  int answered = 0;
  std::size_t waiting = 0;
  DnsStream* self = nullptr;
  DnsStream stream([&](Bytes) {
    ++answered;
    waiting += 2 + kAnswer;
    self->put(as_bytes(std::string(kAnswer, 'a')));
    return true;
  });
  self = &stream;
  constexpr int kQuestions = 40'000;
  std::string all;
  for (int i = 0; i < kQuestions; ++i) all += framed("q");
  std::string_view left = all;
  const auto write_on = [&] {
    for (;;) {
      const HostIo done = stream.write(as_bytes(left));
      if (done.kind != HostIo::Kind::kDone) break;
      left.remove_prefix(done.count);
      if (left.empty()) break;
    }
  };
  write_on();
  EXPECT_LT(waiting, 70'000U);
  EXPECT_EQ(stream.room(), 0U);
  EXPECT_FALSE(left.empty());
  // Each that is taken has others read, until all are answered.
  while (answered < kQuestions || waiting > 0) {
    ASSERT_GT(waiting, 0U);
    const std::size_t some = std::min<std::size_t>(waiting, 30'000);
    waiting -= some;
    stream.discard(some);
    if (!left.empty()) write_on();
    ASSERT_LT(waiting, 70'000U);
  }
  EXPECT_EQ(answered, kQuestions);
  EXPECT_GT(stream.room(), 65'000U);
}

TEST_F(DnsStreamTest, ItEndsWhenAllIsAnswered) {
  write(framed("question"));
  stream_.shut_down_writing();
  read();
  EXPECT_EQ(last_, HostIo::Kind::kWouldBlock);
  put("answer");
  EXPECT_TRUE(read() == framed("answer"));
  EXPECT_EQ(last_, HostIo::Kind::kEnd);
}

TEST_F(DnsStreamTest, ItDoesNotEndWhileQuestionsWaitForAnswersToBeTaken) {
  constexpr int kQuestions = 200;
  DnsStream* self = nullptr;
  DnsStream stream([&](Bytes) {
    self->put(as_bytes(std::string(1000, 'a')));
    return true;
  });
  self = &stream;
  std::string all;
  for (int i = 0; i < kQuestions; ++i) all += framed("q");
  ASSERT_EQ(stream.write(as_bytes(all)).kind, HostIo::Kind::kDone);
  stream.shut_down_writing();
  std::size_t taken = 0;
  std::array<std::uint8_t, 1002> answer{};
  for (HostIo got = stream.peek(0, answer); got.kind == HostIo::Kind::kDone;
       got = stream.peek(0, answer)) {
    std::size_t sent = 0;  // what is there, and then it is asked for more
    for (; got.kind == HostIo::Kind::kDone; got = stream.peek(sent, answer)) sent += got.count;
    taken += sent;
    EXPECT_EQ(got.kind == HostIo::Kind::kEnd, taken == kQuestions * answer.size());
    stream.discard(sent);
  }
  EXPECT_EQ(taken, kQuestions * answer.size());
}

// A guest that takes nothing of several answers, each as long as can be.
TEST_F(DnsStreamTest, MoreThanItMayKeepBreaksIt) {
  for (int i = 0; i < 3; ++i) write(framed("question"));
  put(std::string(60'000, 'a'));
  put(std::string(60'000, 'b'));
  std::array<std::uint8_t, 1> piece{};
  EXPECT_EQ(stream_.peek(0, piece).kind, HostIo::Kind::kDone);
  put(std::string(60'000, 'c'));
  EXPECT_EQ(stream_.peek(0, piece).kind, HostIo::Kind::kBroken);
}

TEST_F(DnsStreamTest, GarbageBreaksIt) {
  good_ = false;
  EXPECT_EQ(write(framed("garbage") + framed("more")), HostIo::Kind::kDone);
  EXPECT_EQ(messages_.size(), 1U);
  read();
  EXPECT_EQ(last_, HostIo::Kind::kBroken);
  EXPECT_EQ(write("x"), HostIo::Kind::kBroken);
}

}  // namespace
}  // namespace pyro::net
