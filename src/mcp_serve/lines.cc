#include "mcp_serve/lines.h"

#include <algorithm>
#include <utility>

namespace pyro::mcp_serve {

std::optional<LineReader::Line> LineReader::next(std::string_view& bytes) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    bytes.remove_prefix(std::min(bytes.size(), part.size() + 1));
    const bool whole = end != std::string_view::npos;
    if (skipping_) {
      skipping_ = !whole;
      continue;
    }
    if (line_.size() + part.size() > most_) {
      skipping_ = !whole;
      line_ = std::string();  // its memory too
      return Line{.text = {}, .too_long = true};
    }
    line_ += part;
    if (whole) return taken();
  }
  return std::nullopt;
}

std::optional<LineReader::Line> LineReader::rest() {
  if (line_.empty()) return std::nullopt;
  return taken();
}

LineReader::Line LineReader::taken() {
  if (line_.ends_with('\r')) line_.pop_back();
  return {.text = std::exchange(line_, {}), .too_long = false};
}

}  // namespace pyro::mcp_serve
