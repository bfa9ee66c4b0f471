#include "cli/main.h"

#include <cerrno>

#include "base/version.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/exit_code.h"
#include "cli/help.h"
#include "cli/json.h"
#include "cli/mcp_commands.h"
#include "cli/parse.h"
#include "cli/policy_commands.h"
#include "cli/render.h"
#include "cli/selftest_commands.h"
#include "cli/service_commands.h"
#include "cli/shell_attach.h"
#include "cli/shell_commands.h"
#include "cli/smolfile_command.h"
#include "cli/workspace_commands.h"

namespace pyro::cli {
namespace {

using Command = Result<int> (*)(const Invocation&, Io&, Backend&);

Command command_for(std::string_view operation) {
  struct Row {
    std::string_view name;
    Command command;
  };
  static constexpr Row kCommands[] = {
      {"env.list", env_list},
      {"env.pull", env_pull},
      {"env.inspect", env_inspect},
      {"env.prune", env_prune},
      {"doctor", doctor},
      {"demo", demo},
      {"demo.ollama", demo_ollama},
      {"selftest.escape", selftest_escape},
      {"selftest.smoke", selftest_smoke},
      {"run", run},
      {"workspace.create", workspace_create},
      {"workspace.list", workspace_list},
      {"workspace.status", workspace_status},
      {"workspace.update", workspace_update},
      {"workspace.delete", workspace_delete},
      {"workspace.stop", workspace_stop},
      {"workspace.start", workspace_start},
      {"workspace.logs", workspace_logs},
      {"workspace.exec", workspace_exec},
      {"workspace.sync.push", sync_push},
      {"workspace.export", workspace_export},
      {"workspace.diff", workspace_diff},
      {"workspace.snapshot.create", snapshot_create},
      {"workspace.snapshot.list", snapshot_list},
      {"workspace.snapshot.delete", snapshot_delete},
      {"workspace.reset", workspace_reset},
      {"workspace.file.list", file_list},
      {"workspace.file.read", file_read},
      {"workspace.file.write", file_write},
      {"workspace.patch.apply", patch_apply},
      {"workspace.disk.export", disk_export},
      {"workspace.disk.list", disk_list},
      {"workspace.disk.read", disk_read},
      {"workspace.summary", workspace_summary},
      {"workspace.network.show", network_show},
      {"network_info_vm", network_info},
      {"workspace.network.set", network_set},
      {"workspace.network.events", network_events},
      {"mcp.serve", mcp_serve},
      {"mcp.install", mcp_install},
      {"policy.check", policy_check},
      {"policy.explain", policy_explain},
      {"smolfile.render", smolfile_render},
      {"workspace.shell.open", shell_open},
      {"workspace.shell.read", shell_read},
      {"workspace.shell.write", shell_write},
      {"workspace.shell.signal", shell_signal},
      {"workspace.shell.resize", shell_resize},
      {"workspace.shell.list", shell_list},
      {"workspace.shell.close", shell_close},
      {"workspace.shell.attach", shell_attach},
      {"workspace.service.start", service_start},
      {"workspace.service.list", service_list},
      {"workspace.service.status", service_status},
      {"workspace.service.logs", service_logs},
      {"workspace.service.stop", service_stop},
      {"workspace.service.restart", service_restart},
  };
  for (const Row& row : kCommands) {
    if (row.name == operation) return row.command;
  }
  return nullptr;
}

std::string completion(const std::string& shell) {
  if (shell == "zsh") return zsh_completion();
  return shell == "fish" ? fish_completion() : bash_completion();
}

std::string lines(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += name + "\n";
  return out;
}

Result<int> call(const Invocation& invocation, Io& io, const Library& library) {
  std::string text;
  switch (invocation.kind) {
    case Invocation::Kind::kCommand:
      break;
    case Invocation::Kind::kHelp:
      text = help_text(invocation.path);
      break;
    case Invocation::Kind::kVersion:
      text = "pyro " + std::string(kVersion) + "\n";
      break;
    case Invocation::Kind::kManPage:
      text = man_page();
      break;
    case Invocation::Kind::kReference:
      text = reference_page();
      break;
    case Invocation::Kind::kEnvironments:
      text = lines(library.environment_names());
      break;
    case Invocation::Kind::kWorkspaces:
      text = lines(library.workspace_names(io.env));
      break;
    case Invocation::Kind::kShells:
      text = lines(library.shell_ids(io.env, invocation.path.front()));
      break;
    case Invocation::Kind::kServices:
      text = lines(library.service_names(io.env, invocation.path.front()));
      break;
  }
  if (invocation.kind == Invocation::Kind::kCommand) {
    if (const Command command = command_for(invocation.operation->name); command != nullptr) {
      PYRO_TRY(const std::shared_ptr<Backend> backend, library.open(io.env));
      return command(invocation, io, *backend);
    }
    text = completion(invocation.text("shell"));
  }
  PYRO_CHECK(io.out.write(text));
  return kExitOk;
}

void show(const Error& error, bool json, Io& io) {
  if (json) {
    (void)io.out.write(pretty(to_json(error)));
  } else {
    (void)io.err.write(render_error(error));
  }
}

// Whose exit codes are those of a program in the guest, so that pyro's own failures need one apart.
bool has_guest_code(const proto::Operation* operation) {
  return operation != nullptr && (operation->exit_codes == proto::ExitCodes::kCommand ||
                                  operation->exit_codes == proto::ExitCodes::kShell);
}

}  // namespace

int main_with(std::span<const std::string> words, Io& io, const Library& library) {
  if (words.empty()) {  // somebody's first contact
    (void)io.err.write(help_text({}));
    return kExitUsage;
  }
  const auto parsed = parse(words);
  if (!parsed) {
    show(parsed.error().error, parsed.error().json, io);
    return has_guest_code(parsed.error().operation) ? kExitPyro : kExitUsage;
  }
  const bool guest_code = has_guest_code(parsed->operation);
  const Result<int> code = call(*parsed, io, library);
  if (const auto& broken = io.out.error()) {
    // The reader has what it wanted (`pyro ... | head`): no reason to complain.
    if (broken->os_errno == EPIPE) return kExitBrokenPipe;
    show(*broken, false, io);
    return guest_code ? kExitPyro : kExitFailed;
  }
  if (code) return *code;
  if (const auto& broken = io.err.error(); broken && broken->os_errno == EPIPE) {
    return kExitBrokenPipe;
  }
  show(code.error(), parsed->flag("json"), io);
  return guest_code ? kExitPyro : exit_code_for(code.error().code);
}

}  // namespace pyro::cli
