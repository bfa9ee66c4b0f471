// The commands about network policies, each as in commands.h, and what other commands share with
// them.
#pragma once

#include <string>
#include <vector>

#include "cli/commands.h"
#include "client/network.h"

namespace pyro::cli {

// What the options of a command say of the network; what they mean together is for the library.
Result<client::NetworkOptions> network_options(const Invocation& call);
// A line for people: what a command was kept from.
std::string refusal_line(const client::RefusedEndpoint& refused);
// A line of standard error for each.
void show_warnings(Io& io, const std::vector<std::string>& warnings);

Result<int> network_show(const Invocation& call, Io& io, Backend& backend);
Result<int> network_info(const Invocation& call, Io& io, Backend& backend);
Result<int> network_events(const Invocation& call, Io& io, Backend& backend);
Result<int> network_set(const Invocation& call, Io& io, Backend& backend);
Result<int> policy_check(const Invocation& call, Io& io, Backend& backend);
Result<int> policy_explain(const Invocation& call, Io& io, Backend& backend);

}  // namespace pyro::cli
