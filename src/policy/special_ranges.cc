#include "policy/special_ranges.h"

#include <algorithm>
#include <vector>

namespace pyro::policy {

namespace {

struct Special {
  Block block;
  Range range;
};

Block block(const char* text) {
  return parse_block(text).value();  // of the tables below: each was parsed by a test
}

// Exceptions first: the first match counts.
const std::vector<Special>& table() {
  static const std::vector<Special> specials{
      // Globally reachable by their registries, though inside blocks that are not.
      {block("192.0.0.9"), Range::kPublic},
      {block("192.0.0.10"), Range::kPublic},
      {block("2001:1::1"), Range::kPublic},
      {block("2001:1::2"), Range::kPublic},
      {block("2001:3::/32"), Range::kPublic},
      {block("2001:4:112::/48"), Range::kPublic},
      {block("2001:20::/28"), Range::kPublic},
      {block("2001:30::/28"), Range::kPublic},
      // IPv4.
      {block("0.0.0.0/8"), Range::kThisHost},
      {block("10.0.0.0/8"), Range::kPrivate},
      {block("100.64.0.0/10"), Range::kShared},
      {block("127.0.0.0/8"), Range::kLoopback},
      {block("169.254.0.0/16"), Range::kLinkLocal},
      {block("172.16.0.0/12"), Range::kPrivate},
      {block("192.0.0.0/24"), Range::kReserved},
      {block("192.0.2.0/24"), Range::kReserved},
      {block("192.88.99.0/24"), Range::kReserved},
      {block("192.168.0.0/16"), Range::kPrivate},
      {block("198.18.0.0/15"), Range::kReserved},
      {block("198.51.100.0/24"), Range::kReserved},
      {block("203.0.113.0/24"), Range::kReserved},
      {block("224.0.0.0/4"), Range::kMulticast},
      {block("255.255.255.255"), Range::kMulticast},
      {block("240.0.0.0/4"), Range::kReserved},
      // IPv6.
      {block("::"), Range::kThisHost},
      {block("::1"), Range::kLoopback},
      {block("::/96"), Range::kTranslated},
      {block("64:ff9b:1::/48"), Range::kTranslated},
      {block("100::/64"), Range::kReserved},
      {block("2001::/32"), Range::kTranslated},  // Teredo
      {block("2001::/23"), Range::kReserved},
      {block("2001:db8::/32"), Range::kReserved},
      {block("2002::/16"), Range::kTranslated},  // 6to4
      {block("3fff::/20"), Range::kReserved},
      {block("5f00::/16"), Range::kReserved},
      {block("fc00::/7"), Range::kPrivate},
      {block("fe80::/10"), Range::kLinkLocal},
      {block("fec0::/10"), Range::kPrivate},
      {block("ff00::/8"), Range::kMulticast},
  };
  return specials;
}

const Block& nat64() {
  static const Block well_known = block("64:ff9b::/96");
  return well_known;
}

// IPv6 outside the block that is given out as global unicast (RFC 4291, 2.4) is none of ours.
const Block& global_unicast() {
  static const Block all = block("2000::/3");
  return all;
}

}  // namespace

const char* range_name(Range range) {
  switch (range) {
    case Range::kPublic:
      return "public";
    case Range::kThisHost:
      return "this host";
    case Range::kLoopback:
      return "loopback";
    case Range::kPrivate:
      return "private";
    case Range::kShared:
      return "shared";
    case Range::kLinkLocal:
      return "link-local";
    case Range::kMulticast:
      return "multicast";
    case Range::kReserved:
      return "reserved";
    case Range::kTranslated:
      return "translated";
  }
  return "reserved";
}

std::optional<Address> translated(const Address& address) {
  if (!nat64().contains(address)) return std::nullopt;
  std::array<std::uint8_t, kIpv4Bytes> inner{};
  const std::string_view all = address.bytes();
  std::ranges::copy(all.substr(all.size() - kIpv4Bytes), inner.begin());
  return Address::v4(inner);
}

Range range_of(const Address& address) {
  const Address real = translated(address).value_or(address);
  for (const Special& s : table()) {
    if (s.block.contains(real)) return s.range;
  }
  if (real.family() == Family::kIpv6 && !global_unicast().contains(real)) return Range::kReserved;
  return Range::kPublic;
}

std::optional<Block> special_block_around(const Block& b) {
  for (const Special& s : table()) {
    if (!s.block.contains(b)) continue;
    if (s.range == Range::kPublic) return std::nullopt;
    return s.block;
  }
  return std::nullopt;
}

const LinkAddresses& link_of(Family family) {
  static const LinkAddresses ipv4{
      .guest = block("10.255.255.2").first, .engine = block("10.255.255.1").first, .length = 30};
  static const LinkAddresses ipv6{.guest = block("fd70:7972:6f00::2").first,
                                  .engine = block("fd70:7972:6f00::1").first,
                                  .length = 64};
  return family == Family::kIpv4 ? ipv4 : ipv6;
}

bool is_on_link(const Address& address) {
  const LinkAddresses& link = link_of(address.family());
  return address.masked(link.length) == link.engine.masked(link.length);
}

bool is_engine(const Address& address) {
  return address == link_of(address.family()).engine;
}

}  // namespace pyro::policy
