#include "net/shared.h"

#include <variant>

namespace pyro::net {

Gate::Verdict Shared::judge(policy::Protocol protocol, const Address& address, std::uint16_t port,
                            Time now) {
  Gate::Verdict verdict = gate.judge(protocol, address, port, now);
  verdict.decision = unless_own(verdict.decision, address);
  return verdict;
}

policy::Decision Shared::judge_again(policy::Protocol protocol, const Address& address,
                                     std::uint16_t port, const std::string& name, Time now) {
  return unless_own(gate.judge_again(protocol, address, port, name, now), address);
}

policy::Decision Shared::unless_own(policy::Decision decision, const Address& address) {
  if (!decision.allow || policy::is_engine(address)) return decision;
  if (decision.rule.kind == policy::RuleId::Kind::kAllow) {
    const policy::Rule& rule = gate.rules().policy().allow[decision.rule.index];
    const auto* const block = std::get_if<policy::Block>(&rule.target);
    if (block != nullptr && block->single()) return decision;
  }
  if (!network.is_own(address)) return decision;
  return {.allow = false, .rule = {}, .reason = policy::Reason::kHostLoopback};
}

}  // namespace pyro::net
