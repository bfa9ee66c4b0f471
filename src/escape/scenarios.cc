#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/stopwatch.h"
#include "escape/runner.h"

namespace pyro::escape {

namespace {

constexpr std::chrono::milliseconds kGlance{10};
constexpr std::chrono::seconds kUntilItTalks{10};
// Of the engine, beside its kernel's sockets (docs/design/net-theory-of-operation.md, "Limits").
constexpr std::int64_t kMostGrowth = 32 << 20;
// 100 in a burst and 50 a second, for as long as such a probe may take.
constexpr std::int64_t kBurst = 100;
constexpr std::int64_t kPerSecond = 50;

}  // namespace

Result<Runner::Said> Runner::while_talking(const Probe& probe,
                                           const std::function<Result<void>()>& then) {
  PYRO_CHECK(prepare(probe));
  Result<std::string> line = fail(Errc::kInternal, "not done");
  std::jthread holder([&] { line = guest_.probe(words(probe.words)); });
  const auto end = std::chrono::steady_clock::now() + kUntilItTalks;
  bool talks = false;
  while (!talks && std::chrono::steady_clock::now() < end) {
    PYRO_TRY(const auto arrivals, world_.arrivals());
    talks = std::ranges::any_of(arrivals.list, [](const auto& a) { return a.bytes > 0; });
    if (!talks) std::this_thread::sleep_for(kGlance);
  }
  Result<void> done;
  if (talks) done = then();
  const Stopwatch since;
  holder.join();
  if (!talks) return fail(Errc::kUnavailable, "the connection that is to be cut never talked");
  PYRO_CHECK(done);
  PYRO_TRY(const std::string text, std::move(line));
  PYRO_TRY(Said said, read(text));
  said.ms = static_cast<std::int64_t>(since.ms());
  return said;
}

Result<void> Runner::rule_removed(const Probe& probe, Outcome& out) {
  PYRO_TRY(const auto without, policy_of({.allow = {"93.184.216.35:443"}}));
  PYRO_TRY(const Said said, while_talking(probe, [&]() -> Result<void> {
             PYRO_CHECK(guest_.set_policy(without));
             PYRO_CHECK(world_.arrivals());  // what had come until then
             return {};
           }));
  guest_saw(said, probe, out);
  PYRO_CHECK(engine_says(probe.why, out));
  return nothing_arrived({}, out);
}

Result<void> Runner::engine_killed(const Probe& probe, Outcome& out) {
  PYRO_TRY(const auto engines, world_.engines());
  if (engines.size() != 1)
    return fail(Errc::kUnavailable,
                fmt::format("{} engines run in the world, not one", engines.size()));
  PYRO_TRY(const Said said, while_talking(probe, [&]() -> Result<void> {
             if (::kill(engines.front(), SIGKILL) != 0) return sys::fail_errno("kill", errno);
             return {};
           }));
  guest_saw(said, probe, out);
  // The next one decides by the same policy.
  PYRO_CHECK(tidy());
  PYRO_TRY(const Said other, ask("tcp 93.184.216.35 443"));
  if (other.text != "ECONNREFUSED")
    out.problems.push_back(fmt::format("after it the guest saw \"{}\"", other.text));
  PYRO_CHECK(engine_says(probe.why, out));
  return nothing_arrived({}, out);
}

Result<void> Runner::syn_flood(const Probe& probe, Outcome& out) {
  PYRO_CHECK(prepare(probe));
  PYRO_TRY(const auto engines, world_.engines());
  if (engines.empty()) return fail(Errc::kUnavailable, "no engine runs in the world");
  PYRO_TRY(const std::int64_t before, memory_of(engines.front()));
  PYRO_TRY(const Said said, ask(probe.words));
  if (!said.ok) out.problems.push_back("the flood could not be sent: " + said.text);
  PYRO_CHECK(engine_says(probe.why, out));
  PYRO_TRY(const std::int64_t after, memory_of(engines.front()));
  out.saw = probe.sees;
  out.why = probe.why;
  if (after - before > kMostGrowth)
    out.problems.push_back(fmt::format("the engine grew by {} bytes", after - before));
  return {};
}

Result<void> Runner::tunnel_rate(const Probe& probe, Outcome& out) {
  PYRO_CHECK(prepare(probe));
  PYRO_TRY(const Said said, ask(probe.words));
  const std::int64_t most = kBurst + (kPerSecond * (said.ms / 1000 + 1));
  out.saw = probe.sees;
  out.why = probe.why;
  PYRO_CHECK(engine_says(probe.why, out));
  PYRO_TRY(const auto arrivals, world_.arrivals());
  std::int64_t asked = 0;
  for (const world::Arrival& a : arrivals.list) asked += a.protocol == "dns" ? a.packets : 0;
  if (asked > most || asked == 0)
    out.problems.push_back(fmt::format(
        "{} questions went to the name server in {} ms, at most {} may", asked, said.ms, most));
  return {};
}

// In another place or at another time than the workspace that most probes run in.
Result<void> Runner::elsewhere(const Probe& probe, Outcome& out) {
  PYRO_TRY(const auto policy, policy_of(probe.rules));
  if (probe.scenario == Scenario::kRun || probe.scenario == Scenario::kOff) {
    const bool run = probe.scenario == Scenario::kRun;
    std::vector<std::string> reasons;
    const auto there = [&](const Rules& rules, const std::string& text) -> Result<Said> {
      PYRO_TRY(const auto allowed, policy_of(rules));
      PYRO_TRY(const Guest::Ran ran, run ? guest_.probe_in_run(allowed, words(text))
                                         : guest_.probe_in_new_workspace(allowed, words(text)));
      reasons = ran.reasons;
      return read(ran.line);
    };
    PYRO_CHECK(world_.arrivals());
    PYRO_TRY(const Said said, there(probe.rules, probe.words));
    if (!probe.why.empty() && std::ranges::find(reasons, probe.why) == reasons.end())
      out.problems.push_back(fmt::format("it does not say that it was refused: {}", probe.why));
    guest_saw(said, probe, out);
    PYRO_CHECK(nothing_arrived({}, out));
    PYRO_TRY(const Said works,
             there(probe.control.rules,
                   probe.control.words.empty() ? probe.words : probe.control.words));
    out.control = works.said;
    if (works.said != probe.control.says)
      out.problems.push_back(
          fmt::format("the control said \"{}\" instead of \"{}\"", works.text, probe.control.says));
    return {};
  }
  if (probe.scenario == Scenario::kOtherSandbox) {
    PYRO_TRY(port_, guest_.other_sandbox());
  } else {
    PYRO_CHECK(guest_.set_policy(policy));
    if (probe.scenario == Scenario::kAfterStop) {
      PYRO_CHECK(guest_.stop_and_start());
    } else if (probe.scenario == Scenario::kAfterReset) {
      PYRO_CHECK(guest_.reset());
    } else {
      PYRO_TRY(const auto wider, policy_of({.allow = {"93.184.216.35:443"}}));
      PYRO_CHECK(guest_.snapshot_and_reset(wider));
    }
    // The policy is not given again: it is to have stayed.
    return attack_as_it_is(probe, out);
  }
  return attack(probe, out);
}

}  // namespace pyro::escape
