#include <cstdlib>
#include <cstring>

#include "capi/calls.h"

// Options that are NULL are those without anything in them.
namespace {

using pyro::Errc;
using pyro::Result;
using namespace pyro::capi;  // NOLINT(google-build-using-namespace)

template <class Options>
const Options& given(const Options* options) {
  static const Options none{};
  return options != nullptr ? *options : none;
}

// What an operation is about: the first of its arguments.
Arguments& of(Arguments& arguments, const char* workspace) {
  return arguments.required("workspace_id", workspace);
}
Arguments& of_service(Arguments& arguments, const char* workspace, const char* name) {
  return of(arguments, workspace).required("service_name", name);
}
Arguments& of_shell(Arguments& arguments, const char* workspace, const char* shell) {
  return of(arguments, workspace).required("shell_id", shell);
}

pyro_status of_workspace(pyro_client* client, const char* operation, const char* workspace,
                         const pyro_callbacks* callbacks, pyro_result** result,
                         pyro_error** error) {
  return call(
      client, operation, [&](Arguments& arguments) { of(arguments, workspace); }, callbacks, result,
      error);
}

pyro_status of_snapshot(pyro_client* client, const char* operation, const char* workspace,
                        const char* name, pyro_result** result, pyro_error** error) {
  return call(
      client, operation,
      [&](Arguments& arguments) { of(arguments, workspace).required("snapshot_name", name); },
      nullptr, result, error);
}

}  // namespace

// ---- run and workspaces

pyro_status pyro_run(pyro_client* client, const pyro_run_options* options,
                     const pyro_callbacks* callbacks, pyro_result** result, pyro_error** error) {
  const pyro_run_options& o = given(options);
  return call(
      client, "run",
      [&](Arguments& arguments) {
        arguments.required("environment", o.environment)
            .command(o.argv, o.command)
            .number("vcpu_count", o.vcpu_count)
            .number("mem_mib", o.mem_mib)
            .number("timeout_seconds", o.timeout_seconds)
            .number("ttl_seconds", o.ttl_seconds)
            .policy(o.policy)
            .flag("allow_host_compat", o.allow_host_compat);
      },
      callbacks, result, error);
}

pyro_status pyro_workspace_create(pyro_client* client, const pyro_workspace_options* options,
                                  const pyro_callbacks* callbacks, pyro_result** result,
                                  pyro_error** error) {
  const pyro_workspace_options& o = given(options);
  return call(
      client, "workspace.create",
      [&](Arguments& arguments) {
        arguments.required("environment", o.environment)
            .number("vcpu_count", o.vcpu_count)
            .number("mem_mib", o.mem_mib)
            .number("ttl_seconds", o.ttl_seconds)
            .text("ttl_action", o.ttl_action)
            .policy(o.policy)
            .text("seed_path", o.seed_path)
            .flag("git_tracked", o.git_tracked)
            .text("name", o.name)
            .map("env", o.env)
            .map("labels", o.labels)
            .secrets(o.secrets, o.secret_files)
            .flag("allow_host_compat", o.allow_host_compat);
      },
      callbacks, result, error);
}

pyro_status pyro_workspace_exec(pyro_client* client, const char* workspace,
                                const pyro_exec_options* options, const pyro_callbacks* callbacks,
                                pyro_result** result, pyro_error** error) {
  const pyro_exec_options& o = given(options);
  return call(
      client, "workspace.exec",
      [&](Arguments& arguments) {
        of(arguments, workspace)
            .command(o.argv, o.command)
            .number("timeout_seconds", o.timeout_seconds)
            .text("cwd", o.cwd)
            .map("env", o.env)
            .secret_env(o.secret_env);
      },
      callbacks, result, error);
}

pyro_status pyro_workspace_list(pyro_client* client, pyro_result** result, pyro_error** error) {
  return call(client, "workspace.list", [](Arguments&) {}, nullptr, result, error);
}

pyro_status pyro_workspace_status(pyro_client* client, const char* workspace, pyro_result** result,
                                  pyro_error** error) {
  return of_workspace(client, "workspace.status", workspace, nullptr, result, error);
}

pyro_status pyro_workspace_start(pyro_client* client, const char* workspace,
                                 const pyro_callbacks* callbacks, pyro_result** result,
                                 pyro_error** error) {
  return of_workspace(client, "workspace.start", workspace, callbacks, result, error);
}

pyro_status pyro_workspace_stop(pyro_client* client, const char* workspace, pyro_result** result,
                                pyro_error** error) {
  return of_workspace(client, "workspace.stop", workspace, nullptr, result, error);
}

pyro_status pyro_workspace_delete(pyro_client* client, const char* workspace, pyro_result** result,
                                  pyro_error** error) {
  return of_workspace(client, "workspace.delete", workspace, nullptr, result, error);
}

pyro_status pyro_workspace_diff(pyro_client* client, const char* workspace, pyro_result** result,
                                pyro_error** error) {
  return of_workspace(client, "workspace.diff", workspace, nullptr, result, error);
}

pyro_status pyro_workspace_reset(pyro_client* client, const char* workspace, const char* snapshot,
                                 const pyro_callbacks* callbacks, pyro_result** result,
                                 pyro_error** error) {
  return call(
      client, "workspace.reset",
      [&](Arguments& arguments) { of(arguments, workspace).text("snapshot", snapshot); }, callbacks,
      result, error);
}

pyro_status pyro_workspace_sync_push(pyro_client* client, const char* workspace,
                                     const char* source_path, const char* dest,
                                     const pyro_callbacks* callbacks, pyro_result** result,
                                     pyro_error** error) {
  return call(
      client, "workspace.sync.push",
      [&](Arguments& arguments) {
        of(arguments, workspace).required("source_path", source_path).text("dest", dest);
      },
      callbacks, result, error);
}

pyro_status pyro_workspace_export(pyro_client* client, const char* workspace, const char* path,
                                  const char* output_path, const pyro_callbacks* callbacks,
                                  pyro_result** result, pyro_error** error) {
  return call(
      client, "workspace.export",
      [&](Arguments& arguments) {
        of(arguments, workspace).required("path", path).required("output_path", output_path);
      },
      callbacks, result, error);
}

pyro_status pyro_snapshot_create(pyro_client* client, const char* workspace, const char* name,
                                 pyro_result** result, pyro_error** error) {
  return of_snapshot(client, "workspace.snapshot.create", workspace, name, result, error);
}

pyro_status pyro_snapshot_list(pyro_client* client, const char* workspace, pyro_result** result,
                               pyro_error** error) {
  return of_workspace(client, "workspace.snapshot.list", workspace, nullptr, result, error);
}

pyro_status pyro_snapshot_delete(pyro_client* client, const char* workspace, const char* name,
                                 pyro_result** result, pyro_error** error) {
  return of_snapshot(client, "workspace.snapshot.delete", workspace, name, result, error);
}

// ---- files: bytes, which JSON cannot carry

pyro_status pyro_file_read(pyro_client* client, const char* workspace, const char* path,
                           size_t max_bytes, char** bytes, size_t* length, pyro_error** error) {
  return guarded(error, [&]() -> Result<void> {
    if (bytes == nullptr || length == nullptr)
      return pyro::fail(Errc::kInvalid, "bytes or length is NULL");
    *bytes = nullptr;
    *length = 0;
    PYRO_TRY(const auto object, client_of(client));
    PYRO_TRY(const std::string name, required(workspace, "workspace"));
    PYRO_TRY(const std::string file, required(path, "path"));
    const std::size_t most = max_bytes != 0 ? max_bytes : std::size_t{64} << 20;
    std::string read;
    PYRO_CHECK(object->workspaces->read_file(
        name, file, static_cast<std::int64_t>(most),
        [&](std::string_view part) -> Result<void> {
          read += part;
          return {};
        },
        /*interrupt_fd=*/-1));
    // Given to a C program, which frees it.
    auto* copy = static_cast<char*>(std::malloc(read.size() + 1));  // NOLINT(*-no-malloc)
    if (copy == nullptr) return pyro::fail(Errc::kLimit, "there is no memory left");
    std::memcpy(copy, read.c_str(), read.size() + 1);
    *bytes = copy;
    *length = read.size();
    return {};
  });
}

pyro_status pyro_file_write(pyro_client* client, const char* workspace, const char* path,
                            const char* bytes, size_t length, int mode, pyro_error** error) {
  return guarded(error, [&]() -> Result<void> {
    PYRO_TRY(const auto object, client_of(client));
    PYRO_TRY(const std::string name, required(workspace, "workspace"));
    PYRO_TRY(const std::string file, required(path, "path"));
    if (bytes == nullptr && length != 0) return pyro::fail(Errc::kInvalid, "bytes is NULL");
    pyro::client::FileWriteOptions options{.path = file, .content = {}, .mode = {}};
    if (length != 0) options.content.assign(bytes, length);
    if (mode != 0) options.mode = mode;
    PYRO_CHECK(object->workspaces->write_file(name, options));
    return {};
  });
}

// ---- services

pyro_status pyro_service_start(pyro_client* client, const char* workspace, const char* name,
                               const pyro_service_options* options, const pyro_callbacks* callbacks,
                               pyro_result** result, pyro_error** error) {
  const pyro_service_options& o = given(options);
  return call(
      client, "workspace.service.start",
      [&](Arguments& arguments) {
        of_service(arguments, workspace, name)
            .command(o.argv, o.command)
            .text("cwd", o.cwd)
            .readiness("file", "path", o.ready_file)
            .readiness("tcp", "address", o.ready_tcp)
            .readiness("http", "url", o.ready_http)
            .readiness("command", "command", o.ready_command)
            .number("ready_timeout_seconds", o.ready_timeout_seconds)
            .number("ready_interval_ms", o.ready_interval_ms)
            .map("env", o.env)
            .secret_env(o.secret_env)
            .published_ports(o.publish)
            .text("restart", o.restart);
      },
      callbacks, result, error);
}

pyro_status pyro_service_list(pyro_client* client, const char* workspace, pyro_result** result,
                              pyro_error** error) {
  return of_workspace(client, "workspace.service.list", workspace, nullptr, result, error);
}

pyro_status pyro_service_status(pyro_client* client, const char* workspace, const char* name,
                                pyro_result** result, pyro_error** error) {
  return call(
      client, "workspace.service.status",
      [&](Arguments& arguments) { of_service(arguments, workspace, name); }, nullptr, result,
      error);
}

pyro_status pyro_service_logs(pyro_client* client, const char* workspace, const char* name,
                              int tail_lines, pyro_result** result, pyro_error** error) {
  return call(
      client, "workspace.service.logs",
      [&](Arguments& arguments) {
        of_service(arguments, workspace, name)
            .flag("all", tail_lines < 0 ? 1 : 0)
            .number("tail_lines", tail_lines < 0 ? 0 : tail_lines);
      },
      nullptr, result, error);
}

pyro_status pyro_service_stop(pyro_client* client, const char* workspace, const char* name,
                              pyro_result** result, pyro_error** error) {
  return call(
      client, "workspace.service.stop",
      [&](Arguments& arguments) { of_service(arguments, workspace, name); }, nullptr, result,
      error);
}

// ---- shells

pyro_status pyro_shell_open(pyro_client* client, const char* workspace,
                            const pyro_shell_options* options, pyro_result** result,
                            pyro_error** error) {
  const pyro_shell_options& o = given(options);
  return call(
      client, "workspace.shell.open",
      [&](Arguments& arguments) {
        of(arguments, workspace)
            .text("cwd", o.cwd)
            .number("cols", o.cols)
            .number("rows", o.rows)
            .secret_env(o.secret_env);
      },
      nullptr, result, error);
}

pyro_status pyro_shell_read(pyro_client* client, const char* workspace, const char* shell,
                            const pyro_shell_read_options* options, pyro_result** result,
                            pyro_error** error) {
  const pyro_shell_read_options& o = given(options);
  return call(
      client, "workspace.shell.read",
      [&](Arguments& arguments) {
        of_shell(arguments, workspace, shell)
            .number("cursor", o.cursor)
            .number("max_chars", o.max_chars)
            .flag("plain", o.plain)
            .number("wait_for_idle_ms", o.wait_for_idle_ms)
            .number("wait_timeout_ms", o.wait_timeout_ms);
      },
      nullptr, result, error);
}

pyro_status pyro_shell_write(pyro_client* client, const char* workspace, const char* shell,
                             const char* input, int newline, pyro_result** result,
                             pyro_error** error) {
  return call(
      client, "workspace.shell.write",
      [&](Arguments& arguments) {
        of_shell(arguments, workspace, shell)
            .required("input", input)
            .boolean("append_newline", newline != 0);
      },
      nullptr, result, error);
}

pyro_status pyro_shell_signal(pyro_client* client, const char* workspace, const char* shell,
                              const char* signal_name, pyro_result** result, pyro_error** error) {
  return call(
      client, "workspace.shell.signal",
      [&](Arguments& arguments) {
        of_shell(arguments, workspace, shell).required("signal_name", signal_name);
      },
      nullptr, result, error);
}

pyro_status pyro_shell_close(pyro_client* client, const char* workspace, const char* shell,
                             pyro_result** result, pyro_error** error) {
  return call(
      client, "workspace.shell.close",
      [&](Arguments& arguments) { of_shell(arguments, workspace, shell); }, nullptr, result, error);
}
