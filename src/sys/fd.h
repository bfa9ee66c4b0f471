// Owned descriptors and the one way system calls are made.
#pragma once

#include <cerrno>
#include <concepts>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace pyro::sys {

// Owns a descriptor. Never converts to int by itself: a descriptor is not a number.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& o) noexcept {
    UniqueFd old(std::exchange(fd_, std::exchange(o.fd_, -1)));  // self-move safe
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd();

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

Errc errc_from_errno(int e);
std::unexpected<Error> fail_errno(std::string what, int e);

// Runs `call` until it stops failing with EINTR; a negative return becomes an Error naming it.
template <std::invocable F>
Result<int> retrying(std::string_view name, F call) {
  for (;;) {
    const auto rc = call();
    if (rc >= 0) return static_cast<int>(rc);
    if (const int e = errno; e != EINTR) return fail_errno(std::string(name), e);
  }
}

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};
Result<Pipe> make_pipe();  // O_CLOEXEC

struct SocketPair {
  UniqueFd ours;
  UniqueFd theirs;
};
Result<SocketPair> make_socket_pair();  // AF_UNIX, SOCK_STREAM, SOCK_CLOEXEC

// Sends all of `bytes` (not empty) and a duplicate of `fd` over a Unix socket (unix(7),
// SCM_RIGHTS).
Result<void> send_with_fd(int socket, std::string_view bytes, int fd);

Result<UniqueFd> duplicate(int fd);  // F_DUPFD_CLOEXEC
Result<void> set_nonblocking(int fd, bool on);

}  // namespace pyro::sys
