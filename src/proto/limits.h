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
// Of one file that is written into a workspace, and of a patch, be it made or applied.
inline constexpr std::int64_t kMaxWriteBytes = std::int64_t{64} << 20;

// Columns and rows of a shell's terminal.
inline constexpr Range kTerminalRange{.low = 1, .high = 4096};
// Of what a shell printed, this much is kept.
inline constexpr std::int64_t kMostShellOutput = std::int64_t{1} << 20;  // bytes
inline constexpr Range kCursorRange{.low = 0, .high = std::int64_t{1} << 53};
inline constexpr Range kShellCharsRange{.low = 1, .high = kMostShellOutput};
inline constexpr Range kShellInputRange{.low = 1, .high = std::int64_t{512} << 10};  // bytes
inline constexpr Range kIdleRange{.low = 0, .high = 600'000};                        // ms
inline constexpr std::int64_t kMostShells = 32;    // that run at once in a workspace
inline constexpr std::int64_t kMostServices = 64;  // of a workspace
inline constexpr Range kReadyTimeoutRange{.low = 1, .high = 3600};      // seconds
inline constexpr Range kReadyIntervalRange{.low = 10, .high = 60'000};  // ms
inline constexpr Range kStopTimeoutRange{.low = 0, .high = 3600};       // seconds
// Of the log of a workspace: its last commands, and the number of one.
inline constexpr Range kTailCommandsRange{.low = 1, .high = 1'000'000};
inline constexpr Range kSequenceRange{.low = 1, .high = std::int64_t{1} << 53};
inline constexpr Range kTailLinesRange{.low = 0, .high = 1'000'000};
inline constexpr Range kPortRange{.low = 1, .high = 65'535};

// kInvalid, naming the range.
inline Result<void> in_range(std::string_view name, std::int64_t value, Range range) {
  if (value >= range.low && value <= range.high) return {};
  return fail(Errc::kInvalid,
              fmt::format("{} is {}; it can be {} to {}", name, value, range.low, range.high));
}

}  // namespace pyro::proto
