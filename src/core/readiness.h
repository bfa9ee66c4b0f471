// Looks whether a service is ready.
#pragma once

#include <string>

#include "core/guest.h"
#include "core/workspace_secrets.h"
#include "proto/service_requests.h"

namespace pyro::core {

struct ProbeOutcome {
  bool ready = false;
  std::string detail;  // what was seen, from the guest: for people, of at most some hundred bytes
};

// kInvalid: `readiness` says nothing that could be looked at.
Result<void> check(const proto::Readiness& readiness);

// The guest's clock, as the times of its files have it.
io::Task<std::int64_t> guest_clock(Guest& guest);

// Once, within `limit`. A file that was changed last before `since_ns` does not count. `exec`: with
// cwd and variables of the service, for a readiness command. An error: the guest does not answer.
// What it says has no values of `secrets` in it.
io::Task<ProbeOutcome> probe(Guest& guest, const Secrets& secrets, proto::Readiness readiness,
                             std::int64_t since_ns, proto::Exec exec,
                             std::chrono::milliseconds limit);

}  // namespace pyro::core
