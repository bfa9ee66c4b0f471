#include "cli/policy_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>

#include "cli/exit_code.h"
#include "cli/json.h"
#include "cli/workspace_render.h"

namespace pyro::cli {
namespace {

using client::Explanation;
using client::PolicyInfo;
using client::WorkspaceInfo;

Result<int> print_network(const Invocation& call, Io& io, const WorkspaceInfo& info) {
  const boost::json::object object{{"network", to_json(info.network)},
                                   {"state", json_text(info.state)},
                                   {"workspace_id", json_text(info.workspace_id)}};
  PYRO_CHECK(io.out.write(call.flag("json")
                              ? pretty(object)
                              : line("Workspace ID", info.workspace_id) +
                                    line("State", info.state) + render_network(info.network) +
                                    line("Network hash", info.network.hash)));
  return kExitOk;
}

boost::json::object to_object(const std::vector<Explanation>& list) {
  boost::json::array endpoints;
  for (const Explanation& e : list) {
    endpoints.push_back({{"allow", e.allow},
                         {"assumed_public", e.assumed},
                         {"detail", e.detail},
                         {"endpoint", json_text(e.endpoint)},
                         {"reason", e.reason},
                         {"rule", json_text_or_null(e.rule)},
                         {"rule_id", e.rule_id}});
  }
  return {{"allow", std::ranges::all_of(list, &Explanation::allow)},
          {"endpoints", std::move(endpoints)}};
}

std::string explanation(const Explanation& e) {
  return one_line(fmt::format("{} {}: {} ({}){}", e.allow ? "allow" : "deny", e.endpoint, e.detail,
                              e.rule.empty() ? e.reason : e.rule_id + " " + e.rule,
                              e.allow && e.assumed ? ", where its addresses are public" : "")) +
         "\n";
}

}  // namespace

Result<client::NetworkOptions> network_options(const Invocation& call) {
  if (call.flag("network") && (call.flag("network_policy") || call.flag("policy"))) {
    return refuse(call, "--network is the short form of --network-policy egress: leave it out");
  }
  client::NetworkOptions options{.policy = {},
                                 .allow = call.all("net_allow"),
                                 .deny = call.all("net_deny"),
                                 .allow_udp = call.flag("allow_udp"),
                                 .allow_icmp = call.flag("allow_icmp"),
                                 .policy_file = {}};
  if (call.flag("network")) options.policy = "egress";
  if (call.flag("network_policy")) options.policy = call.text("network_policy");
  if (call.flag("policy")) options.policy_file = call.text("policy");
  if (options.policy_file && (options.policy || options.has_rules())) {
    return refuse(call,
                  "--policy is the whole policy: no other option about the network goes with it");
  }
  return options;
}

void show_warnings(Io& io, const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings)
    (void)io.err.write("pyro: warning: " + one_line(warning) + "\n");
}

Result<int> network_show(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const WorkspaceInfo info, backend.workspaces().status(call.text("workspace_id")));
  if (!call.flag("json")) show_warnings(io, info.network.warnings);
  return print_network(call, io, info);
}

Result<int> network_set(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const client::NetworkOptions network, network_options(call));
  if (!network.given()) {
    return refuse(call,
                  "there is nothing to change: --network-policy, a rule or --policy is missing");
  }
  client::WorkspaceObserver observer;
  if (!call.flag("json")) {
    observer.run.on_warning = [&io](std::string_view warning) {
      show_warnings(io, {std::string(warning)});
    };
  }
  PYRO_TRY(const WorkspaceInfo info,
           backend.workspaces().set_network(call.text("workspace_id"), network, observer));
  return print_network(call, io, info);
}

Result<int> policy_check(const Invocation& call, Io& io, Backend&) {
  PYRO_TRY(const policy::Policy policy, client::read_policy_file(call.text("policy_file")));
  PYRO_TRY(const PolicyInfo info, client::policy_info(policy));
  if (call.flag("json")) {
    PYRO_CHECK(io.out.write(pretty(boost::json::object{{"network", to_json(info)}})));
    return kExitOk;
  }
  show_warnings(io, info.warnings);
  PYRO_CHECK(io.out.write(policy.text() + "hash " + info.hash + "\n"));
  return kExitOk;
}

Result<int> policy_explain(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(client::NetworkOptions network, network_options(call));
  std::vector<std::string> endpoints = call.all("words");
  if (!network.given()) {
    const std::string workspace = endpoints.front();
    if (workspace.contains("://")) {
      return refuse(call, "a policy is missing: a workspace before the endpoints, or options");
    }
    endpoints.erase(endpoints.begin());
    PYRO_TRY(const WorkspaceInfo info, backend.workspaces().status(workspace));
    network = client::options_of(info.network);
  }
  PYRO_TRY(const policy::Policy policy, client::policy_of(network));
  if (endpoints.empty()) {
    return fail_hint(Errc::kInvalid, "an endpoint is missing", "for example tcp://github.com:443");
  }
  PYRO_TRY(const std::vector<Explanation> list, client::explain(policy, endpoints));
  if (call.flag("json")) {
    PYRO_CHECK(io.out.write(pretty(to_object(list))));
  } else {
    for (const Explanation& e : list) PYRO_CHECK(io.out.write(explanation(e)));
  }
  return std::ranges::all_of(list, &Explanation::allow) ? kExitOk : kExitNo;
}

}  // namespace pyro::cli
