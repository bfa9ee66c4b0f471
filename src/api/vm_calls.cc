// Environments, VMs that run one command, and the host.
#include <array>

#include "api/calls.h"

namespace pyro::api {
namespace {

namespace json = boost::json;

Result<client::CreateOptions> create_options(const Arguments& args) {
  PYRO_TRY(client::NetworkOptions network, network_options(args));
  return client::CreateOptions{
      .environment = args.text("environment"),
      .vcpu_count = args.integer("vcpu_count"),
      .mem_mib = args.integer("mem_mib"),
      .ttl_seconds = args.integer("ttl_seconds"),
      .network = std::move(network),
      .allow_host_compat = args.flag("allow_host_compat"),
      .boot = args.text("boot") == "cold" ? client::Boot::kCold : client::Boot::kTemplate};
}

client::ExecOptions exec_options(const Context& context) {
  Arguments::Command command = context.args.command();
  return {.argv = std::move(command.words),
          .command = std::move(command.line),
          .timeout_seconds = context.args.integer("timeout_seconds"),
          .stdin_fd = context.observer.stdin_fd};
}

std::string vm_id(const Context& context) {
  return context.args.text("vm_id");
}

Result<json::object> run(Context& context) {
  PYRO_TRY(const client::CreateOptions create, create_options(context.args));
  PYRO_TRY(const client::ExecResult result,
           context.backend.run_in_vm(create, exec_options(context), context.run_observer()));
  return to_json(result, context.out, context.err);
}

Result<json::object> exec_vm(Context& context) {
  PYRO_TRY(const client::ExecResult result,
           context.backend.exec_vm(vm_id(context), exec_options(context), context.run_observer()));
  return to_json(result, context.out, context.err);
}

Result<json::object> create_vm(Context& context) {
  PYRO_TRY(const client::CreateOptions create, create_options(context.args));
  return shown(context.backend.create_vm(create, context.run_observer()));
}

Result<json::object> reap_expired(Context& context) {
  PYRO_TRY(const std::vector<std::string> ids, context.backend.reap_expired());
  return json::object{{"count", ids.size()}, {"vm_ids", json_texts(ids)}};
}

constexpr std::array<CallRow, 14> kCalls{{
    {"run", run},
    {"env.list", [](Context& c) { return shown(c.backend.list_environments()); }},
    {"env.pull",
     [](Context& c) {
       return shown(
           c.backend.pull_environment(c.args.text("environment"), c.run_observer().on_pull));
     }},
    {"env.inspect",
     [](Context& c) { return shown(c.backend.inspect_environment(c.args.text("environment"))); }},
    {"env.prune", [](Context& c) { return shown(c.backend.prune_environments()); }},
    {"doctor", [](Context& c) { return shown(c.backend.doctor(c.args.flag("fresh"))); }},
    {"create_vm", create_vm},
    {"start_vm", [](Context& c) { return shown(c.backend.start_vm(vm_id(c), c.run_observer())); }},
    {"exec_vm", exec_vm},
    {"stop_vm", [](Context& c) { return shown(c.backend.stop_vm(vm_id(c))); }},
    {"delete_vm", [](Context& c) { return shown(c.backend.delete_vm(vm_id(c))); }},
    {"status_vm", [](Context& c) { return shown(c.backend.status_vm(vm_id(c))); }},
    {"network_info_vm", [](Context& c) { return shown(c.backend.network_info_vm(vm_id(c))); }},
    {"reap_expired", reap_expired},
}};

}  // namespace

std::span<const CallRow> vm_calls() {
  return kCalls;
}

}  // namespace pyro::api
