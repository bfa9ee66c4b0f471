// Points in time as nanoseconds since 1970 and as the kernel has them.
#pragma once

#include <time.h>

#include <cstdint>

namespace pyro::sys {

// Rounded down: the nanoseconds are never negative, as the kernel wants them (utimensat(2)).
constexpr timespec to_timespec(std::int64_t ns) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  timespec t{.tv_sec = ns / kSecond, .tv_nsec = ns % kSecond};
  if (t.tv_nsec < 0) {
    t.tv_nsec += kSecond;
    --t.tv_sec;
  }
  return t;
}

// File systems and archives have times that do not fit (292 years on either side of 1970 do): the
// nearest that does.
constexpr std::int64_t to_ns(const timespec& t) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  std::int64_t ns = 0;
  if (__builtin_mul_overflow(t.tv_sec, kSecond, &ns) ||
      __builtin_add_overflow(ns, t.tv_nsec, &ns)) {
    return t.tv_sec < 0 ? INT64_MIN : INT64_MAX;
  }
  return ns;
}

inline std::int64_t wall_clock_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_REALTIME, &t);
  return to_ns(t);
}

}  // namespace pyro::sys
