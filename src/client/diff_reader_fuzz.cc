// What a guest may send as a diff: the same however it is cut, and the counts fit the entries.
#include "client/diff_reader.h"

#include <cstdint>
#include <cstdlib>

namespace {

using pyro::Result;
using pyro::client::DiffReader;
using pyro::client::DiffResult;

void require(bool fine) {
  if (!fine) std::abort();
}

Result<DiffResult> read(std::string_view bytes, std::size_t step) {
  DiffReader reader;
  for (std::size_t at = 0; at < bytes.size(); at += step)
    PYRO_CHECK(reader.feed(bytes.substr(at, step)));
  return reader.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = read(bytes, size + 1);
  const auto pieces = read(bytes, 7);
  require(whole.has_value() == pieces.has_value());
  if (!whole) return 0;
  const auto& s = whole->summary;
  const auto count = static_cast<std::int64_t>(whole->entries.size());
  require(s.total == count && whole->changed == (count > 0));
  require(s.added + s.modified + s.deleted + s.type_changed + s.mode_changed == count);
  require(s.text_patched + s.non_text == count);
  require(whole->patch == pieces->patch && whole->entries.size() == pieces->entries.size());
  return 0;
}
