#include "store/sandbox_record.h"

#include <array>

#include "store/database.h"

namespace pyro::store {
namespace {

constexpr std::array<const char*, 1> kMigrations{
    "CREATE TABLE sandbox ("
    "  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),"
    "  vm_id TEXT NOT NULL, environment TEXT NOT NULL, state TEXT NOT NULL,"
    "  execution_mode TEXT NOT NULL, last_error TEXT NOT NULL,"
    "  vcpu_count INTEGER NOT NULL, mem_mib INTEGER NOT NULL, ttl_seconds INTEGER NOT NULL,"
    "  created_at REAL NOT NULL, expires_at REAL NOT NULL) STRICT"};

std::string path_of(const std::string& folder) {
  return folder + "/sandbox.db";
}

}  // namespace

Result<void> write_record(const std::string& folder, const SandboxRecord& r) {
  PYRO_TRY(auto db, Database::open(path_of(folder), Database::Mode::kCreate, kMigrations));
  PYRO_TRY(auto insert,
           db.prepare("INSERT OR REPLACE INTO sandbox VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  insert.bind(1, r.vm_id)
      .bind(2, r.environment)
      .bind(3, r.state)
      .bind(4, r.execution_mode)
      .bind(5, r.last_error);
  insert.bind(6, r.vcpu_count).bind(7, r.mem_mib).bind(8, r.ttl_seconds);
  insert.bind(9, r.created_at).bind(10, r.expires_at);
  PYRO_CHECK(insert.step());
  return {};
}

Result<SandboxRecord> read_record(const std::string& folder) {
  PYRO_TRY(auto db, Database::open(path_of(folder), Database::Mode::kReadOnly, kMigrations));
  PYRO_TRY(auto query,
           db.prepare("SELECT vm_id, environment, state, execution_mode, last_error, vcpu_count,"
                      " mem_mib, ttl_seconds, created_at, expires_at FROM sandbox"));
  PYRO_TRY(const bool found, query.step());
  if (!found) return fail(Errc::kNotFound, "the record in " + folder + " is empty");
  SandboxRecord r;
  r.vm_id = query.text(0);
  r.environment = query.text(1);
  r.state = query.text(2);
  r.execution_mode = query.text(3);
  r.last_error = query.text(4);
  r.vcpu_count = query.integer(5);
  r.mem_mib = query.integer(6);
  r.ttl_seconds = query.integer(7);
  r.created_at = query.real(8);
  r.expires_at = query.real(9);
  return r;
}

}  // namespace pyro::store
