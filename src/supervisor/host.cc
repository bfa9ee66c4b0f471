#include "supervisor/host.h"

#include <algorithm>

#include "proto/limits.h"
#include "vmm/host_facts.h"
#include "vmm/qemu.h"

namespace pyro::supervisor {

Host::Host(const proto::HostSettings& s, Monitor m)
    : settings(s),
      dirs{.cache = s.cache_dir,
           .state = s.state_dir,
           .runtime = s.runtime_dir,
           .libexec = s.libexec_dir},
      monitor(std::move(m)),
      environments(dirs),
      templates(dirs.templates(), *monitor.vmm),
      disks(dirs.disks(), s.search_path, dirs.cache + "/disks") {}

core::BootConfig Host::boot() const {
  core::BootConfig boot{.agent_path = dirs.libexec + "/pyro-agent",
                        .tsc_khz = monitor.tsc_khz,
                        .boot_limit = std::chrono::milliseconds(settings.boot_limit_ms)};
  boot.answer_limit = std::min(boot.answer_limit, boot.boot_limit);
  boot.call_limit = std::min(boot.call_limit, boot.boot_limit);
  return boot;
}

core::NetworkDeps Host::network() const {
  return {.engine = dirs.libexec + "/pyro-net",
          .resolv_conf = settings.resolv_conf.empty() ? "/etc/resolv.conf" : settings.resolv_conf,
          .net_namespace = settings.net_namespace};
}

Result<std::unique_ptr<Host>> make_host(const proto::HostSettings& settings,
                                        const MakeMonitor& make_monitor) {
  constexpr proto::Range kBootLimitMs{.low = 1, .high = 86'400'000};
  PYRO_CHECK(proto::in_range("boot_limit_ms", settings.boot_limit_ms, kBootLimitMs));
  PYRO_TRY(auto monitor, make_monitor(settings));
  return std::make_unique<Host>(settings, std::move(monitor));
}

Result<Monitor> qemu_monitor(const proto::HostSettings& settings) {
  PYRO_TRY(const auto facts,
           vmm::host_facts(settings.cache_dir, /*fresh=*/false, settings.accelerator));
  PYRO_TRY(auto qemu, vmm::known_qemu(settings.cache_dir, settings.qemu, settings.search_path));
  return Monitor{.vmm = std::make_unique<vmm::QemuVmm>(std::move(qemu)),
                 .accelerator = facts.accelerator,
                 .tsc_khz = facts.tsc_khz};
}

}  // namespace pyro::supervisor
