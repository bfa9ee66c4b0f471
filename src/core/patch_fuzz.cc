// Parses anything; what was parsed is applied to the rest of the input.
#include <cstdint>
#include <string_view>

#include "core/patch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = all.find('\0');
  const auto files = pyro::core::parse_patch(all.substr(0, cut));
  if (!files) return 0;
  const std::string_view content =
      cut == std::string_view::npos ? std::string_view() : all.substr(cut + 1);
  for (const auto& file : *files) static_cast<void>(pyro::core::apply_hunks(file, content));
  return 0;
}
