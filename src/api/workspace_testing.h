// For tests of surfaces: workspaces without a guest.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "api/session_testing.h"
#include "client/workspaces.h"

namespace pyro::api::testing {

// Answers every call with what stands in its members, and keeps what it was asked.
class FakeWorkspaces final : public client::Workspaces {
 public:
  static constexpr double kDay = 1'767'225'600;  // 2026-01-01 00:00:00 UTC

  // ---- what it answers
  std::optional<Error> fails;
  std::string fail_at;  // only calls that begin so; empty: all
  client::WorkspaceInfo info = started();
  std::vector<client::WorkspaceInfo> workspaces{started()};
  std::vector<std::pair<std::string, std::string>> phases;
  std::vector<image::PullProgress> pull_steps;
  std::vector<std::pair<std::int64_t, std::int64_t>> progress;
  std::vector<std::string> chunks{"hello\n"};  // of a command's output, or of a file
  std::string stderr_bytes;
  client::WorkspaceExecResult executed{.workspace_id = "ws-1",
                                       .sequence = 3,
                                       .cwd = "/workspace",
                                       .execution_mode = "guest_serial",
                                       .duration_ms = 41,
                                       .timing = {{"exec_ms", 41}}};
  client::Journal journal{.workspace_id = "ws-1",
                          .entries = {{.sequence = 1,
                                       .command = "git status",
                                       .cwd = "/workspace",
                                       .started_at = kDay,
                                       .ended_at = kDay + 1,
                                       .exit_code = 0,
                                       .duration_ms = 12,
                                       .out = "clean\n",
                                       .out_bytes = 6},
                                      {.sequence = 2,
                                       .command = "sh -c 'cd src; make'",
                                       .cwd = "/workspace/my src",
                                       .started_at = kDay + 2,
                                       .out = "half a line",
                                       .err = "a warning",
                                       .out_bytes = 11,
                                       .err_bytes = 9,
                                       .err_truncated = true}}};
  client::DiffResult difference{
      .workspace_id = "ws-1",
      .changed = true,
      .summary = {.total = 4,
                  .added = 1,
                  .modified = 1,
                  .type_changed = 1,
                  .mode_changed = 1,
                  .text_patched = 1,
                  .non_text = 3},
      .entries = {{.path = "a.txt", .status = "modified", .kind = "file", .text = true},
                  {.path = "bin\xFF", .status = "added", .kind = "file"},
                  {.path = "link", .status = "type_changed", .kind = "symlink", .old_kind = "file"},
                  {.path = "run me.sh",
                   .status = "mode_changed",
                   .kind = "file",
                   .old_mode = 0644,
                   .new_mode = 0755}},
      .patch = "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-a\n+b\xFF\n"};
  client::PatchResult patched{
      .workspace_id = "ws-1",
      .changed = true,
      .summary = {.total = 1, .modified = 1},
      .entries = {{.path = "a.txt", .status = "modified", .kind = "file", .text = true}}};
  client::ExportResult exported{.workspace_id = "ws-1",
                                .execution_mode = "guest_serial",
                                .workspace_path = "/workspace/src",
                                .output_path = "/tmp/out dir",
                                .artifact_type = "directory",
                                .entry_count = 7,
                                .bytes_written = 4096,
                                .skipped = {"src/pipe\n"}};
  client::SnapshotList snapshots{.workspace_id = "ws-1",
                                 .snapshots = {{.snapshot_name = "baseline",
                                                .kind = "baseline",
                                                .created_at = kDay,
                                                .entry_count = 2,
                                                .bytes_written = 30},
                                               {.snapshot_name = "checkpoint",
                                                .kind = "named",
                                                .created_at = kDay + 60,
                                                .entry_count = 3,
                                                .bytes_written = 33}}};
  client::FileList files{
      .workspace_id = "ws-1",
      .path = "src",
      .entries = {
          {.path = "src/note.txt", .kind = "file", .mode = 0644, .size = 12, .mtime = kDay},
          {.path = "src/odd\n\xFF", .kind = "file", .mode = 0600, .size = 1234, .mtime = kDay},
          {.path = "src/here",
           .kind = "symlink",
           .mode = 0777,
           .mtime = kDay,
           .target = "../\xFE"}}};
  std::vector<client::SummaryEvent> events{
      {.at = kDay, .kind = "sync", .detail = R"({"entry_count":3})"},
      {.at = kDay + 1, .kind = "patch", .detail = "not JSON"}};

  FakeShells kept_shells;
  FakeServices kept_services;

  // ---- what was asked for
  std::vector<std::string> calls;  // "exec ws-1", ...
  client::WorkspaceOptions created;
  client::WorkspaceUpdate update_asked;
  client::NetworkOptions network_asked;
  client::WorkspaceExecOptions exec_asked;
  client::JournalOptions logs_asked;
  client::SyncOptions sync_asked;
  client::FileListOptions list_asked;
  client::FileWriteOptions write_asked;
  std::string patch_asked, output_asked;
  std::int64_t max_bytes_asked = -1;
  int interrupt_fd = -1;

  static client::WorkspaceInfo started() {
    return {.workspace_id = "ws-1",
            .environment = "debian:12",
            .state = "started",
            .execution_mode = "guest_serial",
            .vcpu_count = 1,
            .mem_mib = 1024,
            .created_at = kDay,
            .last_activity_at = kDay + 3600};
  }
  // One of which everything that can be said has something to say.
  static client::WorkspaceInfo full() {
    client::WorkspaceInfo info = started();
    info.name = "fix";
    info.state = "damaged";
    info.workspace_seed = {
        .mode = "directory", .source = "./repo", .entry_count = 12, .bytes_written = 3456};
    info.labels = {{"team", "core"}, {"ticket", "42"}};
    info.env = {{"CI", "1"}};
    info.network = {.policy = "egress",
                    .allow = {"github.com:443", "*.example.com:80,443-445"},
                    .deny = {"10.0.0.0/8:*"},
                    .allow_udp = true,
                    .allow_icmp = true,
                    .hash = std::string(64, 'a'),
                    .warnings = {"a denied name is no boundary"}};
    info.secrets = {{.name = "API_TOKEN", .source_kind = "literal"},
                    {.name = "PIP_TOKEN", .source_kind = "file"}};
    info.command_count = 2;
    info.last_command = {.command = "make test", .exit_code = 2};
    info.service_count = 2;
    info.running_service_count = 1;
    info.reset_count = 1;
    info.last_reset_at = kDay + 60;
    info.ttl_seconds = 7200;
    info.ttl_action = "delete";
    info.expires_at = kDay + 7200;
    info.last_error = "layer 2: \033[2J bad";
    return info;
  }

  Result<client::WorkspaceInfo> create(const client::WorkspaceOptions& options,
                                       const client::WorkspaceObserver& observer) override {
    created = options;
    warn(observer.run);
    PYRO_CHECK(enter("create " + options.environment, &observer));
    return info;
  }
  Result<std::vector<client::WorkspaceInfo>> list() override {
    PYRO_CHECK(enter("list"));
    return workspaces;
  }
  Result<client::WorkspaceInfo> status(const std::string& workspace) override {
    PYRO_CHECK(enter("status " + workspace));
    return info;
  }
  Result<client::WorkspaceInfo> update(const std::string& workspace,
                                       const client::WorkspaceUpdate& update) override {
    update_asked = update;
    PYRO_CHECK(enter("update " + workspace));
    return info;
  }
  Result<client::WorkspaceInfo> set_network(const std::string& workspace,
                                            const client::NetworkOptions& network,
                                            const client::WorkspaceObserver& observer) override {
    network_asked = network;
    PYRO_CHECK(enter("network " + workspace));
    warn(observer.run);
    return info;
  }
  Result<client::WorkspaceNetwork> network(const std::string& workspace) override {
    PYRO_CHECK(enter("network show " + workspace));
    return client::WorkspaceNetwork{.workspace_id = info.workspace_id,
                                    .state = info.state,
                                    .policy = info.network,
                                    .live = live};
  }
  Result<void> network_events(
      const std::string& workspace, const client::NetworkEventOptions& options,
      const std::function<Result<void>(const client::NetworkEvent&)>& on_event) override {
    PYRO_CHECK(enter("network events " + workspace));
    events_asked = options;
    for (const client::NetworkEvent& e : network_log) PYRO_CHECK(on_event(e));
    return {};
  }
  std::optional<client::LiveNetwork> live;
  std::vector<client::NetworkEvent> network_log;
  client::NetworkEventOptions events_asked;
  Result<client::WorkspaceInfo> remove(const std::string& workspace) override {
    PYRO_CHECK(enter("remove " + workspace));
    client::WorkspaceInfo gone = info;
    gone.workspace_id = workspace == "fix" ? "ws-1" : workspace;
    gone.state = "deleted";
    return gone;
  }
  Result<client::WorkspaceInfo> stop(const std::string& workspace) override {
    PYRO_CHECK(enter("stop " + workspace));
    client::WorkspaceInfo stopped = info;
    stopped.state = "stopped";
    return stopped;
  }
  Result<client::WorkspaceInfo> start(const std::string& workspace,
                                      const client::WorkspaceObserver& observer) override {
    PYRO_CHECK(enter("start " + workspace, &observer));
    return info;
  }
  Result<client::Journal> logs(const std::string& workspace,
                               const client::JournalOptions& options) override {
    logs_asked = options;
    PYRO_CHECK(enter("logs " + workspace));
    return journal;
  }
  Result<client::WorkspaceExecResult> exec(const std::string& workspace,
                                           const client::WorkspaceExecOptions& options,
                                           const client::WorkspaceObserver& observer) override {
    exec_asked = options;
    PYRO_CHECK(enter("exec " + workspace, &observer));
    for (const std::string& chunk : chunks) PYRO_CHECK(observer.run.on_stdout(chunk));
    if (!stderr_bytes.empty()) PYRO_CHECK(observer.run.on_stderr(stderr_bytes));
    executed.command = options.argv.empty() ? options.command : options.argv[0];
    return executed;
  }
  Result<client::SyncResult> push_sync(const std::string& workspace,
                                       const client::SyncOptions& options,
                                       const client::WorkspaceObserver& observer) override {
    sync_asked = options;
    PYRO_CHECK(enter("sync " + workspace, &observer));
    return client::SyncResult{.workspace_id = "ws-1",
                              .execution_mode = "guest_serial",
                              .mode = "directory",
                              .source = options.source_path,
                              .destination = "/workspace/src",
                              .entry_count = 3,
                              .bytes_written = 120};
  }
  Result<client::ExportResult> export_path(const std::string& workspace, const std::string& path,
                                           const std::string& output_path,
                                           const client::WorkspaceObserver& observer) override {
    output_asked = output_path;
    PYRO_CHECK(enter("export " + workspace + " " + path, &observer));
    return exported;
  }
  Result<client::DiffResult> diff(const std::string& workspace, int interrupt) override {
    interrupt_fd = interrupt;
    PYRO_CHECK(enter("diff " + workspace));
    return difference;
  }
  Result<client::SnapshotInfo> create_snapshot(const std::string& workspace,
                                               const std::string& name) override {
    PYRO_CHECK(enter("snapshot create " + workspace + " " + name));
    return snapshot(name);
  }
  Result<client::SnapshotList> list_snapshots(const std::string& workspace) override {
    PYRO_CHECK(enter("snapshot list " + workspace));
    return snapshots;
  }
  Result<client::SnapshotInfo> delete_snapshot(const std::string& workspace,
                                               const std::string& name) override {
    PYRO_CHECK(enter("snapshot delete " + workspace + " " + name));
    return snapshot(name);
  }
  Result<client::ResetResult> reset(const std::string& workspace, const std::string& name,
                                    const client::WorkspaceObserver& observer) override {
    PYRO_CHECK(enter("reset " + workspace + " " + name, &observer));
    client::ResetResult result{.workspace = info,
                               .snapshot_name = name,
                               .kind = name == "baseline" ? "baseline" : "named",
                               .entry_count = 3,
                               .bytes_written = 33};
    result.workspace.reset_count = 1;
    return result;
  }
  Result<client::FileList> list_files(const std::string& workspace,
                                      const client::FileListOptions& options) override {
    list_asked = options;
    interrupt_fd = options.interrupt_fd;
    PYRO_CHECK(enter("files " + workspace));
    return files;
  }
  Result<client::FileReadResult> read_file(const std::string& workspace, const std::string& path,
                                           std::int64_t max_bytes, const OnData& on_data,
                                           int interrupt) override {
    max_bytes_asked = max_bytes;
    interrupt_fd = interrupt;
    PYRO_CHECK(enter("read " + workspace + " " + path));
    return give_file(path, on_data);
  }
  Result<client::FileWriteResult> write_file(const std::string& workspace,
                                             const client::FileWriteOptions& options) override {
    write_asked = options;
    interrupt_fd = options.interrupt_fd;
    PYRO_CHECK(enter("write " + workspace));
    return client::FileWriteResult{
        .workspace_id = "ws-1",
        .path = options.path,
        .bytes_written = static_cast<std::int64_t>(options.content.size())};
  }
  Result<client::PatchResult> apply_patch(const std::string& workspace, const std::string& patch,
                                          int interrupt) override {
    interrupt_fd = interrupt;
    patch_asked = patch;
    PYRO_CHECK(enter("patch " + workspace));
    return patched;
  }
  Result<client::ExportResult> disk_export(const std::string& workspace, const std::string& path,
                                           const std::string& output_path,
                                           const client::WorkspaceObserver& observer) override {
    output_asked = output_path;
    PYRO_CHECK(enter("disk export " + workspace + " " + path, &observer));
    return exported;
  }
  Result<client::FileList> disk_list(const std::string& workspace,
                                     const client::FileListOptions& options,
                                     const client::WorkspaceObserver& observer) override {
    list_asked = options;
    PYRO_CHECK(enter("disk list " + workspace, &observer));
    return files;
  }
  Result<client::FileReadResult> disk_read(const std::string& workspace, const std::string& path,
                                           std::int64_t max_bytes, const OnData& on_data,
                                           const client::WorkspaceObserver& observer) override {
    max_bytes_asked = max_bytes;
    PYRO_CHECK(enter("disk read " + workspace + " " + path, &observer));
    return give_file(path, on_data);
  }
  Result<client::WorkspaceSummary> summary(const std::string& workspace, int interrupt) override {
    interrupt_fd = interrupt;
    PYRO_CHECK(enter("summary " + workspace));
    return client::WorkspaceSummary{.workspace = info,
                                    .since = kDay,
                                    .commands = journal.entries,
                                    .events = events,
                                    .diff = difference};
  }
  client::Shells& shells() override { return kept_shells; }
  client::Services& services() override { return kept_services; }

 private:
  void warn(const client::RunObserver& observer) const {
    for (const std::string& warning : info.network.warnings) {
      if (observer.on_warning) observer.on_warning(warning);
    }
  }
  Result<void> enter(const std::string& call, const client::WorkspaceObserver* observer = nullptr) {
    calls.push_back(call);
    if (observer != nullptr) {
      interrupt_fd = observer->run.interrupt_fd;
      for (const image::PullProgress& step : pull_steps) observer->run.on_pull(step);
      for (const auto& [phase, detail] : phases) observer->run.on_phase(phase, "ws-1", detail);
      for (const auto& [entries, bytes] : progress) observer->on_progress(entries, bytes);
    }
    if (fails && (fail_at.empty() || call.starts_with(fail_at))) return std::unexpected(*fails);
    return {};
  }
  static client::SnapshotInfo snapshot(const std::string& name) {
    return {.snapshot_name = name,
            .kind = "named",
            .created_at = kDay,
            .entry_count = 3,
            .bytes_written = 33,
            .workspace_id = "ws-1"};
  }
  [[nodiscard]] Result<client::FileReadResult> give_file(const std::string& path,
                                                         const OnData& on_data) const {
    std::int64_t bytes = 0;
    for (const std::string& chunk : chunks) {
      PYRO_CHECK(on_data(chunk));
      bytes += static_cast<std::int64_t>(chunk.size());
    }
    return client::FileReadResult{.workspace_id = "ws-1", .path = path, .bytes = bytes};
  }
};

}  // namespace pyro::api::testing
