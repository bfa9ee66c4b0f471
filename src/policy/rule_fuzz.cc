// A rule that was read, written and read again is the same; a set made of it decides without
// surprises: nothing that is not public is reached but by a rule about a block, and nothing on the
// guest's own link but the host's ports.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "policy/decide.h"

namespace {

using namespace pyro::policy;

void require(bool fine) {
  if (!fine) std::abort();
}

void check_reach(const Rule& rule) {
  Policy policy{.preset = Preset::kEgress, .allow = {rule}, .allow_udp = true, .allow_icmp = true};
  const RuleSet rules(policy);
  const std::uint16_t port = rule.ports.empty() ? 1 : rule.ports.front().first;
  const std::string name = "a.example";
  for (const char* text : {"127.0.0.1", "0.0.0.0", "::1", "10.255.255.2", "64:ff9b::7f00:1"}) {
    const Endpoint flow{.protocol = Protocol::kTcp,
                        .address = *Address::parse(text),
                        .port = port,
                        .names = std::span(&name, 1)};
    require(!rules.decide(flow).allow);
  }
  if (std::holds_alternative<Block>(rule.target)) return;
  for (const char* text : {"10.0.0.1", "169.254.169.254", "192.168.0.1", "fd00::1", "fe80::1"}) {
    const Endpoint flow{.protocol = Protocol::kTcp,
                        .address = *Address::parse(text),
                        .port = port,
                        .names = std::span(&name, 1)};
    require(!rules.decide(flow).allow);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const Verdict verdict : {Verdict::kAllow, Verdict::kDeny}) {
    const auto rule = parse_rule(text, verdict);
    if (!rule) continue;
    const auto again = parse_rule(rule->text(), verdict);
    require(again && *again == *rule);
    if (verdict == Verdict::kAllow) check_reach(*rule);
  }
  return 0;
}
