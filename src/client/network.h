// What people say about the network of a sandbox, as a policy that cannot be wrong.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/policy.h"

namespace pyro::client {

// Nothing of it given: off.
struct NetworkOptions {
  // off, egress, egress+published-ports; none: egress where there is a rule or a flag, else off
  std::optional<std::string> policy;
  std::vector<std::string> allow, deny;  // rules, as in docs/reference/network-policies.md
  bool allow_udp = false, allow_icmp = false;
  std::optional<std::string> policy_file;  // a path of the host; instead of all the others

  [[nodiscard]] bool has_rules() const {
    return !allow.empty() || !deny.empty() || allow_udp || allow_icmp;
  }
  [[nodiscard]] bool given() const { return policy || has_rules() || policy_file; }
};
// kInvalid: a rule that is none, things that do not go together; what reading the file says.
Result<policy::Policy> policy_of(const NetworkOptions& options);
// kInvalid names the file and the line.
Result<policy::Policy> read_policy_file(const std::string& path);

// A policy as it is shown.
struct PolicyInfo {
  std::string policy = "off";            // the preset
  std::vector<std::string> allow, deny;  // rules in their canonical form
  bool allow_udp = false, allow_icmp = false;
  std::string hash;  // SHA-256 of policy::Policy::text(), 64 hexadecimal digits
  std::vector<std::string> warnings;
};
Result<PolicyInfo> policy_info(const policy::Policy& policy);
// Gives the same policy.
NetworkOptions options_of(const PolicyInfo& info);

// policy_of(), with what the user should know given to `on_warning`, which may be empty, and the
// refusal of what cannot be had yet: before anything is started.
Result<policy::Policy> usable_policy(const NetworkOptions& options,
                                     const std::function<void(std::string_view)>& on_warning);
// kUnavailable for every policy with a network: this version has no engine for it.
Result<void> check_network_available(const policy::Policy& policy);

// ---- asking a policy

// What it says of one endpoint: "tcp://HOST:PORT", "udp://HOST:PORT" or "icmp://HOST", where HOST
// is a name or an address.
struct Explanation {
  std::string endpoint;  // canonical
  bool allow = false;
  std::string rule_id;   // allow[2], deny[0], preset
  std::string rule;      // its text; empty for preset
  std::string reason;    // not-listed, ...
  std::string detail;    // the reason as a sentence
  bool assumed = false;  // decided as if the addresses of the name were public
};
// In the order of `endpoints`. kInvalid: one that is none.
Result<std::vector<Explanation>> explain(const policy::Policy& policy,
                                         const std::vector<std::string>& endpoints);

}  // namespace pyro::client
