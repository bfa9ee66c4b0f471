// The host's memory and CPUs, shared by all sandboxes of a user without a daemon.
//
// Each unit (64 MiB, or one virtual CPU) is a byte of a file in the runtime folder, and reserving
// it is a lock on that byte (fcntl(2), open file description locks). The locks belong to a
// descriptor that the sandbox's supervisor keeps, so they are gone when it is, however it ended.
// Who has to wait holds the turnstile's lock, so that starts are served one at a time and a large
// one is not starved by small ones.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "sys/fd.h"

namespace pyro::core {

struct BudgetTotals {
  int mem_mib = 0;
  int vcpus = 0;
};
// Four fifths of the host's memory and sixteen virtual CPUs for each real one; `mem_override_mib`
// replaces the first when positive (PYRO_MEMORY_BUDGET_MIB).
Result<BudgetTotals> host_budget(int mem_override_mib);

// Held until its descriptors are closed, here and in every process that inherited them.
struct Reservation {
  sys::UniqueFd memory, vcpus;
};

struct BudgetRequest {
  std::string runtime_dir;
  BudgetTotals totals;
  int mem_mib = 0;
  int vcpus = 0;
  std::function<void(const std::string& why)> on_wait;  // called once, if it has to wait
  int cancel_fd = -1;                                   // readable: give up (kUnavailable)
};
// Blocks until there is room. kLimit when there can never be.
Result<Reservation> reserve(const BudgetRequest& request);

}  // namespace pyro::core
