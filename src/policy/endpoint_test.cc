#include "policy/endpoint.h"

#include <gtest/gtest.h>

namespace pyro::policy {
namespace {

TEST(Endpoint, IsReadInEveryFormAndWrittenInOne) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {"tcp://GitHub.com.:443", "tcp://github.com:443"},
      {"udp://192.0.2.1:53", "udp://192.0.2.1:53"},
      {"tcp://[2001:DB8::1]:80", "tcp://[2001:db8::1]:80"},
      {"tcp://[::ffff:192.0.2.1]:80", "tcp://192.0.2.1:80"},
      {"icmp://::1", "icmp://::1"},
      {"icmp://a.example", "icmp://a.example"},
      {"tcp://10.255.255.1:22", "tcp://10.255.255.1:22"},
  };
  for (const auto& [text, canonical] : cases) {
    const auto asked = parse_endpoint(text);
    ASSERT_TRUE(asked) << text << ": " << asked.error().message;
    EXPECT_EQ(asked->text(), canonical);
    const auto again = parse_endpoint(canonical);
    ASSERT_TRUE(again) << canonical;
    EXPECT_EQ(*again, *asked);
  }
}

TEST(Endpoint, WhatIsNoneIsRefused) {
  for (const char* text : {"",
                           "github.com:443",
                           "http://github.com:80",
                           "tcp://",
                           "tcp://a.b",
                           "tcp://:80",
                           "tcp://a.b:",
                           "tcp://a.b:0",
                           "tcp://a.b:65536",
                           "tcp://a.b:+1",
                           "tcp://a.b:1-2",
                           "tcp://*:1",
                           "tcp://*.a.b:1",
                           "tcp://::1:80",
                           "tcp://[a.b]:1",
                           "tcp://[::1]",
                           "tcp://[::1]x:1",
                           "tcp://10.0.0.0/8:1",
                           "tcp://127.1:1",
                           "icmp://a.b:1",
                           "icmp://[::1]",
                           "udp://b\xc3\xbc:1"}) {
    const auto asked = parse_endpoint(text);
    ASSERT_FALSE(asked) << text;
    EXPECT_EQ(asked.error().code, Errc::kInvalid) << text;
  }
}

TEST(Endpoint, IsDecidedByTheRulesOfThePolicy) {
  const auto policy = parse_policy_text(
      "preset egress\ndeny b.example:*\nallow a.example:443\nallow host.pyro.internal:8080\n"
      "allow 10.0.0.0/8:5432\n");
  ASSERT_TRUE(policy) << policy.error().message;
  const RuleSet rules(*policy);
  struct Row {
    const char *endpoint, *rule, *reason;
    bool allow, assumed;
  };
  for (const Row& row : std::vector<Row>{
           {"tcp://a.example:443", "allow[0]", "rule", true, true},
           {"tcp://a.example:80", "preset", "not-listed", false, true},
           {"udp://a.example:443", "preset", "not-listed", false, true},
           {"tcp://b.example:443", "deny[0]", "denied", false, true},
           {"tcp://host.pyro.internal:8080", "allow[1]", "rule", true, false},
           {"tcp://host.pyro.internal:22", "preset", "host-loopback", false, false},
           {"tcp://10.1.2.3:5432", "allow[2]", "rule", true, false},
           {"tcp://10.9.9.9:5432", "preset", "host-loopback", false, false},
           {"tcp://10.1.2.3:22", "preset", "special-range", false, false},
           {"icmp://10.255.255.2", "preset", "engine", false, false},
       }) {
    const auto asked = parse_endpoint(row.endpoint);
    ASSERT_TRUE(asked) << asked.error().message;
    const Decision decision =
        decide(rules, *asked, [](const Address& a) { return a == *Address::parse("10.9.9.9"); });
    EXPECT_EQ(decision.allow, row.allow) << row.endpoint;
    EXPECT_EQ(decision.rule.text(), row.rule) << row.endpoint;
    EXPECT_STREQ(reason_name(decision.reason), row.reason) << row.endpoint;
    EXPECT_EQ(is_assumed(*asked), row.assumed) << row.endpoint;
  }
}

}  // namespace
}  // namespace pyro::policy
