// What a sandbox may reach: a preset and rules.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/rule.h"

namespace pyro::policy {

enum class Preset : std::uint8_t {
  kOff,               // no network device
  kEgress,            // outbound
  kEgressAndPublish,  // the same, and services may publish ports on the host's loopback
};
const char* preset_name(Preset preset);  // off, egress, egress+published-ports
Result<Preset> parse_preset(std::string_view text);

inline constexpr std::size_t kMostRules = 4096;
// Bytes of Policy::text(): it travels in one message.
inline constexpr std::size_t kMostPolicyText = 512U << 10;

// Without allow rules a preset with egress reaches every public address over TCP, UDP and ICMP
// echo; with any, only what they name. Deny rules come first.
struct Policy {
  Preset preset = Preset::kOff;
  std::vector<Rule> allow, deny;  // in the order in which they were written
  bool allow_udp = false;         // an allow rule without a scheme is about UDP as well
  bool allow_icmp = false;        // ... about echo to its target as well

  [[nodiscard]] bool has_network() const { return preset != Preset::kOff; }
  // One line for each part; equal policies have equal texts. What is hashed.
  [[nodiscard]] std::string text() const;
  bool operator==(const Policy&) const = default;
};

// The inverse of Policy::text(), for records and between processes: kInvalid for any other text,
// also for one that says the same in other words, and for what check_policy() refuses. kLimit: too
// long, too many rules.
Result<Policy> parse_policy_text(std::string_view text);

// kInvalid: rules, or one of the two flags, without egress; a flag that no rule gives a meaning.
// kLimit: too many rules, or too long ones.
Result<void> check_policy(const Policy& policy);

// What the user should know about a policy that is as it should be: sentences.
std::vector<std::string> warnings(const Policy& policy);

}  // namespace pyro::policy
