// How long a decision takes with few rules and with many, side by side.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <vector>

#include "policy/decide.h"

namespace {

using namespace pyro::policy;

constexpr std::uint16_t kPort = 443;

Rule rule(const std::string& text) {
  return *parse_rule(text, Verdict::kAllow);
}

// Names, names below names, addresses and blocks, in turn; as many of each.
Policy policy_of(int rules) {
  Policy policy{.preset = Preset::kEgress, .allow_udp = true};
  for (int i = 0; i < rules; ++i) {
    switch (i % 4) {
      case 0:
        policy.allow.push_back(rule(fmt::format("host{}.example:443", i)));
        break;
      case 1:
        policy.allow.push_back(rule(fmt::format("*.zone{}.example:443,8000-8080", i)));
        break;
      case 2:
        policy.allow.push_back(rule(fmt::format("20.{}.{}.7:443", i / 256, i % 256)));
        break;
      default:
        policy.allow.push_back(
            rule(fmt::format("30.{}.{}.0/{}:443", i / 256, i % 256, i % 8 < 4 ? 24 : 28)));
    }
  }
  return policy;
}

// A flow by a listed name, one to a listed address, and one that nothing names.
void decide(benchmark::State& state) {
  const RuleSet rules(policy_of(static_cast<int>(state.range(0))));
  const std::vector<std::string> names{"a.b.zone5.example"};
  const std::vector<Endpoint> flows{
      {.address = *Address::parse("93.184.216.34"), .port = kPort, .names = names},
      {.address = *Address::parse("20.0.2.7"), .port = kPort},
      {.address = *Address::parse("93.184.216.35"), .port = kPort},
  };
  for ([[maybe_unused]] auto _ : state) {
    for (const Endpoint& flow : flows) benchmark::DoNotOptimize(rules.decide(flow));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(flows.size()));
}

BENCHMARK(decide)->Arg(8)->Arg(1008);

}  // namespace

BENCHMARK_MAIN();
