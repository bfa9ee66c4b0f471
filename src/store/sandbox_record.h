// A sandbox's record: one row in <state>/sandboxes/<id>/sandbox.db. Whoever holds the sandbox's
// lock may write it, everybody of the same uid may read it.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace pyro::store {

struct SandboxRecord {
  std::string vm_id, environment, state, execution_mode, last_error;
  std::int64_t vcpu_count = 1, mem_mib = 0, ttl_seconds = 0;
  double created_at = 0, expires_at = 0;  // seconds since 1970, UTC
};

// Creates or replaces the row, in one transaction.
Result<void> write_record(const std::string& folder, const SandboxRecord& record);
// kNotFound when there is none, kDamaged when the file is no database.
Result<SandboxRecord> read_record(const std::string& folder);

}  // namespace pyro::store
