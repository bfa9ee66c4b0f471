#include "mcp_serve/outbox.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <system_error>

namespace pyro::mcp_serve {

Result<std::unique_ptr<Outbox>> Outbox::make(int fd, const Wake& gone) {
  PYRO_TRY(Wake stop, Wake::make());
  std::unique_ptr<Outbox> box(new Outbox(fd, gone, std::move(stop)));
  try {
    box->thread_ = std::thread([raw = box.get()] { raw->loop(); });
  } catch (const std::system_error& e) {
    return fail(Errc::kUnavailable, fmt::format("start a thread: {}", e.what()));
  }
  return box;
}

Outbox::~Outbox() {
  if (thread_.joinable()) finish(std::chrono::milliseconds(0));
}

void Outbox::push(std::string line, bool notice) {
  const std::scoped_lock lock(mutex_);
  if (problem_ || done_ || (notice && waiting_ + line.size() > kNoticeRoom)) return;
  line += '\n';
  waiting_ += line.size();
  queue_.push_back(std::move(line));
  if (waiting_ > kMostWaiting) {
    return break_off(
        {.code = Errc::kUnavailable,
         .message = fmt::format("the client does not read: more than {} bytes wait for it",
                                kMostWaiting)});
  }
  changed_.notify_all();
}

void Outbox::break_off(Error why) {
  if (!problem_) problem_ = std::move(why);
  queue_.clear();
  waiting_ = 0;
  stop_.raise();
  gone_.raise();
  changed_.notify_all();
}

void Outbox::wait_for_room() {
  std::unique_lock lock(mutex_);
  while (!problem_ && waiting_ >= kCallRoom) {
    if (!opens_) {
      changed_.wait(lock);
    } else if (changed_.wait_until(lock, *opens_) == std::cv_status::timeout) {
      return;
    }
  }
}

void Outbox::open_at(std::chrono::steady_clock::time_point when) {
  const std::scoped_lock lock(mutex_);
  opens_ = when;
  changed_.notify_all();
}

void Outbox::finish(std::chrono::milliseconds limit) {
  {
    std::unique_lock lock(mutex_);
    ending_ = true;
    changed_.notify_all();
    changed_.wait_for(lock, limit, [this] { return done_; });
  }
  stop_.raise();
  thread_.join();
}

std::optional<Error> Outbox::problem() const {
  const std::scoped_lock lock(mutex_);
  return problem_;
}

void Outbox::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return !queue_.empty() || ending_ || problem_; });
    if (queue_.empty() || problem_) break;
    const std::string line = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    const bool fine = write_line(line);
    lock.lock();
    if (!fine) break;
    waiting_ -= std::min(waiting_, line.size());
    changed_.notify_all();
  }
  done_ = true;
  changed_.notify_all();
}

// At most as much at a time as a pipe that poll(2) calls writable takes without blocking: the
// descriptor may be shared, so its flags are not ours to change.
bool Outbox::write_line(const std::string& line) {
  std::size_t at = 0;
  while (at < line.size()) {
    std::array<pollfd, 2> fds{pollfd{.fd = fd_, .events = POLLOUT, .revents = 0},
                              pollfd{.fd = stop_.fd(), .events = POLLIN, .revents = 0}};
    if (const auto polled = sys::retrying("poll", [&] { return ::poll(fds.data(), 2, -1); });
        !polled || (fds[1].revents != 0)) {
      return false;
    }
    const std::size_t size = std::min<std::size_t>(PIPE_BUF, line.size() - at);
    const auto wrote = sys::retrying(
        "write", [&] { return ::write(fd_, line.data() + at, size); });  // NOLINT: within line
    if (!wrote) {
      if (wrote.error().os_errno == EAGAIN) continue;
      const std::scoped_lock lock(mutex_);
      break_off(Error(wrote.error()).context("the client has gone"));
      return false;
    }
    at += static_cast<std::size_t>(*wrote);
  }
  return true;
}

}  // namespace pyro::mcp_serve
