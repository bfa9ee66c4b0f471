#include "net/engine_loop.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "sys/clock.h"

namespace pyro::net {

namespace {

constexpr int kEvents = 64;
// Batches of frames before the sockets have their turn again.
constexpr int kBatches = 4;

}  // namespace

EngineLoop::EngineLoop(sys::UniqueFd epoll, sys::UniqueFd timer, std::unique_ptr<Link> link)
    : epoll_(std::move(epoll)),
      timer_(std::move(timer)),
      link_(std::move(link)),
      network_(epoll_.get()),
      engine_(*link_, network_) {}

Result<std::unique_ptr<EngineLoop>> EngineLoop::create(sys::UniqueFd fd) {
  sys::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return sys::fail_errno("epoll_create1", errno);
  sys::UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer) return sys::fail_errno("timerfd_create", errno);
  PYRO_TRY(auto link, Link::take(std::move(fd)));
  const auto watch = [&](int which, Kind kind, std::uint32_t what) {
    epoll_event event{.events = what | EPOLLET, .data = {.u64 = token_of(kind)}};
    return ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, which, &event) == 0;
  };
  if (!watch(link->fd(), Kind::kLink, EPOLLIN) || !watch(timer.get(), Kind::kTimer, EPOLLIN))
    return sys::fail_errno("epoll_ctl", errno);
  return std::unique_ptr<EngineLoop>(
      new EngineLoop(std::move(epoll), std::move(timer), std::move(link)));
}

// Only while it is wanted: each frame that the guest takes would be an event.
void EngineLoop::watch_for_room(bool wanted) {
  if (wanted == watches_for_room_) return;
  watches_for_room_ = wanted;
  epoll_event event{.events = EPOLLIN | (wanted ? EPOLLOUT : 0U) | EPOLLET,
                    .data = {.u64 = token_of(Kind::kLink)}};
  static_cast<void>(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, link_->fd(), &event));
}

bool EngineLoop::take_events() {
  std::array<epoll_event, kEvents> events;  // NOLINT(*-member-init): the kernel fills it
  const int count = ::epoll_wait(epoll_.get(), events.data(), kEvents, 0);
  if (count <= 0) return false;
  for (const epoll_event& event : std::span(events).first(static_cast<std::size_t>(count))) {
    const Token token = event.data.u64;
    if (kind_of(token) == Kind::kLink) {
      frames_ = frames_ || (event.events & ~EPOLLOUT) != 0;
    } else if (kind_of(token) == Kind::kTimer) {
      armed_.reset();
    } else {
      const bool failed = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
      const bool writable = failed || (event.events & EPOLLOUT) != 0;
      engine_.on_ready(token, {.writable = writable, .failed = failed}, now());
    }
  }
  return true;
}

void EngineLoop::set_timer() {
  const std::optional<Time> due = engine_.next_deadline();
  if (!due || (armed_ && *armed_ <= *due)) return;
  armed_ = due;
  // One that is past would switch it off.
  const std::int64_t ns = std::max<std::int64_t>(due->time_since_epoch().count(), 1);
  const itimerspec when{.it_interval = {}, .it_value = sys::to_timespec(ns)};
  static_cast<void>(::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr));
}

bool EngineLoop::turn() {
  bool more = take_events();
  for (int i = 0; frames_ && i < kBatches; ++i) {
    const Time at = now();
    frames_ = link_->receive([&](Bytes frame) { engine_.on_frame(frame, at); });
    more = more || frames_;
  }
  const Time at = now();
  if (engine_.next_deadline().value_or(Time::max()) <= at) engine_.on_time(at);
  const bool said = engine_.flush(at);
  const bool sent = link_->flush();
  watch_for_room(!sent);
  set_timer();
  return more || (!said && sent);
}

}  // namespace pyro::net
