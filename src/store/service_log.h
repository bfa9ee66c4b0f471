// The log of one service: a folder of segments outside the workspace, at most kLogBound bytes of
// them. A segment is called by the cursor of its first byte (20 digits and ".log"), so a cursor
// means the same for whoever writes, reads or follows, also after a rotation.
//
// A segment is records:
//   u32 size    1 to kMostLogText
//   u8  stream  1 stdout, 2 stderr, 3 a remark of pyro's
//   u8  zero[3]
//   i64 time    microseconds since 1970, UTC
//   the text, `size` bytes
// Numbers are little-endian. The last record of the last segment may be cut off by a crash.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace pyro::store {

inline constexpr std::size_t kMostLogText = 32U << 10;  // bytes in a record
inline constexpr std::uint64_t kLogSegment = 4U << 20;  // bytes, after which the next is begun
inline constexpr std::uint64_t kLogBound = 2 * kLogSegment;

enum class LogStream : std::uint8_t { kStdout = 1, kStderr = 2, kRemark = 3 };

struct LogRecord {
  std::int64_t time_us = 0;
  LogStream stream = LogStream::kStdout;
  std::string text;
  bool operator==(const LogRecord&) const = default;
};
// `record.text` has 1 to kMostLogText bytes.
std::string encode_log_record(const LogRecord& record);

// Takes records out of bytes that come in pieces.
class LogParser {
 public:
  void feed(std::string_view bytes);
  // nullopt: more bytes are needed. kDamaged: these are no records.
  Result<std::optional<LogRecord>> next();
  // Bytes of whole records that were taken so far.
  [[nodiscard]] std::uint64_t consumed() const { return consumed_; }

 private:
  std::string pending_;
  std::size_t taken_ = 0;  // of pending_
  std::uint64_t consumed_ = 0;
};

// The last `lines` lines of both streams together, with the remarks among and after them, which do
// not count; what is left out is gone from `records`. True when something is.
bool keep_last_lines(std::vector<LogRecord>& records, std::size_t lines);

// What a log has from `from` on, at most `max_bytes`.
struct LogBytes {
  std::uint64_t begin = 0;  // beyond `from` when that is gone already
  std::string bytes;
};
Result<LogBytes> read_log_bytes(const std::string& folder, std::uint64_t from,
                                std::uint64_t max_bytes = kLogBound + kMostLogText);

struct LogContent {
  std::vector<LogRecord> records;
  std::uint64_t begin = 0, end = 0;  // cursors
};
// All that is kept. No folder: nothing.
Result<LogContent> read_log(const std::string& folder);

// One writer at a time.
class ServiceLog {
 public:
  // Goes on after what there is (without a record that was cut off), or, with `fresh`, after
  // throwing it away.
  static Result<ServiceLog> open(const std::string& folder, bool fresh);
  // Longer texts become several records. What cannot be written is left out, and a remark says how
  // much as soon as something can be.
  void append(LogStream stream, std::string_view text, std::int64_t time_us);
  [[nodiscard]] std::uint64_t end() const { return base_ + size_; }

 private:
  ServiceLog(std::string folder, std::uint64_t base) : folder_(std::move(folder)), base_(base) {}
  Result<void> begin_segment();
  Result<void> write(const LogRecord& record);

  std::string folder_;
  sys::UniqueFd file_;
  std::uint64_t base_ = 0;  // cursor of the first byte of file_
  std::uint64_t size_ = 0;  // of file_
  std::uint64_t lost_ = 0;  // bytes
};

}  // namespace pyro::store
