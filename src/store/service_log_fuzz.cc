// The same bytes, whole and in small pieces, must give the same records and the same end; what was
// parsed must be what encoding gives again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "store/service_log.h"

namespace {

void require(bool fine) {
  if (!fine) std::abort();
}

struct Parsed {
  std::vector<pyro::store::LogRecord> records;
  bool damaged = false;
  std::uint64_t consumed = 0;
};

Parsed parse(std::string_view bytes, std::size_t step) {
  Parsed out;
  pyro::store::LogParser parser;
  while (!bytes.empty() && !out.damaged) {
    parser.feed(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    for (;;) {
      auto record = parser.next();
      if (!record) out.damaged = true;
      if (!record || !*record) break;
      out.records.push_back(**std::move(record));
    }
  }
  out.consumed = parser.consumed();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Parsed whole = parse(bytes, size);
  const Parsed pieces = parse(bytes, 3);
  require(whole.records == pieces.records && whole.consumed == pieces.consumed);
  require(whole.damaged == pieces.damaged);
  std::string again;
  for (const auto& record : whole.records) again += encode_log_record(record);
  // The padding of a record may be anything but zero only when it was refused.
  require(again == bytes.substr(0, whole.consumed));
  auto kept = whole.records;
  const std::size_t lines = size % 7;
  keep_last_lines(kept, lines);
  std::string text;
  for (const auto& record : kept) {
    if (record.stream != pyro::store::LogStream::kRemark)
      text += record.text;  // which do not count
  }
  const auto newlines = static_cast<std::size_t>(std::ranges::count(text, '\n'));
  require(newlines <= lines);
  return 0;
}
