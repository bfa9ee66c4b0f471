// Is KVM really usable here? Opening /dev/kvm and creating machines says little: some hosts emulate
// every guest instruction. So a tiny guest runs a counted loop, timed, with a bound.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace pyro::vmm {

struct KvmProbe {
  bool exists = false, readable = false, writable = false;
  bool usable = false;
  std::string detail;  // why not, or how fast
  long tsc_khz = 0;    // what KVM says of the host's TSC; 0 when unknown
};

// Takes at most about 0.3 s: the guest runs in a child process that is killed at the bound.
KvmProbe probe_kvm(const std::string& device = "/dev/kvm");

// What came of running the guest.
struct ProbeReport {
  int step = 0;   // which one failed, see the source; 0: none
  int error = 0;  // errno of that step
  std::uint64_t nanoseconds = 0;
  long tsc_khz = 0;
};
// The second half of probe_kvm(): runs `guest` in a child process, bounded, and judges it. Apart
// for tests.
void judge_guest(KvmProbe& probe, const std::function<ProbeReport()>& guest);

}  // namespace pyro::vmm
