#include "net/gate.h"

#include <span>

namespace pyro::net {

Gate::Verdict Gate::judge(policy::Protocol protocol, const policy::Address& address,
                          std::uint16_t port, Time now) const {
  if (policy::is_engine(address)) {
    return {.decision = rules_.decide({.protocol = protocol, .address = address, .port = port}),
            .name = policy::kHostName};
  }
  Pins::Names names = pins_.names(address, now);
  policy::Endpoint flow{.protocol = protocol,
                        .address = address,
                        .port = port,
                        .names = names.asked,
                        .aliases = names.aliases};
  Verdict out{.decision = rules_.decide(flow)};
  if (names.asked.empty()) return out;
  out.name = names.asked.front();
  if (names.asked.size() == 1 || !out.decision.allow) return out;
  // Which of them it was: alone it would have done.
  for (const std::string& name : names.asked) {
    flow.names = std::span(&name, 1);
    if (rules_.decide(flow) != out.decision) continue;
    out.name = name;
    break;
  }
  return out;
}

policy::Decision Gate::judge_again(policy::Protocol protocol, const policy::Address& address,
                                   std::uint16_t port, const std::string& name, Time now) const {
  // Its pin may have ended since; other names of this address can only deny it.
  Pins::Names others = pins_.names(address, now);
  others.aliases.insert(others.aliases.end(), others.asked.begin(), others.asked.end());
  const bool engine = policy::is_engine(address);
  return rules_.decide({.protocol = protocol,
                        .address = address,
                        .port = port,
                        .names = std::span(&name, name.empty() || engine ? 0 : 1),
                        .aliases = others.aliases});
}

}  // namespace pyro::net
