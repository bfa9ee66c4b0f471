// The workspaces of this host. Records are read here; whatever changes one goes through its
// supervisor, which is started when nobody has the workspace open.
#pragma once

#include "client/connection.h"
#include "client/host_side.h"
#include "client/workspaces.h"
#include "proto/workspace_messages.h"
#include "seed/seed.h"
#include "store/workspace_record.h"

namespace pyro::client {

// Of a seed or a sync, as the observer wants to see it; `observer` is borrowed.
seed::Progress seed_progress(const WorkspaceObserver& observer);

// Somebody who has just got a workspace's lock listens soon, and who ends gives it up soon: so
// often it is tried again, after a moment each.
inline constexpr int kTries = 200;
void pause_a_moment();

class LocalWorkspaces final : public Workspaces {
 public:
  explicit LocalWorkspaces(HostSide& host);
  ~LocalWorkspaces() override;

  // ---- local_workspaces.cc
  Result<WorkspaceInfo> create(const WorkspaceOptions& options,
                               const WorkspaceObserver& observer) override;
  Result<std::vector<WorkspaceInfo>> list() override;
  Result<WorkspaceInfo> status(const std::string& workspace) override;
  Result<WorkspaceInfo> update(const std::string& workspace,
                               const WorkspaceUpdate& update) override;
  Result<WorkspaceInfo> set_network(const std::string& workspace, const NetworkOptions& network,
                                    const WorkspaceObserver& observer) override;
  Result<WorkspaceNetwork> network(const std::string& workspace) override;
  Result<void> network_events(
      const std::string& workspace, const NetworkEventOptions& options,
      const std::function<Result<void>(const NetworkEvent&)>& on_event) override;
  Result<WorkspaceInfo> remove(const std::string& workspace) override;
  Result<WorkspaceInfo> stop(const std::string& workspace) override;
  Result<WorkspaceInfo> start(const std::string& workspace,
                              const WorkspaceObserver& observer) override;
  Result<SnapshotInfo> create_snapshot(const std::string& workspace,
                                       const std::string& name) override;
  Result<SnapshotList> list_snapshots(const std::string& workspace) override;
  Result<SnapshotInfo> delete_snapshot(const std::string& workspace,
                                       const std::string& name) override;
  Result<ResetResult> reset(const std::string& workspace, const std::string& snapshot,
                            const WorkspaceObserver& observer) override;

  // ---- workspace_data.cc
  Result<Journal> logs(const std::string& workspace, const JournalOptions& options) override;
  Result<WorkspaceExecResult> exec(const std::string& workspace,
                                   const WorkspaceExecOptions& options,
                                   const WorkspaceObserver& observer) override;
  Result<SyncResult> push_sync(const std::string& workspace, const SyncOptions& options,
                               const WorkspaceObserver& observer) override;
  Result<ExportResult> export_path(const std::string& workspace, const std::string& path,
                                   const std::string& output_path,
                                   const WorkspaceObserver& observer) override;
  Result<DiffResult> diff(const std::string& workspace, int interrupt_fd) override;
  Result<FileList> list_files(const std::string& workspace,
                              const FileListOptions& options) override;
  Result<FileReadResult> read_file(const std::string& workspace, const std::string& path,
                                   std::int64_t max_bytes, const OnData& on_data,
                                   int interrupt_fd) override;
  Result<FileWriteResult> write_file(const std::string& workspace,
                                     const FileWriteOptions& options) override;
  Result<PatchResult> apply_patch(const std::string& workspace, const std::string& patch,
                                  int interrupt_fd) override;
  Result<ExportResult> disk_export(const std::string& workspace, const std::string& path,
                                   const std::string& output_path,
                                   const WorkspaceObserver& observer) override;
  Result<FileList> disk_list(const std::string& workspace, const FileListOptions& options,
                             const WorkspaceObserver& observer) override;
  Result<FileReadResult> disk_read(const std::string& workspace, const std::string& path,
                                   std::int64_t max_bytes, const OnData& on_data,
                                   const WorkspaceObserver& observer) override;
  Result<WorkspaceSummary> summary(const std::string& workspace, int interrupt_fd) override;

  Shells& shells() override { return *shells_; }
  Services& services() override { return *services_; }

  // ---- for the shells and the services
  // What a call needs of whoever has the workspace open.
  enum class Need : std::uint8_t {
    kRecord,   // that somebody has: one is started for it
    kMachine,  // the same, and it may have to start a machine: it gets a reservation
    kStarted,  // that the workspace is started: kConflict otherwise
  };
  Result<Connection> connect(const std::string& id, Need need, const RunObserver& observer);
  // The id, of a workspace that there is.
  [[nodiscard]] Result<std::string> find(const std::string& workspace) const;
  // Its record, to read, after finding out about a crash.
  [[nodiscard]] Result<store::WorkspaceStore> settled_store(const std::string& id) const;
  // Where its supervisor keeps the logs of a service.
  [[nodiscard]] std::string log_folder(const std::string& id, const std::string& service) const;

 private:
  Result<Connection> open(const std::string& id, Need need, const RunObserver& observer);
  Result<WorkspaceInfo> stop_unread(const std::string& id, Error why);
  Result<void> remove_once(const std::string& id);
  [[nodiscard]] Result<void> check_started(const std::string& id) const;
  Result<void> ask(const std::string& id, const char* method, boost::json::object params);
  // By its record, after finding out about a crash.
  [[nodiscard]] Result<WorkspaceInfo> info(const std::string& id) const;
  Result<proto::CreateWorkspace> create_request(const WorkspaceOptions& options,
                                                const WorkspaceObserver& observer);
  Result<void> fill_in_seed(proto::CreateWorkspace& request, const WorkspaceOptions& options,
                            const std::string& folder, const WorkspaceObserver& observer) const;

  struct Source {
    std::string id;
    bool offline = false;  // of a stopped workspace
  };
  Result<boost::json::object> fetch(const Source& source, const std::string& method,
                                    boost::json::object params, const Connection::OnData& on_data,
                                    const WorkspaceObserver& observer);
  Result<ExportResult> export_from(const Source& source, const std::string& path,
                                   const std::string& output_path,
                                   const WorkspaceObserver& observer);
  Result<FileList> list_from(const Source& source, const FileListOptions& options,
                             const WorkspaceObserver& observer);
  Result<FileReadResult> read_from(const Source& source, const std::string& path,
                                   std::int64_t max_bytes, const OnData& on_data,
                                   const WorkspaceObserver& observer);
  // A sync of what `produce` writes, noted when it went well.
  static Result<proto::TreeCounts> send_tree(Connection& connection, const std::string& destination,
                                             const proto::NoteWorkspace& note,
                                             const Connection::Produce& produce, int interrupt_fd);
  static WorkspaceObserver given_up_by(int interrupt_fd) {
    return {.run = {.interrupt_fd = interrupt_fd}};
  }
  // A call that may have to wait for a machine to start.
  static Connection::CallOptions waiting(const RunObserver& observer, const std::string& id);
  void note(const std::string& id, const std::string& event, boost::json::object detail);

  HostSide& host_;
  std::unique_ptr<Shells> shells_;
  std::unique_ptr<Services> services_;
};

}  // namespace pyro::client
