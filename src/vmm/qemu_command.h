// QEMU's command line, as a pure function (golden-tested for TCG and KVM).
#pragma once

#include <string>
#include <vector>

#include "vmm/vmm.h"

namespace pyro::vmm {

// The numbers under which QEMU finds what it is given, and the paths inside its jail.
inline constexpr int kRootImageFd = 10;
inline constexpr int kQmpFd = 11;
inline constexpr int kConsoleFd = 12;
inline constexpr int kControlPortFd = 13;
inline constexpr int kDataPortFd = 14;
inline constexpr const char* kMemoryPath = "/pyro/memory";  // never exists; the broker answers
inline constexpr const char* kKernelName = "vmlinuz";
inline constexpr const char* kInitramfsName = "initramfs";

// The names of the guest's ports, as in /sys/class/virtio-ports/*/name.
inline constexpr const char* kControlPortName = "pyro.control";
inline constexpr const char* kDataPortName = "pyro.data";

struct QemuCommand {
  std::string program;
  Shape shape;
  LaunchSpec::Memory memory_mode = LaunchSpec::Memory::kPrivate;
  bool restore = false;
  std::string command_line;  // of the kernel, when not restored
};

// argv, program name included. Clones leave kernel and initramfs out: their content is in the
// memory file, and the firmware's copy of them would only cost memory.
std::vector<std::string> qemu_argv(const QemuCommand& command);

// The kernel's command line. `tsc_khz` spares the guest a calibration that hangs about one boot in
// four under TCG on a busy host; 0 leaves it out.
std::string kernel_command_line(long tsc_khz);

}  // namespace pyro::vmm
