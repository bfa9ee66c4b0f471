// What a shell printed: the newest part of it, without the values of secrets.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/redact.h"
#include "base/terminal_modes.h"

namespace pyro::core {

// Cursors count the bytes shown since the shell was opened. Memory: proto::kMostShellOutput and a
// quarter.
class ShellOutput {
 public:
  explicit ShellOutput(const std::map<std::string, std::string>& secrets)
      : redactor_(secrets, Through::kTerminal) {}

  void feed(std::string_view bytes) { add(redactor_.feed(bytes)); }
  // The start of a value may be held back: to be shown after a while.
  [[nodiscard]] bool holds() const { return redactor_.holds(); }
  void flush() { add(redactor_.flush()); }

  [[nodiscard]] std::int64_t begin() const { return begin_; }  // of what is kept
  [[nodiscard]] std::int64_t end() const {
    return begin_ + static_cast<std::int64_t>(kept_.size());
  }
  // From `cursor`, which is in begin()..end(), at most `max` bytes.
  [[nodiscard]] std::string read(std::int64_t cursor, std::size_t max) const;
  // The beginning of a line, or of a character in a long one, at most `most` bytes before the end.
  [[nodiscard]] std::int64_t recent(std::int64_t most) const;
  // What programs have made of their terminal.
  [[nodiscard]] const TerminalModes& modes() const { return modes_.modes(); }

 private:
  void add(const std::string& shown);

  Redactor redactor_;
  std::string kept_;
  std::int64_t begin_ = 0;
  TerminalModesReader modes_;
};

}  // namespace pyro::core
