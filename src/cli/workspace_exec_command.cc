#include <map>

#include "cli/workspace_commands.h"
#include "cli/workspace_json.h"
#include "cli/workspace_render.h"

namespace pyro::cli {
namespace {

Result<client::WorkspaceExecOptions> exec_options(const Invocation& call, const Io& io) {
  client::WorkspaceExecOptions options{.argv = call.command,
                                       .command = {},
                                       .timeout_seconds = call.integer("timeout_seconds"),
                                       .cwd = call.text("cwd"),
                                       .env = {},
                                       .secret_env = {},
                                       .stdin_fd = io.stdin_fd};
  for (auto& [name, value] : call.pairs("env")) options.env[name] = value;
  std::map<std::string, std::string> secret_of;
  for (auto& [secret, variable] : call.pairs("secret_env")) {
    // Not the variable: it may be the secret itself, given to the wrong option.
    const auto [other, is_new] = secret_of.emplace(variable, secret);
    if (!is_new) {
      return refuse(call, "the secrets " + other->second + " and " + secret +
                              " are to stand in the same variable");
    }
    if (options.env.contains(variable)) {
      return refuse(call, "the variable " + variable + " is given by --env and by --secret-env");
    }
    options.secret_env[secret] = variable;
  }
  return options;
}

}  // namespace

Result<int> workspace_exec(const Invocation& call, Io& io, Backend& backend) {
  PYRO_TRY(const client::WorkspaceExecOptions options, exec_options(call, io));
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
