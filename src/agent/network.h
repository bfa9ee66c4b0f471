// The guest's end of its link, set up once, before the template is saved.
#pragma once

#include <vector>

#include "base/result.h"
#include "proto/agent_messages.h"

namespace pyro::agent {

// Gives the machine's Ethernet device these addresses, routes through the engine, and names it in
// /etc/resolv.conf. Needs /proc and the guest's root. kInvalid: no addresses. What was
// done before an error stays: the machine is of no use.
Result<void> configure_network(const std::vector<proto::LinkAddress>& link);

}  // namespace pyro::agent
