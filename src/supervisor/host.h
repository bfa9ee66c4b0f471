// What of the host a sandbox stands on.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "core/clock.h"
#include "core/disks.h"
#include "core/guest.h"
#include "core/network.h"
#include "core/shells.h"
#include "core/templates.h"
#include "image/environments.h"
#include "proto/supervisor_messages.h"
#include "sys/dirs.h"
#include "vmm/vmm.h"

namespace pyro::supervisor {

// What runs a sandbox's machine, what of the host goes with it, and how patient we are with it.
struct Monitor {
  std::unique_ptr<vmm::Vmm> vmm;
  vmm::Accelerator accelerator = vmm::Accelerator::kTcg;
  long tsc_khz = 0;
  // The time that counts for a TTL, and the longest that is waited at once: a clock that somebody
  // sets forward is noticed.
  std::function<double()> now = core::now_seconds;
  std::chrono::milliseconds longest_nap{60'000};
  core::SessionLimits sessions;
};
using MakeMonitor = std::function<Result<Monitor>(const proto::HostSettings& settings)>;
// QEMU, as this host can run it.
Result<Monitor> qemu_monitor(const proto::HostSettings& settings);

struct Host {
  Host(const proto::HostSettings& s, Monitor m);
  [[nodiscard]] core::BootConfig boot() const;
  [[nodiscard]] core::NetworkDeps network() const;

  const proto::HostSettings settings;
  const sys::Dirs dirs;
  Monitor monitor;
  image::Environments environments;  // pulls are made by the process that asks for them
  core::Templates templates;
  core::Disks disks;
};

// Checks the settings first.
Result<std::unique_ptr<Host>> make_host(const proto::HostSettings& settings,
                                        const MakeMonitor& make_monitor);

}  // namespace pyro::supervisor
