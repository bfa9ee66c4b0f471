#include "cli/guest_variables.h"
#include "cli/workspace_commands.h"
#include "cli/workspace_render.h"

namespace pyro::cli {

Result<int> workspace_exec(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(GuestVariables variables, guest_variables(call));
  const client::WorkspaceExecOptions options{.argv = call.command,
                                             .command = {},
                                             .timeout_seconds = call.integer("timeout_seconds"),
                                             .cwd = call.text("cwd"),
                                             .env = std::move(variables.env),
                                             .secret_env = std::move(variables.secret_env),
                                             .stdin_fd = io.stdin_fd};
  PYRO_TRY(const std::unique_ptr<Interrupts> interrupts, io.watch_interrupts());
  CallView view(io, *interrupts, view_options(call, "workspace-exec", Phases::kWaiting));
  const Result<client::WorkspaceExecResult> result =
      backend.workspaces().exec(call.text("workspace_id"), options, view.workspace_observer());
  if (!result) return view.failed(result.error());
  return view.ended({.exit_code = result->exit_code,
                     .timed_out = result->timed_out,
                     .timeout_seconds = options.timeout_seconds,
                     .summary = render_exec(*result),
                     .object = [&] { return to_json(*result, view.out(), view.err()); }});
}

}  // namespace pyro::cli
