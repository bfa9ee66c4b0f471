#include "core/service_run.h"

#include <gtest/gtest.h>

namespace pyro::core {
namespace {

TEST(LogPace, LetsABurstThroughAndThenSlowsDown) {
  LogPace pace;
  EXPECT_EQ(pace.take(LogPace::kBurst).count(), 0);
  const auto wait = pace.take(static_cast<std::size_t>(LogPace::kBytesPerSecond));
  // What passed meanwhile makes it less, and never more.
  EXPECT_LE(wait.count(), 1001);
  EXPECT_GT(wait.count(), 500);
}

TEST(LogPace, WaitsAddUp) {
  LogPace pace;
  std::chrono::milliseconds last{0};
  for (int i = 0; i < 100; ++i)
    last = pace.take(static_cast<std::size_t>(LogPace::kBytesPerSecond / 10));
  EXPECT_GT(last.count(), 8000);
  EXPECT_LE(last.count(), 10'000);
}

}  // namespace
}  // namespace pyro::core
