// One process for one sandbox: owns its machine, its records and its socket.
//
// It is started with one inherited connection, whose first request says what it is for:
//
//   create            a disposable VM. Ends when the VM is deleted (by request, after its command,
//                     at its TTL, or when the connection it is leased to closes) or on SIGTERM, and
//                     removes it.
//   workspace.create  a new workspace. Until that is answered it is leased to the connection.
//   workspace.open    a workspace that exists and has no supervisor. Ends, as after a create, when
//                     the workspace is stopped and there is neither a client nor a time to wait
//                     for; on SIGTERM it stops the workspace first.
//
// When it is killed instead, its machine dies with it, and the next command finds that out.
#pragma once

#include <vector>

#include "base/result.h"
#include "supervisor/host.h"
#include "sys/fd.h"

namespace pyro::supervisor {

struct SupervisorOptions {
  sys::UniqueFd first_client;
  MakeMonitor make_monitor = qemu_monitor;
  std::vector<sys::UniqueFd> reservation;  // locks of the start budget; only held
};

// Runs until there is nothing left to do.
Result<void> run_supervisor(SupervisorOptions options);

}  // namespace pyro::supervisor
