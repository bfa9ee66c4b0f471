// What is true of this host until it reboots, measured once and kept in <cache>/host.json: whether
// KVM is usable, the TSC's rate, the QEMU that was found.
#pragma once

#include <string>

#include "base/result.h"
#include "vmm/kvm_probe.h"
#include "vmm/qemu.h"
#include "vmm/vmm.h"

namespace pyro::vmm {

struct HostFacts {
  KvmProbe kvm;
  long tsc_khz = 0;  // rounded to 100; 0 when the host has no stable TSC
  Accelerator accelerator = Accelerator::kTcg;
  std::string accelerator_reason;  // one sentence
};

// Reads what an earlier call stored for this boot and this user, or measures (up to 0.5 s) and
// stores it. `fresh` always measures. `forced` ("tcg", "kvm" or empty) overrides the choice, not
// the probe.
Result<HostFacts> host_facts(const std::string& cache_dir, bool fresh, const std::string& forced);
// find_qemu(), kept as long as the file is the same: starting QEMU to ask costs 20 to 50 ms.
Result<QemuProgram> known_qemu(const std::string& cache_dir, const std::string& override_path,
                               const std::string& search_path);
// Remembers for this boot that a guest did not come up under KVM, whatever the probe said.
Result<void> distrust_kvm(const std::string& cache_dir, const std::string& why);

}  // namespace pyro::vmm
