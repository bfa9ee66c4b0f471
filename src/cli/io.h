// All that a command may touch of the process around it. main() passes the real thing, tests pass
// strings, a clock of their own and a fake terminal.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/signals.h"
#include "sys/dirs.h"

namespace pyro::cli {

// Where bytes go. After the first error every further write fails at once.
class Sink {
 public:
  virtual ~Sink() = default;
  Result<void> write(std::string_view bytes);
  // The first error; os_errno is EPIPE when the reader has gone.
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  virtual Result<void> do_write(std::string_view bytes) = 0;
  std::optional<Error> error_;
};

// Unbuffered, so that nothing is reordered or held back. `fd` is borrowed; a non-blocking one (it
// may be shared with another program) is waited for.
class FdSink final : public Sink {
 public:
  FdSink(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}

 private:
  Result<void> do_write(std::string_view bytes) override;
  int fd_;
  std::string name_;
};

class StringSink final : public Sink {
 public:
  std::string text;

 private:
  Result<void> do_write(std::string_view bytes) override {
    text += bytes;
    return {};
  }
};

// Descriptors of a terminal that is read from and written to, borrowed.
struct TerminalFds {
  int input = -1, output = -1;
};

struct Io {
  Sink& out;
  Sink& err;
  bool err_tty = false;
  std::function<int()> err_columns;     // width of that terminal
  std::optional<int> stdin_fd;          // set when it is not a terminal
  std::optional<TerminalFds> terminal;  // set when standard input and output both are terminals
  sys::Environment env;
  std::function<std::chrono::steady_clock::time_point()> now;
  std::function<Result<std::unique_ptr<Interrupts>>()> watch_interrupts;
};

// Standard input, output and error of this process.
struct ProcessIo {
  // Fills gaps among 0, 1 and 2: no file of ours may get the number of a closed standard stream.
  ProcessIo();
  FdSink out{1, "standard output"};
  FdSink err{2, "standard error"};
  Io io();
};

// `text` fit for a terminal: control characters but newline and tab become \xNN, and what is not
// UTF-8 becomes U+FFFD. Messages may quote a guest's console.
std::string printable(std::string_view text);
// The same for what must stay on its line: newlines and tabs become \xNN as well.
std::string one_line(std::string_view text);

}  // namespace pyro::cli
