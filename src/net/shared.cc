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

policy::Decision Shared::unless_own(const policy::Decision& decision, policy::Protocol protocol,
                                    const Address& address, std::uint16_t port) {
  return gate.rules().unless_own(decision, {.protocol = protocol, .address = address, .port = port},
                                 [this](const Address& a) { return network.is_own(a); });
}

}  // namespace pyro::net
