#include "client/network.h"

#include <fmt/format.h>

#include "base/text.h"
#include "image/sha256.h"
#include "policy/endpoint.h"
#include "policy/policy_file.h"
#include "policy/special_ranges.h"
#include "sys/file.h"

namespace pyro::client {

namespace {

Result<std::vector<policy::Rule>> rules(const std::vector<std::string>& texts,
                                        policy::Verdict verdict) {
  if (texts.size() > policy::kMostRules)
    return fail(Errc::kLimit, fmt::format("a policy has at most {} rules", policy::kMostRules));
  std::vector<policy::Rule> out;
  out.reserve(texts.size());
  for (const std::string& text : texts) {
    PYRO_TRY(auto rule, policy::parse_rule(text, verdict));
    out.push_back(std::move(rule));
  }
  return out;
}

std::vector<std::string> texts(const std::vector<policy::Rule>& rules) {
  std::vector<std::string> out;
  out.reserve(rules.size());
  for (const policy::Rule& rule : rules) out.push_back(rule.text());
  return out;
}

}  // namespace

Result<policy::Policy> read_policy_file(const std::string& path) {
  PYRO_TRY(const std::string text, sys::read_file(path, policy::kMostPolicyFile));
  auto policy = policy::parse_policy_file(text);
  if (!policy) return std::unexpected(std::move(policy.error()).context(quoted_name(path)));
  return policy;
}

Result<policy::Policy> policy_of(const NetworkOptions& o) {
  if (o.policy_file) {
    if (o.policy || o.has_rules()) {
      return fail_hint(Errc::kInvalid,
                       "a policy file is the whole policy: nothing else can be said beside it",
                       "write it into the file, or leave the file out");
    }
    return read_policy_file(*o.policy_file);
  }
  policy::Policy out{.preset = o.has_rules() ? policy::Preset::kEgress : policy::Preset::kOff,
                     .allow = {},
                     .deny = {},
                     .allow_udp = o.allow_udp,
                     .allow_icmp = o.allow_icmp};
  if (o.policy) {
    PYRO_TRY(out.preset, policy::parse_preset(*o.policy));
  }
  PYRO_TRY(out.allow, rules(o.allow, policy::Verdict::kAllow));
  PYRO_TRY(out.deny, rules(o.deny, policy::Verdict::kDeny));
  PYRO_CHECK(policy::check_policy(out));
  return out;
}

Result<PolicyInfo> policy_info(const policy::Policy& policy) {
  PolicyInfo info{.policy = policy::preset_name(policy.preset),
                  .allow = texts(policy.allow),
                  .deny = texts(policy.deny),
                  .allow_udp = policy.allow_udp,
                  .allow_icmp = policy.allow_icmp,
                  .hash = "",
                  .warnings = policy::warnings(policy)};
  PYRO_TRY(info.hash, image::sha256_hex(policy.text()));
  return info;
}

NetworkOptions options_of(const PolicyInfo& info) {
  return {.policy = info.policy,
          .allow = info.allow,
          .deny = info.deny,
          .allow_udp = info.allow_udp,
          .allow_icmp = info.allow_icmp,
          .policy_file = {}};
}

Result<LiveNetwork> live_network(const proto::NetworkState& state) {
  LiveNetwork out{.running = state.running,
                  .error = state.error,
                  .restarts = state.restarts,
                  .addresses = {},
                  .policy = {},
                  .counters = {},
                  .drops = {},
                  .sizes = {}};
  if (!state.info) return out;
  for (const policy::Family family : {policy::Family::kIpv4, policy::Family::kIpv6}) {
    const policy::LinkAddresses& link = policy::link_of(family);
    out.addresses.push_back(
        {.guest = link.guest.text(), .gateway = link.engine.text(), .prefix_length = link.length});
  }
  PYRO_TRY(const auto policy, policy::parse_policy_text(state.info->policy));
  PYRO_TRY(out.policy, policy_info(policy));
  out.counters = state.info->counters;
  out.drops = state.info->drops;
  out.sizes = state.info->sizes;
  return out;
}

Result<policy::Policy> usable_policy(const NetworkOptions& options,
                                     const std::function<void(std::string_view)>& on_warning) {
  PYRO_TRY(auto policy, policy_of(options));
  if (on_warning) {
    for (const std::string& warning : policy::warnings(policy)) on_warning(warning);
  }
  return policy;
}

Result<std::vector<Explanation>> explain(const policy::Policy& policy,
                                         const std::vector<std::string>& endpoints,
                                         const policy::IsOwn& is_own) {
  const policy::RuleSet rule_set(policy);
  std::vector<Explanation> out;
  out.reserve(endpoints.size());
  for (const std::string& text : endpoints) {
    PYRO_TRY(const auto asked, policy::parse_endpoint(text));
    const policy::Decision decision = policy::decide(rule_set, asked, is_own);
    const policy::RuleId& id = decision.rule;
    const auto& list = id.kind == policy::RuleId::Kind::kAllow ? policy.allow : policy.deny;
    out.push_back({.endpoint = asked.text(),
                   .allow = decision.allow,
                   .rule_id = id.text(),
                   .rule = id.kind == policy::RuleId::Kind::kPreset ? "" : list.at(id.index).text(),
                   .reason = policy::reason_name(decision.reason),
                   .detail = policy::reason_text(decision.reason),
                   .assumed = policy::is_assumed(asked)});
  }
  return out;
}

}  // namespace pyro::client

namespace pyro {

Result<std::string> check_rule(const std::string& text, RuleKind kind, std::size_t* place) {
  const auto verdict = kind == RuleKind::kAllow ? policy::Verdict::kAllow : policy::Verdict::kDeny;
  PYRO_TRY(const policy::Rule rule, policy::parse_rule(text, verdict, place));
  return rule.text();
}

Result<PolicyInfo> check_policy(const NetworkOptions& options) {
  PYRO_TRY(const policy::Policy policy, client::policy_of(options));
  return client::policy_info(policy);
}

Result<std::vector<Explanation>> explain_policy(const NetworkOptions& options,
                                                const std::vector<std::string>& endpoints) {
  PYRO_TRY(const policy::Policy policy, client::policy_of(options));
  return client::explain(policy, endpoints);
}

}  // namespace pyro
