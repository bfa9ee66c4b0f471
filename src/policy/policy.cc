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

Result<void> check_policy(const Policy& p) {
  const bool rules = !p.allow.empty() || !p.deny.empty();
  if (!p.has_network() && (rules || p.allow_udp || p.allow_icmp)) {
    return fail_hint(Errc::kInvalid, "the network policy off has no rules",
                     "leave out the rules, or use egress");
  }
  if (p.allow.size() + p.deny.size() > kMostRules)
    return fail(Errc::kLimit, fmt::format("a policy has at most {} rules", kMostRules));
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
