#include "mcp_serve/seal.h"

#include <charconv>

#include "base/text.h"
#include "image/sha256.h"
#include "sys/random.h"

namespace pyro::mcp_serve {
namespace {

std::int64_t seconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

}  // namespace

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned different = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    different |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  // The compiler must not end the loop early: it cannot tell what a volatile is read for.
  const volatile unsigned seen = different;
  return seen == 0;
}

Result<HmacSeal> HmacSeal::make(Clock now) {
  PYRO_TRY(std::string key, sys::random_bytes(32));
  return HmacSeal(std::move(key), std::move(now));
}

std::string HmacSeal::code(std::string_view state, std::string_view end,
                           std::string_view about) const {
  // The lengths stand before the texts, so that none can pass for a part of its neighbour.
  std::string all = std::to_string(state.size()) + ":" + std::to_string(end.size()) + ":";
  all += state;
  all += end;
  all += about;
  return image::hmac_sha256_hex(key_, all).value_or("");
}

std::string HmacSeal::seal(std::string_view state, std::string_view about) const {
  const std::string end = std::to_string(seconds(now_() + kStateLife));
  return base64(state) + "." + end + "." + code(state, end, about);
}

std::optional<std::string> HmacSeal::open(std::string_view sealed, std::string_view about) const {
  const auto first = sealed.find('.');
  const auto last = sealed.rfind('.');
  if (first == std::string_view::npos || first == last) return std::nullopt;
  std::optional<std::string> state = base64_decode(sealed.substr(0, first));
  const std::string_view end = sealed.substr(first + 1, last - first - 1);
  if (!state) return std::nullopt;
  const std::string expected = code(*state, end, about);
  if (expected.empty() || !equal_in_constant_time(expected, sealed.substr(last + 1))) {
    return std::nullopt;
  }
  std::int64_t ends = 0;
  const auto read = std::from_chars(end.data(), end.data() + end.size(), ends);
  if (read.ec != std::errc() || ends < seconds(now_())) return std::nullopt;
  return state;
}

}  // namespace pyro::mcp_serve
