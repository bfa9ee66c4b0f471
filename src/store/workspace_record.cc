#include "store/workspace_record.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "sys/fault.h"
#include "sys/file.h"

namespace pyro::store {
namespace {

// A number here is a version of the schema for good: what was released is only added to.
constexpr std::array<const char*, kWorkspaceSchemas> kMigrations{
    "CREATE TABLE workspace ("
    "  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),"
    "  id TEXT NOT NULL, name TEXT NOT NULL, environment TEXT NOT NULL,"
    "  network_policy TEXT NOT NULL, execution_mode TEXT NOT NULL,"
    "  vcpu_count INTEGER NOT NULL, mem_mib INTEGER NOT NULL,"
    "  seed_mode TEXT NOT NULL, seed_source TEXT NOT NULL,"
    "  seed_entries INTEGER NOT NULL, seed_bytes INTEGER NOT NULL,"
    "  state TEXT NOT NULL, last_error TEXT NOT NULL,"
    "  created_at REAL NOT NULL, last_activity_at REAL NOT NULL,"
    "  ttl_seconds INTEGER, ttl_action TEXT NOT NULL, expires_at REAL,"
    "  reset_count INTEGER NOT NULL DEFAULT 0, last_reset_at REAL,"
    "  current_layer INTEGER NOT NULL DEFAULT 0,"
    "  layer_counter INTEGER NOT NULL DEFAULT 0,"
    "  work_base TEXT NOT NULL DEFAULT '', baseline_size INTEGER NOT NULL DEFAULT 0,"
    "  baseline_inode INTEGER NOT NULL DEFAULT 0,"
    "  baseline_ctime_ns INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE TABLE label (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE variable (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE secret (name TEXT PRIMARY KEY, source_kind TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE layer (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL,"
    "  size INTEGER, inode INTEGER, ctime_ns INTEGER) STRICT;"
    "CREATE TABLE snapshot (name TEXT PRIMARY KEY, layer INTEGER NOT NULL REFERENCES layer(id),"
    "  created_at REAL NOT NULL, entry_count INTEGER NOT NULL, bytes_written INTEGER NOT NULL)"
    "  STRICT, WITHOUT ROWID;"
    "CREATE TABLE command (sequence INTEGER PRIMARY KEY, command TEXT NOT NULL, cwd TEXT NOT NULL,"
    "  started_at REAL NOT NULL, ended_at REAL, exit_code INTEGER,"
    "  timed_out INTEGER NOT NULL DEFAULT 0, duration_ms INTEGER NOT NULL DEFAULT 0,"
    "  out BLOB NOT NULL DEFAULT x'', err BLOB NOT NULL DEFAULT x'',"
    "  out_bytes INTEGER NOT NULL DEFAULT 0, err_bytes INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE TABLE event (id INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL,"
    "  detail TEXT NOT NULL) STRICT",
    // AUTOINCREMENT: the number of a shell is never another's, also not after a reset.
    "CREATE TABLE shell (id INTEGER PRIMARY KEY AUTOINCREMENT, cwd TEXT NOT NULL,"
    "  cols INTEGER NOT NULL, rows INTEGER NOT NULL, started_at REAL NOT NULL, ended_at REAL,"
    "  exit_code INTEGER, end_reason TEXT NOT NULL DEFAULT '') STRICT;"
    "CREATE TABLE service (name TEXT PRIMARY KEY, definition TEXT NOT NULL, state TEXT NOT NULL,"
    "  started_at REAL NOT NULL, ready_at REAL, ended_at REAL, exit_code INTEGER, pid INTEGER,"
    "  stop_reason TEXT NOT NULL DEFAULT '', restart_count INTEGER NOT NULL DEFAULT 0,"
    "  last_error TEXT NOT NULL DEFAULT '') STRICT, WITHOUT ROWID",
    // It was the name of a preset, and is the text of a whole policy.
    "UPDATE workspace SET network_policy = 'preset ' || network_policy || char(10)",
    "ALTER TABLE workspace ADD COLUMN allow_host_compat INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE workspace ADD COLUMN folder TEXT NOT NULL DEFAULT ''"};

constexpr std::array kStates{WorkspaceState::kCreating, WorkspaceState::kStarted,
                             WorkspaceState::kStopped, WorkspaceState::kDeleting};

constexpr const char* kDurable = "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON";

constexpr const char* kWithoutOutputs =
    "SELECT sequence, command, cwd, started_at, ended_at, exit_code, timed_out, duration_ms, x'',"
    " x'', out_bytes, err_bytes FROM command";

std::string path_of(const std::string& folder) {
  return folder + "/workspace.db";
}

Result<WorkspaceState> state_of(const std::string& text) {
  for (const WorkspaceState state : kStates) {
    if (text == state_text(state)) return state;
  }
  return fail(Errc::kDamaged, "the record has a state that there is not");
}

Result<policy::Policy> network_of(const std::string& text) {
  auto policy = policy::parse_policy_text(text);
  if (!policy)
    return fail(Errc::kDamaged, "the record has no network policy: " + policy.error().message);
  return policy;
}

Result<std::int64_t> one_number(Database& db, std::string_view sql) {
  PYRO_TRY(auto query, db.prepare(sql));
  PYRO_TRY(const bool row, query.step());
  if (!row) return fail(Errc::kDamaged, "the record is empty");
  return query.integer(0);
}

Result<void> write_pairs(Database& db, const std::string& table,
                         const std::map<std::string, std::string>& pairs) {
  PYRO_CHECK(db.execute("DELETE FROM " + table));
  for (const auto& [key, value] : pairs) {
    PYRO_TRY(auto insert, db.prepare("INSERT INTO " + table + " VALUES (?, ?)"));
    PYRO_CHECK(insert.bind(1, key).bind(2, value).step());
  }
  return {};
}
Result<std::map<std::string, std::string>> read_pairs(Database& db, const std::string& table) {
  std::map<std::string, std::string> pairs;
  PYRO_TRY(auto query, db.prepare("SELECT * FROM " + table));
  for (;;) {
    PYRO_TRY(const bool row, query.step());
    if (!row) return pairs;
    pairs[query.text(0)] = query.text(1);
  }
}

Result<void> freeze_layer(Database& db, std::int64_t id, const LayerStamp& stamp) {
  PYRO_TRY(auto freeze,
           db.prepare("UPDATE layer SET size = ?, inode = ?, ctime_ns = ? WHERE id = ?"));
  freeze.bind(1, stamp.size).bind(2, stamp.inode).bind(3, stamp.ctime_ns).bind(4, id);
  PYRO_CHECK(freeze.step());
  return {};
}

Result<void> insert_layer(Database& db, std::int64_t id, std::int64_t parent) {
  PYRO_TRY(auto insert, db.prepare("INSERT INTO layer (id, parent) VALUES (?, ?)"));
  PYRO_CHECK(insert.bind(1, id).bind(2, parent).step());
  PYRO_TRY(auto update, db.prepare("UPDATE workspace SET current_layer = ?"));
  PYRO_CHECK(update.bind(1, id).step());
  return {};
}

}  // namespace

const char* state_text(WorkspaceState state) {
  switch (state) {
    case WorkspaceState::kCreating:
      return "creating";
    case WorkspaceState::kStarted:
      return "started";
    case WorkspaceState::kStopped:
      return "stopped";
    case WorkspaceState::kDeleting:
      return "deleting";
  }
  return "";
}

Result<WorkspaceStore> WorkspaceStore::create(const std::string& folder, const WorkspaceRecord& r) {
  if (sys::exists(path_of(folder))) return fail(Errc::kConflict, folder + " has a record already");
  PYRO_TRY(auto db, Database::open(path_of(folder), Database::Mode::kCreate, kMigrations));
  sys::fault_point("create.empty_record");
  PYRO_CHECK(db.execute(kDurable));
  WorkspaceStore store(std::move(db));
  PYRO_TRY(auto transaction, Transaction::begin(store.db_));
  PYRO_TRY(auto insert, store.db_.prepare(
                            "INSERT INTO workspace VALUES"
                            " (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, 0,"
                            " 0, ?, ?, ?, ?, ?, ?)"));
  insert.bind(1, r.id).bind(2, r.name).bind(3, r.environment).bind(4, r.network.text());
  insert.bind(5, r.execution_mode).bind(6, r.vcpu_count).bind(7, r.mem_mib);
  insert.bind(8, r.seed.mode).bind(9, r.seed.source).bind(10, r.seed.entry_count);
  insert.bind(11, r.seed.bytes_written).bind(12, state_text(r.state)).bind(13, r.last_error);
  insert.bind(14, r.created_at).bind(15, r.last_activity_at);
  insert.bind(16, r.ttl_seconds);
  insert.bind(17, r.ttl_action);
  insert.bind(18, r.expires_at);
  insert.bind(19, r.work_base).bind(20, r.baseline.size).bind(21, r.baseline.inode);
  insert.bind(22, r.baseline.ctime_ns);
  insert.bind(23, std::int64_t{r.allow_host_compat});
  PYRO_CHECK(insert.bind(24, r.folder).step());
  PYRO_CHECK(store.write_lists(r));
  PYRO_CHECK(transaction.commit());
  return store;
}

Result<WorkspaceStore> WorkspaceStore::open(const std::string& folder, Database::Mode mode) {
  // SQLite throws away the log beside an empty file, which is then all that there is of the record.
  const auto file = sys::stamp(path_of(folder));
  if (!file) return std::unexpected(file.error());
  if (file->size == 0) return fail(Errc::kNotFound, folder + " has no record");
  auto db = Database::open(path_of(folder), mode, kMigrations);
  if (!db && db.error().code == Errc::kDamaged) {
    return std::unexpected(std::move(db.error())
                               .context("the record " + path_of(folder) + " is damaged")
                               .with_hint("the workspace can only be deleted"));
  }
  if (!db) return std::unexpected(std::move(db.error()));
  if (mode == Database::Mode::kReadWrite) PYRO_CHECK(db->execute(kDurable));
  PYRO_TRY(const std::int64_t rows, one_number(*db, "SELECT count(*) FROM workspace"));
  if (rows == 0) return fail(Errc::kNotFound, folder + " has no record");
  return WorkspaceStore(*std::move(db));
}

Result<void> WorkspaceStore::write_lists(const WorkspaceRecord& r) {
  PYRO_CHECK(write_pairs(db_, "label", r.labels));
  PYRO_CHECK(write_pairs(db_, "variable", r.env));
  std::map<std::string, std::string> secrets;
  for (const SecretName& s : r.secrets) secrets[s.name] = s.source_kind;
  return write_pairs(db_, "secret", secrets);
}

Result<void> WorkspaceStore::read_lists(WorkspaceRecord& r) {
  PYRO_TRY(r.labels, read_pairs(db_, "label"));
  PYRO_TRY(r.env, read_pairs(db_, "variable"));
  PYRO_TRY(const auto secrets, read_pairs(db_, "secret"));
  for (const auto& [name, kind] : secrets) r.secrets.push_back({.name = name, .source_kind = kind});
  return {};
}

Result<WorkspaceRecord> WorkspaceStore::record() {
  PYRO_TRY(
      auto query,
      db_.prepare("SELECT id, name, environment, network_policy, execution_mode, vcpu_count,"
                  " mem_mib, seed_mode, seed_source, seed_entries, seed_bytes, state,"
                  " last_error, created_at, max(last_activity_at, coalesce(last_reset_at, 0),"
                  " (SELECT coalesce(max(coalesce(ended_at, started_at)), 0) FROM command),"
                  " (SELECT coalesce(max(at), 0) FROM event)), ttl_seconds, ttl_action,"
                  " expires_at, reset_count, last_reset_at, current_layer, work_base,"
                  " baseline_size, baseline_inode, baseline_ctime_ns, allow_host_compat, folder"
                  " FROM workspace"));
  PYRO_TRY(const bool row, query.step());
  if (!row) return fail(Errc::kDamaged, "the record is empty");
  PYRO_TRY(const WorkspaceState state, state_of(query.text(11)));
  PYRO_TRY(policy::Policy network, network_of(query.text(3)));
  WorkspaceRecord r{.id = query.text(0),
                    .name = query.text(1),
                    .environment = query.text(2),
                    .execution_mode = query.text(4),
                    .network = std::move(network),
                    .allow_host_compat = query.integer(25) != 0,
                    .vcpu_count = query.integer(5),
                    .mem_mib = query.integer(6),
                    .seed = {.mode = query.text(7),
                             .source = query.text(8),
                             .entry_count = query.integer(9),
                             .bytes_written = query.integer(10)},
                    .labels = {},
                    .env = {},
                    .secrets = {},
                    .state = state,
                    .last_error = query.text(12),
                    .created_at = query.real(13),
                    .last_activity_at = query.real(14),
                    .ttl_seconds = query.integer_or_null(15),
                    .ttl_action = query.text(16),
                    .expires_at = query.real_or_null(17),
                    .reset_count = query.integer(18),
                    .last_reset_at = query.real_or_null(19),
                    .current_layer = query.integer(20),
                    .work_base = query.text(21),
                    .baseline = {.size = query.integer(22),
                                 .inode = query.integer(23),
                                 .ctime_ns = query.integer(24)},
                    .folder = query.text(26)};
  PYRO_CHECK(read_lists(r));
  return r;
}

Result<void> WorkspaceStore::set_state(WorkspaceState state, const std::string& last_error,
                                       const SessionsEnd& end) {
  PYRO_TRY(auto transaction, Transaction::begin(db_));
  PYRO_TRY(auto update, db_.prepare("UPDATE workspace SET state = ?, last_error = ?"));
  PYRO_CHECK(update.bind(1, state_text(state)).bind(2, last_error).step());
  if (state != WorkspaceState::kStarted) PYRO_CHECK(end_sessions(end));
  return transaction.commit();
}

Result<void> WorkspaceStore::set_settings(const WorkspaceRecord& r) {
  PYRO_TRY(auto transaction, Transaction::begin(db_));
  PYRO_TRY(auto update, db_.prepare("UPDATE workspace SET name = ?, ttl_seconds = ?,"
                                    " ttl_action = ?, expires_at = ?"));
  update.bind(1, r.name).bind(3, r.ttl_action);
  update.bind(2, r.ttl_seconds);
  update.bind(4, r.expires_at);
  PYRO_CHECK(update.step());
  PYRO_CHECK(write_pairs(db_, "label", r.labels));
  return transaction.commit();
}

Result<void> WorkspaceStore::set_network(const policy::Policy& network) {
  PYRO_TRY(auto update, db_.prepare("UPDATE workspace SET network_policy = ?"));
  PYRO_CHECK(update.bind(1, network.text()).step());
  return {};
}

// ---- layers and snapshots

Result<std::vector<LayerRecord>> WorkspaceStore::layers() {
  std::vector<LayerRecord> found;
  PYRO_TRY(auto query,
           db_.prepare("SELECT id, parent, size, inode, ctime_ns FROM layer ORDER BY id"));
  for (;;) {
    PYRO_TRY(const bool row, query.step());
    if (!row) return found;
    LayerRecord layer{.id = query.integer(0), .parent = query.integer(1), .frozen = {}};
    if (!query.is_null(2)) {
      layer.frozen = LayerStamp{
          .size = query.integer(2), .inode = query.integer(3), .ctime_ns = query.integer(4)};
    }
    found.push_back(layer);
  }
}

Result<std::int64_t> WorkspaceStore::next_layer_id() {
  return one_number(
      db_, "UPDATE workspace SET layer_counter = layer_counter + 1 RETURNING layer_counter");
}

Result<std::int64_t> WorkspaceStore::last_layer_id() {
  return one_number(db_, "SELECT layer_counter FROM workspace");
}

Result<void> WorkspaceStore::add_first_layer(std::int64_t id) {
  PYRO_TRY(auto transaction, Transaction::begin(db_));
  PYRO_CHECK(insert_layer(db_, id, 0));
  return transaction.commit();
}

Result<void> WorkspaceStore::set_files(const std::string& folder, const LayerStamp& baseline,
                                       const std::vector<LayerRecord>& layers) {
  PYRO_TRY(auto transaction, Transaction::begin(db_));
  PYRO_TRY(auto update, db_.prepare("UPDATE workspace SET folder = ?, baseline_size = ?,"
                                    " baseline_inode = ?, baseline_ctime_ns = ?"));
  update.bind(1, folder).bind(2, baseline.size).bind(3, baseline.inode);
  PYRO_CHECK(update.bind(4, baseline.ctime_ns).step());
  for (const LayerRecord& layer : layers) {
    if (layer.frozen) PYRO_CHECK(freeze_layer(db_, layer.id, *layer.frozen));
  }
  return transaction.commit();
}

Result<void> WorkspaceStore::add_snapshot(const SnapshotRecord& snapshot, const LayerStamp& frozen,
                                          std::int64_t new_layer) {
  PYRO_TRY(auto transaction, Transaction::begin(db_));
  PYRO_TRY(auto query, db_.prepare("SELECT 1 FROM snapshot WHERE name = ?"));
  query.bind(1, snapshot.name);
  PYRO_TRY(const bool taken, query.step());
  if (taken) return fail(Errc::kConflict, "there is a snapshot " + snapshot.name + " already");
  PYRO_TRY(const std::int64_t current, one_number(db_, "SELECT current_layer FROM workspace"));
  PYRO_CHECK(freeze_layer(db_, current, frozen));
  PYRO_TRY(auto insert, db_.prepare("INSERT INTO snapshot VALUES (?, ?, ?, ?, ?)"));
  insert.bind(1, snapshot.name).bind(2, current).bind(3, snapshot.created_at);
  insert.bind(4, snapshot.entry_count).bind(5, snapshot.bytes_written);
  PYRO_CHECK(insert.step());
  PYRO_CHECK(insert_layer(db_, new_layer, current));
  return transaction.commit();
}

Result<std::vector<SnapshotRecord>> WorkspaceStore::snapshots() {
  std::vector<SnapshotRecord> found;
  PYRO_TRY(auto query, db_.prepare("SELECT name, layer, created_at, entry_count, bytes_written"
                                   " FROM snapshot ORDER BY created_at, name"));
  for (;;) {
    PYRO_TRY(const bool row, query.step());
    if (!row) return found;
    found.push_back({.name = query.text(0),
                     .layer = query.integer(1),
                     .created_at = query.real(2),
                     .entry_count = query.integer(3),
                     .bytes_written = query.integer(4)});
  }
}

Result<void> WorkspaceStore::remove_snapshot(const std::string& name) {
  PYRO_TRY(auto remove, db_.prepare("DELETE FROM snapshot WHERE name = ? RETURNING 1"));
  remove.bind(1, name);
  PYRO_TRY(const bool removed, remove.step());
  if (!removed) return fail(Errc::kNotFound, "there is no snapshot " + name);
  PYRO_CHECK(remove.step());  // to its end, or nothing is removed
  return {};
}

Result<void> WorkspaceStore::reset(std::int64_t base, std::int64_t new_layer, double at) {
  PYRO_TRY(auto transaction, Transaction::begin(db_));
  PYRO_CHECK(insert_layer(db_, new_layer, base));
  // Its machine has ended: until the next one runs, that is the truth.
  PYRO_TRY(auto update, db_.prepare("UPDATE workspace SET reset_count = reset_count + 1,"
                                    " last_reset_at = ?, state = 'stopped', last_error = ''"));
  PYRO_CHECK(update.bind(1, at).step());
  PYRO_CHECK(db_.execute(
      "DELETE FROM command; DELETE FROM event; DELETE FROM shell; DELETE FROM service"));
  return transaction.commit();
}

Result<std::vector<std::int64_t>> WorkspaceStore::unneeded_layers() {
  std::vector<std::int64_t> found;
  PYRO_TRY(auto query,
           db_.prepare("WITH RECURSIVE needed(id) AS ("
                       "  SELECT current_layer FROM workspace UNION SELECT layer FROM snapshot"
                       "  UNION SELECT parent FROM layer JOIN needed ON layer.id = needed.id)"
                       " SELECT id FROM layer WHERE id NOT IN (SELECT id FROM needed)"
                       " ORDER BY id DESC"));
  for (;;) {
    PYRO_TRY(const bool row, query.step());
    if (!row) return found;
    found.push_back(query.integer(0));
  }
}

Result<void> WorkspaceStore::forget_layer(std::int64_t id) {
  PYRO_TRY(auto remove, db_.prepare("DELETE FROM layer WHERE id = ?"));
  PYRO_CHECK(remove.bind(1, id).step());
  return {};
}

// ---- journal

Result<std::int64_t> WorkspaceStore::begin_command(const std::string& command,
                                                   const std::string& cwd, double at) {
  PYRO_TRY(auto insert,
           db_.prepare("INSERT INTO command (command, cwd, started_at) VALUES (?, ?, ?)"
                       " RETURNING sequence"));
  insert.bind(1, command).bind(2, cwd).bind(3, at);
  PYRO_TRY(const bool row, insert.step());
  if (!row) return fail(Errc::kInternal, "the record gave no number");
  const std::int64_t sequence = insert.integer(0);
  PYRO_CHECK(insert.step());  // to its end, which is the commit
  return sequence;
}

Result<void> WorkspaceStore::end_command(const CommandRecord& c) {
  PYRO_TRY(auto update,
           db_.prepare("UPDATE command SET ended_at = ?, exit_code = ?, timed_out = ?,"
                       " duration_ms = ?, out = ?, err = ?, out_bytes = ?, err_bytes = ?"
                       " WHERE sequence = ?"));
  update.bind(1, c.ended_at);
  update.bind(2, c.exit_code);
  update.bind(3, std::int64_t{c.timed_out}).bind(4, c.duration_ms);
  update.bind_blob(5, c.out).bind_blob(6, c.err).bind(7, c.out_bytes).bind(8, c.err_bytes);
  PYRO_CHECK(update.bind(9, c.sequence).step());
  return {};
}

Result<std::vector<CommandRecord>> WorkspaceStore::read_commands(std::string_view sql) {
  std::vector<CommandRecord> found;
  PYRO_TRY(auto query, db_.prepare(sql));
  for (;;) {
    PYRO_TRY(const bool row, query.step());
    if (!row) return found;
    found.push_back({.sequence = query.integer(0),
                     .command = query.text(1),
                     .cwd = query.text(2),
                     .started_at = query.real(3),
                     .ended_at = query.real_or_null(4),
                     .exit_code = query.integer_or_null(5),
                     .timed_out = query.integer(6) != 0,
                     .duration_ms = query.integer(7),
                     .out = query.text(8),
                     .err = query.text(9),
                     .out_bytes = query.integer(10),
                     .err_bytes = query.integer(11)});
  }
}

Result<std::vector<CommandRecord>> WorkspaceStore::commands_with_outputs(
    std::optional<std::int64_t> tail, std::optional<std::int64_t> sequence) {
  const std::string which =
      sequence ? fmt::format(" WHERE sequence = {}", *sequence)
      : tail
          ? fmt::format(
                " WHERE sequence IN (SELECT sequence FROM command ORDER BY sequence DESC LIMIT {})",
                *tail)
          : "";
  return read_commands("SELECT * FROM command" + which + " ORDER BY sequence");
}

Result<std::vector<CommandRecord>> WorkspaceStore::commands() {
  return read_commands(std::string(kWithoutOutputs) + " ORDER BY sequence");
}

Result<std::int64_t> WorkspaceStore::command_count() {
  return one_number(db_, "SELECT count(*) FROM command");
}

Result<std::optional<CommandRecord>> WorkspaceStore::last_command() {
  PYRO_TRY(auto found,
           read_commands(std::string(kWithoutOutputs) + " ORDER BY sequence DESC LIMIT 1"));
  if (found.empty()) return std::optional<CommandRecord>();
  return std::optional(std::move(found.front()));
}

Result<void> WorkspaceStore::add_event(const std::string& kind, const std::string& detail,
                                       double at) {
  PYRO_TRY(auto insert, db_.prepare("INSERT INTO event (at, kind, detail) VALUES (?, ?, ?)"));
  PYRO_CHECK(insert.bind(1, at).bind(2, kind).bind(3, detail).step());
  return {};
}

Result<std::vector<EventRecord>> WorkspaceStore::events() {
  std::vector<EventRecord> found;
  PYRO_TRY(auto query, db_.prepare("SELECT id, at, kind, detail FROM event ORDER BY id"));
  for (;;) {
    PYRO_TRY(const bool row, query.step());
    if (!row) return found;
    found.push_back({.id = query.integer(0),
                     .at = query.real(1),
                     .kind = query.text(2),
                     .detail = query.text(3)});
  }
}

}  // namespace pyro::store
