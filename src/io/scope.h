// Structured concurrency on one loop.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <list>

#include "io/task.h"

namespace pyro::io {

// Owns the tasks of one session or sandbox. close() asks every task to stop and returns once the
// last has ended; letting a TaskScope die with live tasks is a bug and ends the process.
class TaskScope {
 public:
  explicit TaskScope(asio::any_io_executor ex);
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;
  ~TaskScope();

  // Starts `task` at the next turn of the loop.
  void spawn(asio::awaitable<void> task);
  // Cancels every task, waits for all of them. Returns the first exception a task ended with,
  // unless that is its cancellation.
  asio::awaitable<std::exception_ptr> close();
  // Asks every task to stop, without waiting.
  void cancel();
  // join(), and when the waiting task is cancelled, so are the scope's. It returns after the last
  // of them all the same.
  asio::awaitable<void> join_or_cancel();
  // Waits until no task is left, without cancelling any.
  asio::awaitable<void> join();
  [[nodiscard]] bool empty() const { return tasks_.empty(); }

 private:
  asio::any_io_executor ex_;
  asio::steady_timer idle_;
  std::list<asio::cancellation_signal> tasks_;
  std::exception_ptr failure_;
};

// A level that tasks wait for: set() wakes all waiters, and later waits return at once until
// clear(). Single loop only.
class Event {
 public:
  explicit Event(asio::any_io_executor ex);
  void set();
  void clear() { set_ = false; }
  [[nodiscard]] bool is_set() const { return set_; }
  // Errc::kDeadline when `timeout` passes first; cancellation of the task also ends the wait
  // (Errc::kUnavailable).
  Task<void> wait();
  Task<void> wait_for(std::chrono::milliseconds timeout);
  // Waits on when the task is cancelled: for clean-up that must not be left half done.
  asio::awaitable<void> wait_regardless();

 private:
  asio::any_io_executor ex_;
  bool set_ = false;
  asio::steady_timer wake_;
};

// Something that changes again and again, for any number of waiting tasks: each says what it has
// seen. Single loop only.
class Changes {
 public:
  explicit Changes(asio::any_io_executor ex) : ex_(std::move(ex)) {}
  void notify();
  [[nodiscard]] std::uint64_t count() const { return count_; }
  // Returns once count() is not `seen` any more. Errors as Event::wait_for() has them; a negative
  // limit: none.
  Task<void> after(std::uint64_t seen, std::chrono::milliseconds limit);

 private:
  asio::any_io_executor ex_;
  std::uint64_t count_ = 0;
  std::list<asio::steady_timer*> waiting_;
};

namespace detail {
template <class T>
asio::awaitable<void> keep_result(Task<T> task, Result<T>* result) {
  *result = co_await std::move(task);
}
}  // namespace detail

// Runs `task` to its end, whether or not the caller is cancelled meanwhile: for what must not be
// left half done. A caller that was cancelled finds that out at its next wait.
template <class T>
Task<T> to_the_end(Task<T> task) {
  TaskScope scope(co_await asio::this_coro::executor);
  Result<T> result = fail(Errc::kInternal, "the task failed");
  scope.spawn(detail::keep_result(std::move(task), &result));
  co_await scope.join();
  const std::exception_ptr failure = co_await scope.close();
  if (failure) co_return fail(Errc::kInternal, "the task failed");
  co_return result;
}

// These two fail with Errc::kUnavailable in a task that is cancelled or was before.
//
// Returns once `fd` (borrowed: it must outlive the wait) is readable. A pidfd is readable when its
// process has ended. Its flags stay as they are. What cannot be waited for (a regular file) is an
// error.
Task<void> wait_readable(int fd);

Task<void> sleep_for(std::chrono::milliseconds time);

}  // namespace pyro::io
