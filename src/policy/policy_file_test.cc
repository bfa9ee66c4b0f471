#include "policy/policy_file.h"

#include <gtest/gtest.h>

namespace pyro::policy {
namespace {

TEST(PolicyFile, SaysWhatTheFlagsSay) {
  const auto policy = parse_policy_file(R"([network]
policy = "egress+published-ports"
allow = ["GitHub.com:443", "10.0.0.0/8:5432"]
deny = ["192.0.2.1"]
allow_udp = true
)");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->text(),
            "preset egress+published-ports\nallow-udp\ndeny 192.0.2.1:*\nallow github.com:443\n"
            "allow 10.0.0.0/8:5432\n");
}

TEST(PolicyFile, CommentsMayHaveAnyCharacter) {
  const auto policy = parse_policy_file(
      "# f\xc3\xbcr \xef\xbb\xbd\r\n[network] # more\r\nallow = [\"a.b:1\"] # \xff\n");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->text(), "preset egress\nallow a.b:1\n");
}

TEST(PolicyFile, RulesAloneAreEgress) {
  EXPECT_EQ(parse_policy_file("[network]\nallow = ['a.b:1']")->preset, Preset::kEgress);
  EXPECT_EQ(parse_policy_file("network = {deny = ['a.b']}")->preset, Preset::kEgress);
  EXPECT_EQ(parse_policy_file("[network]")->preset, Preset::kOff);
  // Which narrows nothing, and says so.
  EXPECT_EQ(parse_policy_file("[network]\npolicy = 'egress'\ndeny = []")->text(),
            "preset egress\n");
}

TEST(PolicyFile, WhatIsWrongIsNamedWithItsLine) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {"", "there is no [network]"},
      {"[network", "line 1"},
      {"[@]", "not well formed"},
      {"[[ =", "not well formed"},
      {"network = {allow=}", "line 1, column 18"},
      {"[", "not well formed"},
      {"[network]\nallow = ['b\xc3\xbc.de:1']", "line 2: only comments"},
      {"[network]\nallow = 'a.b:1'", "line 2, column 9: allow is a list"},
      {"[network]\nallow = [1]", "line 2, column 10: allow is a list of strings"},
      {"[network]\nallow = ['a.b:1',\n'a.b']", "line 3, column 1: rule \"a.b\", character 4"},
      {"[network]\npolicy = 'egress'\nallow = []", "line 3, column 9: allow is empty"},
      {"[network]\nallow = []\ndeny = ['a.b']", "line 2, column 9: allow is empty"},
      {"[network]\nalow = []", "line 2, column 1: \"alow\" is no key"},
      {"[netwrk]", "\"netwrk\" is no key"},
      {"[network]\n[network.more]", "\"more\" is no key"},
      {"network = 1", "network is a table"},
      {"[network]\npolicy = 1", "policy is a string"},
      {"[network]\npolicy = 'on'", "\"on\" is no network policy"},
      {"[network]\npolicy = 'off'\nallow = ['a.b:1']", "off has no rules"},
      {"[network]\nallow_udp = 'yes'", "allow_udp is true or false"},
      {"[network]\nallow_icmp = true", "off has no rules"},
      {"[network]\n[network]", "line 2"},
  };
  for (const auto& [text, says] : cases) {
    const auto policy = parse_policy_file(text);
    ASSERT_FALSE(policy) << text;
    EXPECT_NE(policy.error().message.find(says), std::string::npos)
        << text << ": " << policy.error().message;
  }
  const auto meant = parse_policy_file("[network]\nalow = []");
  EXPECT_EQ(meant.error().hint, "did you mean allow?");
  EXPECT_EQ(parse_policy_file(std::string(kMostPolicyFile + 1, ' ')).error().code, Errc::kLimit);
}

}  // namespace
}  // namespace pyro::policy
