// That the suite can fail: probes pass in a sandbox that holds, and fail for each way in which one
// leaks. Not here: what kills an engine, for which there is none.
#include "escape/runner.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <sstream>

namespace pyro::escape {
namespace {

constexpr std::string_view kDropped = "dropped: ";

// What all three sides see of one attempt.
struct Seen {
  std::string line;  // pyro-probe's
  std::vector<proto::NetEvent> events;
  std::string dropped;  // a reason; empty: nothing was
  world::Arrivals arrivals;
};

world::Arrival arrival(const std::string& words) {
  std::istringstream in(words);
  world::Arrival out{.where = "world", .packets = 1};
  in >> out.protocol >> out.address >> out.port;
  return out;
}

std::string line(bool ok, const std::string& text, std::int64_t ms = 1) {
  return fmt::format(R"({{"ok":{},"ms":{},"{}":"{}"}})", ok, ms, ok ? "said" : "error", text);
}

// As a sandbox that holds looks to all three.
Seen refused(const Probe& probe) {
  Seen out{.line = line(false, probe.sees)};
  if (probe.scenario == Scenario::kOff || probe.scenario == Scenario::kSynFlood ||
      probe.scenario == Scenario::kTunnelRate)
    out.line = line(true, probe.sees);
  if (probe.why.starts_with(kDropped)) {
    out.dropped = probe.why.substr(kDropped.size());
  } else if (!probe.why.empty()) {
    out.events = {{.kind = "decision", .protocol = "tcp", .reason = probe.why}};
  }
  for (const std::string& what : probe.arrives) out.arrivals.list.push_back(arrival(what));
  if (probe.scenario == Scenario::kTunnelRate)
    out.arrivals.list.push_back(
        {.where = "world", .protocol = "dns", .address = "x", .packets = 100});
  return out;
}
Seen allowed(const Probe& probe) {
  return {.line = line(true, probe.control.says)};
}

// A sandbox and its world of which a test says what they show.
class Scene final : public Guest, public World {
 public:
  Scene(const Probe& probe, Seen attempt, Seen control)
      : probe_(probe), attempt_(std::move(attempt)), control_(std::move(control)) {}
  // What the next try shows, and each after it.
  void then(Seen attempt) { next_ = std::move(attempt); }
  // What arrives when the world was looked at after the attempt.
  void at_last(world::Arrivals arrivals) { last_ = std::move(arrivals); }

  Result<void> set_policy(const policy::Policy&) override {
    if (next_ && controlling()) {
      policies_ = 0;
      attempt_ = *next_;
    }
    ++policies_;
    return {};
  }
  Result<std::string> probe(const std::vector<std::string>&) override {
    if (!probe_.first.empty() && !controlling() && !first_done_) {
      first_done_ = true;
      return line(true, "first");
    }
    const Seen& now = controlling() ? control_ : attempt_;
    return show(now, now.line);
  }
  Result<std::vector<proto::NetEvent>> events() override {
    const std::lock_guard held(lock_);
    return std::exchange(events_, {});
  }
  Result<std::map<std::string, std::int64_t>> drops() override {
    const std::lock_guard held(lock_);
    return drops_;
  }
  Result<std::uint16_t> other_sandbox() override { return 8080; }
  Result<void> stop_and_start() override { return {}; }
  Result<void> reset() override { return {}; }
  Result<void> snapshot_and_reset(const policy::Policy&) override { return {}; }
  Result<Ran> probe_in_run(const policy::Policy&, const std::vector<std::string>&) override {
    const Seen& now = runs_++ > 0 ? control_ : attempt_;
    std::string text = show(now, now.line);
    Ran out{.line = std::move(text)};
    for (const proto::NetEvent& e : now.events) out.reasons.push_back(e.reason);
    return out;
  }
  Result<Ran> probe_in_new_workspace(const policy::Policy& policy,
                                     const std::vector<std::string>& words) override {
    return probe_in_run(policy, words);
  }

  Result<world::Arrivals> arrivals() override {
    const std::lock_guard held(lock_);
    // What is to be cut off talks first.
    if (probe_.scenario == Scenario::kRuleRemoved && policies_ == 1)
      return world::Arrivals{.list = {{.where = "world", .protocol = "tcp", .bytes = 5}}};
    // Before the attempt it is looked at when the policy is set and once more.
    if (last_ && policies_ == 1 && ++looks_ == 4) {
      world::Arrivals late = *last_;
      last_.reset();
      return late;
    }
    return std::exchange(arrivals_, {});
  }
  Result<world::Arrivals> begin_anew() override { return arrivals(); }
  [[nodiscard]] Result<std::vector<pid_t>> engines() const override {
    return std::vector<pid_t>{::getpid()};
  }

 private:
  [[nodiscard]] bool controlling() const {
    const int before = probe_.scenario == Scenario::kRuleRemoved ? 2 : 1;
    return policies_ > before;
  }
  std::string show(const Seen& seen, std::string text) {
    const std::lock_guard held(lock_);
    events_ = seen.events;
    if (!seen.dropped.empty()) ++drops_[seen.dropped];
    arrivals_ = seen.arrivals;
    return text;
  }

  const Probe& probe_;
  Seen attempt_, control_;
  std::optional<Seen> next_;
  std::optional<world::Arrivals> last_;
  int looks_ = 0;
  std::atomic<int> policies_ = 0;
  int runs_ = 0;
  bool first_done_ = false;
  std::mutex lock_;  // a connection that is to be cut is held in a thread of its own
  std::vector<proto::NetEvent> events_;
  std::map<std::string, std::int64_t> drops_;
  world::Arrivals arrivals_;
};

// Those that need no process to be killed and nothing to be cut.
std::vector<Probe> plain_probes() {
  std::vector<Probe> out;
  std::ranges::copy_if(probes(), std::back_inserter(out), [](const Probe& probe) {
    return probe.scenario != Scenario::kRuleRemoved && probe.scenario != Scenario::kEngineKilled;
  });
  return out;
}

Outcome run(const Probe& probe, Seen attempt, Seen control) {
  Scene scene(probe, std::move(attempt), std::move(control));
  constexpr std::chrono::milliseconds kPatience{5};
  return Runner(scene, scene, kPatience).run(probe);
}
void expect_problem(const Outcome& outcome, const std::string& what) {
  EXPECT_FALSE(outcome.passed) << outcome.name;
  const bool told = std::ranges::any_of(outcome.problems, [&](const std::string& problem) {
    return problem.find(what) != std::string::npos;
  });
  EXPECT_TRUE(told) << outcome.name << " does not say \"" << what << "\" but "
                    << fmt::format("{}", fmt::join(outcome.problems, "; "));
}
// Runs each probe with `leak` of what a sandbox that holds would show.
void expect_each_fails(const std::function<bool(const Probe&, Seen& attempt, Seen& control)>& leak,
                       const std::string& what) {
  int tried = 0;
  for (const Probe& probe : plain_probes()) {
    Seen attempt = refused(probe);
    Seen control = allowed(probe);
    if (!leak(probe, attempt, control)) continue;
    ++tried;
    expect_problem(run(probe, std::move(attempt), std::move(control)), what);
  }
  EXPECT_GT(tried, 0);
}
bool is_counted(const Probe& probe) {
  return probe.scenario == Scenario::kSynFlood || probe.scenario == Scenario::kTunnelRate;
}

TEST(Runner, EachProbePassesInASandboxThatHolds) {
  for (const Probe& probe : plain_probes()) {
    const Outcome outcome = run(probe, refused(probe), allowed(probe));
    EXPECT_TRUE(outcome.passed) << probe.name << ": "
                                << fmt::format("{}", fmt::join(outcome.problems, "; "));
    EXPECT_EQ(outcome.saw, probe.sees) << probe.name;
  }
}

TEST(Runner, EachProbeFailsWhenItGetsThrough) {
  expect_each_fails(
      [](const Probe& probe, Seen& attempt, Seen&) {
        attempt.line = line(true, "through");
        return !is_counted(probe);
      },
      "the guest saw \"through\"");
}

TEST(Runner, EachProbeFailsWhenNobodySaysWhy) {
  expect_each_fails(
      [](const Probe& probe, Seen& attempt, Seen&) {
        attempt.events.clear();
        attempt.dropped.clear();
        return !probe.why.empty();
      },
      "not say");
}

TEST(Runner, EachProbeFailsWhenAnotherReasonIsGiven) {
  expect_each_fails(
      [](const Probe& probe, Seen& attempt, Seen&) {
        for (proto::NetEvent& e : attempt.events) e.reason = "another";
        if (!attempt.dropped.empty()) attempt.dropped = "another";
        return !probe.why.empty();
      },
      "not say");
}

TEST(Runner, AnEventThatAllowsIsNoRefusal) {
  expect_each_fails(
      [](const Probe& probe, Seen& attempt, Seen&) {
        for (proto::NetEvent& e : attempt.events) e.allow = true;
        return !attempt.events.empty() && probe.scenario != Scenario::kRun;
      },
      "not say");
}

TEST(Runner, EachProbeFailsWhenSomethingArrives) {
  expect_each_fails(
      [](const Probe& probe, Seen& attempt, Seen&) {
        attempt.arrivals.list.push_back(
            {.where = "world", .protocol = "tcp", .address = "1.2.3.4", .port = 5, .packets = 1});
        return !is_counted(probe);
      },
      "\"tcp 1.2.3.4 5\" arrived");
}

TEST(Runner, WhatArrivesAtTheHostsLoopbackIsSomething) {
  expect_each_fails(
      [](const Probe& probe, Seen& attempt, Seen&) {
        attempt.arrivals.list.push_back(
            {.where = "host", .protocol = "tcp", .address = "127.0.0.1", .port = 8022});
        return !is_counted(probe);
      },
      "\"host tcp 127.0.0.1 8022\" arrived");
}

TEST(Runner, WhatIsAllowedOfAnAttemptHasToArrive) {
  expect_each_fails(
      [](const Probe& probe, Seen& attempt, Seen&) {
        attempt.arrivals.list.clear();
        return !probe.arrives.empty();
      },
      "did not arrive, which is allowed");
}

TEST(Runner, EachProbeFailsWhenTheWorldHasLostSomething) {
  expect_each_fails(
      [](const Probe& probe, Seen& attempt, Seen&) {
        attempt.arrivals.lost = 1;
        return !is_counted(probe);
      },
      "more arrived than the world can note");
}

TEST(Runner, ARefusalThatTakesTooLongFails) {
  expect_each_fails(
      [](const Probe& probe, Seen& attempt, Seen&) {
        attempt.line = line(false, probe.sees, 6);
        return !is_counted(probe);
      },
      "it took 6 ms to be refused");
}

TEST(Runner, EachProbeFailsWhenItsControlDoesNotWork) {
  expect_each_fails(
      [](const Probe&, Seen&, Seen& control) {
        control.line = line(false, "ECONNREFUSED");
        return true;
      },
      "the control said \"ECONNREFUSED\"");
}

TEST(Runner, EachProbeFailsWhenItsControlMeetsSomebodyElse) {
  expect_each_fails(
      [](const Probe& probe, Seen&, Seen& control) {
        control.line = line(true, "another");
        return !probe.control.says.empty();
      },
      "the control said \"another\"");
}

TEST(Runner, TooManyQuestionsAreATunnel) {
  const auto found = std::ranges::find(probes(), Scenario::kTunnelRate, &Probe::scenario);
  ASSERT_NE(found, probes().end());
  Seen attempt = refused(*found);
  attempt.arrivals.list.front().packets = 151;
  expect_problem(run(*found, attempt, allowed(*found)), "151 questions went to the name server");
  attempt.arrivals.list.clear();
  expect_problem(run(*found, attempt, allowed(*found)), "0 questions went to the name server");
}

TEST(Runner, AConnectionWhoseRuleWentAndThatGoesOnFails) {
  const auto found = std::ranges::find(probes(), Scenario::kRuleRemoved, &Probe::scenario);
  ASSERT_NE(found, probes().end());
  Seen attempt = refused(*found);
  attempt.line = line(true, "");
  expect_problem(run(*found, attempt, allowed(*found)), "the guest saw \"\"");
  attempt = refused(*found);
  attempt.events.clear();
  expect_problem(run(*found, attempt, allowed(*found)), "the engine did not say \"policy\"");
}

Outcome decided(const Probe& probe, Seen first, Seen second,
                std::optional<Seen> control = std::nullopt) {
  Scene scene(probe, std::move(first), control.value_or(allowed(probe)));
  scene.then(std::move(second));
  constexpr std::chrono::milliseconds kPatience{5};
  return Runner(scene, scene, kPatience).decide(probe);
}

TEST(Runner, WhatIsLateIsTriedAgainAndWhatGotOutIsNot) {
  const Probe& probe = probes().front();
  const Seen holds = refused(probe);
  for (const int what : {0, 1, 2}) {
    Seen late = holds;
    if (what == 0) late.events.clear();
    if (what == 1) late.line = line(false, probe.sees, 6);
    if (what == 2) late.line = line(false, "ETIMEDOUT");
    const Outcome second = decided(probe, late, holds);
    EXPECT_TRUE(second.passed) << what;
    EXPECT_EQ(second.tries, 2);
    Seen leaks = late;  // and is late
    leaks.arrivals.list = {arrival("tcp 192.0.2.1 80")};
    const Outcome out = decided(probe, leaks, holds);
    EXPECT_FALSE(out.passed) << what;
    EXPECT_EQ(out.tries, 1);
  }
  Seen through = holds;
  through.line = line(true, "through");
  EXPECT_EQ(decided(probe, through, holds).tries, 1);
  Seen otherwise = holds;
  otherwise.line = line(false, "EPERM");
  EXPECT_EQ(decided(probe, otherwise, holds).tries, 1);
  ASSERT_FALSE(probe.control.says.empty());
  EXPECT_EQ(decided(probe, holds, holds, Seen{.line = line(true, "another")}).tries, 1);
  EXPECT_EQ(decided(probe, holds, holds, Seen{.line = line(false, "ETIMEDOUT")}).tries, 3);
}

// Late for the guest, and then for the world.
TEST(Runner, WhatArrivesLaterIsAWayOut) {
  const Probe& probe = probes().front();
  Seen late = refused(probe);
  late.events.clear();
  Scene scene(probe, late, allowed(probe));
  scene.then(refused(probe));
  scene.at_last({.list = {arrival("tcp 192.0.2.1 80")}});
  const Outcome out = Runner(scene, scene, std::chrono::milliseconds(5)).decide(probe);
  expect_problem(out, "\"tcp 192.0.2.1 80\" arrived");
  EXPECT_EQ(out.tries, 1);
}

TEST(Runner, WhatLeavesSomethingBehindIsMadeOnce) {
  for (const Probe& probe : plain_probes()) {
    if (probe.scenario == Scenario::kNone || is_counted(probe)) continue;
    Seen late = refused(probe);
    late.line = line(false, "ETIMEDOUT");
    EXPECT_EQ(decided(probe, late, refused(probe)).tries, 1) << probe.name;
  }
}

TEST(Runner, WhatIsAlwaysLateFails) {
  const Probe& probe = probes().front();
  Seen late = refused(probe);
  late.events.clear();
  const Outcome out = decided(probe, late, late);
  expect_problem(out, "the engine did not say");
  EXPECT_EQ(out.tries, 3);
}

TEST(Runner, WhatCannotBeTriedIsAProblem) {
  const Probe& probe = probes().front();
  Seen attempt = refused(probe);
  attempt.line = "no line of a probe";
  expect_problem(run(probe, attempt, allowed(probe)), "the attempt could not be made");
}

}  // namespace
}  // namespace pyro::escape
