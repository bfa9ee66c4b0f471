// Lines for a reader that may be slow, or may never read: a thread of their own writes them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "mcp_serve/wake.h"

namespace pyro::mcp_serve {

// Bytes that wait to be written. From the first on, notices are left out; from the second on, no
// new call begins and none is answered; with the third, the reader is taken to have gone.
inline constexpr std::size_t kNoticeRoom = std::size_t{1} << 20;
inline constexpr std::size_t kCallRoom = std::size_t{8} << 20;
inline constexpr std::size_t kMostWaiting = std::size_t{64} << 20;

class Outbox {
 public:
  // `fd` is borrowed. `gone` is raised when nothing can be written any more.
  static Result<std::unique_ptr<Outbox>> make(int fd, const Wake& gone);
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  // Never blocks. A notice is left out when there is no room for one.
  void push(std::string line, bool notice);
  // Returns when there is room for the answer of a call, or none will be written. Whoever has
  // waited pushes before the next one waits: an answer may be larger than the room.
  void wait_for_room();
  // From then on nothing is held back (wait_for_room() returns).
  void open_at(std::chrono::steady_clock::time_point when);
  // Waits until all is written, or `limit` is over; then nothing more is.
  void finish(std::chrono::milliseconds limit);
  // Why nothing can be written; its os_errno is EPIPE when the reader went away.
  [[nodiscard]] std::optional<Error> problem() const;

 private:
  Outbox(int fd, const Wake& gone, Wake stop) : fd_(fd), gone_(gone), stop_(std::move(stop)) {}
  void loop();
  bool write_line(const std::string& line);
  void break_off(Error why);  // with the lock held

  const int fd_;
  const Wake& gone_;
  Wake stop_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> queue_;
  std::size_t waiting_ = 0;
  std::optional<std::chrono::steady_clock::time_point> opens_;
  bool ending_ = false, done_ = false;
  std::optional<Error> problem_;
  std::thread thread_;
};

}  // namespace pyro::mcp_serve
