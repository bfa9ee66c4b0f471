#include "sys/no_sigpipe.h"

#include <time.h>

#include <cerrno>

namespace pyro::sys {
namespace {

sigset_t only_sigpipe() noexcept {
  sigset_t set{};
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  return set;
}

bool is_pending() noexcept {
  sigset_t pending{};
  return ::sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

}  // namespace

NoSigpipe::NoSigpipe() noexcept : pending_before_(is_pending()) {
  const sigset_t pipe = only_sigpipe();
  ::pthread_sigmask(SIG_BLOCK, &pipe, &before_);
}

NoSigpipe::~NoSigpipe() {
  // Where it was blocked before, whoever did that wants none either way.
  if (!pending_before_ && is_pending()) {
    const sigset_t pipe = only_sigpipe();
    const timespec at_once{};
    while (::sigtimedwait(&pipe, nullptr, &at_once) < 0 && errno == EINTR) {
    }
  }
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace pyro::sys
