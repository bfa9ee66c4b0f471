#include "client/local_workspaces.h"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "client/local_services.h"
#include "client/local_shells.h"
#include "core/clock.h"
#include "core/workspace.h"
#include "core/workspace_names.h"
#include "proto/limits.h"
#include "seed/seed.h"
#include "sys/fault.h"
#include "sys/staging.h"

namespace pyro::client {

namespace json = boost::json;
using store::Database;
using store::WorkspaceStore;

namespace {

constexpr long kPauseNs = 50'000'000;

Result<void> check(const WorkspaceOptions& o) {
  PYRO_CHECK(image::find_entry(o.environment));
  PYRO_CHECK(proto::in_range("vcpu_count", o.vcpu_count, proto::kVcpuCountRange));
  PYRO_CHECK(proto::in_range("mem_mib", o.mem_mib, proto::kMemMibRange));
  if (o.ttl_seconds)
    PYRO_CHECK(proto::in_range("ttl_seconds", *o.ttl_seconds, proto::kTtlSecondsRange));
  if (!o.name.empty()) PYRO_CHECK(core::check_workspace_name(o.name));
  if (o.git_tracked && !o.seed_path)
    return fail(Errc::kInvalid, "git_tracked needs a folder to seed from");
  return {};
}

Result<void> check_labels(const std::map<std::string, std::string>& labels) {
  constexpr std::size_t kMostLabels = 64;
  constexpr std::size_t kMostText = 256;
  if (labels.size() > kMostLabels)
    return fail(Errc::kLimit, fmt::format("a workspace can have {} labels", kMostLabels));
  for (const auto& [key, value] : labels) {
    if (key.empty() || key.size() > kMostText || value.size() > kMostText) {
      return fail(Errc::kInvalid,
                  fmt::format("a label's name has 1 to {0} bytes, its value at most {0}: {1}",
                              kMostText, quoted_name(key)));
    }
  }
  return {};
}

Result<std::vector<proto::NewSecret>> read_secrets(const std::vector<SecretSource>& sources) {
  std::vector<proto::NewSecret> secrets;
  secrets.reserve(sources.size());
  for (const SecretSource& s : sources) {
    if (s.value.has_value() == s.file_path.has_value())
      return fail(Errc::kInvalid, "a secret has a value or a file: " + quoted_name(s.name));
    std::string value = s.value.value_or("");
    if (s.file_path) {
      auto read = sys::read_file(*s.file_path, core::kMostSecret);
      if (!read) return std::unexpected(std::move(read.error()).context("secret " + s.name));
      value = *std::move(read);
      // Files end in a newline, secrets do not.
      if (value.ends_with('\n')) value.pop_back();
    }
    PYRO_CHECK(core::check_secret(s.name, value));
    if (std::ranges::find(secrets, s.name, &proto::NewSecret::name) != secrets.end())
      return fail(Errc::kInvalid, "there are two secrets " + s.name);
    secrets.push_back({.name = s.name,
                       .source_kind = s.file_path ? "file" : "literal",
                       .value = std::move(value)});
  }
  return secrets;
}

Result<WorkspaceInfo> info_of(const store::WorkspaceRecord& r) {
  WorkspaceInfo info{.workspace_id = r.id,
                     .name = r.name,
                     .environment = r.environment,
                     .state = store::state_text(r.state),
                     .execution_mode = r.execution_mode,
                     .network = {},
                     .allow_host_compat = r.allow_host_compat,
                     .vcpu_count = static_cast<int>(r.vcpu_count),
                     .mem_mib = static_cast<int>(r.mem_mib),
                     .workspace_seed = {.mode = r.seed.mode,
                                        .source = {},
                                        .entry_count = r.seed.entry_count,
                                        .bytes_written = r.seed.bytes_written},
                     .labels = r.labels,
                     .env = r.env,
                     .secrets = {},
                     .last_command = {},
                     .reset_count = r.reset_count,
                     .last_reset_at = r.last_reset_at,
                     .created_at = r.created_at,
                     .last_activity_at = r.last_activity_at,
                     .ttl_seconds = {},
                     .ttl_action = r.ttl_action,
                     .expires_at = r.expires_at,
                     .last_error = r.last_error};
  if (!r.seed.source.empty()) info.workspace_seed.source = r.seed.source;
  if (r.ttl_seconds) info.ttl_seconds = static_cast<int>(*r.ttl_seconds);
  for (const store::SecretName& s : r.secrets)
    info.secrets.push_back({.name = s.name, .source_kind = s.source_kind});
  PYRO_TRY(info.network, policy_info(r.network));
  return info;
}

SnapshotInfo info_of(const store::SnapshotRecord& s) {
  return {.snapshot_name = s.name,
          .kind = "named",
          .created_at = s.created_at,
          .entry_count = s.entry_count,
          .bytes_written = s.bytes_written};
}

SnapshotInfo baseline_of(const WorkspaceInfo& w) {
  return {.snapshot_name = core::kBaseline,
          .kind = core::kBaseline,
          .created_at = w.created_at,
          .entry_count = w.workspace_seed.entry_count,
          .bytes_written = w.workspace_seed.bytes_written};
}

// One whose record cannot be read: for good, or now.
WorkspaceInfo unread(const std::string& id, const Error& error) {
  WorkspaceInfo info;
  info.workspace_id = id;
  info.state = error.code == Errc::kDamaged ? "damaged" : "unknown";
  info.last_error = error.message;
  if (!error.hint.empty()) info.last_error += "; " + error.hint;
  return info;
}

}  // namespace

void pause_a_moment() {
  const timespec moment{.tv_sec = 0, .tv_nsec = kPauseNs};
  ::nanosleep(&moment, nullptr);
}

LocalWorkspaces::LocalWorkspaces(HostSide& host)
    : host_(host),
      shells_(std::make_unique<LocalShells>(*this)),
      services_(std::make_unique<LocalServices>(*this)) {}
LocalWorkspaces::~LocalWorkspaces() = default;

std::unique_ptr<Workspaces> make_workspaces(HostSide& host) {
  return std::make_unique<LocalWorkspaces>(host);
}

seed::Progress seed_progress(const WorkspaceObserver& observer) {
  seed::Progress progress{.report = {}, .interrupt_fd = observer.run.interrupt_fd};
  if (observer.on_progress) {
    progress.report = [&observer](const seed::Counts& c) {
      observer.on_progress(static_cast<std::int64_t>(c.entries),
                           static_cast<std::int64_t>(c.bytes));
    };
  }
  return progress;
}

// ---- connections and records

Connection::CallOptions LocalWorkspaces::waiting(const RunObserver& observer,
                                                 const std::string& id) {
  return {.on_phase =
              [&observer, id](const proto::Phase& p) {
                if (observer.on_phase) observer.on_phase(p.phase, id, p.detail);
              },
          .interrupt_fd = observer.interrupt_fd};
}

Result<std::string> LocalWorkspaces::find(const std::string& workspace) const {
  return core::resolve_workspace(host_.dirs, workspace);
}

Result<WorkspaceStore> LocalWorkspaces::settled_store(const std::string& id) const {
  PYRO_CHECK(core::settle_workspace(host_.dirs, id, core::now_seconds()));
  auto store = WorkspaceStore::open(core::folder_of(host_.dirs, id), Database::Mode::kReadOnly);
  // Had nobody had it open, it would have been brought up to date. A newer one has its own hint.
  if (!store && store.error().code == Errc::kConflict && store.error().hint.empty()) {
    store.error().message = "an older pyro has the workspace " + id + " open";
    store.error().hint = "stop it, and use it again: pyro workspace stop " + id;
  }
  return store;
}

std::string LocalWorkspaces::log_folder(const std::string& id, const std::string& service) const {
  return core::service_log_folder(core::folder_of(host_.dirs, id), service);
}

Result<WorkspaceInfo> LocalWorkspaces::info(const std::string& id) const {
  PYRO_TRY(auto store, settled_store(id));
  PYRO_TRY(const auto record, store.record());
  PYRO_TRY(WorkspaceInfo found, info_of(record));
  PYRO_TRY(found.command_count, store.command_count());
  PYRO_TRY(const auto services, store.service_counts());
  found.service_count = static_cast<int>(services.total);
  found.running_service_count = static_cast<int>(services.running);
  PYRO_TRY(const auto last, store.last_command());
  if (last) {
    found.last_command = LastCommand{.command = last->command, .exit_code = {}};
    if (last->exit_code) found.last_command->exit_code = static_cast<int>(*last->exit_code);
  }
  return found;
}

Result<void> LocalWorkspaces::check_started(const std::string& id) const {
  PYRO_TRY(const WorkspaceInfo found, info(id));
  if (found.state == "started") return {};
  std::string why = fmt::format("the workspace {} is {}", id, found.state);
  if (!found.last_error.empty()) why += ": " + found.last_error;
  return fail_hint(Errc::kConflict, why, "run: pyro workspace start " + id);
}

// A supervisor for one that nobody has open. kConflict: somebody was faster.
Result<Connection> LocalWorkspaces::open(const std::string& id, Need need,
                                         const RunObserver& observer) {
  core::Reservation reservation;
  if (need == Need::kMachine) {
    PYRO_TRY(const WorkspaceInfo found, info(id));
    PYRO_TRY(reservation, host_.reserve(found.mem_mib, found.vcpu_count, observer));
  }
  PYRO_TRY(auto connection, Connection::spawn(host_.dirs, std::move(reservation)));
  PYRO_CHECK(
      connection.call(proto::OpenWorkspace::kName,
                      proto::encode(proto::OpenWorkspace{.id = id, .host = host_.settings()}),
                      {.on_phase = {}, .limit = kQuickAnswer}));
  return connection;
}

Result<Connection> LocalWorkspaces::connect(const std::string& id, Need need,
                                            const RunObserver& observer) {
  Result<Connection> last = fail(Errc::kInternal, "no try");
  for (int tries = 0; tries < kTries; ++tries) {
    if (tries > 0) pause_a_moment();
    last = Connection::connect(host_.dirs, id);
    // One that is about to end takes connections and drops them.
    const bool gone =
        !last && (last.error().code == Errc::kNotFound || last.error().code == Errc::kUnavailable);
    if (!gone) return last;
    PYRO_CHECK(info(id));  // a record that cannot be used will not become usable
    if (need == Need::kStarted) {
      PYRO_CHECK(check_started(id));
      continue;  // it says that it is: its supervisor will listen, or turn out to be gone
    }
    last = open(id, need, observer);
    if (last || last.error().code != Errc::kConflict) return last;
  }
  return last;
}

Result<void> LocalWorkspaces::ask(const std::string& id, const char* method, json::object params) {
  PYRO_TRY(auto connection, connect(id, Need::kRecord, {}));
  PYRO_CHECK(connection.call(method, std::move(params), {.on_phase = {}, .limit = kQuickAnswer}));
  return {};
}

// ---- create, list, status

Result<proto::CreateWorkspace> LocalWorkspaces::create_request(const WorkspaceOptions& o,
                                                               const WorkspaceObserver& observer) {
  PYRO_CHECK(check(o));
  PYRO_TRY(const policy::Policy network, usable_policy(o.network, observer.run.on_warning));
  PYRO_CHECK(check_labels(o.labels));
  PYRO_CHECK(check_variables(o.env));
  proto::CreateWorkspace request{.name = o.name,
                                 .environment = o.environment,
                                 .vcpu_count = o.vcpu_count,
                                 .mem_mib = o.mem_mib,
                                 .ttl_seconds = {},
                                 .ttl_action = o.ttl_action,
                                 .network = network.text(),
                                 .allow_host_compat = o.allow_host_compat,
                                 .labels = o.labels,
                                 .env = o.env,
                                 .secrets = {},
                                 .host = host_.settings()};
  if (o.ttl_seconds) request.ttl_seconds = *o.ttl_seconds;
  PYRO_TRY(request.id, core::new_workspace_id());
  PYRO_TRY(request.secrets, read_secrets(o.secrets));
  return request;
}

Result<void> LocalWorkspaces::fill_in_seed(proto::CreateWorkspace& request,
                                           const WorkspaceOptions& o, const std::string& folder,
                                           const WorkspaceObserver& observer) const {
  if (o.seed_path && observer.run.on_phase) observer.run.on_phase("seed", "", *o.seed_path);
  const seed::Progress progress = seed_progress(observer);
  request.baseline = folder + "/baseline.erofs";
  PYRO_TRY(const seed::Summary summary,
           seed::build_baseline({.path = o.seed_path.value_or(""), .git_tracked = o.git_tracked},
                                folder, request.baseline, progress));
  request.seed_mode = summary.mode;
  request.seed_source = summary.source;
  request.seed_entries = static_cast<std::int64_t>(summary.entry_count);
  request.seed_bytes = static_cast<std::int64_t>(summary.bytes_written);
  sys::fault_point("client.create.seeded");
  return {};
}

Result<WorkspaceInfo> LocalWorkspaces::create(const WorkspaceOptions& o,
                                              const WorkspaceObserver& observer) {
  PYRO_TRY(proto::CreateWorkspace request, create_request(o, observer));
  // In nobody's way if it fails.
  static_cast<void>(core::settle_workspaces(host_.dirs, core::now_seconds()));
  PYRO_CHECK(host_.ensure_environment(o.environment, observer.run));
  const std::string staging_parent = host_.dirs.state + "/staging";
  PYRO_CHECK(sys::make_dirs(staging_parent));
  static_cast<void>(sys::sweep_staging(staging_parent));
  PYRO_TRY(const auto staging, sys::Staging::create(staging_parent));
  PYRO_CHECK(fill_in_seed(request, o, staging.out(), observer));
  PYRO_TRY(auto reservation, host_.reserve(o.mem_mib, o.vcpu_count, observer.run));
  if (observer.run.on_phase) observer.run.on_phase("create", request.id, o.environment);
  PYRO_TRY(auto connection, Connection::spawn(host_.dirs, std::move(reservation)));
  const std::string id = request.id;
  PYRO_CHECK(connection.call(proto::CreateWorkspace::kName, proto::encode(std::move(request)),
                             waiting(observer.run, id)));
  sys::fault_point("client.create.answered");
  return info(id);
}

Result<std::vector<WorkspaceInfo>> LocalWorkspaces::list() {
  core::sweep_leftovers(host_.dirs, core::now_seconds());
  PYRO_TRY(const auto ids, core::workspace_ids(host_.dirs));
  std::vector<WorkspaceInfo> all;
  all.reserve(ids.size());
  for (const std::string& id : ids) {
    auto found = info(id);
    if (!found && found.error().code == Errc::kNotFound) continue;  // it went meanwhile
    all.push_back(found ? *std::move(found) : unread(id, found.error()));
  }
  std::ranges::sort(all, {}, &WorkspaceInfo::created_at);
  return all;
}

Result<WorkspaceInfo> LocalWorkspaces::status(const std::string& workspace) {
  PYRO_TRY(const std::string id, find(workspace));
  return info(id);
}

// ---- changes

Result<WorkspaceInfo> LocalWorkspaces::update(const std::string& workspace,
                                              const WorkspaceUpdate& update) {
  PYRO_TRY(const std::string id, find(workspace));
  PYRO_TRY(const WorkspaceInfo before, info(id));
  proto::UpdateWorkspace request{
      .name = update.name, .labels = {}, .ttl_seconds = {}, .ttl_action = update.ttl_action};
  if (update.name && !update.name->empty()) PYRO_CHECK(core::check_workspace_name(*update.name));
  if (update.ttl_seconds) request.ttl_seconds = *update.ttl_seconds;
  if (!update.labels.empty()) {
    auto& labels = request.labels.emplace(before.labels);
    for (const auto& [key, value] : update.labels) {
      if (value) {
        labels[key] = *value;
      } else {
        labels.erase(key);
      }
    }
    PYRO_CHECK(check_labels(labels));
  }
  PYRO_CHECK(ask(id, proto::UpdateWorkspace::kName, proto::encode(std::move(request))));
  return info(id);
}

// kConflict, kUnavailable: its supervisor does not listen yet, or ends; kDeadline: it hangs.
Result<void> LocalWorkspaces::remove_once(const std::string& id) {
  auto connection = Connection::connect(host_.dirs, id);
  if (!connection && connection.error().code == Errc::kNotFound)
    return core::remove_workspace(host_.dirs, id);
  if (!connection) return std::unexpected(std::move(connection.error()));
  PYRO_CHECK(
      connection->call(proto::DeleteWorkspace::kName, {}, {.on_phase = {}, .limit = kQuickAnswer}));
  return {};
}

Result<WorkspaceInfo> LocalWorkspaces::remove(const std::string& workspace) {
  core::sweep_leftovers(host_.dirs, core::now_seconds());
  PYRO_TRY(const std::string id, find(workspace));
  auto before = info(id);
  if (!before) before = unread(id, before.error());  // which does not keep it
  Result<void> removed;
  for (int tries = 0; tries < kTries; ++tries) {
    if (tries > 0) pause_a_moment();
    removed = remove_once(id);
    if (removed || removed.error().code == Errc::kNotFound) break;
    if (removed.error().code == Errc::kDeadline) {
      // One that hangs is ended; the next round finds the workspace without anybody.
      PYRO_CHECK(Connection::kill_supervisor(host_.dirs, id));
    } else if (removed.error().code != Errc::kUnavailable &&
               removed.error().code != Errc::kConflict) {
      break;
    }
  }
  if (!removed && removed.error().code != Errc::kNotFound)
    return std::unexpected(std::move(removed.error()));
  before->state = "deleted";
  before->last_error.clear();
  return before;
}

// Whoever has it open can be asked without its record. He goes as well, where he would stay for its
// expiry: he may be what keeps the record from being read.
Result<WorkspaceInfo> LocalWorkspaces::stop_unread(const std::string& id, Error why) {
  auto connection = Connection::connect(host_.dirs, id);
  if (!connection) return std::unexpected(std::move(why));
  PYRO_CHECK(
      connection->call(proto::StopWorkspace::kName, {}, {.on_phase = {}, .limit = kQuickAnswer}));
  Result<WorkspaceInfo> after = std::unexpected(std::move(why));
  for (int tries = 0; tries < kTries; ++tries) {
    if (tries > 0) pause_a_moment();
    static_cast<void>(Connection::kill_supervisor(host_.dirs, id));
    after = info(id);
    if (after || after.error().code != Errc::kConflict) break;
  }
  return after;
}

Result<WorkspaceInfo> LocalWorkspaces::stop(const std::string& workspace) {
  PYRO_TRY(const std::string id, find(workspace));
  auto before = info(id);
  if (!before) return stop_unread(id, std::move(before.error()));
  if (before->state == "stopped") return before;
  PYRO_CHECK(ask(id, proto::StopWorkspace::kName, {}));
  return info(id);
}

Result<WorkspaceInfo> LocalWorkspaces::start(const std::string& workspace,
                                             const WorkspaceObserver& observer) {
  PYRO_TRY(const std::string id, find(workspace));
  PYRO_TRY(WorkspaceInfo before, info(id));
  if (before.state == "started") return before;
  PYRO_CHECK(host_.ensure_environment(before.environment, observer.run));
  PYRO_TRY(auto connection, connect(id, Need::kMachine, observer.run));
  if (observer.run.on_phase) observer.run.on_phase("start", id, before.environment);
  PYRO_CHECK(connection.call(proto::StartWorkspace::kName, {}, waiting(observer.run, id)));
  return info(id);
}

// ---- snapshots

Result<SnapshotInfo> LocalWorkspaces::create_snapshot(const std::string& workspace,
                                                      const std::string& name) {
  PYRO_TRY(const std::string id, find(workspace));
  PYRO_CHECK(core::check_snapshot_name(name));
  PYRO_TRY(auto connection, connect(id, Need::kStarted, {}));
  PYRO_TRY(const json::object answer,
           connection.call(proto::SnapshotWorkspace::kName,
                           proto::encode(proto::SnapshotWorkspace{.name = name}),
                           {.on_phase = {}, .limit = kQuickAnswer}));
  PYRO_TRY(const auto taken, proto::decode<proto::SnapshotTaken>(answer));
  return SnapshotInfo{.snapshot_name = name,
                      .kind = "named",
                      .created_at = taken.created_at,
                      .entry_count = taken.entry_count,
                      .bytes_written = taken.bytes_written,
                      .workspace_id = id};
}

Result<SnapshotList> LocalWorkspaces::list_snapshots(const std::string& workspace) {
  PYRO_TRY(const std::string id, find(workspace));
  PYRO_TRY(const WorkspaceInfo found, info(id));
  PYRO_TRY(auto store,
           WorkspaceStore::open(core::folder_of(host_.dirs, id), Database::Mode::kReadOnly));
  PYRO_TRY(const auto snapshots, store.snapshots());
  SnapshotList list{.workspace_id = id, .snapshots = {baseline_of(found)}};
  for (const store::SnapshotRecord& s : snapshots) list.snapshots.push_back(info_of(s));
  return list;
}

Result<SnapshotInfo> LocalWorkspaces::delete_snapshot(const std::string& workspace,
                                                      const std::string& name) {
  PYRO_TRY(const SnapshotList list, list_snapshots(workspace));
  if (name == core::kBaseline) {
    return fail(Errc::kInvalid, "the baseline is what the workspace was created with: it stays");
  }
  const auto found = std::ranges::find(list.snapshots, name, &SnapshotInfo::snapshot_name);
  if (found == list.snapshots.end()) {
    return fail_hint(Errc::kNotFound,
                     fmt::format("{} has no snapshot {}", list.workspace_id, quoted_name(name)),
                     "run: pyro workspace snapshot list " + list.workspace_id);
  }
  PYRO_CHECK(ask(list.workspace_id, proto::DropSnapshot::kName,
                 proto::encode(proto::DropSnapshot{.name = name})));
  SnapshotInfo gone = *found;
  gone.workspace_id = list.workspace_id;
  return gone;
}

Result<ResetResult> LocalWorkspaces::reset(const std::string& workspace,
                                           const std::string& snapshot,
                                           const WorkspaceObserver& observer) {
  PYRO_TRY(const SnapshotList list, list_snapshots(workspace));
  const std::string& id = list.workspace_id;
  const auto chosen = std::ranges::find(list.snapshots, snapshot, &SnapshotInfo::snapshot_name);
  if (chosen == list.snapshots.end()) {
    return fail_hint(Errc::kNotFound,
                     fmt::format("{} has no snapshot {}", id, quoted_name(snapshot)),
                     "run: pyro workspace snapshot list " + id);
  }
  PYRO_TRY(auto connection, connect(id, Need::kMachine, observer.run));
  if (observer.run.on_phase) observer.run.on_phase("reset", id, snapshot);
  PYRO_CHECK(connection.call(proto::ResetWorkspace::kName,
                             proto::encode(proto::ResetWorkspace{.snapshot = snapshot}),
                             waiting(observer.run, id)));
  PYRO_TRY(WorkspaceInfo after, info(id));
  return ResetResult{.workspace = std::move(after),
                     .snapshot_name = chosen->snapshot_name,
                     .kind = chosen->kind,
                     .entry_count = chosen->entry_count,
                     .bytes_written = chosen->bytes_written};
}

}  // namespace pyro::client
