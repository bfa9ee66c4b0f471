// What people say about the network of a sandbox, and what they are told of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pyro/export.h"
#include "pyro/result.hpp"

namespace pyro {

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

// A policy as it is shown.
struct PolicyInfo {
  std::string policy = "off";            // the preset
  std::vector<std::string> allow, deny;  // rules in their canonical form
  bool allow_udp = false, allow_icmp = false;
  std::string hash;  // SHA-256 of policy::Policy::text(), 64 hexadecimal digits
  std::vector<std::string> warnings;
};

// The network of a machine that runs.
struct NetworkAddress {
  std::string guest, gateway;  // the gateway is the name server too, and host.pyro.internal
  int prefix_length = 0;
};
struct LiveNetwork {
  bool running = false;       // there is an engine; without one there is no network
  std::string error;          // why there is none, where there should be
  std::int64_t restarts = 0;  // of the engine
  std::vector<NetworkAddress> addresses;
  PolicyInfo policy;  // that the engine decides by
  // Since the engine began; and flows and pins, now.
  std::map<std::string, std::int64_t> counters, drops, sizes;
};

// An endpoint that the guest was not let reach.
struct RefusedEndpoint {
  std::string protocol, name, address;  // tcp, udp, icmp, dns, other
  int port = 0;
  std::string rule, reason;
  std::int64_t count = 0;
};

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

// A rule in its canonical form. kInvalid: the message says where in it and what is wrong there;
// `place`, where one is given, is that place: a character, from 1, or 0 for the rule as a whole.
enum class RuleKind : std::uint8_t { kAllow, kDeny };
PYRO_API Result<std::string> check_rule(const std::string& text, RuleKind kind,
                                        std::size_t* place = nullptr);
// The policy that these options are, in its canonical form. kInvalid: a rule that is none (the
// message names the place in it), things that do not go together; what reading the file says.
PYRO_API Result<PolicyInfo> check_policy(const NetworkOptions& options);
// What that policy says, in the order of `endpoints`. kInvalid: one that is none, too.
PYRO_API Result<std::vector<Explanation>> explain_policy(const NetworkOptions& options,
                                                         const std::vector<std::string>& endpoints);

}  // namespace pyro
