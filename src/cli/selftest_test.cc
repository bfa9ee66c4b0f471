#include "cli/selftest_commands.h"

#include <gtest/gtest.h>

#include "cli/testing.h"

namespace pyro::cli {
namespace {

using testing::Call;

TEST(Selftest, ShowsEachProbeAndFailsWhenOneHas) {
  Call good;
  EXPECT_EQ(good.run({"selftest", "escape", "--probe", "lan", "--probe", "metadata"}), 0);
  EXPECT_EQ(good.backend.suite.only, (std::vector<std::string>{"lan", "metadata"}));
  EXPECT_EQ(good.backend.suite.backend, "qemu");
  EXPECT_EQ(good.out.text,
            "PASS lan  ECONNREFUSED, special-range  control: 192.168.77.10 80\n"
            "1 of 1 passed in 1.5 s (backend qemu, debian:12)\n");
  Call bad;
  bad.backend.tried.outcomes.front().passed = false;
  bad.backend.tried.outcomes.front().problems = {"it \x1b[31m arrived"};
  EXPECT_EQ(bad.run({"selftest", "smoke"}), 1);
  EXPECT_NE(bad.out.text.find("FAIL lan"), std::string::npos);
  EXPECT_NE(bad.out.text.find("\\x1b[31m arrived"), std::string::npos) << bad.out.text;
}

TEST(Selftest, NothingTriedIsNoPass) {
  Call call;
  call.backend.tried.outcomes.clear();
  EXPECT_EQ(call.run({"selftest", "escape"}), 1);
}

TEST(Selftest, PrintsTheTableOfThePage) {
  Call call;
  EXPECT_EQ(call.run({"selftest", "escape", "--markdown"}), 0);
  EXPECT_EQ(call.out.text,
            "| probe | attempt | the guest saw | why | control |\n"
            "| --- | --- | --- | --- | --- |\n"
            "| `lan` | a machine of the LAN | ECONNREFUSED | special-range | 192.168.77.10 80 |\n");
  Call both;
  EXPECT_EQ(both.run({"selftest", "escape", "--markdown", "--json"}), 2);
}

}  // namespace
}  // namespace pyro::cli
