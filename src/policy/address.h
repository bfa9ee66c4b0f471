// IP addresses and blocks of them, in one form each.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pyro::policy {

enum class Family : std::uint8_t { kIpv4, kIpv6 };

inline constexpr int kIpv4Bits = 32;
inline constexpr int kIpv6Bits = 128;
inline constexpr std::size_t kIpv4Bytes = 4;
inline constexpr std::size_t kIpv6Bytes = 16;

// Canonical: an IPv4 address in its IPv6 form (RFC 4291, 2.5.5.2: ::ffff:1.2.3.4) is the IPv4
// address. So equal addresses compare equal, however they were written or came.
class Address {
 public:
  static Address v4(std::array<std::uint8_t, kIpv4Bytes> bytes);
  static Address v6(const std::array<std::uint8_t, kIpv6Bytes>& bytes);
  // Dotted decimal of four numbers without leading zeros, or RFC 4291, 2.2 without a zone. kInvalid
  // for everything else that some programs take (127.1, 0x7f000001, 2130706433).
  static Result<Address> parse(std::string_view text);

  [[nodiscard]] Family family() const { return family_; }
  [[nodiscard]] int bits() const { return family_ == Family::kIpv4 ? kIpv4Bits : kIpv6Bits; }
  // 4 or 16, in network order.
  [[nodiscard]] std::string_view bytes() const {
    return {reinterpret_cast<const char*>(bytes_.data()),
            family_ == Family::kIpv4 ? kIpv4Bytes : kIpv6Bytes};
  }
  // With all but the first `length` bits zero; 0..bits().
  [[nodiscard]] Address masked(int length) const;
  // RFC 5952.
  [[nodiscard]] std::string text() const;
  auto operator<=>(const Address&) const = default;

 private:
  Family family_ = Family::kIpv4;
  std::array<std::uint8_t, kIpv6Bytes> bytes_{};
};

// An address with the number of leading bits that count (RFC 4632).
struct Block {
  Address first;  // its other bits are zero
  int length = 0;

  [[nodiscard]] bool contains(const Address& a) const {
    return a.family() == first.family() && a.masked(length) == first;
  }
  [[nodiscard]] bool contains(const Block& b) const {
    return b.length >= length && contains(b.first);
  }
  [[nodiscard]] bool single() const { return length == first.bits(); }
  // "10.0.0.0/8"; a single address without its length.
  [[nodiscard]] std::string text() const;
  auto operator<=>(const Block&) const = default;
};

// "10.0.0.0/8", "::1". kInvalid: no address, a length beyond the address, or bits set behind it
// (the message then names the block that was probably meant). A block of v4-mapped addresses is
// the IPv4 block.
Result<Block> parse_block(std::string_view text);

struct AddressHash {
  std::size_t operator()(const Address& a) const {
    return std::hash<std::string_view>{}(a.bytes());
  }
};

}  // namespace pyro::policy
