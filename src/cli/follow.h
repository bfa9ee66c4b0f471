// Watching something that goes on by itself: it ends when that does, or by Ctrl-C, which is no
// error then.
#pragma once

#include <signal.h>

#include "cli/exit_code.h"
#include "cli/io.h"

namespace pyro::cli {

// `work` gets the descriptor that Ctrl-C makes readable; `show` what it gave, and gives the exit
// code. SIGTERM ends it with the usual code of that signal.
template <class Work, class Show>
Result<int> followed(Io& io, const Work& work, const Show& show) {
  PYRO_TRY(const std::unique_ptr<Interrupts> interrupts, io.watch_interrupts());
  interrupts->set_mode(Interrupts::Mode::kForward);
  const auto result = work(interrupts->fd());
  const int signal = interrupts->received();
  if (!result && signal == 0) return std::unexpected(result.error());
  int code = kExitOk;
  if (result) {
    PYRO_TRY(code, show(*result));
  }
  return signal == 0 || signal == SIGINT ? code : 128 + signal;
}

}  // namespace pyro::cli
