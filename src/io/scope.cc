#include "io/scope.h"

#include <sys/epoll.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>

#include "sys/fd.h"

namespace pyro::io {

namespace {
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

// Cancellation shows as an error of the wait it ends, never as an exception: a task can then clean
// up with further waits.
asio::awaitable<void> without_throwing(asio::awaitable<void> task) {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await std::move(task);
}

// What co_spawn reports for a task that was cancelled before its first turn.
bool is_cancellation(const std::exception_ptr& e) {
  try {
    std::rethrow_exception(e);
  } catch (const boost::system::system_error& error) {
    return error.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}
}  // namespace

TaskScope::TaskScope(asio::any_io_executor ex)
    : ex_(ex), idle_(ex, asio::steady_timer::time_point::max()) {}

TaskScope::~TaskScope() {
  if (!tasks_.empty()) std::terminate();  // in every build: the tasks point into this object
}

void TaskScope::spawn(asio::awaitable<void> task) {
  const auto it = tasks_.emplace(tasks_.end());
  asio::co_spawn(ex_, without_throwing(std::move(task)),
                 asio::bind_cancellation_slot(it->slot(), [this, it](std::exception_ptr e) {
                   if (e && !failure_ && !is_cancellation(e))
                     failure_ = e;  // a task that throws is reported, not lost
                   tasks_.erase(it);
                   if (tasks_.empty()) idle_.cancel();
                 }));
}

void TaskScope::cancel() {
  // Emitting may end a task at once and so change the list: step past each signal first.
  for (auto it = tasks_.begin(); it != tasks_.end();) {
    auto& signal = *it;
    ++it;
    signal.emit(asio::cancellation_type::terminal);
  }
}

asio::awaitable<std::exception_ptr> TaskScope::close() {
  cancel();
  co_await join();
  co_return failure_;
}

asio::awaitable<void> TaskScope::join() {
  while (!tasks_.empty()) {
    const auto woken = co_await idle_.async_wait(kTuple);
    static_cast<void>(woken);
  }
}

asio::awaitable<void> TaskScope::join_or_cancel() {
  bool asked = false;
  while (!tasks_.empty()) {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (!asked && state.cancelled() != asio::cancellation_type::none) {
      asked = true;
      cancel();
      continue;
    }
    const auto woken = co_await idle_.async_wait(kTuple);
    static_cast<void>(woken);
  }
}

Event::Event(asio::any_io_executor ex)
    : ex_(ex), wake_(ex, asio::steady_timer::time_point::max()) {}

void Event::set() {
  set_ = true;
  wake_.cancel();
}

Task<void> Event::wait() {
  while (!set_) {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
      co_return fail(Errc::kUnavailable, "cancelled");
    }
    const auto woken = co_await wake_.async_wait(kTuple);
    static_cast<void>(woken);
  }
  co_return Result<void>{};
}

asio::awaitable<void> Event::wait_regardless() {
  while (!set_) {
    const auto woken = co_await wake_.async_wait(kTuple);
    static_cast<void>(woken);
  }
}

Task<void> Event::wait_for(std::chrono::milliseconds timeout) {
  // A timer of its own wakes the shared one, so that a single wait has to be awaited here.
  // Its handler may already be queued when the wait ends, so what it touches is shared with it.
  struct Wait {
    bool over = false, late = false;
  };
  const auto state_of_wait = std::make_shared<Wait>();
  struct EndWait {
    std::shared_ptr<Wait> wait;
    ~EndWait() { wait->over = true; }
  };
  const EndWait end{state_of_wait};
  asio::steady_timer limit(ex_, timeout);
  limit.async_wait([this, state_of_wait](const boost::system::error_code& ec) {
    if (ec || state_of_wait->over) return;
    state_of_wait->late = true;
    wake_.cancel();
  });
  while (!set_ && !state_of_wait->late) {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
      co_return fail(Errc::kUnavailable, "cancelled");
    }
    const auto woken = co_await wake_.async_wait(kTuple);
    static_cast<void>(woken);
  }
  if (set_) co_return Result<void>{};
  co_return fail(Errc::kDeadline, "timed out");
}

void Changes::notify() {
  ++count_;
  for (asio::steady_timer* waiting : waiting_) waiting->cancel();
}

Task<void> Changes::after(std::uint64_t seen, std::chrono::milliseconds limit) {
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none)
    co_return fail(Errc::kUnavailable, "cancelled");
  if (count_ != seen) co_return Result<void>{};
  asio::steady_timer timer(ex_, asio::steady_timer::time_point::max());
  if (limit.count() >= 0) timer.expires_after(limit);
  const auto place = waiting_.insert(waiting_.end(), &timer);
  const auto woken = co_await timer.async_wait(kTuple);
  waiting_.erase(place);
  if (count_ != seen) co_return Result<void>{};
  if (std::get<0>(woken)) co_return fail(Errc::kUnavailable, "cancelled");
  co_return fail(Errc::kDeadline, "timed out");
}

namespace {
// A cancellation ends the wait that is under way, and asio forgets it then: later waits have to
// look.
asio::awaitable<bool> is_cancelled() {
  const auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}
}  // namespace

Task<void> wait_readable(int fd) {
  const bool cancelled = co_await is_cancelled();
  if (cancelled) co_return fail(Errc::kUnavailable, "cancelled");
  // asio makes what it waits for non-blocking, for everybody who shares it (ioctl(2), FIONBIO): so
  // it waits for an epoll that waits for `fd`.
  const sys::UniqueFd watched(::epoll_create1(EPOLL_CLOEXEC));
  if (!watched) co_return sys::fail_errno("epoll_create1", errno);
  epoll_event event{.events = EPOLLIN, .data = {}};
  if (::epoll_ctl(watched.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    co_return sys::fail_errno("epoll_ctl", errno);
  asio::posix::stream_descriptor descriptor(co_await asio::this_coro::executor, watched.get());
  const auto woken =
      co_await descriptor.async_wait(asio::posix::stream_descriptor::wait_read, kTuple);
  const auto& [ec] = woken;
  (void)descriptor.release();
  if (ec) co_return fail(Errc::kUnavailable, "wait: " + ec.message(), ec.value());
  co_return Result<void>{};
}

Task<void> sleep_for(std::chrono::milliseconds time) {
  const bool cancelled = co_await is_cancelled();
  if (cancelled) co_return fail(Errc::kUnavailable, "cancelled");
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  const auto woken = co_await timer.async_wait(kTuple);
  const auto& [ec] = woken;
  if (ec) co_return fail(Errc::kUnavailable, "cancelled");
  co_return Result<void>{};
}

}  // namespace pyro::io
