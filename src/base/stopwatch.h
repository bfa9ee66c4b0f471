// Milliseconds that passed, for the stages people see.
#pragma once

#include <chrono>

namespace pyro {

class Stopwatch {
 public:
  // Since it was made.
  [[nodiscard]] double ms() const { return between(start_, Clock::now()); }
  // Since the last lap, or since it was made.
  double lap() {
    const Clock::time_point now = Clock::now();
    const double ms = between(last_, now);
    last_ = now;
    return ms;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static double between(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double, std::milli>(to - from).count();
  }
  Clock::time_point start_ = Clock::now(), last_ = start_;
};

}  // namespace pyro
