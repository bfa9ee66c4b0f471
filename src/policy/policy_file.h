// A policy as a TOML file, for people: docs/reference/policy-file.schema.json has its keys.
#pragma once

#include <string_view>

#include "policy/policy.h"

namespace pyro::policy {

inline constexpr std::size_t kMostPolicyFile = 1U << 20;  // bytes

// kInvalid: no TOML, an unknown key, a value of the wrong kind or a rule that is none, with its
// line; what check_policy() says. kLimit: too long, too many rules.
//
//     [network]
//     policy = "egress"              # off, egress, egress+published-ports; egress where there are
//     rules allow = ["github.com:443"]     # as --net-allow deny = ["10.0.0.0/8"]          # as
//     --net-deny allow_udp = false allow_icmp = false
Result<Policy> parse_policy_file(std::string_view text);

}  // namespace pyro::policy
