#include "cli/shell_attach.h"

#include "base/text.h"
#include "cli/exit_code.h"
#include "cli/guest_variables.h"
#include "cli/raw_terminal.h"
#include "cli/screen_state.h"
#include "cli/workspace_render.h"

namespace pyro::cli {
namespace {

using client::ShellAttachResult;

// The shell that was named, or a new one of the size of the terminal.
Result<std::string> shell_for(const Invocation& call, TerminalFds fds, Backend& backend) {
  if (call.flag("shell_id")) {
    for (const char* option : {"cwd", "secret_env"}) {
      if (!call.flag(option)) continue;
      return refuse(call, option_name(option) +
                              " is for a new shell: it cannot be given together with a SHELL_ID");
    }
    return call.text("shell_id");
  }
  PYRO_TRY(GuestVariables variables, guest_variables(call));
  const auto [cols, rows] = terminal_size(fds.output);
  PYRO_TRY(
      const client::ShellInfo info,
      backend.workspaces().shells().open(workspace(call), {.cwd = call.text("cwd"),
                                                           .cols = cols,
                                                           .rows = rows,
                                                           .secret_env = variables.secret_env}));
  return info.shell_id;
}

// "ctrl-]" is Ctrl and ]: the control character of that letter.
Result<std::optional<char>> detach_key(const Invocation& call) {
  constexpr std::string_view kPrefix = "ctrl-";
  const std::string name = call.text("detach_key");
  if (name == "none") return std::optional<char>();
  if (name.size() == kPrefix.size() + 1 && name.starts_with(kPrefix)) {
    const char key = name.back();
    if ((key >= 'a' && key <= 'z') || (key >= '[' && key <= '_'))
      return std::optional<char>(static_cast<char>(key & 0x1f));
  }
  return refuse(call, "--detach-key " + quoted_name(name) +
                          " is none of ctrl-a to ctrl-z, ctrl-[, ctrl-\\, ctrl-], ctrl-^, ctrl-_ "
                          "and none");
}

std::string how_to_detach(const Invocation& call) {
  std::string key = call.text("detach_key");
  if (key == "none") return "no key detaches";
  key.front() = 'C';
  return "detach with " + key;
}

struct Attached {
  Result<ShellAttachResult> result;
  int stopped_by = 0;  // a signal, or 0
};

// While this runs the terminal is raw; when it returns it is as it was.
Result<Attached> attached(const Invocation& call, Io& io, TerminalFds fds, Backend& backend,
                          const std::string& shell_id, std::optional<char> key) {
  ScreenState screen;
  const client::ShellSink sink{.on_output = [&](std::string_view bytes) -> Result<void> {
                                 screen.take(bytes);
                                 return io.out.write(bytes);
                               },
                               .on_position =
                                   [&](const client::ShellPosition& at) {
                                     // One that has the whole screen draws it again; elsewhere a
                                     // gap is to be seen.
                                     if (at.missed_bytes > 0 && !at.full_screen) {
                                       (void)io.err.write("\r\n[pyro] " +
                                                          std::to_string(at.missed_bytes) +
                                                          " bytes were missed here\r\n");
                                     }
                                     (void)io.out.write(screen.enter(at.modes));
                                   }};
  PYRO_TRY(std::unique_ptr<RawTerminal> raw, RawTerminal::open(fds));
  const client::ShellKeys keys{.input_fd = fds.input,
                               .detach_key = key,
                               .resized_fd = raw->resized_fd(),
                               .stop_fd = raw->stop_fd(),
                               .size = [fds] { return terminal_size(fds.output); }};
  Attached out{
      .result = backend.workspaces().shells().attach(workspace(call), shell_id, sink, keys),
      .stopped_by = raw->stopped_by()};
  raw.reset();
  (void)io.out.write(screen.leave());
  return out;
}

std::string last_line(const Invocation& call, const std::string& shell_id,
                      const ShellAttachResult& result) {
  if (result.detached) {
    return "[detached from " + shell_id + "; attach again with: pyro workspace shell attach " +
           line_value(workspace(call)) + " " + shell_id + "]";
  }
  if (result.shell.exit_code) {
    return "[" + shell_id + " has ended with exit code " + std::to_string(*result.shell.exit_code) +
           "]";
  }
  return "[" + shell_id + " has ended: " + result.shell.end_reason + "]";
}

}  // namespace

Result<int> shell_attach(const Invocation& call, Io& io, Backend& backend) {
  if (!io.terminal) {
    return fail_hint(Errc::kInvalid,
                     "shell attach needs a terminal as standard input and standard output",
                     "pyro workspace shell read and pyro workspace shell write do without one");
  }
  PYRO_TRY(const std::optional<char> key, detach_key(call));
  PYRO_TRY(const std::string shell_id, shell_for(call, *io.terminal, backend));
  PYRO_CHECK(
      io.err.write("[attached to " + one_line(shell_id) + "; " + how_to_detach(call) + "]\n"));
  PYRO_TRY(const Attached end, attached(call, io, *io.terminal, backend, shell_id, key));
  if (!end.result && end.stopped_by == 0) return std::unexpected(end.result.error());
  if (end.result) (void)io.err.write(one_line(last_line(call, shell_id, *end.result)) + "\n");
  if (end.stopped_by != 0) return 128 + end.stopped_by;
  if (end.result->detached) return kExitOk;
  return end.result->shell.exit_code.value_or(kExitPyro);
}

}  // namespace pyro::cli
