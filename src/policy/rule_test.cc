#include "policy/rule.h"

#include <gtest/gtest.h>

#include "policy/name.h"
#include "policy/policy.h"

namespace pyro::policy {
namespace {

TEST(HostName, IsLowerCasedLabels) {
  EXPECT_EQ(host_name("Example.COM"), "example.com");
  EXPECT_EQ(host_name("example.com."), "example.com");
  EXPECT_EQ(host_name("_sip._tcp.example.com"), "_sip._tcp.example.com");
  EXPECT_EQ(host_name("localhost"), "localhost");
  EXPECT_EQ(host_name("xn--bcher-kva.example"), "xn--bcher-kva.example");
  EXPECT_EQ(host_name(std::string(63, 'a') + ".b"), std::string(63, 'a') + ".b");
  for (const std::string& text :
       {std::string(""), std::string("."), std::string(".."), std::string("a..b"),
        std::string(".a"), std::string("-a.b"), std::string("a-.b"), std::string("a b"),
        std::string("b\xc3\xbc.de"), std::string(64, 'a'), std::string(253, 'a') + ".b",
        std::string("1.2.3.4"), std::string("a.123"), std::string("0x7f"), std::string("a.0x"),
        std::string("a\0b", 3), std::string("a*b.c")}) {
    EXPECT_FALSE(host_name(text)) << text;
  }
  EXPECT_TRUE(is_below("a.b.c", "b.c"));
  EXPECT_TRUE(is_below("a.b.c", "c"));
  EXPECT_FALSE(is_below("b.c", "b.c"));
  EXPECT_FALSE(is_below("ab.c", "b.c"));
  EXPECT_FALSE(is_below(".c", "c"));
}

TEST(Rule, IsReadAndWrittenInOneForm) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {"github.com:443", "github.com:443"},
      {"GitHub.com.:443", "github.com:443"},
      {"github.com:443,22", "github.com:22,443"},
      {"github.com:22, 443", "github.com:22,443"},
      {"a.b:1000-2000,1500-3000,80", "a.b:80,1000-3000"},
      {"a.b:80,81", "a.b:80-81"},
      {"a.b:*", "a.b:*"},
      {"a.b:1-65535", "a.b:*"},
      {":8080", "*:8080"},
      {"*:8080", "*:8080"},
      {"*:*", "*:*"},
      {"*.example.com:443", "*.example.com:443"},
      {"10.0.0.0/8:5432", "10.0.0.0/8:5432"},
      {"192.0.2.10/32:8080", "192.0.2.10:8080"},
      {"[2001:db8::/32]:443", "[2001:db8::/32]:443"},
      {"[::ffff:10.0.0.1]:80", "10.0.0.1:80"},
      {"tcp://a.b:1", "tcp://a.b:1"},
      {"udp://[2001:db8::1]:53", "udp://[2001:db8::1]:53"},
      {"icmp://a.b", "icmp://a.b"},
      {"icmp://*", "icmp://*"},
      {"icmp://2001:db8::1", "icmp://2001:db8::1"},
      {"icmp://[2001:db8::1]", "icmp://2001:db8::1"},
      {"icmp://1.2.3.4", "icmp://1.2.3.4"},
      {"host.pyro.internal:5432", "host.pyro.internal:5432"},
      {"host.pyro.internal:80,81", "host.pyro.internal:80-81"},
  };
  for (const auto& [in, out] : cases) {
    const auto rule = parse_rule(in, Verdict::kAllow);
    ASSERT_TRUE(rule) << in << ": " << rule.error().message;
    EXPECT_EQ(rule->text(), out) << in;
    const auto again = parse_rule(rule->text(), Verdict::kAllow);
    ASSERT_TRUE(again) << out << ": " << again.error().message;
    EXPECT_EQ(*again, *rule) << in;
  }
}

TEST(Rule, WhatIsNoneIsRefusedWithItsPlace) {
  struct Case {
    const char* text;
    int at;  // from 1
    const char* says;
  };
  const std::vector<Case> cases{
      {"github.com", 11, "there are no ports"},
      {"*", 2, "there are no ports"},
      {"1.2.3.4", 8, "there are no ports"},
      {"[::2]", 6, "there are no ports"},
      {":", 2, "no port"},
      {"a.b:", 5, "no port"},
      {"a.b:0", 5, "\"0\" is no port"},
      {"a.b:65536", 5, "no port"},
      {"a.b:+1", 5, "no port"},
      {"a.b:80,", 8, "no port"},
      {"a.b:80,,81", 8, "no port"},
      {"a.b:http", 5, "no port"},
      {"a.b:80,*", 8, "stands alone"},
      {"a.b:20-10", 5, "backwards"},
      {"a.b:10-", 8, "no port"},
      {"a.b:-10", 5, "no port"},
      {"ftp://a.b:21", 1, "no protocol"},
      {"TCP://a.b:21", 1, "no protocol"},
      {"://a.b:21", 1, "no protocol"},
      {"tcp://", 7, "no target"},
      {"icmp://a.b:80", 11, "no ports"},
      {"a b:80", 1, "neither a name"},
      {"*.*.com:80", 3, "neither a name"},
      {"a.*.com:80", 1, "neither a name"},
      {"*.:80", 3, "neither a name"},
      {"b\xc3\xbc.de:80", 1, "neither a name"},
      {"0x7f.1:80", 1, "neither a name"},
      {"2130706433:80", 1, "no address"},
      {"127.1:80", 1, "no address"},
      {"::1:443", 8, "there are no ports"},
      {"2001:db8::1:443", 16, "there are no ports"},
      {"[2001:db8::1:443", 1, "not closed"},
      {"[2001:db8::1]443", 14, "after ]"},
      {"[1.2.3.4]:80", 2, "only IPv6"},
      {"0.0.0.0/0:80", 1, "every address"},
      {"[::/0]:80", 2, "every address"},
      {"10.0.0.1/8:80", 1, "the block is 10.0.0.0/8"},
      {"127.0.0.1:80", 1, "the guest itself"},
      {"127.0.0.0/8:80", 1, "the guest itself"},
      {"0.0.0.0:80", 1, "the guest itself"},
      {"[::1]:80", 2, "the guest itself"},
      {"[::ffff:127.0.0.1]:80", 2, "the guest itself"},
      {"10.255.255.1:80", 1, "network engine"},
      {"[fd70:7972:6f00::1]:80", 2, "network engine"},
      {"host.pyro.internal:*", 1, "port by port"},
      {"host.pyro.internal:1-65535", 1, "port by port"},
      {"icmp://host.pyro.internal", 1, "port by port"},
      {"pyro.internal:80", 1, "none of pyro's own"},
      {"*.pyro.internal:80", 3, "none of pyro's own"},
      {"other.pyro.internal:80", 1, "none of pyro's own"},
  };
  for (const Case& c : cases) {
    std::size_t place = 0;
    const auto rule = parse_rule(c.text, Verdict::kAllow, &place);
    ASSERT_FALSE(rule) << c.text;
    EXPECT_EQ(rule.error().code, Errc::kInvalid);
    EXPECT_EQ(static_cast<int>(place), c.at) << c.text;
    const std::string& message = rule.error().message;
    EXPECT_NE(message.find("character " + std::to_string(c.at) + ":"), std::string::npos)
        << c.text << ": " << message;
    EXPECT_NE(message.find(c.says), std::string::npos) << c.text << ": " << message;
  }
  std::size_t place = 7;
  EXPECT_FALSE(parse_rule("", Verdict::kAllow, &place));
  EXPECT_EQ(place, 0U);
  EXPECT_FALSE(parse_rule(std::string(600, 'a') + ":80", Verdict::kAllow));
  EXPECT_FALSE(parse_rule(std::string_view("a.b:80\0", 7), Verdict::kAllow));
}

TEST(Rule, ADenyRuleMayNameMore) {
  EXPECT_EQ(parse_rule("a.b", Verdict::kDeny)->text(), "a.b:*");
  EXPECT_EQ(parse_rule("10.0.0.0/8", Verdict::kDeny)->text(), "10.0.0.0/8:*");
  EXPECT_EQ(parse_rule("2001:db8::/32", Verdict::kDeny)->text(), "[2001:db8::/32]:*");
  EXPECT_EQ(parse_rule("127.0.0.0/8", Verdict::kDeny)->text(), "127.0.0.0/8:*");
  EXPECT_EQ(parse_rule("host.pyro.internal", Verdict::kDeny)->text(), "host.pyro.internal:*");
}

TEST(Policy, ItsTextSaysAllOfIt) {
  Policy policy{.preset = Preset::kEgress, .allow_udp = true};
  policy.allow.push_back(*parse_rule("A.b:443,80", Verdict::kAllow));
  policy.deny.push_back(*parse_rule("10.0.0.0/8", Verdict::kDeny));
  EXPECT_EQ(policy.text(), "preset egress\nallow-udp\ndeny 10.0.0.0/8:*\nallow a.b:80,443\n");
  EXPECT_TRUE(check_policy(policy));
}

TEST(Policy, WhatMakesNoSenseIsRefused) {
  Policy off;
  EXPECT_TRUE(check_policy(off));
  off.allow.push_back(*parse_rule("a.b:443", Verdict::kAllow));
  EXPECT_EQ(check_policy(off).error().code, Errc::kInvalid);
  off.preset = Preset::kEgress;
  EXPECT_TRUE(check_policy(off));
  off.allow_icmp = true;
  EXPECT_TRUE(check_policy(off));
  off.allow = {*parse_rule("tcp://a.b:443", Verdict::kAllow)};
  EXPECT_EQ(check_policy(off).error().code, Errc::kInvalid);
  off.allow.clear();
  EXPECT_EQ(check_policy(off).error().code, Errc::kInvalid);
  off.allow_icmp = false;
  off.deny.assign(kMostRules + 1, *parse_rule("a.b", Verdict::kDeny));
  EXPECT_EQ(check_policy(off).error().code, Errc::kLimit);
}

TEST(Policy, PresetsHaveNames) {
  for (const char* name : {"off", "egress", "egress+published-ports"})
    EXPECT_STREQ(preset_name(*parse_preset(name)), name);
  for (const char* name : {"", "on", "Egress", "egress "}) EXPECT_FALSE(parse_preset(name));
}

TEST(Policy, ADeniedNameBesideEverythingIsWarnedOf) {
  Policy policy{.preset = Preset::kEgress};
  policy.deny.push_back(*parse_rule("a.b", Verdict::kDeny));
  EXPECT_EQ(warnings(policy).size(), 1U);
  policy.allow.push_back(*parse_rule("c.d:443", Verdict::kAllow));
  EXPECT_TRUE(warnings(policy).empty());
  policy.allow.push_back(*parse_rule("*:443", Verdict::kAllow));
  EXPECT_EQ(warnings(policy).size(), 1U);
}

}  // namespace
}  // namespace pyro::policy
