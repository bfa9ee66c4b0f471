#include "base/text.h"
#include "cli/call_view.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/policy_commands.h"
#include "cli/smolfile_command.h"

namespace pyro::cli {
namespace {

// The three lines of every run have a fixed form; the others say what is going on.
std::string phase_line(const std::string& environment, std::string_view phase,
                       std::string_view vm_id, std::string_view detail) {
  if (phase == "cleanup") return "";
  std::string line = "[run] phase=" + std::string(phase);
  const bool of_vm = phase == "start" || phase == "execute";
  line += of_vm ? " vm_id=" + std::string(vm_id) : " environment=" + environment;
  if (!of_vm && phase != "create" && !detail.empty()) line += " detail=" + shell_quote(detail);
  return line;
}

}  // namespace

Result<int> run(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(client::NetworkOptions network, network_options(call));
  PYRO_TRY(const std::optional<policy::Smolfile> file, smolfile_of(call));
  std::vector<std::string> words = call.command;
  if (file) {
    PYRO_CHECK(client::add_network(network, *file));
    PYRO_TRY(words, client::words_of_run(*file, call.command));
  }
  const client::CreateOptions create{
      .environment = environment_of(call, file),
      .vcpu_count = number_of(call, "vcpu_count", file ? file->cpus : std::nullopt),
      .mem_mib = number_of(call, "mem_mib", file ? file->memory_mib : std::nullopt),
      .ttl_seconds = call.integer("ttl_seconds"),
      .network = std::move(network),
      .allow_host_compat = call.flag("allow_host_compat"),
      .boot = call.text("boot") == "cold" ? client::Boot::kCold : client::Boot::kTemplate};
  const client::ExecOptions exec{.argv = std::move(words),
                                 .command = {},
                                 .timeout_seconds = call.integer("timeout_seconds"),
                                 .stdin_fd = io.stdin_fd};
  PYRO_TRY(const std::unique_ptr<Interrupts> interrupts, io.watch_interrupts());
  const std::string environment = create.environment;
  CallView view(io, *interrupts,
                {.tag = "run",
                 .environment = environment,
                 .json = call.flag("json"),
                 .phase_line = [environment](std::string_view phase, std::string_view vm_id,
                                             std::string_view detail) {
                   return phase_line(environment, phase, vm_id, detail);
                 }});
  const Result<client::ExecResult> result = backend.run_in_vm(create, exec, view.run_observer());
  if (!result) return view.failed(result.error());
  if (!call.flag("json")) {
    for (const client::RefusedEndpoint& refused : result->refused)
      static_cast<void>(io.err.write(refusal_line(refused)));
  }
  return view.ended({.exit_code = result->exit_code,
                     .timed_out = result->timed_out,
                     .timeout_seconds = exec.timeout_seconds,
                     .summary = "[run] environment=" + environment +
                                " execution_mode=" + result->execution_mode +
                                " exit_code=" + std::to_string(result->exit_code) +
                                " duration_ms=" + std::to_string(result->duration_ms),
                     .object = [&] { return to_json(*result, view.out(), view.err()); }});
}

}  // namespace pyro::cli
