// What people say about the network of a sandbox, as a policy that cannot be wrong.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/own_address.h"
#include "policy/decide.h"
#include "policy/policy.h"
#include "proto/network_requests.h"
#include "pyro/network.hpp"

namespace pyro::client {

using pyro::Explanation;
using pyro::LiveNetwork;
using pyro::NetworkAddress;
using pyro::NetworkOptions;
using pyro::PolicyInfo;
using pyro::RefusedEndpoint;

// kInvalid: a rule that is none, things that do not go together; what reading the file says.
Result<policy::Policy> policy_of(const NetworkOptions& options);
// kInvalid names the file and the line.
Result<policy::Policy> read_policy_file(const std::string& path);

Result<PolicyInfo> policy_info(const policy::Policy& policy);
// Gives the same policy.
NetworkOptions options_of(const PolicyInfo& info);

Result<LiveNetwork> live_network(const proto::NetworkState& state);

// policy_of(), with what the user should know given to `on_warning`, which may be empty: before
// anything is started.
Result<policy::Policy> usable_policy(const NetworkOptions& options,
                                     const std::function<void(std::string_view)>& on_warning);

// ---- asking a policy

// In the order of `endpoints`. kInvalid: one that is none. Of the host's own addresses as the
// engine would, where it is in this process's network namespace.
Result<std::vector<Explanation>> explain(const policy::Policy& policy,
                                         const std::vector<std::string>& endpoints,
                                         const policy::IsOwn& is_own = net::is_own_address);

}  // namespace pyro::client
