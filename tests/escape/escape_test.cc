// The escape suite against the engine and this kernel, without a machine.
#include <gtest/gtest.h>
#include <unistd.h>

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

TEST(EscapeSuite, EveryProbeIsStoppedAndItsControlWorks) {
  std::string folder = "/tmp/escape-test-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string resolv_conf = folder + "/resolv.conf";
  std::ofstream(resolv_conf) << "nameserver " << world::kNameServer << "\n";
  auto world = World::open(PYRO_WORLD_PROGRAM);
  ASSERT_TRUE(world) << world.error().message;
  TapSandbox sandbox(
      {.engine = PYRO_NET_PROGRAM, .probe = PYRO_PROBE_PROGRAM, .holder = PYRO_HOLDER_PROGRAM},
      world->net_namespace(), resolv_conf);
  Runner runner(*world, sandbox);
  const char* const only = std::getenv("PYRO_ESCAPE_PROBE");  // for whoever looks into one
  int tried = 0;
  for (const Probe& probe : probes()) {
    if (needs_machine(probe) || (only != nullptr && probe.name != only)) continue;
    const Outcome outcome = runner.run(probe);
    ++tried;
    std::string problems;
    for (const std::string& problem : outcome.problems) problems += "\n  " + problem;
    EXPECT_TRUE(outcome.passed) << probe.name << problems;
  }
  EXPECT_GT(tried, 0);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace pyro::escape
