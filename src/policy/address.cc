#include "policy/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace pyro::policy {

namespace {

constexpr int kBitsOfAByte = 8;
constexpr int kMappedBits = 96;
constexpr std::size_t kMappedAt = 12;
constexpr std::size_t kLongestText = 45;  // INET6_ADDRSTRLEN without the final zero

bool is_mapped(const std::array<std::uint8_t, kIpv6Bytes>& b) {
  return std::ranges::all_of(b.begin(), b.begin() + 10, [](auto x) { return x == 0; }) &&
         b[10] == 0xff && b[11] == 0xff;
}

}  // namespace

Address Address::v4(std::array<std::uint8_t, kIpv4Bytes> bytes) {
  Address a;
  std::ranges::copy(bytes, a.bytes_.begin());
  return a;
}

Address Address::v6(const std::array<std::uint8_t, kIpv6Bytes>& bytes) {
  Address a;
  if (is_mapped(bytes)) {
    std::copy(bytes.begin() + kMappedAt, bytes.end(), a.bytes_.begin());
    return a;
  }
  a.family_ = Family::kIpv6;
  a.bytes_ = bytes;
  return a;
}

Result<Address> Address::parse(std::string_view text) {
  auto none = fail(Errc::kInvalid, quoted_name(text) + " is no address");
  if (text.empty() || text.size() > kLongestText || text.contains('\0')) return none;
  const std::string copy(text);
  std::array<std::uint8_t, kIpv4Bytes> four{};
  if (::inet_pton(AF_INET, copy.c_str(), four.data()) == 1) return v4(four);
  std::array<std::uint8_t, kIpv6Bytes> sixteen{};
  if (::inet_pton(AF_INET6, copy.c_str(), sixteen.data()) == 1) return v6(sixteen);
  return none;
}

Address Address::masked(int length) const {
  Address a = *this;
  const auto whole = static_cast<std::size_t>(length / kBitsOfAByte);
  const int rest = length % kBitsOfAByte;
  for (std::size_t i = whole; i < a.bytes_.size(); ++i) {
    const bool cut = i == whole && rest != 0;
    const unsigned keep = cut ? 0xffU << static_cast<unsigned>(kBitsOfAByte - rest) : 0U;
    a.bytes_[i] = static_cast<std::uint8_t>(a.bytes_[i] & keep);
  }
  return a;
}

std::string Address::text() const {
  std::array<char, INET6_ADDRSTRLEN> out{};
  ::inet_ntop(family_ == Family::kIpv4 ? AF_INET : AF_INET6, bytes_.data(), out.data(), out.size());
  return out.data();
}

std::string Block::text() const {
  return single() ? first.text() : fmt::format("{}/{}", first.text(), length);
}

Result<Block> parse_block(std::string_view text) {
  const std::size_t slash = text.find('/');
  PYRO_TRY(const Address address, Address::parse(text.substr(0, slash)));
  if (slash == std::string_view::npos) return Block{.first = address, .length = address.bits()};
  const std::string_view digits = text.substr(slash + 1);
  const bool was_mapped = text.contains(':') && address.family() == Family::kIpv4;
  const int longest = was_mapped ? kIpv6Bits : address.bits();
  int length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  const bool plain = !digits.empty() && digits.front() != '-' && digits.front() != '+' &&
                     (digits.size() == 1 || digits.front() != '0');
  if (error != std::errc() || end != digits.data() + digits.size() || !plain || length > longest) {
    return fail(Errc::kInvalid,
                fmt::format("{} is no length of a block: 0 to {}", quoted_name(digits), longest));
  }
  if (was_mapped) {
    if (length < kMappedBits) {
      return fail(Errc::kInvalid,
                  "a block of IPv4 addresses in IPv6 form has a length of 96 or more");
    }
    length -= kMappedBits;
  }
  const Block block{.first = address.masked(length), .length = length};
  if (block.first == address) return block;
  return fail(Errc::kInvalid, fmt::format("{} has bits beyond its length; the block is {}",
                                          quoted_name(text), block.text()));
}

}  // namespace pyro::policy
