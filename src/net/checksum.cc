#include "net/checksum.h"

#include <bit>
#include <cstring>

namespace pyro::net {

namespace {

constexpr unsigned kWordBits = 16;
constexpr std::uint64_t kWordMask = 0xffff;

std::uint64_t fold(std::uint64_t sum) {
  while (sum > kWordMask) sum = (sum & kWordMask) + (sum >> kWordBits);
  return sum;
}

}  // namespace

// Sums are the same in either byte order but for a swap (RFC 1071, 2.B), so words are added as
// the processor has them, eight bytes at a time.
Checksum& Checksum::add(std::span<const std::uint8_t> bytes) {
  static_assert(std::endian::native == std::endian::little);
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::size_t i = 0;
  for (; i + sizeof(std::uint64_t) <= bytes.size(); i += sizeof(std::uint64_t)) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, bytes.data() + i, sizeof(eight));
    low += eight & 0xffffffffU;
    high += eight >> 32U;
  }
  std::uint64_t rest = 0;
  if (i < bytes.size()) std::memcpy(&rest, bytes.data() + i, bytes.size() - i);
  const std::uint64_t folded =
      fold(fold(low) + fold(high) + fold(rest & 0xffffffffU) + fold(rest >> 32U));
  sum_ += std::byteswap(static_cast<std::uint16_t>(folded));
  return *this;
}

std::uint16_t Checksum::value() const {
  return static_cast<std::uint16_t>(~fold(sum_));
}

}  // namespace pyro::net
