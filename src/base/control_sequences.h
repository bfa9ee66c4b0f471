// The control sequences in what programs print for a terminal (ECMA-48). Programs of a guest are
// not trusted: whatever the bytes are, each is looked at a bounded number of times.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace pyro {

// A sequence longer than this is none: what follows its introducer is text.
inline constexpr std::size_t kMostSequence = 8192;  // bytes

// What ESC and a letter from @ to _ are, a C1 control is too: ESC [ is U+009B, in UTF-8 C2 9B.
struct Token {
  enum class Kind : std::uint8_t {
    kText,        // one character, or an invalid part
    kControl,     // C0 or DEL, in `final_byte`
    kEscape,      // ESC, intermediates in `body` and `final_byte`; or a C1 control
    kCsi,         // `body`: parameters and intermediates; `final_byte`
    kString,      // `body`: what is in it; `final_byte`: ] for OSC, P DCS, X SOS, ^ PM, _ APC
    kMalformed,   // a beginning of one that another byte gave up
    kUnfinished,  // reaches to the end; more bytes could complete it
  };
  Kind kind = Kind::kMalformed;
  std::size_t size = 1;
  char final_byte = 0;
  std::string_view body;
};
// At the beginning of `bytes`, which are not empty.
Token next_token(std::string_view bytes);

// The parameters of a CSI: numbers, of which one that is missing is nullopt. Larger ones stand for
// kLargest.
struct Parameters {
  static constexpr std::size_t kLargest = 1'000'000;
  char prefix = 0;    // one of < = > ? that makes another sequence of it, or 0
  bool plain = true;  // nothing else is in it: no intermediates
  std::vector<std::optional<std::size_t>> numbers;

  explicit Parameters(std::string_view body);
  [[nodiscard]] std::size_t at(std::size_t i, std::size_t otherwise) const {
    return i < numbers.size() ? numbers[i].value_or(otherwise) : otherwise;
  }
  // Of moves and counts: missing and 0 mean 1.
  [[nodiscard]] std::size_t count() const;
};

}  // namespace pyro
