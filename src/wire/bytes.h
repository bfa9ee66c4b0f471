// Bounded cursors over bytes from a peer: reading past the end is an Error, and nothing is ever
// cast onto a struct. All numbers are big endian.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pyro::wire {

class ByteReader {
 public:
  // Borrows `in`, which must outlive the reader.
  explicit ByteReader(std::string_view in) : in_(in) {}

  Result<std::uint8_t> u8() { return big_endian<std::uint8_t>(); }
  Result<std::uint16_t> be16() { return big_endian<std::uint16_t>(); }
  Result<std::uint32_t> be32() { return big_endian<std::uint32_t>(); }
  Result<std::uint64_t> be64() { return big_endian<std::uint64_t>(); }
  Result<std::string_view> take(std::size_t n) {
    if (n > in_.size()) return fail(Errc::kInvalid, "truncated message");
    const auto head = in_.substr(0, n);
    in_.remove_prefix(n);
    return head;
  }
  [[nodiscard]] std::size_t left() const { return in_.size(); }

 private:
  template <std::unsigned_integral U>
  Result<U> big_endian() {
    PYRO_TRY(const std::string_view raw, take(sizeof(U)));
    std::uint64_t v = 0;
    for (const char c : raw) v = v << 8 | static_cast<std::uint8_t>(c);
    return static_cast<U>(v);
  }
  std::string_view in_;
};

// Appends to a string, never beyond `limit` bytes in all: what would not fit sets overflow() and is
// left out.
class ByteWriter {
 public:
  explicit ByteWriter(std::string& out, std::size_t limit = SIZE_MAX) : out_(out), limit_(limit) {}

  void u8(std::uint8_t v) { big_endian(v); }
  void be16(std::uint16_t v) { big_endian(v); }
  void be32(std::uint32_t v) { big_endian(v); }
  void be64(std::uint64_t v) { big_endian(v); }
  void bytes(std::string_view v) {
    if (out_.size() > limit_ || v.size() > limit_ - out_.size()) {
      overflow_ = true;
    } else {
      out_ += v;
    }
  }
  [[nodiscard]] bool overflow() const { return overflow_; }

 private:
  template <std::unsigned_integral U>
  void big_endian(U v) {
    char raw[sizeof(U)];
    for (std::size_t i = 0; i < sizeof(U); ++i) {
      raw[i] = static_cast<char>(static_cast<std::uint64_t>(v) >> (8 * (sizeof(U) - 1 - i)));
    }
    bytes({raw, sizeof raw});
  }
  std::string& out_;
  std::size_t limit_;
  bool overflow_ = false;
};

}  // namespace pyro::wire
