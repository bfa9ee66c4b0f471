#include "vmm/kvm_probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstring>

#include "sys/fd.h"

namespace pyro::vmm {
namespace {

constexpr std::uint64_t kBoundNs = 250'000'000;
constexpr int kLookMs = 50;  // how often it is looked at whether the child has used that
// Two instructions for each turn. Hardware runs them in about 0.05 ms; a host that emulates needs a
// thousand times as long.
constexpr std::uint16_t kTurns = 60000;
constexpr std::uint64_t kFastEnoughNs = 10'000'000;

// ProbeReport::step
constexpr const char* kSteps[] = {"",
                                  "creating a virtual machine",
                                  "giving it memory",
                                  "creating a CPU",
                                  "setting its registers",
                                  "running it",
                                  "running it to its end"};

std::uint64_t now_ns(clockid_t clock) {
  timespec t{};
  if (::clock_gettime(clock, &t) != 0) return 0;
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(t.tv_nsec);
}

// mov cx, kTurns; L: dec cx; jnz L; hlt  (16-bit real mode)
constexpr std::uint8_t kCode[] = {0xB9, kTurns & 0xFF, kTurns >> 8, 0x49, 0x75, 0xFD, 0xF4};

int run_guest(int kvm, ProbeReport& report) {
  const int vm = ::ioctl(kvm, KVM_CREATE_VM, 0);
  if (vm < 0) return 1;
  void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 2;
  std::memcpy(memory, kCode, sizeof kCode);
  kvm_userspace_memory_region region{};
  region.guest_phys_addr = 0x1000;
  region.memory_size = 4096;
  region.userspace_addr = reinterpret_cast<std::uintptr_t>(memory);  // the kernel's ABI
  if (::ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0) return 2;
  const int cpu = ::ioctl(vm, KVM_CREATE_VCPU, 0);
  const int size = ::ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
  if (cpu < 0 || size < 0) return 3;
  void* shared =
      ::mmap(nullptr, static_cast<std::size_t>(size), PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
  if (shared == MAP_FAILED) return 3;
  const auto* state = static_cast<const kvm_run*>(shared);
  if (const int khz = ::ioctl(cpu, KVM_GET_TSC_KHZ, 0); khz > 0) report.tsc_khz = khz;
  kvm_sregs sregs{};
  if (::ioctl(cpu, KVM_GET_SREGS, &sregs) < 0) return 4;
  sregs.cs.base = 0;
  sregs.cs.selector = 0;
  kvm_regs regs{};
  regs.rip = 0x1000;
  regs.rflags = 2;
  if (::ioctl(cpu, KVM_SET_SREGS, &sregs) < 0 || ::ioctl(cpu, KVM_SET_REGS, &regs) < 0) return 4;
  const std::uint64_t start = now_ns(CLOCK_THREAD_CPUTIME_ID);
  if (::ioctl(cpu, KVM_RUN, 0) < 0) return 5;
  report.nanoseconds = now_ns(CLOCK_THREAD_CPUTIME_ID) - start;
  return state->exit_reason == KVM_EXIT_HLT ? 0 : 6;
}

void judge(KvmProbe& probe, const ProbeReport& report) {
  probe.tsc_khz = report.tsc_khz;
  if (report.step != 0) {
    probe.detail = fmt::format("{} failed: {}", kSteps[report.step], std::strerror(report.error));
    return;
  }
  const double ms = static_cast<double>(report.nanoseconds) / 1e6;
  probe.usable = report.nanoseconds <= kFastEnoughNs;
  probe.detail = probe.usable
                     ? fmt::format("{} guest instructions in {:.3f} ms", 2 * kTurns, ms)
                     : fmt::format("{} guest instructions took {:.0f} ms: this host emulates them",
                                   2 * kTurns, ms);
}

enum class Wait : std::uint8_t { kAnswered, kUsedItsTime, kTooLong };

// Waits until `fd` is readable, the process `pid` has used its bound, or `patience` is over.
Wait wait_for(int fd, pid_t pid, std::chrono::milliseconds patience) {
  clockid_t used{};
  if (::clock_getcpuclockid(pid, &used) != 0) return Wait::kTooLong;
  const auto end = std::chrono::steady_clock::now() + patience;
  for (;;) {
    pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
    const auto came = sys::retrying("poll", [&ready] { return ::poll(&ready, 1, kLookMs); });
    if (!came) return Wait::kTooLong;
    if (*came > 0) return Wait::kAnswered;
    if (now_ns(used) > kBoundNs) return Wait::kUsedItsTime;
    if (std::chrono::steady_clock::now() > end) return Wait::kTooLong;
  }
}

}  // namespace

void judge_guest(KvmProbe& probe, const std::function<ProbeReport()>& guest,
                 std::chrono::milliseconds patience) {
  auto pipe = sys::make_pipe();
  if (!pipe) {
    probe.detail = pipe.error().message;
    return;
  }
  const pid_t child = ::fork();
  if (child < 0) {
    probe.detail = "fork failed";
    return;
  }
  if (child == 0) {  // so that a KVM_RUN that does not return can be killed
    const ProbeReport report = guest();
    (void)!::write(pipe->write.get(), &report, sizeof report);
    ::_exit(0);
  }
  pipe->write = sys::UniqueFd();
  ProbeReport report;
  const Wait came = wait_for(pipe->read.get(), child, patience);
  probe.decided = came != Wait::kTooLong;
  if (came == Wait::kUsedItsTime) {
    probe.detail =
        fmt::format("a guest of {} instructions did not end: this host emulates them", 2 * kTurns);
  } else if (came == Wait::kTooLong) {
    probe.detail = "a guest of some instructions had no turn: this host is very busy";
  } else if (::read(pipe->read.get(), &report, sizeof report) ==
             static_cast<ssize_t>(sizeof report)) {
    judge(probe, report);
  } else {
    probe.detail = "the probe crashed";
  }
  ::kill(child, SIGKILL);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

KvmProbe probe_kvm(const std::string& device) {
  KvmProbe probe;
  probe.exists = ::access(device.c_str(), F_OK) == 0;
  probe.readable = ::access(device.c_str(), R_OK) == 0;
  probe.writable = ::access(device.c_str(), W_OK) == 0;
  if (!probe.exists) {
    probe.detail = device + " does not exist";
    return probe;
  }
  const sys::UniqueFd kvm(::open(device.c_str(), O_RDWR | O_CLOEXEC));
  if (!kvm) {
    probe.detail = fmt::format("{}: {}", device, std::strerror(errno));
    return probe;
  }
  if (::ioctl(kvm.get(), KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
    probe.detail = device + " is not KVM of the expected version";
    return probe;
  }
  judge_guest(probe, [&kvm] {
    ProbeReport report;
    report.step = run_guest(kvm.get(), report);
    report.error = report.step == 0 ? 0 : errno;
    return report;
  });
  return probe;
}

}  // namespace pyro::vmm
