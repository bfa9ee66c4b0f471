#include "escape/probe.h"

namespace pyro::escape {

Result<policy::Policy> policy_of(const Rules& rules) {
  policy::Policy out{.preset = rules.off ? policy::Preset::kOff : policy::Preset::kEgressAndPublish,
                     .allow_udp = rules.allow_udp,
                     .allow_icmp = rules.allow_icmp};
  for (const std::string& text : rules.allow) {
    PYRO_TRY(auto rule, policy::parse_rule(text, policy::Verdict::kAllow));
    out.allow.push_back(std::move(rule));
  }
  for (const std::string& text : rules.deny) {
    PYRO_TRY(auto rule, policy::parse_rule(text, policy::Verdict::kDeny));
    out.deny.push_back(std::move(rule));
  }
  PYRO_CHECK(policy::check_policy(out));
  return out;
}

}  // namespace pyro::escape
