#include "core/shell_output.h"

#include <algorithm>
#include <array>

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

constexpr std::array<std::string_view, 3> kScreens{"\x1b[?1049", "\x1b[?1047", "\x1b[?47"};
constexpr std::size_t kLongestScreen = 8;  // with the letter

}  // namespace

void ShellOutput::add(const std::string& shown) {
  if (shown.empty()) return;
  look_for_screens(shown);
  kept_ += shown;
  // Not for every line: what is too much goes in large steps.
  if (kept_.size() <= kMost + kMost / 4) return;
  const std::size_t gone = character_at(kept_, kept_.size() - kMost);
  kept_.erase(0, gone);
  begin_ += static_cast<std::int64_t>(gone);
}

void ShellOutput::look_for_screens(std::string_view shown) {
  const std::string text = last_ + std::string(shown);
  for (std::size_t at = text.find('\x1b'); at != std::string::npos;
       at = text.find('\x1b', at + 1)) {
    for (const std::string_view screen : kScreens) {
      const std::string_view rest = std::string_view(text).substr(at);
      if (!rest.starts_with(screen) || rest.size() <= screen.size()) continue;
      if (rest[screen.size()] == 'h') full_screen_ = true;
      if (rest[screen.size()] == 'l') full_screen_ = false;
    }
  }
  const std::size_t escape = text.rfind('\x1b');
  const bool unfinished = escape != std::string::npos && text.size() - escape < kLongestScreen;
  last_ = unfinished ? text.substr(escape) : "";
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
