// The terminal of this process while a program somewhere else has it.
#pragma once

#include <termios.h>

#include <memory>
#include <utility>

#include "base/result.h"
#include "cli/io.h"
#include "sys/fd.h"

namespace pyro::cli {

// Columns and rows of the terminal `fd`, each within what a shell may have; 80 and 24 when it does
// not say.
std::pair<int, int> terminal_size(int fd);

// Makes the terminal raw: every key comes as it is, nothing is echoed, output is not changed. Puts
// it back when it is destroyed, when SIGCONT comes after a stop (raw again), and before the process
// dies of a fault of its own. One at a time in a process; SIGKILL is the only end that leaves a raw
// terminal.
class RawTerminal {
 public:
  static Result<std::unique_ptr<RawTerminal>> open(TerminalFds fds);
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

  // Readable, and stays so, once SIGHUP, SIGINT, SIGQUIT or SIGTERM came. The third of them puts
  // the terminal back and ends the process, whatever hangs.
  [[nodiscard]] int stop_fd() const { return stop_.read.get(); }
  // The first of these signals, or 0.
  [[nodiscard]] int stopped_by() const;
  // Readable when the size may have changed; whoever reads it takes the mark. Non-blocking.
  [[nodiscard]] int resized_fd() const { return resized_.read.get(); }

 private:
  RawTerminal(sys::Pipe stop, sys::Pipe resized)
      : stop_(std::move(stop)), resized_(std::move(resized)) {}
  void take_signals();

  sys::Pipe stop_, resized_;
};

}  // namespace pyro::cli
