// Ctrl-C and SIGTERM while a command is under way.
#pragma once

#include <memory>

#include "base/result.h"

namespace pyro::cli {

class Interrupts {
 public:
  // What a signal does next.
  enum class Mode {
    kEnd,      // clears the progress line and ends the process with 128 + signal: for pulls, whose
               // children die with us and whose half-done work the next pull clears away
    kForward,  // one byte in fd() for each signal; the third ends the process all the same
  };
  virtual ~Interrupts() = default;
  virtual void set_mode(Mode mode) = 0;
  // Readable when a signal came in kForward; -1 when there is no such descriptor.
  [[nodiscard]] virtual int fd() const = 0;
  // The first signal that was forwarded, or 0.
  [[nodiscard]] virtual int received() const = 0;
};

// Takes over SIGINT and SIGTERM of this process until destroyed; one at a time. Starts in kEnd.
Result<std::unique_ptr<Interrupts>> watch_interrupts();

}  // namespace pyro::cli
