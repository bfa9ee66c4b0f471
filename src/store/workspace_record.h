// A workspace's record: <state>/sandboxes/<id>/workspace.db. Whoever holds the sandbox's lock
// writes, everybody of the same uid may read. Each change is one transaction that is on disk when
// the call returns (synchronous=FULL): what was acknowledged is not lost.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/policy.h"
#include "store/database.h"

namespace pyro::store {

// What is meant to be; whether a machine really runs is known from the sandbox's lock and by asking
// its supervisor.
enum class WorkspaceState : std::uint8_t { kCreating, kStarted, kStopped, kDeleting };
const char* state_text(WorkspaceState state);

struct WorkspaceSeed {
  std::string mode = "empty";  // empty, directory, archive
  std::string source;          // a path of the host, for people
  std::int64_t entry_count = 0, bytes_written = 0;
};
struct SecretName {
  std::string name;
  std::string source_kind;  // literal, file; the value is in no record
};

// A file of the host as it was when it was done with; it must be found like that.
struct LayerStamp {
  std::int64_t size = 0, inode = 0, ctime_ns = 0;
  bool operator==(const LayerStamp&) const = default;
};

struct WorkspaceRecord {
  std::string id, name;  // the name may be empty
  std::string environment, execution_mode;
  policy::Policy network;          // one that check_policy() found fine
  bool allow_host_compat = false;  // as asked for
  std::int64_t vcpu_count = 1, mem_mib = 0;
  WorkspaceSeed seed;
  std::map<std::string, std::string> labels, env;
  std::vector<SecretName> secrets;
  WorkspaceState state = WorkspaceState::kCreating;
  std::string last_error;
  double created_at = 0;        // seconds since 1970, UTC
  double last_activity_at = 0;  // not earlier than the last reset, command and event
  std::optional<std::int64_t> ttl_seconds;
  std::string ttl_action = "stop";  // stop, delete
  std::optional<double> expires_at;
  std::int64_t reset_count = 0;
  std::optional<double> last_reset_at;
  std::int64_t current_layer = 0;  // 0: none yet
  std::string work_base;           // the id of the file system that the layers stand on
  LayerStamp baseline;
  std::string folder;  // the one that the files are in (core/workspace_layers.h); empty: not known
};

struct LayerRecord {
  std::int64_t id = 0, parent = 0;   // 0: stands on the base
  std::optional<LayerStamp> frozen;  // none while a machine may write it
};
struct SnapshotRecord {
  std::string name;
  std::int64_t layer = 0;
  double created_at = 0;
  std::int64_t entry_count = 0, bytes_written = 0;
};

// A command of the journal. Without an end it runs, or was interrupted when nothing runs.
struct CommandRecord {
  std::int64_t sequence = 0;
  std::string command, cwd;
  double started_at = 0;
  std::optional<double> ended_at;
  std::optional<std::int64_t> exit_code;
  bool timed_out = false;
  std::int64_t duration_ms = 0;
  std::string out, err;                       // what was kept
  std::int64_t out_bytes = 0, err_bytes = 0;  // what there was
};
// Something that changed the workspace, for the summary.
struct EventRecord {
  std::int64_t id = 0;
  double at = 0;
  std::string kind;    // sync, file_write, patch, export, snapshot, ...
  std::string detail;  // one JSON object
};

// A program on a terminal. It runs until it has an end.
struct ShellRecord {
  std::int64_t id = 0;
  std::string cwd;
  std::int64_t cols = 0, rows = 0;
  double started_at = 0;
  std::optional<double> ended_at;
  std::optional<std::int64_t> exit_code;
  std::string end_reason;  // exited, closed, workspace_stopped, machine_lost, supervisor_lost
};

enum class ServiceState : std::uint8_t { kStarting, kRunning, kStopped, kExited, kFailed };
const char* state_text(ServiceState state);
constexpr bool is_over(ServiceState state) {
  return state != ServiceState::kStarting && state != ServiceState::kRunning;
}
struct ServiceRecord {
  std::string name;
  std::string definition;  // a proto::ServiceDefinition, without the values of secrets
  ServiceState state = ServiceState::kStarting;
  double started_at = 0;
  std::optional<double> ready_at, ended_at;
  std::optional<std::int64_t> exit_code, pid;
  std::string stop_reason;
  std::int64_t restart_count = 0;
  std::string last_error;
};
// How many versions its schema has had.
inline constexpr std::size_t kWorkspaceSchemas = 5;
struct ServiceCounts {
  std::int64_t total = 0, running = 0;
};
// Shells that have ended have a record as long as no more of them have ended since.
inline constexpr std::int64_t kMostEndedShells = 64;
// How shells and services end that the end of their machine took with it.
struct SessionsEnd {
  std::string reason = "workspace_stopped";
  double at = 0;
};

class WorkspaceStore {
 public:
  // Makes the file, with the record in it. kConflict when there is one.
  static Result<WorkspaceStore> create(const std::string& folder, const WorkspaceRecord& record);
  // kNotFound when there is none, or nothing in it; kDamaged when the file is no such database;
  // kConflict when a newer pyro wrote it.
  static Result<WorkspaceStore> open(const std::string& folder, Database::Mode mode);

  [[nodiscard]] Result<WorkspaceRecord> record();
  // What was written so far is in the file itself: losing the log beside it does not undo it.
  Result<void> checkpoint() { return db_.checkpoint(); }
  // In any state but kStarted no shell and no service runs: those that did end with it.
  Result<void> set_state(WorkspaceState state, const std::string& last_error,
                         const SessionsEnd& end = {});
  // name, labels, ttl_seconds, ttl_action and expires_at.
  Result<void> set_settings(const WorkspaceRecord& record);
  Result<void> set_network(const policy::Policy& network);

  // ---- layers and snapshots
  Result<std::vector<LayerRecord>> layers();
  // An id that no layer ever had. Burnt even when no layer of that id follows.
  Result<std::int64_t> next_layer_id();
  // The last one that was given out; 0: none yet.
  Result<std::int64_t> last_layer_id();
  // The first layer of a workspace becomes its current one.
  Result<void> add_first_layer(std::int64_t id);
  // How the baseline and the frozen ones of these layers must be found from now on, in that folder.
  Result<void> set_files(const std::string& folder, const LayerStamp& baseline,
                         const std::vector<LayerRecord>& layers);
  // The current layer is frozen and gets a name; `new_layer` stands on it and is the current one.
  // kConflict when the name is taken.
  Result<void> add_snapshot(const SnapshotRecord& snapshot, const LayerStamp& frozen,
                            std::int64_t new_layer);
  Result<std::vector<SnapshotRecord>> snapshots();
  Result<void> remove_snapshot(const std::string& name);  // kNotFound
  // `new_layer` on `base` (0: nothing) is the current one; journal, events, shells and services are
  // gone.
  Result<void> reset(std::int64_t base, std::int64_t new_layer, double at);
  // Layers on which neither a snapshot nor the current layer stands, the topmost first.
  Result<std::vector<std::int64_t>> unneeded_layers();
  Result<void> forget_layer(std::int64_t id);

  // ---- journal
  Result<std::int64_t> begin_command(const std::string& command, const std::string& cwd, double at);
  Result<void> end_command(const CommandRecord& ended);  // by its sequence
  Result<std::vector<CommandRecord>> commands();         // without their outputs
  // With them: all, the last `tail`, or the one of this number.
  Result<std::vector<CommandRecord>> commands_with_outputs(
      std::optional<std::int64_t> tail = {}, std::optional<std::int64_t> sequence = {});
  Result<std::int64_t> command_count();
  Result<std::optional<CommandRecord>> last_command();
  Result<void> add_event(const std::string& kind, const std::string& detail, double at);
  Result<std::vector<EventRecord>> events();

  // ---- shells and services (session_records.cc)
  Result<std::int64_t> add_shell(const ShellRecord& shell);  // its id
  Result<void> resize_shell(std::int64_t id, std::int64_t cols, std::int64_t rows);
  // Nothing happens to one that has an end.
  Result<void> end_shell(std::int64_t id, double at, std::optional<std::int64_t> exit_code,
                         const std::string& reason);
  Result<std::vector<ShellRecord>> shells();
  Result<ShellRecord> shell(std::int64_t id);  // kNotFound
  // Replaces one of that name.
  Result<void> put_service(const ServiceRecord& service);
  Result<std::vector<ServiceRecord>> services();           // by name
  Result<ServiceRecord> service(const std::string& name);  // kNotFound
  Result<void> remove_service(const std::string& name);    // if there is one
  Result<ServiceCounts> service_counts();

 private:
  explicit WorkspaceStore(Database db) : db_(std::move(db)) {}
  Result<std::vector<CommandRecord>> read_commands(std::string_view sql);
  Result<void> forget_old_shells();
  Result<void> end_sessions(const SessionsEnd& end);
  Result<void> read_lists(WorkspaceRecord& record);
  Result<void> write_lists(const WorkspaceRecord& record);

  Database db_;
};

}  // namespace pyro::store
