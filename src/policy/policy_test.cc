#include "policy/policy.h"

#include <gtest/gtest.h>

namespace pyro::policy {
namespace {

TEST(PolicyText, IsReadBackToTheByte) {
  for (const char* text :
       {"preset off\n", "preset egress\n", "preset egress+published-ports\n",
        "preset egress\nallow-udp\nallow-icmp\ndeny 10.0.0.0/8:*\ndeny icmp://a.example\n"
        "allow *.example.com:80,443-445\nallow [2001:db8::/32]:53\nallow *:443\n"}) {
    const auto policy = parse_policy_text(text);
    ASSERT_TRUE(policy) << policy.error().message;
    EXPECT_EQ(policy->text(), text);
  }
}

TEST(PolicyText, NothingElseIsRead) {
  for (const char* text : {"",
                           "\n",
                           "preset",
                           "preset off",
                           "preset  off\n",
                           "preset on\n",
                           "preset off\r\n",
                           "preset off\npreset off\n",
                           "preset egress\n\n",
                           "preset egress\nallow-udp\n",
                           "allow a.b:1\npreset egress\n",
                           "preset off\nallow a.b:1\n",
                           "preset egress\nallow a.b:1\ndeny a.b:*\n",
                           "preset egress\nallow A.b:1\n",
                           "preset egress\nallow a.b:2,1\n",
                           "preset egress\ndeny a.b\n",
                           "preset egress\nallow\n",
                           "preset egress\nallow a.b:1\nallow-udp\n",
                           "preset egress\nallow-udp x\nallow a.b:1\n",
                           "preset egress\nsay a.b:1\n"}) {
    const auto policy = parse_policy_text(text);
    ASSERT_FALSE(policy) << text;
    EXPECT_EQ(policy.error().code, Errc::kInvalid) << text;
  }
  EXPECT_EQ(parse_policy_text(std::string(kMostPolicyText + 1, 'x')).error().code, Errc::kLimit);
}

TEST(PolicyText, TheLongestPolicyIsReadAndOneRuleMoreIsNot) {
  std::string text = "preset egress\n";
  for (std::size_t i = 0; i < kMostRules; ++i) text += "allow a" + std::to_string(i) + ".b:1\n";
  const auto policy = parse_policy_text(text);
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->allow.size(), kMostRules);
  EXPECT_EQ(parse_policy_text(text + "allow z.b:1\n").error().code, Errc::kLimit);
}

// ":1,3" is "*:1,3", which is longer.
TEST(PolicyText, EveryRuleThatIsReadCanBeReadAgain) {
  std::string rule = ":1";
  for (int port = 10001; rule.size() + 6 <= kLongestRule; port += 2)
    rule += "," + std::to_string(port);
  ASSERT_EQ(rule.size(), kLongestRule);
  EXPECT_EQ(parse_rule(rule, Verdict::kAllow).error().code, Errc::kInvalid);
  const auto shorter = parse_rule(rule.substr(0, rule.rfind(',')), Verdict::kAllow);
  ASSERT_TRUE(shorter) << shorter.error().message;
  EXPECT_TRUE(parse_rule(shorter->text(), Verdict::kAllow));
}

}  // namespace
}  // namespace pyro::policy
