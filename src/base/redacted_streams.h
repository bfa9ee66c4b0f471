// Standard output and error of one program, each without the values of secrets.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "base/redact.h"

namespace pyro {

// What a stream holds back is due some time after its last bytes, whatever the other one prints.
// `stream` is 0 (stdout) or 1 (stderr).
class RedactedStreams {
 public:
  using Clock = std::chrono::steady_clock;

  RedactedStreams(const std::map<std::string, std::string>& secrets,
                  std::chrono::milliseconds patience)
      : patience_(patience), redactors_{Redactor(secrets), Redactor(secrets)} {}

  // What can be shown now.
  std::string feed(std::size_t stream, std::string_view bytes, Clock::time_point now) {
    std::string shown = redactors_[stream].feed(bytes);
    due_[stream] = redactors_[stream].holds() ? now + patience_ : kNever;
    return shown;
  }
  // All that was held back.
  std::string flush(std::size_t stream) {
    due_[stream] = kNever;
    return redactors_[stream].flush();
  }
  [[nodiscard]] bool is_due(std::size_t stream, Clock::time_point now) const {
    return due_[stream] <= now;
  }
  // Until one of them is due, at most `longest`.
  [[nodiscard]] std::chrono::milliseconds until_due(Clock::time_point now,
                                                    std::chrono::milliseconds longest) const {
    const auto due = std::min(due_[0], due_[1]);
    if (due == kNever) return longest;
    return std::clamp(std::chrono::ceil<std::chrono::milliseconds>(due - now),
                      std::chrono::milliseconds(0), longest);
  }

 private:
  static constexpr auto kNever = Clock::time_point::max();

  std::chrono::milliseconds patience_;
  std::array<Redactor, 2> redactors_;
  std::array<Clock::time_point, 2> due_{kNever, kNever};
};

}  // namespace pyro
