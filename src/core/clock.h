// The time as records have it.
#pragma once

#include <chrono>

namespace pyro::core {

// Seconds since 1970, UTC.
inline double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace pyro::core
