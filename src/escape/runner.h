// Runs probes: each is tried, looked at from three sides (the guest, the engine, the world), and
// then allowed.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "escape/guest.h"
#include "escape/probe.h"
#include "escape/world.h"

namespace pyro::escape {

// What came of a probe.
struct Outcome {
  std::string name, attempt;
  bool passed = false;
  std::string saw;      // by the guest
  std::string why;      // the engine's reason, or "dropped: ..."
  std::string control;  // what the control said
  std::int64_t refused_ms = 0;
  std::vector<std::string> problems;  // sentences; none when it passed
  std::size_t late = 0;  // of the problems, those that a busy host makes, and no way out
  int tries = 1;

  void add(std::string problem, bool is_late) {
    problems.push_back(std::move(problem));
    late += is_late ? 1 : 0;
  }
};

class Runner {
 public:
  // Within this a refusal has to be seen, and the engine has to say why.
  static constexpr std::chrono::milliseconds kPatience{2000};
  // Both borrowed.
  Runner(World& world, Guest& guest, std::chrono::milliseconds patience = kPatience)
      : world_(world), guest_(guest), patience_(patience) {}
  // Never fails: what could not be tried is a problem of the probe.
  Outcome run(const Probe& probe);
  // The same, of a plain attempt up to three times while all that is wrong is that something did
  // not come in time. What got out once did get out.
  Outcome decide(const Probe& probe);

 private:
  // What pyro-probe said.
  struct Said {
    bool ok = false;
    std::string text;  // error, rcode or said, the first that there is
    std::string said;
    std::int64_t ms = 0;
  };
  static Result<Said> read(const std::string& line);
  [[nodiscard]] std::vector<std::string> words(const std::string& text) const;
  [[nodiscard]] Rules rules(const Rules& in) const;
  Result<Said> ask(const std::string& text);
  Result<void> prepare(const Probe& probe);
  Result<void> tidy();
  Result<void> attack(const Probe& probe, Outcome& out);
  Result<void> attack_as_it_is(const Probe& probe, Outcome& out);  // under the policy there is
  Result<void> control(const Probe& probe, Outcome& out);
  void guest_saw(const Said& said, const Probe& probe, Outcome& out) const;
  // Waits for it.
  Result<void> engine_says(const std::string& why, Outcome& out);
  Result<void> nothing_arrived(const std::vector<std::string>& but, Outcome& out);
  // All that arrived since the last look; what is none of `but` is a problem.
  Result<std::set<std::string>> arrived(const std::vector<std::string>& but, Outcome& out);

  Result<void> rule_removed(const Probe& probe, Outcome& out);
  Result<void> engine_killed(const Probe& probe, Outcome& out);
  Result<void> syn_flood(const Probe& probe, Outcome& out);
  Result<void> tunnel_rate(const Probe& probe, Outcome& out);
  Result<void> elsewhere(const Probe& probe, Outcome& out);
  // Runs hold in a thread of its own, and `then` when it talks. Its time is that since `then`.
  Result<Said> while_talking(const Probe& probe, const std::function<Result<void>()>& then);

  World& world_;
  Guest& guest_;
  std::chrono::milliseconds patience_;
  std::map<std::string, std::int64_t> drops_;  // before the attempt
  std::vector<proto::NetEvent> events_;        // since then
  std::uint16_t port_ = 0;                     // of another sandbox
};

}  // namespace pyro::escape
