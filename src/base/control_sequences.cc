#include "base/control_sequences.h"

#include <algorithm>

#include "base/text.h"

namespace pyro {
namespace {

using Kind = Token::Kind;

constexpr char kEsc = '\x1b';

bool between(char c, unsigned char low, unsigned char high) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= low && byte <= high;
}

bool is_c1(std::string_view bytes) {
  return bytes.size() > 1 && bytes[0] == '\xc2' && between(bytes[1], 0x80, 0x9f);
}

// Of a sequence whose end was not found within `bytes`.
Token endless(std::string_view bytes, std::size_t introducer) {
  if (bytes.size() > kMostSequence) return {.size = introducer};
  return {.kind = Kind::kUnfinished, .size = bytes.size()};
}

// Each scan ends at the next ESC or C1 control at the latest, so that no byte is looked at more
// than twice, whatever is malformed.
Token csi(std::string_view bytes, std::size_t introducer) {
  const std::size_t most = std::min(bytes.size(), kMostSequence);
  std::size_t at = introducer;
  while (at < most && between(bytes[at], 0x20, 0x3f)) ++at;
  if (at == most) return endless(bytes, introducer);
  if (!between(bytes[at], 0x40, 0x7e)) return {.size = at};
  return {.kind = Kind::kCsi,
          .size = at + 1,
          .final_byte = bytes[at],
          .body = bytes.substr(introducer, at - introducer)};
}

// OSC, DCS, SOS, PM and APC: to BEL or ST; CAN and SUB give one up, and so does another sequence.
Token control_string(std::string_view bytes, std::size_t introducer, char letter) {
  const std::size_t most = std::min(bytes.size(), kMostSequence);
  const auto whole = [&](std::size_t at, std::size_t terminator) {
    return Token{.kind = Kind::kString,
                 .size = at + terminator,
                 .final_byte = letter,
                 .body = bytes.substr(introducer, at - introducer)};
  };
  for (std::size_t at = introducer; at < most; ++at) {
    const char c = bytes[at];
    if (c == '\a') return whole(at, 1);
    if (c == '\x18' || c == '\x1a') return {.size = at + 1};
    if (c == kEsc || c == '\xc2') {
      if (at + 1 == most) break;
      if (c == kEsc) return bytes[at + 1] == '\\' ? whole(at, 2) : Token{.size = at};
      if (is_c1(bytes.substr(at)))
        return bytes[at + 1] == '\x9c' ? whole(at, 2) : Token{.size = at};
    }
  }
  return endless(bytes, introducer);
}

Token introduced(std::string_view bytes, std::size_t introducer, char letter) {
  if (letter == '[') return csi(bytes, introducer);
  if (std::string_view("]PX^_").contains(letter)) return control_string(bytes, introducer, letter);
  return {.kind = Kind::kEscape, .size = introducer, .final_byte = letter};
}

Token escape(std::string_view bytes) {
  const std::size_t most = std::min(bytes.size(), kMostSequence);
  std::size_t at = 1;
  while (at < most && between(bytes[at], 0x20, 0x2f)) ++at;
  if (at == most) return endless(bytes, 1);
  if (!between(bytes[at], 0x30, 0x7e)) return {.size = at};
  if (at > 1) {  // a charset, for example
    return {.kind = Kind::kEscape,
            .size = at + 1,
            .final_byte = bytes[at],
            .body = bytes.substr(1, at - 1)};
  }
  return introduced(bytes, 2, bytes[1]);
}

}  // namespace

Token next_token(std::string_view bytes) {
  const char c = bytes[0];
  if (c == kEsc) return escape(bytes);
  if (between(c, 0x00, 0x1f) || c == '\x7f') return {.kind = Kind::kControl, .final_byte = c};
  if (is_c1(bytes)) {
    return introduced(bytes, 2, static_cast<char>(static_cast<unsigned char>(bytes[1]) - 0x40));
  }
  return {.kind = Kind::kText, .size = utf8_part(bytes).size};
}

Parameters::Parameters(std::string_view body) {
  if (!body.empty() && between(body[0], '<', '?')) {
    prefix = body[0];
    body.remove_prefix(1);
  }
  plain = body.find_first_not_of("0123456789;:") == std::string_view::npos;
  numbers.emplace_back();
  for (const char c : body) {
    if (c == ';') {
      numbers.emplace_back();
    } else if (between(c, '0', '9')) {
      const auto digit = static_cast<std::size_t>(c - '0');
      numbers.back() = std::min(numbers.back().value_or(0) * 10 + digit, kLargest);
    }
  }
}

std::size_t Parameters::count() const {
  return std::max<std::size_t>(1, at(0, 1));
}

}  // namespace pyro
