#include "base/text.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <utility>

namespace pyro {

std::string shell_quote(std::string_view word) {
  constexpr std::string_view kSafe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_";
  if (!word.empty() && word.find_first_not_of(kSafe) == std::string_view::npos) {
    return std::string(word);
  }
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'') {
      out += "'\"'\"'";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string shell_join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& w : words) {
    if (!out.empty()) out += ' ';
    out += shell_quote(w);
  }
  return out;
}

Utf8Part utf8_part(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {.size = 1, .valid = true};
  std::size_t need = 0;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    need = 1;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    need = 2;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    need = 3;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {};
  }
  for (std::size_t i = 1; i <= need; ++i) {
    if (i >= bytes.size()) return {.size = i, .unfinished = true};
    if (byte(i) < low || byte(i) > high) return {.size = i};
    low = 0x80;
    high = 0xBF;
  }
  return {.size = need + 1, .valid = true};
}

std::string to_utf8(std::string_view bytes, bool* lossy) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const Utf8Part part = utf8_part(bytes);
    if (part.valid) {
      out += bytes.substr(0, part.size);
    } else {
      if (lossy != nullptr) *lossy = true;
      out += "\xEF\xBF\xBD";
    }
    bytes.remove_prefix(part.size);
  }
  return out;
}

namespace {

// The length of the control sequence (ECMA-48, 5.4) at the start of `text`, which begins with ESC;
// 1 when it is none.
std::size_t control_sequence(std::string_view text) {
  if (text.size() < 2 || text[1] != '[') return 1;
  std::size_t at = 2;
  while (at < text.size() && text[at] >= 0x20 && text[at] <= 0x3f) ++at;
  return at < text.size() && text[at] >= 0x40 && text[at] <= 0x7e ? at + 1 : 1;
}

bool is_c1(std::string_view text) {  // U+0080 to U+009F as UTF-8
  return text.size() > 1 && text[0] == '\xc2' && static_cast<unsigned char>(text[1]) < 0xa0;
}

}  // namespace

std::string printable(std::string_view bytes) {
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  const std::string text = to_utf8(bytes);
  std::string out;
  for (std::string_view rest = text; !rest.empty();) {
    std::size_t used = 1;
    const auto c = static_cast<unsigned char>(rest.front());
    if (c == 0x1b) {
      used = control_sequence(rest);
      if (used == 1) out += kReplacement;
    } else if (is_c1(rest)) {
      used = 2;
      out += kReplacement;
    } else if ((c < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7f) {
      out += kReplacement;
    } else if (c != '\r') {
      out += rest.front();
    }
    rest.remove_prefix(used);
  }
  return out;
}

std::string quoted_name(std::string_view name) {
  constexpr std::size_t kMost = 200;
  bool lossy = false;
  const std::string_view shown = name.substr(0, kMost);
  (void)to_utf8(shown, &lossy);
  std::string out = "\"";
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const auto c = static_cast<unsigned char>(shown[i]);
    // U+0080 to U+009F are control characters too.
    const bool c1 = c == 0xc2 && i + 1 < shown.size() &&
                    (static_cast<unsigned char>(shown[i + 1]) & 0xe0U) == 0x80;
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += shown[i];
    } else if (c < 0x20 || c == 0x7f || c1 || (lossy && c >= 0x80)) {
      out += "\\x" + hex(shown.substr(i, 1));
      if (c1 && !lossy) out += "\\x" + hex(shown.substr(++i, 1));
    } else {
      out += shown[i];
    }
  }
  return out + (shown.size() < name.size() ? "\"..." : "\"");
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < n ? static_cast<std::uint8_t>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += j <= n ? kAlphabet[group >> (18 - 6 * j) & 0x3F] : '=';
    }
  }
  return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const auto value_of = [](char c) -> int {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
  };
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const std::string_view group = text.substr(i, 4);
    const std::size_t padding = i + 4 < text.size()     ? 0U
                                : group.ends_with("==") ? 2U
                                : group.ends_with("=")  ? 1U
                                                        : 0U;
    unsigned bits = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const int v = k < 4 - padding ? value_of(group[k]) : 0;
      if (v < 0) return std::nullopt;
      bits = bits << 6 | static_cast<unsigned>(v);
    }
    if ((padding == 1 && (bits & 0xFF) != 0) || (padding == 2 && (bits & 0xFFFF) != 0)) {
      return std::nullopt;
    }
    for (std::size_t k = 0; k < 3 - padding; ++k) {
      out += static_cast<char>(bits >> (16 - 8 * k) & 0xFF);
    }
  }
  return out;
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto b = static_cast<std::uint8_t>(c);
    out += kDigits[b >> 4];
    out += kDigits[b & 0xF];
  }
  return out;
}

std::string human_bytes(unsigned long long bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value,
                kUnits[unit]);
  return text;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& names) {
  std::string best;
  std::size_t best_distance = std::min<std::size_t>(4, std::max<std::size_t>(word.size(), 1));
  for (const std::string& name : names) {
    // Two swapped neighbours count as one edit: the commonest slip of the fingers.
    std::vector<std::size_t> before, above, row(name.size() + 1);
    std::iota(row.begin(), row.end(), 0U);
    for (std::size_t i = 1; i <= word.size(); ++i) {
      before = std::exchange(above, row);
      row[0] = i;
      for (std::size_t j = 1; j <= name.size(); ++j) {
        const std::size_t substitute = above[j - 1] + (word[i - 1] == name[j - 1] ? 0 : 1);
        row[j] = std::min({above[j] + 1, row[j - 1] + 1, substitute});
        if (i > 1 && j > 1 && word[i - 1] == name[j - 2] && word[i - 2] == name[j - 1]) {
          row[j] = std::min(row[j], before[j - 2] + 1);
        }
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = name;
    }
  }
  return best;
}

}  // namespace pyro
