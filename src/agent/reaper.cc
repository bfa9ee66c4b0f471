#include "agent/reaper.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace pyro::agent {
namespace {
sigset_t child_signal() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  return set;
}
}  // namespace

void Reaper::block_child_signals() {
  const sigset_t set = child_signal();
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
}

Result<sys::UniqueFd> Reaper::make_signal_fd() {
  const sigset_t set = child_signal();
  PYRO_TRY(const int fd, sys::retrying("signalfd", [&] {
             return ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
           }));
  return sys::UniqueFd(fd);
}

Reaper::Reaper(boost::asio::any_io_executor ex, sys::UniqueFd signal_fd)
    : signals_(ex, signal_fd.release()) {}

boost::asio::awaitable<void> Reaper::run() {
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  signalfd_siginfo info[8];
  for (;;) {
    collect();
    const auto got = co_await signals_.async_read_some(
        boost::asio::buffer(info, sizeof info), boost::asio::as_tuple(boost::asio::use_awaitable));
    if (std::get<0>(got)) co_return;
  }
}

// Signals of the same kind merge, so one may stand for many children.
void Reaper::collect() {
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) return;
    const auto it = watches_.find(info.si_pid);
    if (it == watches_.end()) continue;
    it->second->status =
        sys::ExitStatus{.signaled = info.si_code != CLD_EXITED, .value = info.si_status};
    it->second->changed.set();
    watches_.erase(it);
  }
}

}  // namespace pyro::agent
