// A QEMU that was taken over may say anything: memory and time stay bounded and the error says what
// it did.
#include "vmm/qmp.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "sys/process.h"

namespace pyro::vmm {
namespace {

using namespace std::chrono_literals;
using io::asio::awaitable;

// More than Qmp and the socket's buffers may take together.
constexpr std::size_t kFlood = 8U << 20;
// How a peer's process ends: it got rid of kFlood bytes, or nobody took them.
constexpr int kTaken = 0, kRefused = 1;
constexpr const char* kGreeting = "{\"QMP\":{}}\n";
constexpr const char* kReply = "{\"return\":{}}\n";

bool send_some(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}
// Sends `text` over and over.
int flood(int fd, const std::string& text) {
  std::string block;
  while (block.size() < (64U << 10)) block += text;
  for (std::size_t sent = 0; sent < kFlood; sent += block.size()) {
    if (!send_some(fd, block)) return kRefused;
  }
  return kTaken;
}
[[noreturn]] void flood_for_ever(int fd, const std::string& text) {
  while (flood(fd, text) == kTaken) {
  }
  ::_exit(kRefused);
}
// Reads until the other side closes.
int listen_only(int fd) {
  char chunk[4096];
  while (::read(fd, chunk, sizeof chunk) > 0) {
  }
  return kTaken;
}

// One QMP connection to a process that plays QEMU.
class QmpTest : public ::testing::Test {
 protected:
  using Play = std::function<int(int fd)>;
  using Talk = std::function<awaitable<void>(Qmp&)>;
  void SetUp() override { ::signal(SIGPIPE, SIG_IGN); }
  // Runs `talk` while `play` is at the other end, and returns how that one ended.
  int run(const Play& play, const Talk& talk) {
    auto pair = sys::make_socket_pair();
    const pid_t pid = ::fork();
    if (pid == 0) {
      pair->ours = sys::UniqueFd();
      ::_exit(play(pair->theirs.get()));
    }
    const auto pidfd =
        sys::retrying("pidfd_open", [pid] { return ::syscall(SYS_pidfd_open, pid, 0); });
    sys::ChildProcess peer(sys::UniqueFd(*pidfd), pid);
    pair->theirs = sys::UniqueFd();
    {
      io::asio::io_context loop(1);
      Qmp qmp(
          loop.get_executor(), std::move(pair->ours),
          [this](const std::string&, const boost::json::object&) { ++events_; }, reply_limit_);
      io::asio::co_spawn(loop, session(loop.get_executor(), &qmp, talk), [](std::exception_ptr e) {
        if (e) std::rethrow_exception(e);
      });
      loop.run();
      heap_ = ::mallinfo2().uordblks;
    }
    return peer.wait()->shell_code();
  }
  static awaitable<void> session(io::asio::any_io_executor ex, Qmp* qmp, Talk talk) {
    io::TaskScope scope(ex);
    scope.spawn(qmp->read_loop());
    co_await talk(*qmp);
    static_cast<void>(co_await scope.close());
  }
  // Negotiates, which must fail.
  int negotiation_fails(const Play& play) {
    const auto before = std::chrono::steady_clock::now();
    const int end = run(play, [this](Qmp& qmp) { return failing_negotiation(&qmp); });
    took_ = std::chrono::steady_clock::now() - before;
    return end;
  }
  awaitable<void> failing_negotiation(Qmp* qmp) {
    const auto done = co_await qmp->negotiate();
    EXPECT_FALSE(done);
    if (!done) error_ = done.error();
  }

  std::chrono::milliseconds reply_limit_ = 60s;  // longer than the test may take
  std::chrono::nanoseconds took_{};
  int events_ = 0;
  std::size_t heap_ = 0;  // bytes in use while the connection was still there
  Error error_;
};

TEST_F(QmpTest, BytesWithoutEndAreReadUpToTheLimitOnly) {
  const std::size_t before = ::mallinfo2().uordblks;
  EXPECT_EQ(negotiation_fails([](int fd) { return flood(fd, "x"); }), kRefused);
  EXPECT_EQ(error_.code, Errc::kUnavailable);
  EXPECT_EQ(error_.message, "QMP greeting: QEMU sent a line of more than 1048576 bytes");
  EXPECT_LT(heap_, before + (4U << 20));
}

TEST_F(QmpTest, AHugeLineIsRefusedAlthoughItEnds) {
  const std::string line =
      "{\"event\":\"X\",\"data\":{\"a\":\"" + std::string(3U << 20, 'a') + "\"}}\n" + kGreeting;
  EXPECT_EQ(negotiation_fails([&](int fd) { return flood(fd, line); }), kRefused);
  EXPECT_NE(error_.message.find("a line of more than"), std::string::npos) << error_.message;
  EXPECT_EQ(events_, 0);
}

TEST_F(QmpTest, EventsWithoutEndDoNotKeepACommandFromItsLimit) {
  reply_limit_ = 3s;
  const std::size_t before = ::mallinfo2().uordblks;
  EXPECT_EQ(negotiation_fails([](int fd) -> int {
              flood_for_ever(fd, "{\"event\":\"RTC_CHANGE\",\"data\":{\"offset\":1}}\n");
            }),
            kRefused);
  EXPECT_EQ(error_.code, Errc::kDeadline);
  EXPECT_EQ(error_.message, "QMP greeting: timed out");
  EXPECT_LT(took_, 30s);
  EXPECT_GT(events_, 100);
  EXPECT_LT(heap_, before + (1U << 20));
}

awaitable<void> command_until_refused(Qmp* qmp, int* answered, Error* error) {
  const auto done = co_await qmp->negotiate();
  EXPECT_TRUE(done);
  for (*answered = 0; *answered < 1000; ++*answered) {
    const auto reply = co_await qmp->execute("query-status");
    if (reply) continue;
    *error = reply.error();
    co_return;
  }
}
TEST_F(QmpTest, RepliesThatNobodyAskedForEndIt) {
  int answered = 0;
  const auto talk = [&](Qmp& qmp) { return command_until_refused(&qmp, &answered, &error_); };
  EXPECT_EQ(run([](int fd) { return flood(fd, kReply); }, talk), kRefused);
  EXPECT_LT(answered, 10);
  EXPECT_EQ(error_.message, "QMP query-status: QEMU sent replies that nobody asked for");
}

TEST_F(QmpTest, SilenceIsBoundedAndNamesTheCommand) {
  reply_limit_ = 50ms;
  EXPECT_EQ(negotiation_fails(listen_only), kTaken);
  EXPECT_EQ(error_.code, Errc::kDeadline);
  EXPECT_EQ(error_.message, "QMP greeting: timed out");
  EXPECT_LT(took_, 30s);
  reply_limit_ = 3s;  // it has to greet within that
  const auto only_greets = [](int fd) { return send_some(fd, kGreeting) ? listen_only(fd) : 9; };
  EXPECT_EQ(negotiation_fails(only_greets), kTaken);
  EXPECT_EQ(error_.code, Errc::kDeadline);
  EXPECT_EQ(error_.message, "QMP qmp_capabilities: timed out");
}

// Takes commands up to the end of `count` lines.
bool read_lines(int fd, int count) {
  char c = 0;
  while (count > 0 && ::read(fd, &c, 1) == 1) count -= c == '\n' ? 1 : 0;
  return count == 0;
}
// Answers the first command only after the second, and names them.
int answer_late(int fd) {
  constexpr const char* kBoth = "{\"return\":\"first\"}\n{\"return\":\"second\"}\n";
  if (!send_some(fd, kGreeting) || !read_lines(fd, 1) || !send_some(fd, kReply)) return 9;
  return read_lines(fd, 2) && send_some(fd, kBoth) ? listen_only(fd) : 9;
}
awaitable<void> command_twice(Qmp* qmp) {
  EXPECT_TRUE(co_await qmp->negotiate());
  const auto first = co_await qmp->execute("one");
  EXPECT_FALSE(first);
  EXPECT_FALSE(qmp->answered());
  const auto second = co_await qmp->execute("two");
  EXPECT_TRUE(second);
  if (second) EXPECT_EQ(*second, boost::json::value("second"));
  EXPECT_TRUE(qmp->answered());
}
TEST_F(QmpTest, ALateReplyIsNotTakenForThatOfTheNextCommand) {
  reply_limit_ = 2s;  // also of what is answered
  EXPECT_EQ(run(answer_late, [](Qmp& qmp) { return command_twice(&qmp); }), kTaken);
}

TEST_F(QmpTest, WhatIsNoJsonObjectEndsIt) {
  const std::string nested = std::string(100'000, '[') + "\n";
  for (const std::string& line : {std::string("hello\n"), std::string("[1]\n"), nested}) {
    EXPECT_EQ(negotiation_fails([&](int fd) { return flood(fd, line); }), kRefused);
    EXPECT_EQ(error_.message, "QMP greeting: QEMU sent what is no JSON object");
  }
}

TEST_F(QmpTest, AQemuThatGoesAwayIsSaidToHaveGone) {
  EXPECT_EQ(negotiation_fails([](int fd) { return send_some(fd, kGreeting) ? kTaken : 9; }),
            kTaken);
  EXPECT_EQ(error_.code, Errc::kUnavailable);
}

}  // namespace
}  // namespace pyro::vmm
