// Is KVM really usable here? Opening /dev/kvm and creating machines says little: some hosts emulate
// every guest instruction. So a tiny guest runs a counted loop, timed, with a bound. What counts is
// time of the processor, not of the clock: the answer is kept until the host boots again, and a
// host that is busy when it is asked must not lose KVM for that.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace pyro::vmm {

struct KvmProbe {
  bool exists = false, readable = false, writable = false;
  bool usable = false;
  bool decided = true;  // false: the host was too busy to run the guest at all
  std::string detail;   // why not, or how fast
  long tsc_khz = 0;     // what KVM says of the host's TSC; 0 when unknown
};

// The guest runs in a child process that is killed after 0.25 s of a processor's time, or 5 s.
KvmProbe probe_kvm(const std::string& device = "/dev/kvm");

// What came of running the guest.
struct ProbeReport {
  int step = 0;                   // which one failed, see the source; 0: none
  int error = 0;                  // errno of that step
  std::uint64_t nanoseconds = 0;  // of a processor
  long tsc_khz = 0;
};
// The second half of probe_kvm(): runs `guest` in a child process, bounded, and judges it. Apart
// for tests.
void judge_guest(KvmProbe& probe, const std::function<ProbeReport()>& guest,
                 std::chrono::milliseconds patience = std::chrono::seconds(5));

}  // namespace pyro::vmm
