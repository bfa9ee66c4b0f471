// Addresses that are not the public internet.
#pragma once

#include <optional>

#include "policy/address.h"

namespace pyro::policy {

// IANA's registries of special-purpose addresses (RFC 6890 and later), by what they mean to a host.
enum class Range : std::uint8_t {
  kPublic,
  kThisHost,    // 0.0.0.0/8, ::
  kLoopback,    // 127.0.0.0/8, ::1
  kPrivate,     // RFC 1918, ULA, site-local
  kShared,      // 100.64.0.0/10: carriers, and some clouds' metadata
  kLinkLocal,   // 169.254.0.0/16 with its metadata services, fe80::/10
  kMulticast,   // and broadcast
  kReserved,    // documentation, benchmarks, protocol assignments, future use
  kTranslated,  // an IPv4 address in an IPv6 one, for a translator that may be anywhere
};
// For people: "private".
const char* range_name(Range range);

// Of a NAT64 address (64:ff9b::/96) that of the IPv4 address in it.
Range range_of(const Address& address);
// The special block that `block` lies in; nullopt: it has, or may have, public addresses.
std::optional<Block> special_block_around(const Block& block);

// The IPv4 address that a translator on the way may send this one to; nullopt: none.
std::optional<Address> translated(const Address& address);

// What a guest sees of the engine, of itself and of its host. Nothing but the engine ever has
// these: see docs/design/net-theory-of-operation.md.
struct LinkAddresses {
  Address guest, engine;
  int length = 0;
};
inline constexpr const char* kHostName = "host.pyro.internal";
const LinkAddresses& link_of(Family family);
// On the guest's own link: no rule reaches any of it.
bool is_on_link(const Address& address);
bool is_engine(const Address& address);

}  // namespace pyro::policy
