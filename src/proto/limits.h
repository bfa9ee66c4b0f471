// What numbers may be, whoever gives them: the table of operations shows these ranges, the library
// checks them, and the supervisor checks them again.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace pyro::proto {

struct Range {
  std::int64_t low, high;  // both included
};

inline constexpr Range kVcpuCountRange{.low = 1, .high = 32};
inline constexpr Range kMemMibRange{.low = 128, .high = 65'536};
inline constexpr Range kTtlSecondsRange{.low = 1, .high = 2'592'000};
inline constexpr Range kTimeoutSecondsRange{.low = 1, .high = 86'400};
// Of one file that is read out of a workspace.
inline constexpr Range kReadBytesRange{.low = 1, .high = std::int64_t{1} << 40};
// Of one file that is written into a workspace, and of a patch.
inline constexpr std::int64_t kMaxWriteBytes = std::int64_t{64} << 20;

// kInvalid, naming the range.
inline Result<void> in_range(std::string_view name, std::int64_t value, Range range) {
  if (value >= range.low && value <= range.high) return {};
  return fail(Errc::kInvalid,
              fmt::format("{} is {}; it can be {} to {}", name, value, range.low, range.high));
}

}  // namespace pyro::proto
