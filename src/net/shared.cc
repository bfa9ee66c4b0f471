#include "net/shared.h"

namespace pyro::net {

Gate::Verdict Shared::judge(policy::Protocol protocol, const Address& address, std::uint16_t port,
                            Time now) {
  Gate::Verdict verdict = gate.judge(protocol, address, port, now);
  verdict.decision = unless_own(verdict.decision, protocol, address, port);
  return verdict;
}

policy::Decision Shared::judge_again(policy::Protocol protocol, const Address& address,
                                     std::uint16_t port, const std::string& name, Time now) {
  return unless_own(gate.judge_again(protocol, address, port, name, now), protocol, address, port);
}

policy::Decision Shared::unless_own(policy::Decision decision, policy::Protocol protocol,
                                    const Address& address, std::uint16_t port) {
  if (!decision.allow || policy::is_engine(address)) return decision;
  // A wider rule may have come first.
  const auto exact = gate.rules().names_exactly(protocol, address, port);
  if (exact == decision.rule || !network.is_own(address)) return decision;
  if (exact) return {.allow = true, .rule = *exact, .reason = policy::Reason::kRule};
  return {.allow = false, .rule = {}, .reason = policy::Reason::kHostLoopback};
}

}  // namespace pyro::net
