// SQLite with Result: one connection, prepared statements, migrations by user_version.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace pyro::store {

class Statement {
 public:
  Statement& bind(int index, std::string_view text);
  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, double value);
  Statement& bind_blob(int index, std::string_view bytes);
  Statement& bind_null(int index);
  template <class T>
  Statement& bind(int index, const std::optional<T>& value) {
    return value ? bind(index, *value) : bind_null(index);
  }
  // True when there is a row to read with the column functions.
  Result<bool> step();
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;
  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::optional<std::int64_t> integer_or_null(int column) const {
    return is_null(column) ? std::nullopt : std::optional(integer(column));
  }
  [[nodiscard]] std::optional<double> real_or_null(int column) const {
    return is_null(column) ? std::nullopt : std::optional(real(column));
  }

 private:
  friend class Database;
  struct Finalizer {
    void operator()(sqlite3_stmt* s) const;
  };
  explicit Statement(sqlite3_stmt* s) : stmt_(s) {}
  std::unique_ptr<sqlite3_stmt, Finalizer> stmt_;
};

class Database {
 public:
  enum class Mode : std::uint8_t { kReadOnly, kReadWrite, kCreate };
  // Opens (kCreate: makes, where there is none) the file and brings it to the newest schema unless
  // kReadOnly; migration number i (from 1) leads to user_version i. kNotFound when there is none,
  // or one without any schema; a newer schema than we know is kConflict, and so is an older one
  // for kReadOnly; a file that is no such database is kDamaged. WAL; a writer waits up to 5 s for
  // another.
  static Result<Database> open(const std::string& path, Mode mode,
                               std::span<const char* const> migrations);
  Result<Statement> prepare(std::string_view sql);
  Result<void> execute(const std::string& sql);
  // What was committed is in the file itself, not only in the log beside it. As far as nobody reads
  // an older state at the moment.
  Result<void> checkpoint() { return execute("PRAGMA wal_checkpoint(PASSIVE)"); }

 private:
  struct Closer {
    void operator()(sqlite3* db) const;
  };
  explicit Database(sqlite3* db) : db_(db) {}
  Result<std::int64_t> version();
  Result<void> migrate(std::span<const char* const> migrations, std::size_t from);
  std::unique_ptr<sqlite3, Closer> db_;
};

// Rolled back unless committed.
class Transaction {
 public:
  static Result<Transaction> begin(Database& db) {
    PYRO_CHECK(db.execute("BEGIN IMMEDIATE"));
    return Transaction(&db);
  }
  Transaction(Transaction&& o) noexcept : db_(std::exchange(o.db_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction() {
    if (db_ != nullptr) static_cast<void>(db_->execute("ROLLBACK"));
  }
  Result<void> commit() {
    PYRO_CHECK(db_->execute("COMMIT"));
    db_ = nullptr;
    return {};
  }

 private:
  explicit Transaction(Database* db) : db_(db) {}
  Database* db_;
};

}  // namespace pyro::store
