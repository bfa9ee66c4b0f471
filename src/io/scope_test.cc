#include "io/scope.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

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

// Clean-up in a cancelled task: waits for something further.
asio::awaitable<void> sleep_twice(Result<void>& later) {
  const auto first = co_await sleep_for(1h);  // lint: sleep, it is what is tested
  EXPECT_FALSE(first);
  later = co_await sleep_for(1h);  // lint: sleep, it is what is tested
}
asio::awaitable<void> close_inner(asio::any_io_executor ex, Result<void>& later, bool& done) {
  TaskScope inner(ex);
  inner.spawn(sleep_twice(later));
  co_await inner.join_or_cancel();
  done = inner.empty();
}
asio::awaitable<void> wait_regardless_of_it(Event& event, bool& done) {
  co_await event.wait_regardless();
  done = event.is_set();
}
asio::awaitable<void> set_later(Event& event) {
  asio::steady_timer turn(co_await asio::this_coro::executor, 5ms);
  co_await turn.async_wait(asio::use_awaitable);
  event.set();
}

TEST(TaskScope, CancellationReachesInnerScopesAndLaterWaits) {
  asio::io_context loop(1);
  TaskScope scope(loop.get_executor());
  Event event(loop.get_executor());
  Result<void> later;
  bool done = false;
  bool regardless = false;
  scope.spawn(close_inner(loop.get_executor(), later, done));
  scope.spawn(wait_regardless_of_it(event, regardless));
  loop.poll();
  scope.cancel();
  asio::co_spawn(loop, set_later(event), rethrow);
  loop.run();
  EXPECT_TRUE(done);
  EXPECT_FALSE(later);
  EXPECT_TRUE(regardless);
}

TEST(TaskScope, ATaskCancelledBeforeItsFirstTurnIsNoFailure) {
  asio::io_context loop(1);
  TaskScope scope(loop.get_executor());
  Result<void> later;
  scope.spawn(sleep_twice(later));
  std::exception_ptr failure;
  asio::co_spawn(
      loop,
      [](TaskScope& s, std::exception_ptr& f) -> asio::awaitable<void> { f = co_await s.close(); }(
                                                  scope, failure),
      rethrow);
  scope.cancel();
  loop.run();
  EXPECT_FALSE(failure);
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

asio::awaitable<void> count_changes(Changes& changes, int& woken, int most) {
  std::uint64_t seen = changes.count();
  while (woken < most) {
    const auto change = co_await changes.after(seen, -1ms);
    if (!change) co_return;
    seen = changes.count();
    ++woken;
  }
}
asio::awaitable<void> change_twice(Changes& changes) {
  changes.notify();
  const auto ex = co_await asio::this_coro::executor;
  co_await asio::post(ex, asio::use_awaitable);
  changes.notify();
}

TEST(Changes, WakeEveryWaiterEveryTime) {
  asio::io_context loop(1);
  Changes changes(loop.get_executor());
  int a = 0;
  int b = 0;
  asio::co_spawn(loop, count_changes(changes, a, 2), rethrow);
  asio::co_spawn(loop, count_changes(changes, b, 2), rethrow);
  loop.poll();
  loop.restart();
  asio::co_spawn(loop, change_twice(changes), rethrow);
  loop.run();
  EXPECT_EQ(a, 2);
  EXPECT_EQ(b, 2);
  EXPECT_EQ(changes.count(), 2U);
}

asio::awaitable<void> wait_for_change(Changes& changes, std::uint64_t seen,
                                      std::chrono::milliseconds limit, Result<void>& out) {
  out = co_await changes.after(seen, limit);
}

TEST(Changes, WhatHappenedBeforeIsNotWaitedFor) {
  asio::io_context loop(1);
  Changes changes(loop.get_executor());
  changes.notify();
  Result<void> before = fail(Errc::kInternal, "");
  Result<void> late;
  asio::co_spawn(loop, wait_for_change(changes, 0, -1ms, before), rethrow);
  asio::co_spawn(loop, wait_for_change(changes, 1, 1ms, late), rethrow);
  loop.run();
  EXPECT_TRUE(before);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Errc::kDeadline);
}

TEST(Changes, ACancelledWaitFails) {
  asio::io_context loop(1);
  Changes changes(loop.get_executor());
  TaskScope scope(loop.get_executor());
  Result<void> out;
  scope.spawn(wait_for_change(changes, 0, -1ms, out));
  loop.poll();
  loop.restart();
  scope.cancel();
  loop.run();
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code, Errc::kUnavailable);
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

TEST(WaitReadable, LeavesTheFlagsAsTheyAre) {
  asio::io_context loop(1);
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const sys::UniqueFd read(ends[0]);
  const sys::UniqueFd write(ends[1]);
  Result<void> r = fail(Errc::kInternal, "not run");
  TaskScope scope(loop.get_executor());
  scope.spawn([](int fd, Result<void>& out) -> asio::awaitable<void> {
    out = co_await wait_readable(fd);
  }(read.get(), r));
  loop.poll();
  EXPECT_EQ(::fcntl(read.get(), F_GETFL) & O_NONBLOCK, 0);
  ASSERT_EQ(::write(write.get(), "x", 1), 1);
  loop.run();
  EXPECT_TRUE(r);
  EXPECT_EQ(::fcntl(read.get(), F_GETFL) & O_NONBLOCK, 0);
}

}  // namespace
}  // namespace pyro::io
