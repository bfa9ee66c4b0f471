#include "policy/policy_file.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "policy/toml.h"

namespace pyro::policy {

namespace {

Result<std::vector<Rule>> rules(const toml::table& table, std::string_view key, Verdict verdict) {
  std::vector<Rule> out;
  PYRO_CHECK(each_string(table, key, [&](const std::string& text) -> Result<void> {
    if (out.size() == kMostRules)
      return fail(Errc::kLimit, fmt::format("a policy has at most {} rules", kMostRules));
    PYRO_TRY(auto rule, parse_rule(text, verdict));
    out.push_back(std::move(rule));
    return {};
  }));
  return out;
}

Result<std::optional<Preset>> preset(const toml::table& table) {
  PYRO_TRY(const auto text, string_of(table, "policy"));
  if (!text) return std::nullopt;
  auto preset = parse_preset(*text);
  if (!preset)
    return wrong_at(table.get("policy")->source(), preset.error().message, preset.error().hint);
  return *preset;
}

}  // namespace

std::vector<std::string> policy_file_keys() {
  return {"policy", "allow", "deny", "allow_udp", "allow_icmp"};
}

Result<Policy> parse_policy_file(std::string_view text) {
  if (text.size() > kMostPolicyFile) {
    return fail(Errc::kLimit, fmt::format("a policy file has at most {} bytes", kMostPolicyFile));
  }
  PYRO_TRY(const toml::table file, parse_toml(text));
  PYRO_CHECK(only_keys(file, {"network"}, "a policy"));
  const toml::node* node = file.get("network");
  if (node == nullptr) return fail(Errc::kInvalid, "there is no [network] in it");
  const toml::table* network = node->as_table();
  if (network == nullptr) return wrong_at(node->source(), "network is a table: [network]");
  PYRO_CHECK(only_keys(*network, policy_file_keys(), "a policy"));
  Policy policy;
  PYRO_TRY(const auto chosen, preset(*network));
  PYRO_CHECK(
      not_empty(*network, "allow",
                "leave it out for all that the policy reaches; nothing is policy = \"off\""));
  PYRO_TRY(policy.allow, rules(*network, "allow", Verdict::kAllow));
  PYRO_TRY(policy.deny, rules(*network, "deny", Verdict::kDeny));
  PYRO_TRY(const auto udp, flag_of(*network, "allow_udp"));
  PYRO_TRY(const auto icmp, flag_of(*network, "allow_icmp"));
  policy.allow_udp = udp.value_or(false);
  policy.allow_icmp = icmp.value_or(false);
  const bool has_rules = !policy.allow.empty() || !policy.deny.empty();
  policy.preset = chosen.value_or(has_rules ? Preset::kEgress : Preset::kOff);
  PYRO_CHECK(check_policy(policy));
  return policy;
}

}  // namespace pyro::policy
