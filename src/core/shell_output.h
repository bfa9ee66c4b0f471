// What a shell printed: the newest part of it, without the values of secrets.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/redact.h"

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
  // Whether a program has switched to the alternate screen (xterm's modes 47, 1047 and 1049).
  [[nodiscard]] bool full_screen() const { return full_screen_; }

 private:
  void add(const std::string& shown);
  void look_for_screens(std::string_view shown);

  Redactor redactor_;
  std::string kept_;
  std::int64_t begin_ = 0;
  std::string last_;  // a beginning of a sequence that switches screens
  bool full_screen_ = false;
};

}  // namespace pyro::core
