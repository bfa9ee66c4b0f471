// A policy as a TOML file, for people: docs/reference/policy-file.schema.json has its keys.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"

namespace pyro::policy {

inline constexpr std::size_t kMostPolicyFile = 1U << 20;  // bytes

// kInvalid: no TOML, an unknown key, a value of the wrong kind or a rule that is none, with its
// line; what check_policy() says. kLimit: too long, too many rules.
// Without `policy` it is egress where there are rules, else off.
// docs/reference/policy-example.toml is one.
Result<Policy> parse_policy_file(std::string_view text);

// The keys of [network]; docs/reference/policy-file.schema.json has the same.
std::vector<std::string> policy_file_keys();

}  // namespace pyro::policy
