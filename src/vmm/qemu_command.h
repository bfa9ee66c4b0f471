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
inline constexpr int kScratchFd = 15;
inline constexpr int kBaselineFd = 16;
inline constexpr int kWorkBaseFd = 17;
inline constexpr int kTopLayerReadOnlyFd = 18;  // the same file as the top layer's
inline constexpr int kLinkFd = 19;
inline constexpr int kFirstLayerFd = 20;  // bottom to top
// A file opened as /dev/fdset/N takes the descriptor of set N that has the access mode it wants.
inline constexpr int kRootImageSet = 1;
inline constexpr int kScratchSet = 2;
inline constexpr int kBaselineSet = 3;
inline constexpr int kWorkBaseSet = 4;
inline constexpr int kFirstLayerSet = 5;
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
  int work_layers = 1;       // where the shape has a work disk
  std::string command_line;  // of the kernel, when not restored
};

// argv, program name included. Clones leave kernel and initramfs out: their content is in the
// memory file, and the firmware's copy of them would only cost memory.
std::vector<std::string> qemu_argv(const QemuCommand& command);

// The block device of a layer of the work disk, 0 at the bottom, and of what the lowest stands on.
std::string layer_node(int layer);
inline constexpr const char* kWorkBaseNode = "work-base";

// The kernel's command line. `tsc_khz` spares the guest a calibration that hangs about one boot in
// four under TCG on a busy host; 0 leaves it out.
std::string kernel_command_line(Accelerator accelerator, long tsc_khz);

}  // namespace pyro::vmm
