// Workspaces: microVMs that stay. Blocking calls, from any number of objects and processes at once.
// Wherever a workspace is named, its id or its name will do. An interface, so that surfaces can be
// tested without a guest; Pyro::workspaces() is the real one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pyro/export.h"
#include "pyro/network.hpp"
#include "pyro/result.hpp"
#include "pyro/services.hpp"
#include "pyro/shells.hpp"
#include "pyro/vm.hpp"

namespace pyro {

// A secret of a new workspace: its value, or the host's file that holds it (UTF-8, at most 64 KiB,
// at least 4 bytes).
struct SecretSource {
  std::string name;  // [A-Za-z_][A-Za-z0-9_]*
  std::optional<std::string> value;
  std::optional<std::string> file_path;
};

struct WorkspaceOptions {
  std::string environment;
  int vcpu_count = kDefaultVcpuCount;
  int mem_mib = kDefaultMemMib;
  std::optional<int> ttl_seconds;   // none: it stays until it is deleted
  std::string ttl_action = "stop";  // at the end of the TTL: stop (deleted a day later) or delete
  NetworkOptions network;
  bool allow_host_compat = false;  // no weaker backend exists yet: it is a microVM all the same
  std::optional<std::string> seed_path;
  bool git_tracked = false;  // of the seed, only what git tracks
  std::vector<SecretSource> secrets;
  std::string name;  // may be empty
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> env;  // of every command
};

struct WorkspaceSeedInfo {
  std::string mode = "empty";  // empty, directory, archive
  std::optional<std::string> source;
  std::int64_t entry_count = 0, bytes_written = 0;
};
struct SecretInfo {
  std::string name, source_kind;  // literal, file
};
struct LastCommand {
  std::string command;
  std::optional<int> exit_code;  // none: it runs, or was interrupted
};

struct WorkspaceInfo {
  std::string workspace_id, name;
  std::string environment;
  std::string state;  // creating, started, stopped, deleting, damaged; of delete: deleted
  std::string execution_mode;
  PolicyInfo network;
  bool allow_host_compat = false;
  int vcpu_count = 0, mem_mib = 0;
  WorkspaceSeedInfo workspace_seed;
  std::map<std::string, std::string> labels, env;
  std::vector<SecretInfo> secrets;
  std::int64_t command_count = 0;
  std::optional<LastCommand> last_command;
  int service_count = 0, running_service_count = 0;
  std::int64_t reset_count = 0;
  std::optional<double> last_reset_at;
  double created_at = 0, last_activity_at = 0;  // seconds since the epoch
  std::optional<int> ttl_seconds;
  std::string ttl_action = "stop";
  std::optional<double> expires_at;
  std::string last_error;  // empty when nothing failed
};

struct WorkspaceUpdate {
  std::optional<std::string> name;                           // "": it has none any more
  std::map<std::string, std::optional<std::string>> labels;  // nullopt: removed
  std::optional<int> ttl_seconds;                            // from now on; 0: no TTL any more
  std::optional<std::string> ttl_action;
};

struct WorkspaceExecOptions {
  std::vector<std::string> argv;  // not empty; no NUL
  std::string command;            // instead of argv: run by /bin/sh -c
  int timeout_seconds = kDefaultTimeoutSeconds;
  std::string cwd = "/workspace";                 // relative: below /workspace
  std::map<std::string, std::string> env;         // on top of the workspace's
  std::map<std::string, std::string> secret_env;  // secret -> variable
  std::optional<int> stdin_fd;                    // borrowed; read to its end and passed on
};
struct WorkspaceExecResult {
  std::string workspace_id;
  std::int64_t sequence = 0;  // of the journal, from 1
  std::string command, cwd, execution_mode;
  int exit_code = 0;
  std::optional<int> signal;
  bool timed_out = false;
  std::int64_t duration_ms = 0;
  Timing timing;
};

// What a caller sees of a long call. All callbacks may be empty and are called on the calling
// thread.
struct WorkspaceObserver {
  RunObserver run;  // phases (pull, seed, queue, template, create, start, execute), output, Ctrl-C
  // Entries and bytes so far, of a seed, a sync or an export.
  std::function<void(std::int64_t entries, std::int64_t bytes)> on_progress;
};

struct JournalEntry {
  std::int64_t sequence = 0;
  std::string command, cwd;
  double started_at = 0;
  std::optional<double> ended_at;
  std::optional<int> exit_code;  // none: it runs, or was interrupted
  bool timed_out = false;
  std::int64_t duration_ms = 0;
  std::string out, err;  // as kept: long ones have a mark where something is left out
  std::int64_t out_bytes = 0, err_bytes = 0;  // what there was
  bool out_truncated = false, err_truncated = false;
};
// Both empty: all of them.
struct JournalOptions {
  std::optional<int> tail;               // so many, the last ones
  std::optional<std::int64_t> sequence;  // the one of this number, if there is one
};
struct Journal {
  std::string workspace_id;
  std::vector<JournalEntry> entries;
};

struct SyncOptions {
  std::string source_path;          // folder or archive
  std::string dest = "/workspace";  // relative: below /workspace
  bool git_tracked = false;
};
struct SyncResult {
  std::string workspace_id, execution_mode;
  std::string mode, source, destination;  // directory or archive; as given; absolute
  std::int64_t entry_count = 0, bytes_written = 0;
};

struct ExportResult {
  std::string workspace_id, execution_mode;
  std::string workspace_path, output_path;
  std::string artifact_type;  // file, directory, symlink
  std::int64_t entry_count = 0, bytes_written = 0;
  std::vector<std::string> skipped;  // devices, sockets, pipes: named and never carried
};

struct DiffEntry {
  std::string path;    // below /workspace, as bytes
  std::string status;  // added, modified, deleted, type_changed, mode_changed
  std::string
      kind;  // of what is there now (of a deleted one: was): file, directory, symlink, other
  std::optional<std::string> old_kind;    // type_changed
  std::optional<int> old_mode, new_mode;  // permission bits, where they differ
  bool text = false;                      // whether the patch has it
};
struct DiffResult {
  std::string workspace_id;
  bool changed = false;
  struct {
    std::int64_t total = 0, added = 0, modified = 0, deleted = 0, type_changed = 0;
    std::int64_t mode_changed = 0, text_patched = 0, non_text = 0;
  } summary;
  std::vector<DiffEntry> entries;  // in the order of their paths
  std::string patch;               // for git apply and patch -p1; bytes
};

struct SnapshotInfo {
  std::string snapshot_name, kind;  // baseline, named
  double created_at = 0;
  std::int64_t entry_count = 0, bytes_written = 0;
  std::string workspace_id;  // where it is the result of a call; in a list, that of the list
};
struct SnapshotList {
  std::string workspace_id;
  std::vector<SnapshotInfo> snapshots;  // the baseline first
};

struct ResetResult {
  WorkspaceInfo workspace;
  std::string snapshot_name, kind;
  std::string destination = "/workspace";
  std::int64_t entry_count = 0, bytes_written = 0;
};

struct FileInfo {
  std::string path;  // below /workspace, as bytes; "." is /workspace itself
  std::string kind;  // file, directory, symlink, other
  int mode = 0;
  std::optional<std::int64_t> size;  // of files
  double mtime = 0;
  std::optional<std::string> target;  // of symlinks
};
struct FileList {
  std::string workspace_id, path;
  std::vector<FileInfo> entries;
};
struct FileListOptions {
  std::string path = "/workspace";
  bool recursive = false;
  int interrupt_fd = -1;
};
struct FileReadResult {
  std::string workspace_id, path;
  std::int64_t bytes = 0;  // of the file, all of which was given to on_data
};
struct FileWriteOptions {
  std::string path;         // parents are made
  std::string content;      // at most 64 MiB
  std::optional<int> mode;  // permission bits; none: 0644
  int interrupt_fd = -1;
};
struct FileWriteResult {
  std::string workspace_id, path;
  std::int64_t bytes_written = 0;
};

struct PatchResult {
  std::string workspace_id;
  bool changed = false;
  struct {
    std::int64_t total = 0, added = 0, modified = 0, deleted = 0;
  } summary;
  std::vector<DiffEntry> entries;
};

struct SummaryEvent {
  double at = 0;
  std::string kind;    // sync, file_write, patch, export, snapshot, ...
  std::string detail;  // a JSON object
};
struct WorkspaceSummary {
  WorkspaceInfo workspace;
  double since = 0;                    // of the last reset, or of create
  std::vector<JournalEntry> commands;  // without their output
  std::vector<SummaryEvent> events;
  std::optional<DiffResult> diff;  // of a started workspace
};

struct WorkspaceNetwork {
  std::string workspace_id, state;
  PolicyInfo policy;                // as recorded
  std::optional<LiveNetwork> live;  // of a started one that has a network
};
struct NetworkEvent {
  double at = 0;         // seconds since the epoch
  std::string kind;      // decision; end: of a flow that was allowed
  std::string protocol;  // tcp, udp, icmp, dns, published, other
  std::string name;      // empty: none is known
  std::string address;   // empty: of a question for a name
  int port = 0;          // of "published" the guest's; of "other" the protocol's number
  bool allow = false;
  std::string rule, reason;                // "allow[2]", "not-listed"
  std::int64_t to_host = 0, to_guest = 0;  // bytes, at the end
};
struct NetworkEventOptions {
  int tail = 200;    // the last ones of what is kept
  bool all = false;  // whatever is kept
  bool follow = false;
  int interrupt_fd = -1;
};

// `interrupt_fd`, of a call or its options: when it is readable the call is given up
// (kUnavailable); -1: none.
class PYRO_API Workspaces {
 public:
  using OnData = std::function<Result<void>(std::string_view bytes)>;
  virtual ~Workspaces() = default;

  // Returns when the workspace can be used; nothing of it is left when it fails.
  virtual Result<WorkspaceInfo> create(const WorkspaceOptions& options,
                                       const WorkspaceObserver& observer) = 0;
  virtual Result<std::vector<WorkspaceInfo>> list() = 0;
  virtual Result<WorkspaceInfo> status(const std::string& workspace) = 0;
  virtual Result<WorkspaceInfo> update(const std::string& workspace,
                                       const WorkspaceUpdate& update) = 0;
  // All of the policy at once: in force at once, and after every start. kConflict: it would give
  // the machine, which runs, a network device, or take it away.
  virtual Result<WorkspaceInfo> set_network(const std::string& workspace,
                                            const NetworkOptions& network,
                                            const WorkspaceObserver& observer) = 0;
  virtual Result<WorkspaceNetwork> network(const std::string& workspace) = 0;
  // What its network engine decided: what is kept, and with `follow` what it decides from now on,
  // until the machine ends, `on_event` fails or the interrupt is readable.
  virtual Result<void> network_events(
      const std::string& workspace, const NetworkEventOptions& options,
      const std::function<Result<void>(const NetworkEvent&)>& on_event) = 0;
  virtual Result<WorkspaceInfo> remove(const std::string& workspace) = 0;  // state "deleted"
  virtual Result<WorkspaceInfo> stop(const std::string& workspace) = 0;
  virtual Result<WorkspaceInfo> start(const std::string& workspace,
                                      const WorkspaceObserver& observer) = 0;
  virtual Result<Journal> logs(const std::string& workspace, const JournalOptions& options) = 0;
  virtual Result<WorkspaceExecResult> exec(const std::string& workspace,
                                           const WorkspaceExecOptions& options,
                                           const WorkspaceObserver& observer) = 0;
  virtual Result<SyncResult> push_sync(const std::string& workspace, const SyncOptions& options,
                                       const WorkspaceObserver& observer) = 0;
  virtual Result<ExportResult> export_path(const std::string& workspace, const std::string& path,
                                           const std::string& output_path,
                                           const WorkspaceObserver& observer) = 0;
  virtual Result<DiffResult> diff(const std::string& workspace, int interrupt_fd) = 0;
  virtual Result<SnapshotInfo> create_snapshot(const std::string& workspace,
                                               const std::string& name) = 0;
  virtual Result<SnapshotList> list_snapshots(const std::string& workspace) = 0;
  virtual Result<SnapshotInfo> delete_snapshot(const std::string& workspace,
                                               const std::string& name) = 0;
  virtual Result<ResetResult> reset(const std::string& workspace, const std::string& snapshot,
                                    const WorkspaceObserver& observer) = 0;
  virtual Result<FileList> list_files(const std::string& workspace,
                                      const FileListOptions& options) = 0;
  // kLimit, before anything was given, when the file has more than max_bytes (0: no limit).
  virtual Result<FileReadResult> read_file(const std::string& workspace, const std::string& path,
                                           std::int64_t max_bytes, const OnData& on_data,
                                           int interrupt_fd) = 0;
  virtual Result<FileWriteResult> write_file(const std::string& workspace,
                                             const FileWriteOptions& options) = 0;
  // All of the patch or nothing.
  virtual Result<PatchResult> apply_patch(const std::string& workspace, const std::string& patch,
                                          int interrupt_fd) = 0;
  // Of a stopped workspace, read by a machine of its own that writes nothing.
  virtual Result<ExportResult> disk_export(const std::string& workspace, const std::string& path,
                                           const std::string& output_path,
                                           const WorkspaceObserver& observer) = 0;
  virtual Result<FileList> disk_list(const std::string& workspace, const FileListOptions& options,
                                     const WorkspaceObserver& observer) = 0;
  virtual Result<FileReadResult> disk_read(const std::string& workspace, const std::string& path,
                                           std::int64_t max_bytes, const OnData& on_data,
                                           const WorkspaceObserver& observer) = 0;
  virtual Result<WorkspaceSummary> summary(const std::string& workspace, int interrupt_fd) = 0;

  // Of these workspaces; they live as long as this object.
  virtual Shells& shells() = 0;
  virtual Services& services() = 0;
};

// A Smolfile of what a workspace is: image, sizes, variables, network. kInvalid: the policy has
// what a Smolfile cannot say.
PYRO_API Result<std::string> render_smolfile(const WorkspaceInfo& workspace);

}  // namespace pyro
