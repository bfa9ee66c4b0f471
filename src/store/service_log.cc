#include "store/service_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "sys/file.h"

namespace pyro::store {
namespace {

constexpr std::size_t kHeader = 16;
constexpr std::size_t kDigits = 20;
constexpr std::string_view kSuffix = ".log";

std::string segment_name(std::uint64_t base) {
  return fmt::format("{:020}{}", base, kSuffix);
}

std::optional<std::uint64_t> base_of(const std::string& name) {
  if (name.size() != kDigits + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  std::uint64_t base = 0;
  const char* const last = name.data() + kDigits;
  const auto [end, error] = std::from_chars(name.data(), last, base);
  if (error != std::errc() || end != last) return std::nullopt;
  return base;
}

// Sorted.
Result<std::vector<std::uint64_t>> segments(const std::string& folder) {
  std::vector<std::uint64_t> bases;
  if (!sys::exists(folder)) return bases;
  PYRO_TRY(const auto names, sys::list_dir(folder));
  for (const std::string& name : names) {
    if (const auto base = base_of(name)) bases.push_back(*base);
  }
  return bases;
}

template <class T>
void put(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    out += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
}
template <class T>
T get(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return static_cast<T>(value);
}

// Bytes [from, from + max) of an open segment, or as many as there are.
Result<std::string> read_piece(int fd, std::uint64_t from, std::uint64_t max) {
  std::string out(std::min(max, kLogSegment + kMostLogText + kHeader), '\0');
  std::size_t got = 0;
  while (got < out.size()) {
    PYRO_TRY(const auto n, sys::retrying("reading a log", [&] {
               return ::pread(fd, out.data() + got, out.size() - got,
                              static_cast<off_t>(from + got));
             }));
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  out.resize(got);
  return out;
}

}  // namespace

std::string encode_log_record(const LogRecord& r) {
  std::string out;
  out.reserve(kHeader + r.text.size());
  put(out, static_cast<std::uint32_t>(r.text.size()));
  put(out, static_cast<std::uint32_t>(r.stream));
  put(out, r.time_us);
  return out + r.text;
}

void LogParser::feed(std::string_view bytes) {
  pending_.erase(0, taken_);
  taken_ = 0;
  pending_ += bytes;
}

Result<std::optional<LogRecord>> LogParser::next() {
  const std::string_view rest = std::string_view(pending_).substr(taken_);
  if (rest.size() < kHeader) return std::nullopt;
  const auto size = get<std::uint32_t>(rest);
  const auto stream = get<std::uint32_t>(rest.substr(4));
  if (size == 0 || size > kMostLogText || stream < 1 || stream > 3)
    return fail(Errc::kDamaged, "the log of the service is damaged");
  if (rest.size() < kHeader + size) return std::nullopt;
  LogRecord record{.time_us = get<std::int64_t>(rest.substr(8)),
                   .stream = static_cast<LogStream>(stream),
                   .text = std::string(rest.substr(kHeader, size))};
  taken_ += kHeader + size;
  consumed_ += kHeader + size;
  return record;
}

bool keep_last_lines(std::vector<LogRecord>& records, std::size_t lines) {
  std::size_t seen = 0;
  bool at_end = true;  // the newline that ends the last line begins no other
  for (std::size_t i = records.size(); i-- > 0;) {
    if (records[i].stream == LogStream::kRemark) continue;
    std::string& text = records[i].text;
    for (std::size_t at = text.size(); at-- > 0;) {
      if (text[at] == '\n' && !at_end && ++seen == lines) {
        text.erase(0, at + 1);
        const std::size_t first = text.empty() ? i + 1 : i;
        records.erase(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(first));
        return true;
      }
      at_end = false;
    }
  }
  if (lines > 0 || records.empty()) return false;
  records.clear();
  return true;
}

Result<LogBytes> read_log_bytes(const std::string& folder, std::uint64_t from,
                                std::uint64_t max_bytes) {
  PYRO_TRY(const auto bases, segments(folder));
  LogBytes out{.begin = from, .bytes = {}};
  for (std::size_t i = 0; i < bases.size(); ++i) {
    const bool is_last = i + 1 == bases.size();
    const std::uint64_t at = out.begin + out.bytes.size();
    if (!is_last && bases[i + 1] <= at) continue;  // wholly before it
    auto file = sys::open_file(folder + "/" + segment_name(bases[i]), O_RDONLY | O_NOFOLLOW);
    if (!file && file.error().code == Errc::kNotFound) continue;  // rotated away meanwhile
    if (!file) return std::unexpected(std::move(file.error()));
    if (bases[i] > at) {
      if (!out.bytes.empty()) break;  // what follows does not go on there
      out.begin = bases[i];
    }
    const std::uint64_t offset = out.begin + out.bytes.size() - bases[i];
    PYRO_TRY(const std::string piece,
             read_piece(file->get(), offset, max_bytes - out.bytes.size()));
    out.bytes += piece;
    if (out.bytes.size() >= max_bytes) break;
  }
  return out;
}

Result<LogContent> read_log(const std::string& folder) {
  PYRO_TRY(const LogBytes all, read_log_bytes(folder, 0));
  LogContent content{.records = {}, .begin = all.begin, .end = all.begin};
  LogParser parser;
  parser.feed(all.bytes);
  for (;;) {
    PYRO_TRY(auto record, parser.next());
    if (!record) break;
    content.records.push_back(*std::move(record));
  }
  content.end += parser.consumed();
  return content;
}

Result<ServiceLog> ServiceLog::open(const std::string& folder, bool fresh) {
  PYRO_CHECK(sys::make_dirs(folder));
  PYRO_TRY(const auto bases, segments(folder));
  ServiceLog log(folder, bases.empty() ? 0 : bases.back());
  if (bases.empty()) {
    PYRO_CHECK(log.begin_segment());
    return log;
  }
  const std::string last = folder + "/" + segment_name(bases.back());
  PYRO_TRY(log.file_, sys::open_file(last, O_RDWR | O_NOFOLLOW | O_APPEND));
  PYRO_TRY(const std::string bytes, read_piece(log.file_.get(), 0, kLogBound));
  LogParser parser;
  parser.feed(bytes);
  for (auto record = parser.next(); record && *record;) record = parser.next();
  log.size_ = parser.consumed();
  if (fresh) {
    log.base_ += log.size_;
    log.size_ = 0;
    for (const std::uint64_t base : bases)
      static_cast<void>(::unlink((folder + "/" + segment_name(base)).c_str()));
    PYRO_CHECK(log.begin_segment());
    return log;
  }
  PYRO_CHECK(sys::retrying("cutting off a log", [&] {
    return ::ftruncate(log.file_.get(), static_cast<off_t>(log.size_));
  }));
  return log;
}

Result<void> ServiceLog::begin_segment() {
  PYRO_TRY(auto file, sys::open_file(folder_ + "/" + segment_name(base_ + size_),
                                     O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_APPEND));
  file_ = std::move(file);
  base_ += size_;
  size_ = 0;
  PYRO_TRY(const auto bases, segments(folder_));
  // The last and the one before it.
  for (std::size_t i = 0; i + 2 < bases.size(); ++i)
    static_cast<void>(::unlink((folder_ + "/" + segment_name(bases[i])).c_str()));
  return {};
}

Result<void> ServiceLog::write(const LogRecord& record) {
  const std::string bytes = encode_log_record(record);
  if (size_ + bytes.size() > kLogSegment) PYRO_CHECK(begin_segment());
  if (auto written = sys::write_all(file_.get(), bytes); !written) {
    static_cast<void>(::ftruncate(file_.get(), static_cast<off_t>(size_)));
    return written;
  }
  size_ += bytes.size();
  return {};
}

void ServiceLog::append(LogStream stream, std::string_view text, std::int64_t time_us) {
  while (!text.empty()) {
    const std::string_view part = text.substr(0, kMostLogText);
    text.remove_prefix(part.size());
    if (lost_ > 0) {
      const std::string remark =
          fmt::format("{} bytes could not be written to this log and are lost\n", lost_);
      if (write({.time_us = time_us, .stream = LogStream::kRemark, .text = remark})) lost_ = 0;
    }
    const bool written =
        lost_ == 0 &&
        write({.time_us = time_us, .stream = stream, .text = std::string(part)}).has_value();
    if (!written) lost_ += part.size();
  }
}

}  // namespace pyro::store
