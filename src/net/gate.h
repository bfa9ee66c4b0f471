// The policy of a running engine: decide(), with the names that the guest was told.
#pragma once

#include <string>
#include <utility>

#include "net/pins.h"
#include "policy/decide.h"

namespace pyro::net {

class Gate {
 public:
  using Time = Pins::Time;
  Gate() : rules_(policy::Policy{}) {}

  // All pins stay: what the guest was told of a name is what a rule that denies it must know.
  void set(policy::Policy policy) { rules_ = policy::RuleSet(std::move(policy)); }
  [[nodiscard]] const policy::RuleSet& rules() const { return rules_; }
  Pins& pins() { return pins_; }

  struct Verdict {
    policy::Decision decision;
    std::string name;  // by which it is allowed, or the first one that the guest was told
  };
  [[nodiscard]] Verdict judge(policy::Protocol protocol, const policy::Address& address,
                              std::uint16_t port, Time now) const;
  // Of a flow that was allowed by that name.
  [[nodiscard]] policy::Decision judge_again(policy::Protocol protocol,
                                             const policy::Address& address, std::uint16_t port,
                                             const std::string& name, Time now) const;

 private:
  policy::RuleSet rules_;
  Pins pins_;
};

}  // namespace pyro::net
