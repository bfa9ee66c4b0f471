#include "store/database.h"

#include <sqlite3.h>

#include "sys/file.h"

namespace pyro::store {
namespace {

std::unexpected<Error> fail_sqlite(sqlite3* db, int rc, const std::string& what) {
  // SQLITE_ERROR: what is in the file is not what we ask for.
  const bool damaged = rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB || rc == SQLITE_ERROR;
  const Errc code = damaged             ? Errc::kDamaged
                    : rc == SQLITE_FULL ? Errc::kLimit
                                        : Errc::kUnavailable;
  return fail(code, what + ": " + (db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(rc)));
}

}  // namespace

void Statement::Finalizer::operator()(sqlite3_stmt* s) const {
  sqlite3_finalize(s);
}
void Database::Closer::operator()(sqlite3* db) const {
  sqlite3_close(db);
}

Statement& Statement::bind(int index, std::string_view text) {
  // A null pointer would bind NULL, whatever the size.
  sqlite3_bind_text64(stmt_.get(), index, text.empty() ? "" : text.data(), text.size(),
                      SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}
Statement& Statement::bind(int index, std::int64_t value) {
  sqlite3_bind_int64(stmt_.get(), index, value);
  return *this;
}
Statement& Statement::bind(int index, double value) {
  sqlite3_bind_double(stmt_.get(), index, value);
  return *this;
}
Statement& Statement::bind_blob(int index, std::string_view bytes) {
  sqlite3_bind_blob64(stmt_.get(), index, bytes.empty() ? "" : bytes.data(), bytes.size(),
                      SQLITE_TRANSIENT);
  return *this;
}
Statement& Statement::bind_null(int index) {
  sqlite3_bind_null(stmt_.get(), index);
  return *this;
}

Result<bool> Statement::step() {
  const int rc = sqlite3_step(stmt_.get());
  if (rc == SQLITE_ROW) return true;
  if (rc == SQLITE_DONE) return false;
  return fail_sqlite(sqlite3_db_handle(stmt_.get()), rc, "record");
}

std::string Statement::text(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(stmt_.get(), column));
  const int size = sqlite3_column_bytes(stmt_.get(), column);
  return data == nullptr ? std::string() : std::string(data, static_cast<std::size_t>(size));
}
std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(stmt_.get(), column);
}
double Statement::real(int column) const {
  return sqlite3_column_double(stmt_.get(), column);
}
bool Statement::is_null(int column) const {
  return sqlite3_column_type(stmt_.get(), column) == SQLITE_NULL;
}

Result<Database> Database::open(const std::string& path, Mode mode,
                                std::span<const char* const> migrations) {
  sqlite3* raw = nullptr;
  const int flags = mode == Mode::kReadOnly    ? SQLITE_OPEN_READONLY
                    : mode == Mode::kReadWrite ? SQLITE_OPEN_READWRITE
                                               : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int rc = sqlite3_open_v2(path.c_str(), &raw,
                                 flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, nullptr);
  Database db(raw);
  if (rc == SQLITE_CANTOPEN && !sys::exists(path)) return fail(Errc::kNotFound, "no file " + path);
  if (rc != SQLITE_OK) return fail_sqlite(raw, rc, path);
  sqlite3_busy_timeout(raw, 5000);
  // The file is ours, but a damaged or planted schema must not run functions.
  PYRO_CHECK(db.execute("PRAGMA trusted_schema=OFF"));
  PYRO_TRY(const std::int64_t version, db.version());
  // Whoever did not come to make one must not take it for a new one.
  if (version == 0 && mode != Mode::kCreate) return fail(Errc::kNotFound, path + " is empty");
  if (version > static_cast<std::int64_t>(migrations.size())) {
    return fail_hint(Errc::kConflict, path + " was written by a newer pyro",
                     "use that version of pyro");
  }
  if (mode != Mode::kReadOnly)
    PYRO_CHECK(db.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL"));
  if (version < static_cast<std::int64_t>(migrations.size())) {
    if (mode == Mode::kReadOnly) return fail(Errc::kConflict, path + " has an older schema");
    PYRO_CHECK(db.migrate(migrations, static_cast<std::size_t>(version)));
  }
  return db;
}

Result<std::int64_t> Database::version() {
  PYRO_TRY(auto query, prepare("PRAGMA user_version"));
  PYRO_TRY(const bool row, query.step());
  return row ? query.integer(0) : 0;
}

Result<void> Database::migrate(std::span<const char* const> migrations, std::size_t from) {
  for (std::size_t i = from; i < migrations.size(); ++i) {
    // The version changes in the same transaction, so that a crash leaves one of the two.
    PYRO_CHECK(execute(std::string("BEGIN IMMEDIATE;") + migrations[i] +
                       ";PRAGMA user_version=" + std::to_string(i + 1) + ";COMMIT"));
  }
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* stmt = nullptr;
  const int rc =
      sqlite3_prepare_v2(db_.get(), sql.data(), static_cast<int>(sql.size()), &stmt, nullptr);
  if (rc != SQLITE_OK) return fail_sqlite(db_.get(), rc, "record");
  return Statement(stmt);
}

Result<void> Database::execute(const std::string& sql) {
  const int rc = sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) return fail_sqlite(db_.get(), rc, "record");
  return {};
}

}  // namespace pyro::store
