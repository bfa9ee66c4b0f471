// The records of shells and services.
#include <array>

#include "store/workspace_record.h"

namespace pyro::store {
namespace {

constexpr std::array kStates{ServiceState::kStarting, ServiceState::kRunning,
                             ServiceState::kStopped, ServiceState::kExited, ServiceState::kFailed};

Result<ServiceState> state_of(const std::string& text) {
  for (const ServiceState state : kStates) {
    if (text == state_text(state)) return state;
  }
  return fail(Errc::kDamaged, "the record has a state of a service that there is not");
}

constexpr const char* kShells =
    "SELECT id, cwd, cols, rows, started_at, ended_at, exit_code, end_reason FROM shell";
constexpr const char* kServices =
    "SELECT name, definition, state, started_at, ready_at, ended_at, exit_code, pid, stop_reason,"
    " restart_count, last_error FROM service";

ShellRecord shell_of(const Statement& row) {
  return {.id = row.integer(0),
          .cwd = row.text(1),
          .cols = row.integer(2),
          .rows = row.integer(3),
          .started_at = row.real(4),
          .ended_at = row.real_or_null(5),
          .exit_code = row.integer_or_null(6),
          .end_reason = row.text(7)};
}

Result<ServiceRecord> service_of(const Statement& row) {
  PYRO_TRY(const ServiceState state, state_of(row.text(2)));
  return ServiceRecord{.name = row.text(0),
                       .definition = row.text(1),
                       .state = state,
                       .started_at = row.real(3),
                       .ready_at = row.real_or_null(4),
                       .ended_at = row.real_or_null(5),
                       .exit_code = row.integer_or_null(6),
                       .pid = row.integer_or_null(7),
                       .stop_reason = row.text(8),
                       .restart_count = row.integer(9),
                       .last_error = row.text(10)};
}

}  // namespace

const char* state_text(ServiceState state) {
  switch (state) {
    case ServiceState::kStarting:
      return "starting";
    case ServiceState::kRunning:
      return "running";
    case ServiceState::kStopped:
      return "stopped";
    case ServiceState::kExited:
      return "exited";
    case ServiceState::kFailed:
      return "failed";
  }
  return "";
}

Result<std::int64_t> WorkspaceStore::add_shell(const ShellRecord& s) {
  PYRO_TRY(auto insert, db_.prepare("INSERT INTO shell (cwd, cols, rows, started_at)"
                                    " VALUES (?, ?, ?, ?) RETURNING id"));
  insert.bind(1, s.cwd).bind(2, s.cols).bind(3, s.rows).bind(4, s.started_at);
  PYRO_TRY(const bool row, insert.step());
  if (!row) return fail(Errc::kInternal, "the record gave no number");
  const std::int64_t id = insert.integer(0);
  PYRO_CHECK(insert.step());  // to its end, which is the commit
  return id;
}

Result<void> WorkspaceStore::resize_shell(std::int64_t id, std::int64_t cols, std::int64_t rows) {
  PYRO_TRY(auto update, db_.prepare("UPDATE shell SET cols = ?, rows = ? WHERE id = ?"));
  PYRO_CHECK(update.bind(1, cols).bind(2, rows).bind(3, id).step());
  return {};
}

Result<void> WorkspaceStore::end_shell(std::int64_t id, double at,
                                       std::optional<std::int64_t> exit_code,
                                       const std::string& reason) {
  PYRO_TRY(auto update, db_.prepare("UPDATE shell SET ended_at = ?, exit_code = ?, end_reason = ?"
                                    " WHERE id = ? AND ended_at IS NULL"));
  PYRO_CHECK(update.bind(1, at).bind(2, exit_code).bind(3, reason).bind(4, id).step());
  return forget_old_shells();
}

Result<void> WorkspaceStore::forget_old_shells() {
  PYRO_TRY(auto forget, db_.prepare("DELETE FROM shell WHERE id IN (SELECT id FROM shell"
                                    " WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, id DESC"
                                    " LIMIT -1 OFFSET ?)"));
  PYRO_CHECK(forget.bind(1, kMostEndedShells).step());
  return {};
}

Result<std::vector<ShellRecord>> WorkspaceStore::shells() {
  std::vector<ShellRecord> found;
  PYRO_TRY(auto query, db_.prepare(std::string(kShells) + " ORDER BY id"));
  for (;;) {
    PYRO_TRY(const bool row, query.step());
    if (!row) return found;
    found.push_back(shell_of(query));
  }
}

Result<ShellRecord> WorkspaceStore::shell(std::int64_t id) {
  PYRO_TRY(auto query, db_.prepare(std::string(kShells) + " WHERE id = ?"));
  query.bind(1, id);
  PYRO_TRY(const bool row, query.step());
  if (!row) return fail(Errc::kNotFound, "there is no such shell");
  return shell_of(query);
}

Result<void> WorkspaceStore::put_service(const ServiceRecord& s) {
  PYRO_TRY(auto put,
           db_.prepare("INSERT OR REPLACE INTO service VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  put.bind(1, s.name).bind(2, s.definition).bind(3, state_text(s.state)).bind(4, s.started_at);
  put.bind(5, s.ready_at).bind(6, s.ended_at).bind(7, s.exit_code).bind(8, s.pid);
  PYRO_CHECK(put.bind(9, s.stop_reason).bind(10, s.restart_count).bind(11, s.last_error).step());
  return {};
}

Result<std::vector<ServiceRecord>> WorkspaceStore::services() {
  std::vector<ServiceRecord> found;
  PYRO_TRY(auto query, db_.prepare(std::string(kServices) + " ORDER BY name"));
  for (;;) {
    PYRO_TRY(const bool row, query.step());
    if (!row) return found;
    PYRO_TRY(ServiceRecord service, service_of(query));
    found.push_back(std::move(service));
  }
}

Result<ServiceRecord> WorkspaceStore::service(const std::string& name) {
  PYRO_TRY(auto query, db_.prepare(std::string(kServices) + " WHERE name = ?"));
  query.bind(1, name);
  PYRO_TRY(const bool row, query.step());
  if (!row) return fail(Errc::kNotFound, "there is no service of that name");
  return service_of(query);
}

Result<void> WorkspaceStore::remove_service(const std::string& name) {
  PYRO_TRY(auto remove, db_.prepare("DELETE FROM service WHERE name = ?"));
  PYRO_CHECK(remove.bind(1, name).step());
  return {};
}

Result<ServiceCounts> WorkspaceStore::service_counts() {
  PYRO_TRY(auto query, db_.prepare("SELECT count(*), count(*) FILTER (WHERE state IN"
                                   " ('starting', 'running')) FROM service"));
  PYRO_TRY(const bool row, query.step());
  if (!row) return fail(Errc::kDamaged, "the record is empty");
  return ServiceCounts{.total = query.integer(0), .running = query.integer(1)};
}

// Within the transaction of whoever calls it.
Result<void> WorkspaceStore::end_sessions(const SessionsEnd& end) {
  PYRO_TRY(auto shells, db_.prepare("UPDATE shell SET ended_at = ?, end_reason = ?"
                                    " WHERE ended_at IS NULL"));
  PYRO_CHECK(shells.bind(1, end.at).bind(2, end.reason).step());
  PYRO_CHECK(forget_old_shells());
  PYRO_TRY(
      auto services,
      db_.prepare("UPDATE service SET state = 'stopped', ended_at = ?, stop_reason = ?, pid = NULL"
                  " WHERE state IN ('starting', 'running')"));
  PYRO_CHECK(services.bind(1, end.at).bind(2, end.reason).step());
  return {};
}

}  // namespace pyro::store
