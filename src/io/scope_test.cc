#include "io/scope.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "sys/fd.h"

namespace pyro::io {
namespace {

using namespace std::chrono_literals;

asio::awaitable<void> wait_into(Event& event, Result<void>& out) {
  out = co_await event.wait();
}
asio::awaitable<void> wait_some(Event& event, std::chrono::milliseconds time, Result<void>& out) {
  out = co_await event.wait_for(time);
}
void rethrow(std::exception_ptr e) {
  if (e) std::rethrow_exception(e);
}

TEST(TaskScope, CloseCancelsEveryTask) {
  asio::io_context loop(1);
  TaskScope scope(loop.get_executor());
  Event never(loop.get_executor());
  Result<void> a;
  Result<void> b;
  scope.spawn(wait_into(never, a));
  scope.spawn(wait_into(never, b));
  asio::co_spawn(
      loop,
      [](TaskScope& s) -> asio::awaitable<void> {
        const auto failure = co_await s.close();
        EXPECT_FALSE(failure);
      }(scope),
      rethrow);
  loop.run();
  EXPECT_TRUE(scope.empty());
  EXPECT_FALSE(a);
  EXPECT_FALSE(b);
}

TEST(Event, WakesEveryWaiterAndStaysSet) {
  asio::io_context loop(1);
  TaskScope scope(loop.get_executor());
  Event event(loop.get_executor());
  Result<void> a = fail(Errc::kInternal, "not run");
  Result<void> b = fail(Errc::kInternal, "not run");
  scope.spawn(wait_into(event, a));
  scope.spawn(wait_some(event, 10s, b));
  loop.poll();
  event.set();
  loop.run();
  EXPECT_TRUE(a);
  EXPECT_TRUE(b);
}

TEST(Event, WaitForReportsTheDeadline) {
  asio::io_context loop(1);
  TaskScope scope(loop.get_executor());
  Event event(loop.get_executor());
  Result<void> r;
  scope.spawn(wait_some(event, 5ms, r));
  loop.run();
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::kDeadline);
}

TEST(WaitReadable, DoesNotCloseTheDescriptor) {
  asio::io_context loop(1);
  auto pipe = sys::make_pipe();
  ASSERT_TRUE(pipe);
  TaskScope scope(loop.get_executor());
  Result<void> r = fail(Errc::kInternal, "not run");
  scope.spawn([](int fd, Result<void>& out) -> asio::awaitable<void> {
    out = co_await wait_readable(fd);
  }(pipe->read.get(), r));
  loop.poll();
  ASSERT_EQ(::write(pipe->write.get(), "x", 1), 1);
  loop.run();
  EXPECT_TRUE(r);
  char c = 0;
  EXPECT_EQ(::read(pipe->read.get(), &c, 1), 1);
}

}  // namespace
}  // namespace pyro::io
