// The escape suite against the engine and this kernel, without a machine.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "escape/runner.h"
#include "escape/tap_sandbox.h"
#include "world/places.h"

namespace pyro::escape {
namespace {

bool needs_machine(const Probe& probe) {
  switch (probe.scenario) {
    case Scenario::kAfterStop:
    case Scenario::kAfterReset:
    case Scenario::kAfterSnapshot:
    case Scenario::kRun:
    case Scenario::kOff:
      return true;
    default:
      return false;
  }
}

// Keeps to another policy than the one it is given.
class LeakySandbox : public TapSandbox {
 public:
  using TapSandbox::TapSandbox;
  void keep_to(policy::Policy policy) { kept_ = std::move(policy); }
  Result<void> set_policy(const policy::Policy& /*policy*/) override {
    return TapSandbox::set_policy(kept_);
  }

 private:
  policy::Policy kept_;
};

class EscapeSuite : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    std::ofstream(resolv_conf()) << "nameserver " << world::kNameServer << "\n";
    auto world = NamespaceWorld::open(PYRO_WORLD_PROGRAM);
    ASSERT_TRUE(world) << world.error().message;
    world_ = *std::move(world);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string resolv_conf() const { return folder_ + "/resolv.conf"; }

  const TapPrograms programs_{
      .engine = PYRO_NET_PROGRAM, .probe = PYRO_PROBE_PROGRAM, .holder = PYRO_HOLDER_PROGRAM};
  std::unique_ptr<NamespaceWorld> world_;

 private:
  std::string folder_ = "/tmp/escape-test-XXXXXX";
};

TEST_F(EscapeSuite, EveryProbeIsStoppedAndItsControlWorks) {
  TapSandbox sandbox(programs_, world_->net_namespace(), resolv_conf());
  Runner runner(*world_, sandbox);
  const char* const only = std::getenv("PYRO_ESCAPE_PROBE");  // for whoever looks into one
  int tried = 0;
  for (const Probe& probe : probes()) {
    if (needs_machine(probe) || (only != nullptr && probe.name != only)) continue;
    const Outcome outcome = runner.decide(probe);
    ++tried;
    EXPECT_TRUE(outcome.passed) << probe.name << ": "
                                << fmt::format("{}", fmt::join(outcome.problems, "; "));
  }
  EXPECT_GT(tried, 0);
}

// An engine that allows what only the control of a probe is to be allowed.
TEST_F(EscapeSuite, EveryProbeThatIsNotStoppedIsFound) {
  LeakySandbox sandbox(programs_, world_->net_namespace(), resolv_conf());
  constexpr std::chrono::milliseconds kShort{100};  // nobody will say why
  Runner runner(*world_, sandbox, kShort);
  int tried = 0;
  for (const Probe& probe : probes()) {
    const bool same = probe.control.words.empty() || probe.control.words == probe.words;
    if (needs_machine(probe) || !same || probe.scenario != Scenario::kNone) continue;
    const auto policy = policy_of(probe.control.rules);
    ASSERT_TRUE(policy) << probe.name;
    sandbox.keep_to(*policy);
    const Outcome outcome = runner.decide(probe);
    ++tried;
    EXPECT_EQ(outcome.tries, 1) << probe.name << ": what got out is tried again";
    const auto said = [&](std::string_view what) {
      return std::ranges::any_of(outcome.problems,
                                 [&](const std::string& p) { return p.find(what) != p.npos; });
    };
    EXPECT_TRUE(said("the guest saw") && said("arrived"))
        << probe.name << ": " << fmt::format("{}", fmt::join(outcome.problems, "; "));
  }
  EXPECT_GT(tried, 20);
}

}  // namespace
}  // namespace pyro::escape
