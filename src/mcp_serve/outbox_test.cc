#include "mcp_serve/outbox.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <future>
#include <vector>

#include "sys/fd.h"

namespace pyro::mcp_serve {
namespace {

struct Boxed {
  sys::Pipe pipe = *sys::make_pipe();
  Wake gone = *Wake::make();
  std::unique_ptr<Outbox> box = *Outbox::make(pipe.write.get(), gone);

  std::string read_to_end() {
    pipe.write = sys::UniqueFd();
    std::string out;
    std::array<char, 65536> buffer{};
    for (;;) {
      const auto got = ::read(pipe.read.get(), buffer.data(), buffer.size());
      if (got <= 0) return out;
      out.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }
};

TEST(Outbox, WritesLinesInOrder) {
  Boxed boxed;
  boxed.box->push("one", false);
  boxed.box->push("two", true);
  boxed.box->finish(std::chrono::seconds(10));
  EXPECT_EQ(boxed.read_to_end(), "one\ntwo\n");
  EXPECT_FALSE(boxed.box->problem());
}

TEST(Outbox, AClientThatNeverReadsCostsNoMoreThanItsBound) {
  Boxed boxed;
  const std::string megabyte(std::size_t{1} << 20, 'x');
  // Notices are left out long before.
  for (int i = 0; i < 1000; ++i) boxed.box->push(megabyte, true);
  EXPECT_FALSE(boxed.box->problem());
  int pushed = 0;
  while (!boxed.gone.raised() && pushed < 1000) {
    boxed.box->push(megabyte, false);
    ++pushed;
  }
  EXPECT_LE(pushed, 66);
  const auto problem = boxed.box->problem();
  EXPECT_TRUE(problem && problem->message.contains("does not read"));
  boxed.box->wait_for_room();  // returns: nothing will be written any more
  boxed.box->finish(std::chrono::seconds(10));
}

TEST(Outbox, BeforeItOpensAnAnswerWaitsForTheReader) {
  Boxed boxed;
  boxed.box->push(std::string(kCallRoom, 'x'), false);
  boxed.box->open_at(std::chrono::steady_clock::now() + std::chrono::hours(1));
  auto room = std::async(std::launch::async, [&] { boxed.box->wait_for_room(); });
  EXPECT_EQ(room.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  std::vector<char> line(kCallRoom + 1);
  for (std::size_t at = 0; at < line.size();) {
    const auto got = ::read(boxed.pipe.read.get(), &line[at], line.size() - at);
    ASSERT_GT(got, 0);
    at += static_cast<std::size_t>(got);
  }
  EXPECT_EQ(room.wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST(Outbox, OnceItIsOpenNobodyWaits) {
  Boxed boxed;
  boxed.box->push(std::string(kCallRoom, 'x'), false);
  auto room = std::async(std::launch::async, [&] { boxed.box->wait_for_room(); });
  boxed.box->open_at(std::chrono::steady_clock::now());
  EXPECT_EQ(room.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_FALSE(boxed.box->problem());
}

TEST(Outbox, AClientThatHasGoneIsNoticed) {
  ::signal(SIGPIPE, SIG_IGN);
  Boxed boxed;
  boxed.pipe.read = sys::UniqueFd();
  boxed.box->push("anything", false);
  pollfd wanted{.fd = boxed.gone.fd(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&wanted, 1, 10'000), 1);
  const auto problem = boxed.box->problem();
  EXPECT_TRUE(problem && problem->os_errno == EPIPE);
}

}  // namespace
}  // namespace pyro::mcp_serve
