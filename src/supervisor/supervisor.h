// One process for one sandbox: owns its machine, its records and its socket, and ends with it.
//
// It is started by the process that creates the sandbox, with one inherited connection (the first
// client). It ends when the sandbox is deleted (by request, after its command, at its TTL, or when
// the connection it is leased to closes) or on SIGTERM; ending always removes the machine, the
// socket and the folder. When it is killed instead, its machine dies with it and the next command
// removes the rest.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/result.h"
#include "proto/supervisor_messages.h"
#include "sys/fd.h"
#include "vmm/vmm.h"

namespace pyro::supervisor {

// What runs a sandbox's machine, and what of the host goes with it.
struct Monitor {
  std::unique_ptr<vmm::Vmm> vmm;
  vmm::Accelerator accelerator = vmm::Accelerator::kTcg;
  long tsc_khz = 0;
};
using MakeMonitor = std::function<Result<Monitor>(const proto::CreateVm& request)>;
// QEMU, as this host can run it.
Result<Monitor> qemu_monitor(const proto::CreateVm& request);

struct SupervisorOptions {
  sys::UniqueFd first_client;
  MakeMonitor make_monitor = qemu_monitor;
  std::vector<sys::UniqueFd> reservation;  // locks of the start budget; only held
};

// Runs until the sandbox is gone.
Result<void> run_supervisor(SupervisorOptions options);

}  // namespace pyro::supervisor
