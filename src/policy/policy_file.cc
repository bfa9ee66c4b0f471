#include "policy/policy_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "policy/toml.h"

namespace pyro::policy {

namespace {

std::string quoted(const toml::key& key) {
  return quoted_name(key.str());
}

Result<void> only(const toml::table& table, const std::vector<std::string>& known) {
  for (const auto& [key, value] : table) {
    const std::string name(key.str());
    if (std::ranges::find(known, name) != known.end()) continue;
    const std::string meant = did_you_mean(name, known);
    return wrong_at(key.source(), quoted(key) + " is no key of a policy",
                    meant.empty() ? "" : "did you mean " + meant + "?");
  }
  return {};
}

Result<std::vector<Rule>> rules(const toml::table& table, std::string_view key, Verdict verdict) {
  std::vector<Rule> out;
  const toml::node* node = table.get(key);
  if (node == nullptr) return out;
  const toml::array* list = node->as_array();
  if (list == nullptr) {
    return wrong_at(node->source(), fmt::format("{} is a list of rules: [\"HOST:PORT\"]", key));
  }
  for (const toml::node& item : *list) {
    const auto* text = item.as_string();
    if (text == nullptr) return wrong_at(item.source(), "a rule is a string");
    if (out.size() == kMostRules)
      return fail(Errc::kLimit, fmt::format("a policy has at most {} rules", kMostRules));
    auto rule = parse_rule(text->get(), verdict);
    if (!rule) return wrong_at(item.source(), rule.error().message, rule.error().hint);
    out.push_back(*std::move(rule));
  }
  return out;
}

Result<bool> flag(const toml::table& table, std::string_view key) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return false;
  const auto* value = node->as_boolean();
  if (value == nullptr) return wrong_at(node->source(), fmt::format("{} is true or false", key));
  return value->get();
}

Result<std::optional<Preset>> preset(const toml::table& table) {
  const toml::node* node = table.get("policy");
  if (node == nullptr) return std::nullopt;
  const auto* text = node->as_string();
  if (text == nullptr) return wrong_at(node->source(), "policy is a string");
  auto preset = parse_preset(text->get());
  if (!preset) return wrong_at(node->source(), preset.error().message, preset.error().hint);
  return *preset;
}

}  // namespace

Result<Policy> parse_policy_file(std::string_view text) {
  if (text.size() > kMostPolicyFile) {
    return fail(Errc::kLimit, fmt::format("a policy file has at most {} bytes", kMostPolicyFile));
  }
  PYRO_TRY(const toml::table file, parse_toml(text));
  PYRO_CHECK(only(file, {"network"}));
  const toml::node* node = file.get("network");
  if (node == nullptr) return fail(Errc::kInvalid, "there is no [network] in it");
  const toml::table* network = node->as_table();
  if (network == nullptr) return wrong_at(node->source(), "network is a table: [network]");
  PYRO_CHECK(only(*network, {"policy", "allow", "deny", "allow_udp", "allow_icmp"}));
  Policy policy;
  PYRO_TRY(const auto chosen, preset(*network));
  PYRO_TRY(policy.allow, rules(*network, "allow", Verdict::kAllow));
  PYRO_TRY(policy.deny, rules(*network, "deny", Verdict::kDeny));
  PYRO_TRY(policy.allow_udp, flag(*network, "allow_udp"));
  PYRO_TRY(policy.allow_icmp, flag(*network, "allow_icmp"));
  const bool has_rules = !policy.allow.empty() || !policy.deny.empty();
  policy.preset = chosen.value_or(has_rules ? Preset::kEgress : Preset::kOff);
  PYRO_CHECK(check_policy(policy));
  return policy;
}

}  // namespace pyro::policy
