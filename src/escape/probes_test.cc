#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/text.h"
#include "escape/probe.h"
#include "net/packet.h"

namespace pyro::escape {
namespace {

Rules with_port(Rules rules) {
  for (std::string& rule : rules.allow) {
    if (const auto at = rule.find("{port}"); at != std::string::npos) rule.replace(at, 6, "1");
  }
  return rules;
}

TEST(Probes, EachHasANameOfItsOwnAndSaysWhatItIs) {
  std::set<std::string> names, attempts;
  for (const Probe& probe : probes()) {
    EXPECT_TRUE(names.insert(probe.name).second) << probe.name;
    EXPECT_TRUE(attempts.insert(probe.attempt).second) << probe.attempt;
    EXPECT_EQ(probe.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"),
              std::string::npos)
        << probe.name;
    EXPECT_FALSE(probe.words.empty()) << probe.name;
    EXPECT_FALSE(probe.sees.empty()) << probe.name;
  }
}

TEST(Probes, PoliciesAreSuchAsUsersCanGive) {
  for (const Probe& probe : probes()) {
    for (const Rules& rules : {probe.rules, probe.control.rules}) {
      const auto policy = policy_of(with_port(rules));
      EXPECT_TRUE(policy) << probe.name << ": " << policy.error().message;
    }
  }
}

TEST(Probes, AControlIsNotTheAttempt) {
  for (const Probe& probe : probes()) {
    const bool same_words = probe.control.words.empty() || probe.control.words == probe.words;
    const auto attempt = policy_of(with_port(probe.rules));
    const auto control = policy_of(with_port(probe.control.rules));
    ASSERT_TRUE(attempt && control) << probe.name;
    EXPECT_FALSE(same_words && *attempt == *control) << probe.name;
    EXPECT_FALSE(probe.control.rules.off) << probe.name;
  }
}

// A refusal without a reason is none: only what has no engine needs none.
TEST(Probes, EachSaysWhy) {
  const std::set<std::string> without{"off"};
  constexpr std::string_view kDropped = "dropped: ";
  for (const Probe& probe : probes()) {
    EXPECT_EQ(probe.why.empty(), without.contains(probe.name)) << probe.name;
    if (!probe.why.starts_with(kDropped)) continue;
    const std::string reason = probe.why.substr(kDropped.size());
    bool known = false;
    for (int i = 0; i < net::kDrops; ++i)
      known = known || reason == net::drop_name(static_cast<net::Drop>(i));
    EXPECT_TRUE(known) << probe.name << ": " << reason;
  }
}

// The page has the suite's results: a line for each probe, with its attempt, and no other.
TEST(Probes, ThePageHasEachOfThem) {
  std::ifstream page(std::string(PYRO_SOURCE_DIR) + "/docs/reference/escape-suite.md");
  ASSERT_TRUE(page);
  std::vector<std::string> rows;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("| `")) rows.push_back(line);
  }
  ASSERT_EQ(rows.size(), probes().size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Probe& probe = probes()[i];
    EXPECT_TRUE(rows[i].starts_with("| `" + probe.name + "` | " + probe.attempt + " | "))
        << rows[i] << "\ninstead of " << probe.name;
  }
}

}  // namespace
}  // namespace pyro::escape
