// A workspace: files in, commands, what they changed, a shell, back to a snapshot, and gone.
#include <cstdio>
#include <pyro/pyro.hpp>
#include <string>

namespace {

// The first error ends the session.
pyro::Result<void> session(pyro::Workspaces& workspaces, const std::string& id) {
  pyro::FileWriteOptions file;
  file.path = "hello.sh";
  file.content = "echo hello $1\n";
  auto written = workspaces.write_file(id, file);
  if (!written) return std::unexpected(written.error());
  auto snapshot = workspaces.create_snapshot(id, "before");
  if (!snapshot) return std::unexpected(snapshot.error());

  std::string output;
  pyro::WorkspaceObserver observer;
  observer.run.on_stdout = [&](std::string_view bytes) -> pyro::Result<void> {
    output += bytes;
    return {};
  };
  pyro::WorkspaceExecOptions exec;
  exec.command = "sh hello.sh world | tee greeting";
  auto ran = workspaces.exec(id, exec, observer);
  if (!ran) return std::unexpected(ran.error());
  std::printf("exit code %d: %s", ran->exit_code, output.c_str());

  auto diff = workspaces.diff(id, -1);
  if (!diff) return std::unexpected(diff.error());
  for (const pyro::DiffEntry& entry : diff->entries)
    std::printf("%s %s\n", entry.status.c_str(), entry.path.c_str());

  pyro::Shells& shells = workspaces.shells();
  auto shell = shells.open(id, {});
  if (!shell) return std::unexpected(shell.error());
  if (auto typed = shells.write(id, shell->shell_id, "sh hello.sh shell", true, -1); !typed)
    return std::unexpected(typed.error());
  pyro::ShellReadOptions read;
  read.plain = true;
  read.wait_for_idle_ms = 2000;
  auto screen = shells.read(id, shell->shell_id, read);
  if (!screen) return std::unexpected(screen.error());
  std::printf("the shell says hello: %s\n",
              screen->output.find("hello shell") != std::string::npos ? "yes" : "no");
  if (auto closed = shells.close(id, shell->shell_id, -1); !closed)
    return std::unexpected(closed.error());

  auto reset = workspaces.reset(id, "before", {});
  if (!reset) return std::unexpected(reset.error());
  auto files = workspaces.list_files(id, {});
  if (!files) return std::unexpected(files.error());
  std::printf("after the reset there are %zu files\n", files->entries.size());
  return {};
}

}  // namespace

int main() {
  auto pyro = pyro::Pyro::open();
  if (!pyro) {
    std::fprintf(stderr, "%s\n", pyro.error().message.c_str());
    return 1;
  }
  pyro::Workspaces& workspaces = pyro->workspaces();

  pyro::WorkspaceOptions options;
  options.environment = "debian:12";
  options.mem_mib = 256;
  auto created = workspaces.create(options, {});
  if (!created) {
    std::fprintf(stderr, "%s\n", created.error().message.c_str());
    return 1;
  }
  const auto done = session(workspaces, created->workspace_id);
  if (!done) std::fprintf(stderr, "%s\n", done.error().message.c_str());
  const auto removed = workspaces.remove(created->workspace_id);
  return done && removed ? 0 : 1;
}
