#include "vmm/qemu_command.h"

#include <fmt/format.h>

namespace pyro::vmm {

std::string kernel_command_line(Accelerator accelerator, long tsc_khz) {
  // tsc=reliable: TCG's guest has nothing better to compare the TSC with than its tick, and a busy
  // host makes it miss ticks: the kernel's watchdog then blames the TSC, and the clock runs slow
  // for good. TCG's TSC is the host's, the same for all CPUs. Under KVM the clock is kvm-clock.
  std::string line = "console=ttyS0 panic=-1 reboot=t quiet tsc=reliable";
  // What keeps a real processor from guessing has no meaning where instructions are emulated, and
  // each indirect call of the kernel pays for it; to clear what is allocated is several times as
  // dear as on a real one. Seen: a download is a sixth faster without.
  if (accelerator == Accelerator::kTcg) line += " mitigations=off init_on_alloc=0";
  if (tsc_khz > 0) line += fmt::format(" tsc_early_khz={}", tsc_khz);
  return line;
}

std::string layer_node(int layer) {
  return fmt::format("work-{}", layer);
}

namespace {

// TCG carries out a string instruction step by step, and a kernel that is told of ERMS copies and
// clears memory a byte a step: seen, 0.4 GB/s with it and 1.8 to 3.2 without.
std::string cpu_model(Accelerator accelerator) {
  return accelerator == Accelerator::kTcg ? "max,-erms,-fsrm" : "max";
}

using Words = std::vector<std::string>;

std::string file_of(int set) {
  return fmt::format("file.driver=file,file.filename=/dev/fdset/{},file.locking=off", set);
}

void add_fd(Words& argv, int fd, int set) {
  argv.insert(argv.end(), {"-add-fd", fmt::format("fd={},set={}", fd, set)});
}

void add_device(Words& argv, const std::string& node, const char* serial) {
  argv.insert(
      argv.end(),
      // On a full disk of the host QEMU would stop the machine, and every call into it with
      // it, until somebody says that it can go on: the guest is told instead.
      {"-device", fmt::format("virtio-blk-device,drive={},serial={},werror=report", node, serial)});
}

// The sizes are written out, so that they are part of the machine and no file can change them.
void add_raw(Words& argv, const char* node, const char* options, std::uint64_t bytes, int set) {
  argv.insert(argv.end(), {"-blockdev", fmt::format("driver=raw,node-name={},{},size={},{}", node,
                                                    options, bytes, file_of(set))});
}

void add_workspace_disks(Words& argv, int layers) {
  add_fd(argv, kScratchFd, kScratchSet);
  // Nobody reads it after the machine has ended: there is nothing to flush for.
  add_raw(argv, "scratch", "read-only=off,cache.no-flush=on", kScratchBytes, kScratchSet);
  add_device(argv, "scratch", kScratchSerial);
  add_fd(argv, kBaselineFd, kBaselineSet);
  add_raw(argv, "baseline", "read-only=on", kBaselineBytes, kBaselineSet);
  add_device(argv, "baseline", kBaselineSerial);
  add_fd(argv, kWorkBaseFd, kWorkBaseSet);
  add_raw(argv, kWorkBaseNode, "read-only=on", kWorkBytes, kWorkBaseSet);
  for (int i = 0; i < layers; ++i) {
    const bool top = i == layers - 1;
    add_fd(argv, kFirstLayerFd + i, kFirstLayerSet + i);
    // Once there is another layer on it, it is opened again, to be read only.
    if (top) add_fd(argv, kTopLayerReadOnlyFd, kFirstLayerSet + i);
    argv.insert(argv.end(),
                {"-blockdev", fmt::format("driver=qcow2,node-name={},read-only={},backing={},{}",
                                          layer_node(i), top ? "off" : "on",
                                          i == 0 ? std::string(kWorkBaseNode) : layer_node(i - 1),
                                          file_of(kFirstLayerSet + i))});
  }
  add_device(argv, layer_node(layers - 1), kWorkSerial);
}

// Off is what a link to one engine has no use for: a driver that is offered less sends less, and a
// smaller device has fewer places for a bug. Linux refuses a device with ctrl_* and no ctrl_vq.
// Offloads need a header before each frame that this backend has not; QEMU takes them away itself.
//
// A burst of one frame: with larger ones a guest's network was dead for good after a quarter of the
// floods on a busy host (2 of 8; with this none of 30). As we read QEMU 7.2: when a frame had to
// wait for room in the link, it sends what came after it with notifications on, and tells the guest
// after each frame from which place on to notify. Nothing orders that before its last look whether
// there is another (virtio_net_tx_complete(), virtqueue_split_pop()), so a guest that adds one at
// that moment sees the place before, and never notifies again. After a full burst QEMU looks again
// with notifications off, and after a burst of none there was nothing to tell.
void add_link(Words& argv, const MacAddress& mac) {
  argv.insert(argv.end(),
              {"-netdev", fmt::format("dgram,id=link,local.type=fd,local.str={}", kLinkFd)});
  argv.insert(
      argv.end(),
      {"-device", fmt::format("virtio-net-device,netdev=link,mac={:02x},host_mtu={},x-txburst=1,"
                              "status=off,ctrl_vq=off,ctrl_rx=off,ctrl_rx_extra=off,ctrl_vlan=off,"
                              "ctrl_mac_addr=off,ctrl_guest_offloads=off,guest_announce=off",
                              fmt::join(mac, ":"), kLinkMtu)});
  // Nor does QEMU itself tell a switch, after a restore, where the guest is.
  argv.insert(argv.end(), {"-global", "migration.announce-rounds=0"});
}

}  // namespace

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
  add_fd(argv, kRootImageFd, kRootImageSet);
  add({"-blockdev", "driver=raw,node-name=root,read-only=on," + file_of(kRootImageSet)});
  add_device(argv, "root", "pyro-root");
  if (c.shape.disks == Disks::kWorkspace) add_workspace_disks(argv, c.work_layers);
  if (c.shape.mac) add_link(argv, *c.shape.mac);
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
