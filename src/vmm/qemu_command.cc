#include "vmm/qemu_command.h"

#include <fmt/format.h>

namespace pyro::vmm {

std::string kernel_command_line(long tsc_khz) {
  // tsc=reliable: TCG's guest has nothing better to compare the TSC with than its tick, and a busy
  // host makes it miss ticks: the kernel's watchdog then blames the TSC, and the clock runs slow
  // for good. TCG's TSC is the host's, the same for all CPUs. Under KVM the clock is kvm-clock.
  std::string line = "console=ttyS0 panic=-1 reboot=t quiet tsc=reliable";
  if (tsc_khz > 0) line += fmt::format(" tsc_early_khz={}", tsc_khz);
  return line;
}

// TCG carries out a string instruction step by step, and a kernel that is told of ERMS copies and
// clears memory a byte a step: seen, 0.4 GB/s with it and 1.8 to 3.2 without.
std::string cpu_model(Accelerator accelerator) {
  return accelerator == Accelerator::kTcg ? "max,-erms,-fsrm" : "max";
}

std::vector<std::string> qemu_argv(const QemuCommand& c) {
  const bool shared = c.memory_mode == LaunchSpec::Memory::kShared;
  std::vector<std::string> argv{c.program};
  const auto add = [&](std::initializer_list<std::string> words) {
    argv.insert(argv.end(), words);
  };
  // pit and pic stay on: TCG has neither kvmclock nor a TSC deadline timer, and without them its
  // guest has no timer to boot with. The same machine under KVM keeps one guest for both.
  add({"-M", "microvm,x-option-roms=off,isa-serial=on,rtc=on,pit=on,pic=on,memory-backend=memory"});
  add({"-accel", accelerator_name(c.shape.accelerator)});
  add({"-cpu", cpu_model(c.shape.accelerator), "-smp", fmt::format("{}", c.shape.vcpus), "-m",
       fmt::format("{}", c.shape.mem_mib)});
  add({"-object", fmt::format("memory-backend-file,id=memory,size={}M,mem-path={},share={}",
                              c.shape.mem_mib, kMemoryPath, shared ? "on" : "off")});
  add({"-nodefaults", "-no-user-config", "-nographic", "-no-reboot"});
  add({"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"});
  add({"-chardev", fmt::format("socket,id=qmp,fd={}", kQmpFd), "-mon", "chardev=qmp,mode=control"});
  add({"-chardev", fmt::format("socket,id=console,fd={}", kConsoleFd), "-serial",
       "chardev:console"});
  add({"-add-fd", fmt::format("fd={},set=1", kRootImageFd)});
  add({"-blockdev",
       "driver=raw,node-name=root,read-only=on,file.driver=file,file.filename=/dev/fdset/1,"
       "file.locking=off"});
  add({"-device", "virtio-blk-device,drive=root,serial=pyro-root"});
  add({"-device", "virtio-serial-device,max_ports=4"});
  add({"-chardev", fmt::format("socket,id=control,fd={}", kControlPortFd)});
  add({"-device", fmt::format("virtserialport,nr=1,chardev=control,name={}", kControlPortName)});
  add({"-chardev", fmt::format("socket,id=data,fd={}", kDataPortFd)});
  add({"-device", fmt::format("virtserialport,nr=2,chardev=data,name={}", kDataPortName)});
  if (c.restore) {
    add({"-incoming", "defer"});  // the state comes once its capabilities are set, over QMP
  } else {
    add({"-kernel", fmt::format("/{}", kKernelName), "-initrd", fmt::format("/{}", kInitramfsName),
         "-append", c.command_line});
  }
  return argv;
}

}  // namespace pyro::vmm
