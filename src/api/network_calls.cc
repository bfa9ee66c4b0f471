// Network policies: of a workspace, of a file, of arguments.
#include <array>
#include <boost/json/array.hpp>

#include "api/calls.h"

namespace pyro::api {

namespace json = boost::json;

Result<client::NetworkOptions> network_options(const Arguments& args) {
  client::NetworkOptions options{.policy = args.given_text("network_policy"),
                                 .allow = args.list("net_allow"),
                                 .deny = args.list("net_deny"),
                                 .allow_udp = args.flag("allow_udp"),
                                 .allow_icmp = args.flag("allow_icmp"),
                                 .policy_file = args.given_text("policy_file")};
  if (args.flag("network")) {
    if (options.policy || options.policy_file)
      return refuse("network is the short form of network_policy egress: leave it out");
    options.policy = "egress";
  }
  // From a program, an empty list may be one that it found nothing for: that is not everything.
  const bool has_network = options.policy ? options.policy != "off" : options.has_rules();
  if (args.given("net_allow") && options.allow.empty() && has_network)
    return refuse("net_allow is empty: leave it out, and network_policy reaches what it does");
  if (options.policy_file && (options.policy || options.has_rules())) {
    return refuse(
        "policy_file is the whole policy: no other argument about the network goes with it");
  }
  return options;
}

namespace {

Result<json::object> set(Context& context) {
  PYRO_TRY(const client::NetworkOptions network, network_options(context.args));
  if (!network.given())
    return refuse("there is nothing to change: network_policy, a rule or policy_file is missing");
  PYRO_CHECK(
      context.workspaces().set_network(workspace(context), network, context.workspace_observer()));
  return shown(context.workspaces().network(workspace(context)));
}

Result<json::object> events(Context& context) {
  json::array list;
  PYRO_CHECK(context.workspaces().network_events(
      workspace(context),
      {.tail = context.args.integer("tail"),
       .all = context.args.flag("all"),
       .follow = false,
       .interrupt_fd = context.observer.interrupt_fd},
      [&list](const client::NetworkEvent& event) -> Result<void> {
        list.push_back(to_json(event));
        return {};
      }));
  PYRO_TRY(const client::WorkspaceInfo info, context.workspaces().status(workspace(context)));
  return events_json(info.workspace_id, std::move(list));
}

Result<json::object> check(Context& context) {
  PYRO_TRY(const policy::Policy policy, client::read_policy_file(context.args.text("policy_file")));
  PYRO_TRY(const client::PolicyInfo info, client::policy_info(policy));
  return json::object{{"network", to_json(info)}};
}

Result<json::object> explain(Context& context) {
  PYRO_TRY(client::NetworkOptions network, network_options(context.args));
  if (network.given() == context.args.given("workspace_id"))
    return refuse("a policy is needed: either workspace_id, or arguments that say one");
  if (context.args.given("workspace_id")) {
    PYRO_TRY(const client::WorkspaceInfo info, context.workspaces().status(workspace(context)));
    network = client::options_of(info.network);
  }
  PYRO_TRY(const policy::Policy policy, client::policy_of(network));
  return shown(client::explain(policy, context.args.list("endpoints")));
}

constexpr std::array<CallRow, 5> kCalls{{
    {"workspace.network.show",
     [](Context& c) { return shown(c.workspaces().network(workspace(c))); }},
    {"workspace.network.set", set},
    {"workspace.network.events", events},
    {"policy.check", check},
    {"policy.explain", explain},
}};

}  // namespace

std::span<const CallRow> network_calls() {
  return kCalls;
}

}  // namespace pyro::api
