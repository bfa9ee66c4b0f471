#include "base/text.h"
#include "cli/call_view.h"
#include "cli/commands.h"
#include "cli/json.h"

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
  const client::CreateOptions create{
      .environment = call.text("environment"),
      .vcpu_count = call.integer("vcpu_count"),
      .mem_mib = call.integer("mem_mib"),
      .ttl_seconds = call.integer("ttl_seconds"),
      .network = call.flag("network"),
      .allow_host_compat = call.flag("allow_host_compat"),
      .boot = call.text("boot") == "cold" ? client::Boot::kCold : client::Boot::kTemplate};
  const client::ExecOptions exec{.argv = call.command,
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
