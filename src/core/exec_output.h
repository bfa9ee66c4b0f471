// A command's output on its way to the client: without the values of secrets, and kept for the
// journal up to a limit.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/redacted_streams.h"

namespace pyro::core {

// What is kept of each stream: the first half of it and the last.
inline constexpr std::size_t kKeptOutput = 64U << 10;  // bytes

// The beginning and the end of a stream of bytes. Memory: kKeptOutput and some.
class KeptOutput {
 public:
  void add(std::string_view bytes);
  // All of it, or the beginning, a line that says how much is left out, and the end.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::int64_t bytes() const { return bytes_; }

 private:
  std::string head_, tail_;
  std::int64_t bytes_ = 0;
};

class ExecOutput {
 public:
  explicit ExecOutput(const std::map<std::string, std::string>& secrets);

  using Clock = RedactedStreams::Clock;
  // `stream` is 0 (stdout) or 1 (stderr). What can be shown now.
  std::string feed(std::size_t stream, std::string_view bytes, Clock::time_point now);
  // The start of a value may be held back: until its rest has been waited for long enough.
  [[nodiscard]] const RedactedStreams& held() const { return streams_; }
  std::string flush(std::size_t stream);
  [[nodiscard]] const KeptOutput& kept(std::size_t stream) const { return kept_[stream]; }

 private:
  RedactedStreams streams_;
  std::array<KeptOutput, 2> kept_;
};

}  // namespace pyro::core
