#include "client/network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <filesystem>
#include <fstream>

#include "policy/policy_file.h"
#include "sys/file.h"

namespace pyro::client {
namespace {

namespace json = boost::json;

std::string text_of(const NetworkOptions& options) {
  const auto policy = policy_of(options);
  return policy ? policy->text() : "error: " + policy.error().message;
}

TEST(PolicyOf, ARuleOrAFlagImpliesEgress) {
  EXPECT_EQ(text_of({}), "preset off\n");
  EXPECT_EQ(text_of({.policy = "egress"}), "preset egress\n");
  EXPECT_EQ(text_of({.allow = {"GitHub.com:443"}}), "preset egress\nallow github.com:443\n");
  EXPECT_EQ(text_of({.deny = {"10.0.0.0/8"}}), "preset egress\ndeny 10.0.0.0/8:*\n");
  EXPECT_EQ(text_of({.policy = "egress+published-ports", .deny = {"a.b"}}),
            "preset egress+published-ports\ndeny a.b:*\n");
  EXPECT_EQ(text_of({.allow = {"a.b:1"}, .deny = {"c.d"}, .allow_udp = true, .allow_icmp = true}),
            "preset egress\nallow-udp\nallow-icmp\ndeny c.d:*\nallow a.b:1\n");
}

TEST(PolicyOf, WhatDoesNotGoTogetherIsRefused) {
  const std::vector<std::pair<NetworkOptions, const char*>> cases{
      {{.policy = "off", .allow = {"a.b:1"}}, "off has no rules"},
      {{.policy = "off", .allow_udp = true}, "off has no rules"},
      {{.policy = "on"}, "\"on\" is no network policy"},
      {{.allow = {"a.b:1", "c.d"}}, "rule \"c.d\", character 4: there are no ports"},
      {{.deny = {""}}, "an empty rule"},
      {{.allow_udp = true}, "--allow-udp is about the endpoints of --net-allow"},
      {{.deny = {"a.b"}, .allow_icmp = true}, "--allow-icmp is about the endpoints"},
      {{.policy = "egress", .policy_file = "x"}, "a policy file is the whole policy"},
      {{.allow_icmp = true, .policy_file = "x"}, "a policy file is the whole policy"},
  };
  for (const auto& [options, says] : cases) {
    const auto policy = policy_of(options);
    ASSERT_FALSE(policy) << says;
    EXPECT_EQ(policy.error().code, Errc::kInvalid) << says;
    EXPECT_NE(policy.error().message.find(says), std::string::npos) << policy.error().message;
  }
  const NetworkOptions many{.allow = std::vector<std::string>(policy::kMostRules + 1, "a.b:1")};
  EXPECT_EQ(policy_of(many).error().code, Errc::kLimit);
}

TEST(PolicyOf, AFileIsReadAndItsErrorsNameIt) {
  const std::string path = ::testing::TempDir() + "pyro-policy.toml";
  ASSERT_TRUE(sys::write_file_atomic(path, "[network]\nallow = ['a.b:1']\n"));
  EXPECT_EQ(text_of({.policy_file = path}), "preset egress\nallow a.b:1\n");
  ASSERT_TRUE(sys::write_file_atomic(path, "[network]\nallow = ['a.b:0']\n"));
  const auto wrong = policy_of({.policy_file = path});
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("pyro-policy.toml\": line 2, column 10"), std::string::npos)
      << wrong.error().message;
  std::filesystem::remove(path);
  EXPECT_EQ(policy_of({.policy_file = path}).error().code, Errc::kNotFound);
}

TEST(PolicyInfo, ShowsAPolicyAndGivesItBack) {
  const NetworkOptions options{
      .allow = {"GitHub.com:443", "10.0.0.0/8:1"}, .deny = {"a.b"}, .allow_udp = true};
  const auto policy = policy_of(options);
  ASSERT_TRUE(policy) << policy.error().message;
  const auto info = policy_info(*policy);
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->policy, "egress");
  EXPECT_EQ(info->allow, (std::vector<std::string>{"github.com:443", "10.0.0.0/8:1"}));
  EXPECT_EQ(info->deny, (std::vector<std::string>{"a.b:*"}));
  EXPECT_TRUE(info->allow_udp);
  EXPECT_EQ(info->hash.size(), 64U);
  EXPECT_EQ(text_of(options_of(*info)), policy->text());
  // printf 'preset off\n' | sha256sum
  EXPECT_EQ(policy_info({})->hash,
            "e5d6630b04b7f082287e3e10c1ce1ae992783d9d9b3846f002d17495be712e81");
}

TEST(UsablePolicy, WarnsAndRefuses) {
  std::vector<std::string> warnings;
  const auto note = [&](std::string_view warning) { warnings.emplace_back(warning); };
  EXPECT_TRUE(usable_policy({}, note));
  EXPECT_TRUE(warnings.empty());
  const auto usable = usable_policy({.deny = {"a.b"}}, note);
  ASSERT_TRUE(usable) << usable.error().message;
  EXPECT_EQ(usable->text(), "preset egress\ndeny a.b:*\n");
  EXPECT_EQ(warnings.size(), 1U);
  EXPECT_EQ(usable_policy({.allow = {"a.b"}}, {}).error().code, Errc::kInvalid);
}

TEST(Explain, SaysWhichRuleDecides) {
  const auto policy = policy_of({.allow = {"github.com:443"}, .deny = {"b.example"}});
  ASSERT_TRUE(policy) << policy.error().message;
  const auto answers = explain(
      *policy, {"tcp://GitHub.com:443", "tcp://b.example:1", "tcp://10.0.0.1:22", "icmp://a.b"});
  ASSERT_TRUE(answers) << answers.error().message;
  ASSERT_EQ(answers->size(), 4U);
  const Explanation& yes = answers->at(0);
  EXPECT_TRUE(yes.allow && yes.assumed);
  EXPECT_EQ(yes.endpoint, "tcp://github.com:443");
  EXPECT_EQ(yes.rule_id, "allow[0]");
  EXPECT_EQ(yes.rule, "github.com:443");
  EXPECT_EQ(yes.reason, "rule");
  EXPECT_EQ(answers->at(1).rule, "b.example:*");
  EXPECT_EQ(answers->at(1).reason, "denied");
  EXPECT_EQ(answers->at(2).rule_id, "preset");
  EXPECT_EQ(answers->at(2).rule, "");
  EXPECT_EQ(answers->at(2).reason, "special-range");
  EXPECT_FALSE(answers->at(2).assumed);
  EXPECT_EQ(answers->at(3).reason, "not-listed");
  EXPECT_EQ(explain(*policy, {"github.com"}).error().code, Errc::kInvalid);
}

// As the engine: net/shared.cc.
TEST(Explain, KnowsTheHostsOwnAddresses) {
  const auto policy = policy_of({.allow = {"10.0.0.0/8:80", "10.1.1.1:80"}});
  ASSERT_TRUE(policy) << policy.error().message;
  const auto answers = explain(*policy, {"tcp://10.1.1.1:80", "tcp://10.2.2.2:80"},
                               [](const policy::Address&) { return true; });
  ASSERT_TRUE(answers) << answers.error().message;
  EXPECT_EQ(answers->at(0).rule_id, "allow[1]");
  EXPECT_EQ(answers->at(1).reason, "host-loopback");
  EXPECT_FALSE(answers->at(1).allow);
}

// ---- the published schema of policy files

TEST(PolicyFileSchema, HasTheKeysAndBoundsOfTheParser) {
  const auto text =
      sys::read_file(std::string(PYRO_SOURCE_DIR) + "/docs/reference/policy-file.schema.json");
  ASSERT_TRUE(text) << text.error().message;
  const json::value schema = json::parse(*text);
  EXPECT_EQ(schema.at("additionalProperties"), false);
  EXPECT_EQ(schema.at("properties").as_object().size(), 1U);
  const json::value& network = schema.at("properties").at("network");
  EXPECT_EQ(network.at("additionalProperties"), false);
  std::vector<std::string> keys;
  for (const auto& pair : network.at("properties").as_object()) keys.emplace_back(pair.key());
  std::vector<std::string> parsed = policy::policy_file_keys();
  std::ranges::sort(keys);
  std::ranges::sort(parsed);
  EXPECT_EQ(keys, parsed);
  for (const auto& pair : network.at("properties").as_object()) {
    const std::string key(pair.key());
    const json::object& property = pair.value().as_object();
    const json::string& type = property.at("type").as_string();
    // Of the type that it says; a value of another one is refused by its type.
    const std::string good = type == "string"  ? "'egress'"
                             : type == "array" ? "['a.b:1']"
                                               : "false";
    EXPECT_TRUE(policy::parse_policy_file("[network]\n" + key + " = " + good)) << key;
    EXPECT_FALSE(policy::parse_policy_file("[network]\n" + key + " = 1")) << key;
    if (type == "array") {
      EXPECT_EQ(property.contains("minItems"),
                !policy::parse_policy_file("[network]\n" + key + " = []").has_value())
          << key;
      EXPECT_EQ(property.at("maxItems"), policy::kMostRules) << key;
      EXPECT_EQ(property.at("items").at("maxLength"), policy::kLongestRule) << key;
    }
  }
  for (const json::value& preset : network.at("properties").at("policy").at("enum").as_array())
    EXPECT_TRUE(policy::parse_preset(preset.as_string())) << preset;
  EXPECT_EQ(network.at("properties").at("policy").at("enum").as_array().size(), 3U);
}

TEST(PolicyFileSchema, TheExampleIsAPolicy) {
  const auto policy =
      read_policy_file(std::string(PYRO_SOURCE_DIR) + "/docs/reference/policy-example.toml");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->allow.size(), 5U);
  EXPECT_TRUE(policy::warnings(*policy).empty());
}

}  // namespace
}  // namespace pyro::client
