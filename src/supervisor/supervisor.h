// One process for one sandbox: owns its machine, its records and its socket, and ends with it.
//
// It is started by the process that creates the sandbox, with one inherited connection (the first
// client). It ends when the sandbox is deleted (by request, after its command, at its TTL, or when
// the connection it is leased to closes) or on SIGTERM; ending always removes the machine, the
// socket and the folder. When it is killed instead, its machine dies with it and the next command
// removes the rest.
#pragma once

#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace pyro::supervisor {

struct SupervisorOptions {
  sys::UniqueFd first_client;
  std::vector<sys::UniqueFd> reservation;  // locks of the start budget; only held
};

// Runs until the sandbox is gone.
Result<void> run_supervisor(SupervisorOptions options);

}  // namespace pyro::supervisor
