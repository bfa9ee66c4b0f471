#include "policy/decide.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "policy/name.h"

namespace pyro::policy {
namespace {

using Words = std::vector<std::string>;

Policy policy_of(const Words& allow, const Words& deny = {}) {
  Policy policy{.preset = Preset::kEgress};
  for (const auto& text : allow) policy.allow.push_back(parse_rule(text, Verdict::kAllow).value());
  for (const auto& text : deny) policy.deny.push_back(parse_rule(text, Verdict::kDeny).value());
  return policy;
}

// "tcp 1.2.3.4 443 name name..."; the answer as "allow[0] rule".
std::string ask(const RuleSet& rules, Protocol protocol, const char* address, int port,
                const Words& names = {}) {
  const Decision d = rules.decide({.protocol = protocol,
                                   .address = Address::parse(address).value(),
                                   .port = static_cast<std::uint16_t>(port),
                                   .names = names});
  EXPECT_EQ(d.allow, d.reason == Reason::kRule || d.reason == Reason::kPreset);
  return d.rule.text() + " " + reason_name(d.reason);
}
std::string tcp(const RuleSet& rules, const char* address, int port, const Words& names = {}) {
  return ask(rules, Protocol::kTcp, address, port, names);
}
std::string udp(const RuleSet& rules, const char* address, int port, const Words& names = {}) {
  return ask(rules, Protocol::kUdp, address, port, names);
}
std::string echo(const RuleSet& rules, const char* address, const Words& names = {}) {
  return ask(rules, Protocol::kEcho, address, 0, names);
}
std::string name(const RuleSet& rules, const std::string& text) {
  const Decision d = rules.decide_name(text);
  return d.rule.text() + " " + reason_name(d.reason);
}

constexpr const char* kPublicText = "93.184.216.34";
constexpr const char* kYes = "preset preset";
constexpr const char* kUnlisted = "preset not-listed";
constexpr const char* kSpecialText = "preset special-range";

TEST(Decide, OffIsNothing) {
  const RuleSet rules(Policy{});
  EXPECT_EQ(tcp(rules, kPublicText, 443), "preset off");
  EXPECT_EQ(udp(rules, "10.255.255.1", 53), "preset off");
  EXPECT_EQ(name(rules, "example.com"), "preset off");
}

TEST(Decide, EgressIsThePublicInternet) {
  const RuleSet rules(policy_of({}));
  EXPECT_EQ(tcp(rules, kPublicText, 443), kYes);
  EXPECT_EQ(udp(rules, kPublicText, 443), kYes);
  EXPECT_EQ(echo(rules, kPublicText), kYes);
  EXPECT_EQ(tcp(rules, "2600::1", 22), kYes);
  EXPECT_EQ(name(rules, "example.com"), kYes);
  EXPECT_TRUE(rules.any_name());
  for (const char* address :
       {"127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "::1", "fe80::1", "fd00::1", "ff02::1", "::ffff:10.0.0.1",
        "64:ff9b::a9fe:a9fe", "2002:a00:1::", "::7f00:1", "2001:db8::1"}) {
    EXPECT_EQ(tcp(rules, address, 80), kSpecialText) << address;
    EXPECT_EQ(udp(rules, address, 53), kSpecialText) << address;
    EXPECT_EQ(echo(rules, address), kSpecialText) << address;
    // Whatever a name server says.
    EXPECT_EQ(tcp(rules, address, 80, {"example.com"}), kSpecialText) << address;
  }
  EXPECT_EQ(udp(rules, "8.8.8.8", 53), "preset dns");
  EXPECT_EQ(tcp(rules, "8.8.8.8", 53), "preset dns");
  EXPECT_EQ(tcp(rules, "10.255.255.1", 22), "preset host-loopback");
  EXPECT_EQ(tcp(rules, "10.255.255.2", 22), "preset engine");
  EXPECT_EQ(name(rules, kHostName), "preset host-loopback");
}

TEST(Decide, ASingleAddressIsExactlyThatEndpoint) {
  const RuleSet rules(policy_of({"192.0.2.10/32:8080"}));
  EXPECT_EQ(tcp(rules, "192.0.2.10", 8080), "allow[0] rule");
  EXPECT_EQ(tcp(rules, "::ffff:192.0.2.10", 8080), "allow[0] rule");
  EXPECT_EQ(tcp(rules, "192.0.2.10", 8081), kSpecialText);
  EXPECT_EQ(udp(rules, "192.0.2.10", 8080), kSpecialText);
  EXPECT_EQ(echo(rules, "192.0.2.10"), kSpecialText);
  EXPECT_EQ(tcp(rules, "192.0.2.11", 8080), kSpecialText);
  EXPECT_EQ(tcp(rules, "127.0.0.1", 8080), kSpecialText);
  EXPECT_EQ(tcp(rules, kPublicText, 8080), kUnlisted);
  EXPECT_EQ(tcp(rules, "64:ff9b::c000:20a", 8080), kSpecialText);
  EXPECT_EQ(name(rules, "example.com"), kUnlisted);
  EXPECT_FALSE(rules.any_name());
}

TEST(Decide, ANameEarnsItsOwnPorts) {
  const RuleSet rules(policy_of({"a.example:443", "b.example:22", "*.c.example:80"}));
  EXPECT_EQ(tcp(rules, kPublicText, 443, {"a.example"}), "allow[0] rule");
  EXPECT_EQ(tcp(rules, kPublicText, 22, {"a.example"}), kUnlisted);
  EXPECT_EQ(tcp(rules, kPublicText, 22, {"b.example"}), "allow[1] rule");
  EXPECT_EQ(tcp(rules, kPublicText, 443), kUnlisted);
  EXPECT_EQ(tcp(rules, kPublicText, 443, {"x.a.example"}), kUnlisted);
  EXPECT_EQ(tcp(rules, kPublicText, 80, {"x.y.c.example"}), "allow[2] rule");
  EXPECT_EQ(tcp(rules, kPublicText, 80, {"c.example"}), kUnlisted);
  EXPECT_EQ(tcp(rules, kPublicText, 80, {"xc.example"}), kUnlisted);
  // Rebinding: the name is allowed, its address is not.
  EXPECT_EQ(tcp(rules, "127.0.0.1", 443, {"a.example"}), kSpecialText);
  EXPECT_EQ(name(rules, "a.example"), "allow[0] rule");
  EXPECT_EQ(name(rules, "x.a.example"), kUnlisted);
  EXPECT_EQ(name(rules, "x.c.example"), "allow[2] rule");
  EXPECT_EQ(name(rules, "c.example"), kUnlisted);
}

TEST(Decide, WideRulesStayPublic) {
  const RuleSet rules(policy_of({"*:443", "0.0.0.0/1:80", "[::/1]:80", "100.0.0.0/8:22"}));
  EXPECT_EQ(tcp(rules, kPublicText, 443), "allow[0] rule");
  EXPECT_EQ(tcp(rules, kPublicText, 80), "allow[1] rule");
  EXPECT_EQ(tcp(rules, "100.1.2.3", 22), "allow[3] rule");
  for (const char* address : {"10.0.0.1", "127.0.0.1", "100.64.0.1", "::1", "64:ff9b::a00:1"}) {
    for (const int port : {443, 80, 22}) EXPECT_EQ(tcp(rules, address, port), kSpecialText);
  }
  EXPECT_EQ(tcp(rules, "10.255.255.1", 443), "preset host-loopback");
  EXPECT_EQ(name(rules, "anything.example"), "allow[0] rule");
}

TEST(Decide, ASpecialRangeIsReachedByItsOwnRule) {
  const RuleSet rules(policy_of({"10.0.0.0/8:5432", "169.254.169.254:80", "[fd00::/8]:1"}));
  EXPECT_EQ(tcp(rules, "10.1.2.3", 5432), "allow[0] rule");
  EXPECT_EQ(tcp(rules, "10.1.2.3", 5433), kSpecialText);
  EXPECT_EQ(tcp(rules, "192.168.0.1", 5432), kSpecialText);
  EXPECT_EQ(tcp(rules, "169.254.169.254", 80), "allow[1] rule");
  EXPECT_EQ(tcp(rules, "fd01::1", 1), "allow[2] rule");
  // Never the link itself.
  EXPECT_EQ(tcp(rules, "10.255.255.1", 5432), "preset host-loopback");
  EXPECT_EQ(tcp(rules, "10.255.255.3", 5432), "preset engine");
}

TEST(Decide, TheHostIsOpenedPortByPort) {
  const RuleSet rules(policy_of({"host.pyro.internal:5432,6379"}, {"host.pyro.internal:6379"}));
  EXPECT_EQ(tcp(rules, "10.255.255.1", 5432), "allow[0] rule");
  EXPECT_EQ(tcp(rules, "fd70:7972:6f00::1", 5432), "allow[0] rule");
  EXPECT_EQ(tcp(rules, "10.255.255.1", 6379), "deny[0] denied");
  EXPECT_EQ(tcp(rules, "10.255.255.1", 22), "preset host-loopback");
  EXPECT_EQ(udp(rules, "10.255.255.1", 5432), "preset host-loopback");
  EXPECT_EQ(tcp(rules, "127.0.0.1", 5432), kSpecialText);
  EXPECT_EQ(name(rules, kHostName), "allow[0] rule");
}

TEST(Decide, DenyComesFirst) {
  const RuleSet rules(policy_of(
      {"*:443", "a.example:22"},
      {"93.184.0.0/16", "bad.example", "*.bad.example", "half.example:443", "udp://1.1.1.1:53"}));
  EXPECT_EQ(tcp(rules, kPublicText, 443), "deny[0] denied");
  EXPECT_EQ(tcp(rules, "1.1.1.1", 443), "allow[0] rule");
  EXPECT_EQ(tcp(rules, "1.1.1.1", 443, {"bad.example"}), "deny[1] denied");
  EXPECT_EQ(tcp(rules, "1.1.1.1", 443, {"good.example", "x.bad.example"}), "deny[2] denied");
  EXPECT_EQ(tcp(rules, "64:ff9b::5db8:d822", 443), "deny[0] denied");
  EXPECT_EQ(name(rules, "bad.example"), "deny[1] denied");
  EXPECT_EQ(name(rules, "x.y.bad.example"), "deny[2] denied");
  EXPECT_EQ(name(rules, "half.example"), "allow[0] rule");
  EXPECT_EQ(tcp(rules, "1.1.1.1", 443, {"half.example"}), "deny[3] denied");
}

TEST(Decide, AnAliasCanBeDeniedAndEarnsNothing) {
  const RuleSet rules(policy_of({"a.example:443", "b.example:22"}, {"evil.example"}));
  const auto ask_with = [&](int port, const Words& names, const Words& aliases) {
    const Decision d = rules.decide({.address = *Address::parse(kPublicText),
                                     .port = static_cast<std::uint16_t>(port),
                                     .names = names,
                                     .aliases = aliases});
    return d.rule.text() + " " + reason_name(d.reason);
  };
  EXPECT_EQ(ask_with(443, {"a.example"}, {"b.example"}), "allow[0] rule");
  EXPECT_EQ(ask_with(22, {"a.example"}, {"b.example"}), kUnlisted);
  EXPECT_EQ(ask_with(443, {"a.example"}, {"evil.example"}), "deny[0] denied");
}

TEST(Decide, ADenyRuleWithoutASchemeIsAboutEveryProtocol) {
  const RuleSet rules(policy_of({}, {"1.1.1.1", "8.8.8.8:443", "tcp://9.9.9.9"}));
  EXPECT_EQ(udp(rules, "1.1.1.1", 443), "deny[0] denied");
  EXPECT_EQ(echo(rules, "1.1.1.1"), "deny[0] denied");
  EXPECT_EQ(udp(rules, "8.8.8.8", 443), "deny[1] denied");
  EXPECT_EQ(echo(rules, "8.8.8.8"), kYes);
  EXPECT_EQ(tcp(rules, "9.9.9.9", 443), "deny[2] denied");
  EXPECT_EQ(udp(rules, "9.9.9.9", 443), kYes);
}

TEST(Decide, TheTwoFlagsWidenWhatIsListed) {
  Policy policy = policy_of({"1.1.1.1:53", "tcp://2.2.2.2:53", "icmp://3.3.3.3"});
  const RuleSet narrow(policy);
  EXPECT_EQ(udp(narrow, "1.1.1.1", 53), kUnlisted);
  EXPECT_EQ(echo(narrow, "1.1.1.1"), kUnlisted);
  EXPECT_EQ(echo(narrow, "3.3.3.3"), "allow[2] rule");
  policy.allow_udp = policy.allow_icmp = true;
  const RuleSet wide(policy);
  EXPECT_EQ(udp(wide, "1.1.1.1", 53), "allow[0] rule");
  EXPECT_EQ(udp(wide, "1.1.1.1", 54), kUnlisted);
  EXPECT_EQ(udp(wide, "2.2.2.2", 53), kUnlisted);
  EXPECT_EQ(echo(wide, "1.1.1.1"), "allow[0] rule");
  EXPECT_EQ(echo(wide, "2.2.2.2"), kUnlisted);
  EXPECT_EQ(echo(wide, "4.4.4.4"), kUnlisted);
}

TEST(Decide, TheFirstRuleOfSeveralIsNamed) {
  const RuleSet rules(policy_of({"*:80-90", "1.1.1.1:85", "1.1.1.0/24:85,95", "1.1.1.1:95"}));
  EXPECT_EQ(tcp(rules, "1.1.1.1", 85), "allow[0] rule");
  EXPECT_EQ(tcp(rules, "1.1.1.1", 95), "allow[2] rule");
  EXPECT_EQ(tcp(rules, "1.1.2.1", 95), kUnlisted);
}

TEST(Decide, WhatIsAskedBeforeANameIsResolved) {
  const RuleSet rules(policy_of({"a.example:443", "*:80"}, {"bad.example", "a.example:80"}));
  const auto explain = [&](const std::string& host, int port) {
    const Decision d =
        rules.decide_unresolved(Protocol::kTcp, host, static_cast<std::uint16_t>(port));
    return d.rule.text() + " " + reason_name(d.reason);
  };
  EXPECT_EQ(explain("a.example", 443), "allow[0] rule");
  EXPECT_EQ(explain("a.example", 80), "deny[1] denied");
  EXPECT_EQ(explain("b.example", 80), "allow[1] rule");
  EXPECT_EQ(explain("b.example", 443), kUnlisted);
  EXPECT_EQ(explain("bad.example", 80), "deny[0] denied");
  EXPECT_EQ(explain(kHostName, 80), "preset host-loopback");
}

// ---- against a model that walks the rules one by one

bool covers(const Rule& rule, const Policy& policy, const Endpoint& flow) {
  const bool deny = rule.verdict == Verdict::kDeny;
  bool about = rule.has_scheme && rule.protocol == flow.protocol;
  if (!rule.has_scheme) {
    about = flow.protocol == Protocol::kTcp ||
            (flow.protocol == Protocol::kUdp && (deny || policy.allow_udp)) ||
            (flow.protocol == Protocol::kEcho && (deny ? rule.all_ports() : policy.allow_icmp));
  }
  if (!about) return false;
  if (flow.protocol != Protocol::kEcho && std::ranges::none_of(rule.ports, [&](const PortRange& r) {
        return r.first <= flow.port && flow.port <= r.last;
      }))
    return false;
  const bool is_public = range_of(flow.address) == Range::kPublic;
  if (std::holds_alternative<AnyTarget>(rule.target)) return deny || is_public;
  if (const auto* n = std::get_if<NameTarget>(&rule.target)) {
    return (deny || is_public) && std::ranges::any_of(flow.names, [&](const std::string& known) {
             return n->below ? is_below(known, n->name) : known == n->name;
           });
  }
  if (const auto* b = std::get_if<Block>(&rule.target)) {
    const auto inner = translated(flow.address);
    if (deny && inner && b->contains(*inner)) return true;
    return b->contains(flow.address) && (deny || is_public || special_block_around(*b));
  }
  return false;
}

Decision model(const Policy& policy, const Endpoint& flow) {
  for (std::size_t i = 0; i < policy.deny.size(); ++i) {
    if (covers(policy.deny[i], policy, flow))
      return {.rule = {.kind = RuleId::Kind::kDeny, .index = i}, .reason = Reason::kDenied};
  }
  for (std::size_t i = 0; i < policy.allow.size(); ++i) {
    if (covers(policy.allow[i], policy, flow)) {
      return {.allow = true,
              .rule = {.kind = RuleId::Kind::kAllow, .index = i},
              .reason = Reason::kRule};
    }
  }
  if (range_of(flow.address) != Range::kPublic) return {.reason = Reason::kSpecialRange};
  if (!policy.allow.empty()) return {.reason = Reason::kNotListed};
  if (flow.port == 53 && flow.protocol != Protocol::kEcho) return {.reason = Reason::kDns};
  return {.allow = true, .reason = Reason::kPreset};
}

class Draw {
 public:
  explicit Draw(unsigned seed) : random_(seed) {}
  std::size_t below(std::size_t n) { return random_() % n; }
  const char* one_of(std::initializer_list<const char*> texts) {
    return *(texts.begin() + below(texts.size()));
  }
  std::string port() { return one_of({"22", "53", "80", "443", "80-90", "22,443", "1-100", "*"}); }
  std::string rule(Verdict verdict) {
    const std::string scheme = one_of({"", "", "tcp://", "udp://", "icmp://"});
    std::string target =
        one_of({"*", "a.example", "*.example", "b.a.example", "1.1.1.1", "1.1.0.0/16", "10.0.0.0/8",
                "10.1.1.1", "0.0.0.0/1", "[2600::/16]", "[64:ff9b::/96]", "[fd00::/8]"});
    if (scheme == "icmp://") {
      if (target.starts_with('[')) target = target.substr(1, target.size() - 2);
      return scheme + target;
    }
    if (verdict == Verdict::kDeny && below(4) == 0 && !target.starts_with('['))
      return scheme + target;
    return scheme + target + ":" + port();
  }

 private:
  std::mt19937 random_;
};

TEST(Decide, TheHostsOwnAddressesAreReachedByARuleForThemAlone) {
  const RuleSet rules(policy_of({"192.168.1.0/24:80", "8.8.0.0/16:*", "192.168.1.5:80-90",
                                 "192.168.1.5:85", "udp://192.168.1.5:80"},
                                {"192.168.1.5:90"}));
  const auto decide = [&](Protocol protocol, const char* address, std::uint16_t port, bool own) {
    const Endpoint flow{.protocol = protocol, .address = *Address::parse(address), .port = port};
    const Decision d =
        rules.unless_own(rules.decide(flow), flow, [own](const Address&) { return own; });
    return d.rule.text() + " " + reason_name(d.reason);
  };
  EXPECT_EQ(decide(Protocol::kTcp, "192.168.1.5", 80, false), "allow[0] rule");
  EXPECT_EQ(decide(Protocol::kTcp, "192.168.1.5", 80, true), "allow[2] rule");
  EXPECT_EQ(decide(Protocol::kTcp, "192.168.1.5", 85, true), "allow[2] rule");
  EXPECT_EQ(decide(Protocol::kUdp, "192.168.1.5", 80, true), "allow[4] rule");
  EXPECT_EQ(decide(Protocol::kTcp, "192.168.1.6", 80, true), "preset host-loopback");
  EXPECT_EQ(decide(Protocol::kTcp, "8.8.8.8", 53, true), "preset host-loopback");
  EXPECT_EQ(decide(Protocol::kTcp, "8.8.8.8", 53, false), "allow[1] rule");
  // What is refused stays so, for the reason that it has.
  EXPECT_EQ(decide(Protocol::kTcp, "192.168.1.5", 90, true), "deny[0] denied");
  EXPECT_EQ(decide(Protocol::kEcho, "192.168.1.5", 0, true), "preset special-range");
}

TEST(Decide, IsWhatTheRulesSayOneByOne) {
  constexpr unsigned kPolicies = 400;
  constexpr int kFlows = 200;
  for (unsigned seed = 0; seed < kPolicies; ++seed) {
    Draw draw(seed);
    Words allow;
    Words deny;
    for (std::size_t i = draw.below(6); i > 0; --i) allow.push_back(draw.rule(Verdict::kAllow));
    for (std::size_t i = draw.below(4); i > 0; --i) deny.push_back(draw.rule(Verdict::kDeny));
    Policy policy = policy_of(allow, deny);
    policy.allow_udp = draw.below(2) == 1;
    policy.allow_icmp = draw.below(2) == 1;
    const RuleSet rules(policy);
    for (int i = 0; i < kFlows; ++i) {
      const auto protocol = static_cast<Protocol>(draw.below(kProtocols));
      const Address address = *Address::parse(draw.one_of(
          {"1.1.1.1", "1.1.2.2", "9.9.9.9", "200.1.1.1", "10.1.1.1", "10.2.2.2", "127.0.0.1",
           "2600::1", "2a00::1", "64:ff9b::101:101", "64:ff9b::a01:101", "fd00::1", "::1"}));
      static constexpr std::array<std::uint16_t, 7> kSome{1, 22, 53, 80, 85, 443, 65535};
      const std::uint16_t port =
          protocol == Protocol::kEcho ? std::uint16_t{0} : kSome[draw.below(kSome.size())];
      Words names;
      for (std::size_t n = draw.below(3); n > 0; --n)
        names.emplace_back(draw.one_of({"a.example", "b.a.example", "c.example", "other.test"}));
      const Endpoint flow{.protocol = protocol, .address = address, .port = port, .names = names};
      const Decision got = rules.decide(flow);
      const Decision wanted = model(policy, flow);
      ASSERT_EQ(got, wanted) << policy.text() << protocol_name(protocol) << " " << address.text()
                             << " " << port << ": " << got.rule.text() << " "
                             << reason_name(got.reason) << ", not " << wanted.rule.text() << " "
                             << reason_name(wanted.reason);
    }
  }
}

}  // namespace
}  // namespace pyro::policy
