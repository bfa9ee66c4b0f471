#include "policy/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace pyro::policy {

namespace {

constexpr std::array<std::pair<Preset, const char*>, 3> kPresets{
    {{Preset::kOff, "off"},
     {Preset::kEgress, "egress"},
     {Preset::kEgressAndPublish, "egress+published-ports"}}};

bool is_any(const Rule& r) {
  return std::holds_alternative<AnyTarget>(r.target);
}
bool is_name(const Rule& r) {
  return std::holds_alternative<NameTarget>(r.target);
}

}  // namespace

const char* preset_name(Preset preset) {
  for (const auto& [p, name] : kPresets) {
    if (p == preset) return name;
  }
  return "off";
}

Result<Preset> parse_preset(std::string_view text) {
  for (const auto& [preset, name] : kPresets) {
    if (text == name) return preset;
  }
  return fail_hint(Errc::kInvalid, quoted_name(text) + " is no network policy",
                   "off, egress or egress+published-ports");
}

std::string Policy::text() const {
  std::string out = fmt::format("preset {}\n", preset_name(preset));
  if (allow_udp) out += "allow-udp\n";
  if (allow_icmp) out += "allow-icmp\n";
  for (const Rule& r : deny) out += "deny " + r.text() + "\n";
  for (const Rule& r : allow) out += "allow " + r.text() + "\n";
  return out;
}

namespace {

Result<void> add_line(Policy& policy, std::string_view line) {
  const std::size_t blank = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, blank);
  const std::string_view rest = line.substr(std::min(blank + 1, line.size()));
  if (word == "preset") {
    PYRO_TRY(policy.preset, parse_preset(rest));
    return {};
  }
  if (word == "allow-udp" || word == "allow-icmp") {
    (word == "allow-udp" ? policy.allow_udp : policy.allow_icmp) = true;
    return {};
  }
  const bool allow = word == "allow";
  if (!allow && word != "deny") {
    return fail(Errc::kInvalid, quoted_name(line) + " is no line of a policy");
  }
  if (policy.allow.size() + policy.deny.size() == kMostRules)
    return fail(Errc::kLimit, fmt::format("a policy has at most {} rules", kMostRules));
  PYRO_TRY(auto rule, parse_rule(rest, allow ? Verdict::kAllow : Verdict::kDeny));
  (allow ? policy.allow : policy.deny).push_back(std::move(rule));
  return {};
}

}  // namespace

Result<Policy> parse_policy_text(std::string_view text) {
  if (text.size() > kMostPolicyText)
    return fail(Errc::kLimit, fmt::format("a policy has at most {} bytes", kMostPolicyText));
  Policy policy;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    PYRO_CHECK(add_line(policy, rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  PYRO_CHECK(check_policy(policy));
  // What is left: the order of the lines, one given twice, other spellings.
  if (policy.text() != text) return fail(Errc::kInvalid, "a policy is not in its canonical form");
  return policy;
}

Result<void> check_policy(const Policy& p) {
  const bool rules = !p.allow.empty() || !p.deny.empty();
  if (!p.has_network() && (rules || p.allow_udp || p.allow_icmp)) {
    return fail_hint(Errc::kInvalid, "the network policy off has no rules",
                     "leave out the rules, or use egress");
  }
  if (p.allow.size() + p.deny.size() > kMostRules)
    return fail(Errc::kLimit, fmt::format("a policy has at most {} rules", kMostRules));
  if (p.text().size() > kMostPolicyText)
    return fail(Errc::kLimit, fmt::format("the rules of a policy have at most {} bytes together",
                                          kMostPolicyText));
  for (const auto& [given, name] :
       {std::pair{p.allow_udp, "--allow-udp"}, std::pair{p.allow_icmp, "--allow-icmp"}}) {
    if (given && std::ranges::all_of(p.allow, &Rule::has_scheme)) {
      return fail_hint(
          Errc::kInvalid,
          fmt::format("{} is about the endpoints of --net-allow, and there is none "
                      "without a protocol of its own",
                      name),
          p.allow.empty() ? "without --net-allow UDP and ICMP echo are allowed as TCP is" : "");
    }
  }
  return {};
}

std::vector<std::string> warnings(const Policy& p) {
  std::vector<std::string> out;
  const bool open = p.has_network() && (p.allow.empty() || std::ranges::any_of(p.allow, is_any));
  if (open && std::ranges::any_of(p.deny, is_name)) {
    out.emplace_back(
        "a denied name is no boundary where every public address is allowed: whoever knows an "
        "address of it by other means than DNS can use it");
  }
  return out;
}

}  // namespace pyro::policy
