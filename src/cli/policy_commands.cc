#include "cli/policy_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>

#include "cli/exit_code.h"
#include "cli/follow.h"
#include "cli/json.h"
#include "cli/session_render.h"
#include "cli/workspace_render.h"

namespace pyro::cli {
namespace {

using client::Explanation;
using client::PolicyInfo;
using client::WorkspaceInfo;

// What is not 0, on one line.
std::string numbers_line(const std::string& label,
                         const std::map<std::string, std::int64_t>& numbers) {
  std::string text;
  for (const auto& [name, number] : numbers) {
    if (number != 0) text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, number);
  }
  return text.empty() ? "" : line(label, text);
}

std::string render_live(const client::LiveNetwork& live) {
  if (!live.running) return line("Network engine", "none: " + live.error);
  std::string out = line("Network engine", fmt::format("running, {} restarts", live.restarts)) +
                    line("Engine policy hash", live.policy.hash);
  for (const client::NetworkAddress& a : live.addresses)
    out += line("Guest address", fmt::format("{}/{} via {}", a.guest, a.prefix_length, a.gateway));
  return out + numbers_line("Now", live.sizes) + numbers_line("Counted", live.counters) +
         numbers_line("Dropped frames", live.drops);
}

Result<int> print_network(const Invocation& call, Io& io, const client::WorkspaceNetwork& n) {
  if (call.flag("json")) {
    PYRO_CHECK(io.out.write(pretty(to_json(n))));
    return kExitOk;
  }
  PYRO_CHECK(io.out.write(line("Workspace ID", n.workspace_id) + line("State", n.state) +
                          render_network(n.policy) + line("Network hash", n.policy.hash) +
                          (n.policy.policy == "off" ? line("Network device", "none") : "") +
                          (n.live ? render_live(*n.live) : "")));
  return kExitOk;
}

// "tcp 93.184.216.34:443 (github.com)"
std::string endpoint_of(const std::string& protocol, const std::string& name,
                        const std::string& address, int port) {
  if (address.empty()) return protocol + " " + name;
  std::string out = protocol + " ";
  out += address.contains(':') && port != 0 ? "[" + address + "]" : address;
  if (port != 0) out += fmt::format(":{}", port);
  if (!name.empty()) out += " (" + name + ")";
  return out;
}

std::string event_line(const client::NetworkEvent& e) {
  const bool end = e.kind == "end";
  std::string text =
      fmt::format("{} {} {} {} {}", iso_time(e.at),
                  end       ? "end"
                  : e.allow ? "allow"
                            : "deny",
                  endpoint_of(e.protocol, e.name, e.address, e.port), e.rule, e.reason);
  if (end) text += fmt::format(" to_host={} to_guest={}", e.to_host, e.to_guest);
  return one_line(text) + "\n";
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

std::string refusal_line(const client::RefusedEndpoint& r) {
  return one_line(fmt::format("pyro: the network policy refused {}: {}{}",
                              endpoint_of(r.protocol, r.name, r.address, r.port), r.reason,
                              r.count > 1 ? fmt::format(", {} times", r.count) : "")) +
         "\n";
}

void show_warnings(Io& io, const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings)
    (void)io.err.write("pyro: warning: " + one_line(warning) + "\n");
}

Result<int> network_show(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const auto network, backend.workspaces().network(call.text("workspace_id")));
  if (!call.flag("json")) show_warnings(io, network.policy.warnings);
  return print_network(call, io, network);
}

Result<int> network_info(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const client::NetworkInfo info, backend.network_info_vm(call.text("vm_id")));
  if (call.flag("json")) {
    PYRO_CHECK(io.out.write(pretty(to_json(info))));
    return kExitOk;
  }
  PYRO_CHECK(
      io.out.write(line("VM ID", info.vm_id) +
                   (info.network_enabled ? render_network(info.network.policy) +
                                               line("Network hash", info.network.policy.hash) +
                                               render_live(info.network)
                                         : line("Network device", "none"))));
  return kExitOk;
}

Result<int> network_events(const Invocation& call, Io& io, Backend& backend) {
  if (call.flag("all") && call.flag("tail"))
    return refuse(call, "--all and --tail cannot both be given");
  const std::string workspace = call.text("workspace_id");
  client::NetworkEventOptions options{.tail = call.integer("tail"), .all = call.flag("all")};
  const bool as_json = call.flag("json");
  if (!call.flag("follow")) {
    boost::json::array events;
    const auto take = [&](const client::NetworkEvent& e) -> Result<void> {
      if (!as_json) return io.out.write(event_line(e));
      events.push_back(to_json(e));
      return {};
    };
    PYRO_CHECK(backend.workspaces().network_events(workspace, options, take));
    if (!as_json) return kExitOk;
    PYRO_TRY(const WorkspaceInfo info, backend.workspaces().status(workspace));
    PYRO_CHECK(io.out.write(pretty(api::events_json(info.workspace_id, std::move(events)))));
    return kExitOk;
  }
  options.follow = true;
  return followed(
      io,
      [&](int interrupt_fd) -> Result<bool> {
        options.interrupt_fd = interrupt_fd;
        PYRO_CHECK(backend.workspaces().network_events(
            workspace, options, [&](const client::NetworkEvent& e) {
              return io.out.write(as_json ? json_line(to_json(e)) : event_line(e));
            }));
        return true;
      },
      [](bool) -> Result<int> { return kExitOk; });
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
  const std::string workspace = call.text("workspace_id");
  PYRO_CHECK(backend.workspaces().set_network(workspace, network, observer));
  PYRO_TRY(const auto set, backend.workspaces().network(workspace));
  return print_network(call, io, set);
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
    PYRO_CHECK(io.out.write(pretty(to_json(list))));
  } else {
    for (const Explanation& e : list) PYRO_CHECK(io.out.write(explanation(e)));
  }
  return std::ranges::all_of(list, &Explanation::allow) ? kExitOk : kExitNo;
}

}  // namespace pyro::cli
