#include "net/gate.h"

#include <gtest/gtest.h>

namespace pyro::net {
namespace {

using namespace std::chrono_literals;
using policy::Reason;

class GateTest : public testing::Test {
 protected:
  GateTest() { set({}, {}); }
  void set(const std::vector<std::string>& allow, const std::vector<std::string>& deny) {
    policy::Policy policy{.preset = policy::Preset::kEgress};
    for (const std::string& rule : allow)
      policy.allow.push_back(policy::parse_rule(rule, policy::Verdict::kAllow).value());
    for (const std::string& rule : deny)
      policy.deny.push_back(policy::parse_rule(rule, policy::Verdict::kDeny).value());
    gate_.set(std::move(policy));
  }
  void pin(const char* name, const std::vector<std::string>& aliases = {}) {
    gate_.pins().pin(address_, name, aliases, 300, now_);
  }
  [[nodiscard]] Reason judge() const {
    return gate_.judge(policy::Protocol::kTcp, address_, 443, now_).decision.reason;
  }
  [[nodiscard]] Reason judge_again(const char* name) const {
    return gate_.judge_again(policy::Protocol::kTcp, address_, 443, name, now_).reason;
  }
  Gate gate_;
  Gate::Time now_ = Gate::Time() + 1h;
  policy::Address address_ = policy::Address::parse("93.184.216.34").value();
};

TEST_F(GateTest, ANameThatIsDeniedWhileTheGuestRunsTakesItsAddressesAlong) {
  pin("evil.example");
  EXPECT_EQ(judge(), Reason::kPreset);
  set({}, {"evil.example"});
  EXPECT_EQ(judge(), Reason::kDenied);
  // By every rule about it.
  set({}, {"*.example"});
  EXPECT_EQ(judge(), Reason::kDenied);
  set({"*:443"}, {"evil.example:443"});
  EXPECT_EQ(judge(), Reason::kDenied);
}

TEST_F(GateTest, AFlowEndsWhenAnotherNameOfItsAddressIsDenied) {
  pin("good.example", {"cdn.example"});
  pin("bad.example");
  for (const char* name : {"bad.example", "cdn.example"}) {
    set({}, {});
    EXPECT_EQ(judge_again("good.example"), Reason::kPreset);
    set({}, {name});
    EXPECT_EQ(judge_again("good.example"), Reason::kDenied) << name;
    EXPECT_EQ(judge(), Reason::kDenied) << name;
  }
}

TEST_F(GateTest, WhatWasLearntForANameIsRememberedThroughAPolicyThatDoesNotListIt) {
  pin("evil.example");
  set({"good.example:443"}, {});
  EXPECT_EQ(judge(), Reason::kNotListed);
  set({}, {"evil.example"});
  EXPECT_EQ(judge(), Reason::kDenied);
}

}  // namespace
}  // namespace pyro::net
