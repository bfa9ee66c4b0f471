// Writing to a peer that has gone is an error of write(2) and not the end of a program that is not
// ours.
#pragma once

#include <signal.h>

namespace pyro::sys {

// While it lives, this thread gets no SIGPIPE: one that comes is taken away at the end, unless one
// was pending before. Ends on the thread that made it.
class NoSigpipe {
 public:
  NoSigpipe() noexcept;
  ~NoSigpipe();
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;

 private:
  sigset_t before_{};
  bool pending_before_ = false;
};

}  // namespace pyro::sys
