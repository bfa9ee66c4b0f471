// The two ends of a guest's link. Every link is a guest's own, so all have the same.
#pragma once

#include "net/packet.h"

namespace pyro::net {

// Locally administered (IEEE 802, clause 8.4); the rest spells "pyro".
inline constexpr MacAddress kEngineMac{0x02, 0x70, 0x79, 0x72, 0x6f, 0x01};
inline constexpr MacAddress kGuestMac{0x02, 0x70, 0x79, 0x72, 0x6f, 0x02};

}  // namespace pyro::net
