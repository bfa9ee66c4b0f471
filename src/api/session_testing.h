// For tests of surfaces: shells and services without a guest.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "client/services.h"
#include "client/shells.h"

namespace pyro::api::testing {

inline constexpr double kSessionDay = 1'767'225'600;  // 2026-01-01 00:00:00 UTC

// Answers every call with what stands in its members, and keeps what it was asked.
class FakeShells final : public client::Shells {
 public:
  // ---- what it answers
  std::optional<Error> fails;
  client::ShellInfo info{.workspace_id = "ws-1",
                         .shell_id = "shell-1",
                         .cwd = "/workspace",
                         .execution_mode = "guest_serial",
                         .cols = 120,
                         .rows = 30,
                         .state = "running",
                         .started_at = kSessionDay};
  std::string output = "$ make\r\nok\r\n$ ";
  std::int64_t missed_bytes = 0;
  bool truncated = false, idle = false;
  std::function<Result<void>(const client::ShellSink&)> on_follow;
  std::function<Result<client::ShellAttachResult>(const client::ShellSink&,
                                                  const client::ShellKeys&)>
      on_attach;

  // ---- what was asked for
  std::vector<std::string> calls;  // "open fix", "read fix shell-1", ...
  client::ShellOptions opened;
  client::ShellReadOptions read_asked;
  std::string written, signal_asked;
  bool newline_asked = false;
  std::int64_t cursor_asked = -1;
  int interrupt_fd = -1;

  [[nodiscard]] client::ShellInfo ended() const {
    client::ShellInfo out = info;
    out.state = "stopped";
    out.ended_at = kSessionDay + 60;
    out.exit_code = 3;
    out.end_reason = "exited";
    return out;
  }

  Result<client::ShellInfo> open(const std::string& workspace,
                                 const client::ShellOptions& options) override {
    opened = options;
    interrupt_fd = options.interrupt_fd;
    PYRO_CHECK(enter("open " + workspace));
    client::ShellInfo out = info;
    out.cwd = options.cwd;
    out.cols = options.cols;
    out.rows = options.rows;
    return out;
  }
  Result<client::ShellReadResult> read(const std::string& workspace, const std::string& shell_id,
                                       const client::ShellReadOptions& options) override {
    read_asked = options;
    interrupt_fd = options.interrupt_fd;
    PYRO_CHECK(enter("read " + workspace + " " + shell_id));
    return client::ShellReadResult{
        .shell = info,
        .cursor = options.cursor + missed_bytes,
        .next_cursor = options.cursor + missed_bytes + static_cast<std::int64_t>(output.size()),
        .missed_bytes = missed_bytes,
        .output = output,
        .truncated = truncated,
        .idle = idle};
  }
  Result<client::ShellInfo> follow(const std::string& workspace, const std::string& shell_id,
                                   std::int64_t cursor, const client::ShellSink& sink,
                                   int interrupt) override {
    cursor_asked = cursor;
    interrupt_fd = interrupt;
    PYRO_CHECK(enter("follow " + workspace + " " + shell_id));
    if (on_follow) PYRO_CHECK(on_follow(sink));
    return ended();
  }
  Result<client::ShellWriteResult> write(const std::string& workspace, const std::string& shell_id,
                                         const std::string& input, bool append_newline,
                                         int interrupt) override {
    interrupt_fd = interrupt;
    written = input;
    newline_asked = append_newline;
    PYRO_CHECK(enter("write " + workspace + " " + shell_id));
    return client::ShellWriteResult{
        .shell = info,
        .input_length = static_cast<std::int64_t>(input.size()) + (append_newline ? 1 : 0)};
  }
  Result<client::ShellInfo> signal(const std::string& workspace, const std::string& shell_id,
                                   const std::string& signal_name) override {
    signal_asked = signal_name;
    PYRO_CHECK(enter("signal " + workspace + " " + shell_id));
    return info;
  }
  Result<client::ShellInfo> resize(const std::string& workspace, const std::string& shell_id,
                                   std::optional<int> cols, std::optional<int> rows) override {
    PYRO_CHECK(enter("resize " + workspace + " " + shell_id));
    client::ShellInfo out = info;
    out.cols = cols.value_or(info.cols);
    out.rows = rows.value_or(info.rows);
    return out;
  }
  Result<client::ShellList> list(const std::string& workspace) override {
    PYRO_CHECK(enter("list " + workspace));
    client::ShellInfo second = ended();
    second.shell_id = "shell-2";
    return client::ShellList{.workspace_id = "ws-1", .shells = {info, second}};
  }
  Result<client::ShellInfo> close(const std::string& workspace, const std::string& shell_id,
                                  int interrupt) override {
    interrupt_fd = interrupt;
    PYRO_CHECK(enter("close " + workspace + " " + shell_id));
    client::ShellInfo out = ended();
    out.end_reason = "closed";
    out.exit_code = 129;
    return out;
  }
  Result<client::ShellAttachResult> attach(const std::string& workspace,
                                           const std::string& shell_id,
                                           const client::ShellSink& sink,
                                           const client::ShellKeys& keys) override {
    PYRO_CHECK(enter("attach " + workspace + " " + shell_id));
    if (on_attach) return on_attach(sink, keys);
    return client::ShellAttachResult{.shell = info, .detached = true};
  }

 private:
  Result<void> enter(const std::string& call) {
    calls.push_back(call);
    if (fails) return std::unexpected(*fails);
    return {};
  }
};

class FakeServices final : public client::Services {
 public:
  // ---- what it answers
  std::optional<Error> fails;
  client::ServiceInfo info{.workspace_id = "ws-1",
                           .service_name = "web",
                           .command = "./serve",
                           .cwd = "/workspace",
                           .execution_mode = "guest_serial",
                           .state = "running",
                           .started_at = kSessionDay,
                           .ready_at = kSessionDay + 1,
                           .pid = 312,
                           .restart = "no"};
  std::vector<client::LogEntry> entries{
      {.at = kSessionDay + 0.25, .stream = "stdout", .text = "listening\nGET /"},
      {.at = kSessionDay + 1, .stream = "stderr", .text = "a warning\n"},
      {.at = kSessionDay + 2.5, .stream = "stdout", .text = " 200\n"},
      {.at = kSessionDay + 3, .stream = "pyro", .text = "1.5 MiB were dropped\n"}};
  bool truncated = false;
  Error follow_fails;  // when it has a message
  std::function<void()> during_start;

  // ---- what was asked for
  std::vector<std::string> calls;  // "start fix web", ...
  client::ServiceOptions started;
  client::ServiceLogOptions logs_asked;
  int timeout_asked = -1, interrupt_fd = -1;

  // One of which everything that can be said has something to say.
  static client::ServiceInfo full() {
    client::ServiceInfo out = FakeServices().info;
    out.service_name = "app";
    out.command = "sh -c 'sleep 1; exit 7'";
    out.cwd = "/workspace/my app";
    out.state = "failed";
    out.ended_at = kSessionDay + 2;
    out.exit_code = 7;
    out.pid.reset();
    out.readiness = client::ServiceReadiness{.type = "http", .url = "http://localhost:8080/health"};
    out.stop_reason = "exited";
    out.restart = "on-failure";
    out.restart_count = 5;
    out.published_ports = {
        {.host = "127.0.0.1", .protocol = "tcp", .host_port = 18080, .guest_port = 8080},
        {.host = "127.0.0.1", .protocol = "tcp", .host_port = {}, .guest_port = 9090}};
    out.last_error = "exit code 7: \033[2J bad";
    return out;
  }

  Result<client::ServiceInfo> start(const std::string& workspace, const std::string& name,
                                    const client::ServiceOptions& options, int interrupt) override {
    started = options;
    interrupt_fd = interrupt;
    if (during_start) during_start();
    PYRO_CHECK(enter("start " + workspace + " " + name));
    client::ServiceInfo out = info;
    out.service_name = name;
    out.cwd = options.cwd;
    if (options.readiness) out.readiness = options.readiness;
    return out;
  }
  Result<client::ServiceList> list(const std::string& workspace) override {
    PYRO_CHECK(enter("list " + workspace));
    return client::ServiceList{
        .workspace_id = "ws-1", .running_count = 1, .services = {full(), info}};
  }
  Result<client::ServiceInfo> status(const std::string& workspace,
                                     const std::string& name) override {
    PYRO_CHECK(enter("status " + workspace + " " + name));
    return info;
  }
  Result<client::ServiceLogs> logs(const std::string& workspace, const std::string& name,
                                   const client::ServiceLogOptions& options) override {
    logs_asked = options;
    PYRO_CHECK(enter("logs " + workspace + " " + name));
    return client::ServiceLogs{.service = info, .entries = entries, .truncated = truncated};
  }
  Result<client::ServiceInfo> follow(
      const std::string& workspace, const std::string& name,
      const client::ServiceLogOptions& options,
      const std::function<Result<void>(const client::LogEntry&)>& on_entry,
      int interrupt) override {
    logs_asked = options;
    interrupt_fd = interrupt;
    PYRO_CHECK(enter("follow " + workspace + " " + name));
    for (const client::LogEntry& entry : entries) PYRO_CHECK(on_entry(entry));
    if (!follow_fails.message.empty()) return std::unexpected(follow_fails);
    client::ServiceInfo out = info;
    out.state = "exited";
    out.exit_code = 0;
    out.stop_reason = "exited";
    return out;
  }
  Result<client::ServiceInfo> stop(const std::string& workspace, const std::string& name,
                                   int timeout_seconds, int interrupt) override {
    interrupt_fd = interrupt;
    timeout_asked = timeout_seconds;
    PYRO_CHECK(enter("stop " + workspace + " " + name));
    client::ServiceInfo out = info;
    out.state = "stopped";
    out.exit_code = 143;
    out.stop_reason = "sigterm";
    return out;
  }
  Result<client::ServiceInfo> restart(const std::string& workspace, const std::string& name,
                                      int timeout_seconds, int interrupt) override {
    timeout_asked = timeout_seconds;
    interrupt_fd = interrupt;
    PYRO_CHECK(enter("restart " + workspace + " " + name));
    return info;
  }

 private:
  Result<void> enter(const std::string& call) {
    calls.push_back(call);
    if (fails) return std::unexpected(*fails);
    return {};
  }
};

}  // namespace pyro::api::testing
