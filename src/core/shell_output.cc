#include "core/shell_output.h"

#include <algorithm>

#include "proto/limits.h"

namespace pyro::core {
namespace {

constexpr auto kMost = static_cast<std::size_t>(proto::kMostShellOutput);

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

// The first place at or after `at` where a character can begin (UTF-8 has at most three bytes that
// cannot).
std::size_t character_at(std::string_view bytes, std::size_t at) {
  const std::size_t last = std::min(at + 3, bytes.size());
  while (at < last && is_continuation(bytes[at])) ++at;
  return at;
}

}  // namespace

void ShellOutput::add(const std::string& shown) {
  if (shown.empty()) return;
  modes_.take(shown);
  kept_ += shown;
  // Not for every line: what is too much goes in large steps.
  if (kept_.size() <= kMost + kMost / 4) return;
  const std::size_t gone = character_at(kept_, kept_.size() - kMost);
  kept_.erase(0, gone);
  begin_ += static_cast<std::int64_t>(gone);
}

std::string ShellOutput::read(std::int64_t cursor, std::size_t max) const {
  return kept_.substr(static_cast<std::size_t>(cursor - begin_), max);
}

std::int64_t ShellOutput::recent(std::int64_t most) const {
  if (end() - begin_ <= most) return begin_;
  const std::size_t from = kept_.size() - static_cast<std::size_t>(most);
  const std::size_t newline = kept_.find('\n', from);
  const std::size_t at = newline == std::string::npos ? character_at(kept_, from) : newline + 1;
  return begin_ + static_cast<std::int64_t>(at);
}

}  // namespace pyro::core
