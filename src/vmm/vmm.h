// The port to a virtual machine monitor. QemuVmm is the real one, tests/support has a fake.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "io/scope.h"
#include "io/task.h"
#include "sys/fd.h"

namespace pyro::vmm {

enum class Accelerator : std::uint8_t { kTcg, kKvm };
constexpr const char* accelerator_name(Accelerator a) {
  return a == Accelerator::kKvm ? "kvm" : "tcg";
}

// The disks that a machine has besides its root image.
enum class Disks : std::uint8_t { kNone, kWorkspace };
// Their sizes as the guest sees them; the files are sparse.
inline constexpr std::uint64_t kScratchBytes = 8ULL << 30;
inline constexpr std::uint64_t kBaselineBytes = 16ULL << 30;
inline constexpr std::uint64_t kWorkBytes = 16ULL << 30;
// A longer chain costs a read two descriptors and a table for each layer it goes through.
inline constexpr std::size_t kMostWorkLayers = 64;

using MacAddress = std::array<std::uint8_t, 6>;

// What the guest sees. A template and its clones have the same one.
struct Shape {
  Accelerator accelerator = Accelerator::kTcg;
  int mem_mib = 1024;
  int vcpus = 1;
  Disks disks = Disks::kNone;
  std::optional<MacAddress> mac;  // of its network device; without one it has no network device
};

// The link of a network device: a connected pair of AF_UNIX datagram sockets, each datagram one
// Ethernet frame. One end goes to the machine. Whoever holds the other one is the guest's network
// and may be replaced: while a duplicate of it is kept, frames wait in the queue, and when the
// queue is full, the guest waits. Once the last one is closed, the link is dead and frames are
// dropped. An empty datagram makes QEMU 7.2 stop reading for good (net/dgram.c, net_dgram_send).
// The buffers are made large enough for a few frames of kLinkMtu; net.core.wmem_max bounds them.
Result<sys::SocketPair> make_link();
// Of an IP packet on it. 65520 is the largest multiple of 8 that QEMU and Linux both take.
inline constexpr std::uint16_t kLinkMtu = 65520;

// The disks of a workspace machine, found in the guest by these serial names. None is ever opened
// by path, and all but two are read-only, also for a QEMU that was taken over.
inline constexpr const char* kScratchSerial = "pyro-scratch";
inline constexpr const char* kBaselineSerial = "pyro-baseline";
inline constexpr const char* kWorkSerial = "pyro-work";
struct WorkspaceDisks {
  sys::UniqueFd scratch;    // raw, kScratchBytes, O_RDWR
  sys::UniqueFd baseline;   // raw, kBaselineBytes, O_RDONLY
  sys::UniqueFd work_base;  // raw, kWorkBytes, O_RDONLY
  // Of create_layer(), bottom to top, 1 to kMostWorkLayers: O_RDONLY, the last one O_RDWR.
  std::vector<sys::UniqueFd> work_layers;
};

// A kernel to boot; the descriptors are read while the machine starts.
struct FreshBoot {
  sys::UniqueFd kernel;
  sys::UniqueFd initramfs;
  std::string command_line;
  sys::UniqueFd state_out;  // where save() writes; may be empty
};
// Device state written by Vm::save() of a machine of the same shape over the same memory.
struct Restore {
  sys::UniqueFd state;
};

struct LaunchSpec {
  Shape shape;
  std::variant<FreshBoot, Restore> start;
  sys::UniqueFd root_image;  // read-only
  // The guest's memory, of exactly shape.mem_mib. Shared: the guest writes into the file (needs a
  // writable descriptor). Private: pages are copied when written; a read-only descriptor is enough
  // and is what a template must be given as.
  sys::UniqueFd memory;
  enum class Memory : std::uint8_t { kShared, kPrivate } memory_mode = Memory::kPrivate;
  // There exactly when shape.disks says so. Checked before QEMU gets any: kDamaged names the one
  // that is not what it should be.
  std::optional<WorkspaceDisks> disks;
  // An end of make_link(); there exactly when shape.mac is.
  sys::UniqueFd link;
};

// Why a machine is no longer there.
struct VmEnd {
  enum class Kind : std::uint8_t {
    kKilled,    // by us
    kPanic,     // the guest's kernel gave up
    kReset,     // the guest rebooted
    kPowerOff,  // the guest powered off
    kCrashed,   // the VMM itself ended or was killed
  } kind = Kind::kCrashed;
  std::string detail;  // one sentence for people
  // kCrashed by a SIGKILL that was not ours: mostly the host has no memory left. Such an error of
  // launch(), too, has ENOMEM for its os_errno.
  bool killed_by_host = false;
};

// A running machine.
class Vm {
 public:
  virtual ~Vm() = default;
  // The host's ends of the guest's two ports; each can be taken once.
  virtual sys::UniqueFd take_control_port() = 0;
  virtual sys::UniqueFd take_data_port() = 0;
  // Set once the machine has ended, for whatever reason.
  virtual io::Event& ended() = 0;
  [[nodiscard]] virtual VmEnd end() const = 0;  // meaningful once ended
  // The last output of the guest's console, at most 64 KiB, as it came.
  [[nodiscard]] virtual std::string console_tail() const = 0;
  // Stops the guest and writes its device state to FreshBoot::state_out; its memory must be
  // kShared. The machine is of no use afterwards.
  virtual io::Task<void> save() = 0;
  // Puts an empty layer (create_layer(), O_RDWR) on top of the work disk while the guest runs: what
  // it writes from now on goes there, and the layer below is closed for writing, its content on
  // disk. The time is that of writing out what the guest has not synced; nothing is copied. On
  // an error the machine goes on writing to its old layer, unless must_end(). One call at a time,
  // not to be cancelled; kLimit when there are kMostWorkLayers already.
  virtual io::Task<void> add_work_layer(sys::UniqueFd layer) = 0;
  // After such an error: the machine may write to the new layer, or still have the one below open
  // for writing. Kill it before you do anything with the file of either.
  [[nodiscard]] virtual bool must_end() const = 0;
  // Stops the guest's CPUs and its clocks, and lets them go on. What the guest has written to its
  // disks is there when it has stopped.
  virtual io::Task<void> pause() = 0;
  virtual io::Task<void> resume() = 0;
  // Ends it at once and waits until the process is gone. To be called before it is destroyed, also
  // when it ended by itself.
  virtual io::Task<void> kill() = 0;
  // How long its start took, for `timing`: until the VMM answered, and from there until the guest's
  // CPUs ran.
  struct StartTimes {
    double spawn_ms = 0, restore_ms = 0;
  };
  [[nodiscard]] virtual StartTimes start_times() const = 0;
  // Id of the host process, for tests and diagnosis.
  [[nodiscard]] virtual int host_pid() const = 0;
};

class Vmm {
 public:
  virtual ~Vmm() = default;
  // Returns once the machine's CPUs run; nothing is said about the guest.
  virtual io::Task<std::unique_ptr<Vm>> launch(LaunchSpec spec) = 0;
  // Everything about the machine that saved state depends on: the build of the VMM, the shape, the
  // devices with their sizes and the kernel's command line. State is restored only where this is
  // the same text.
  [[nodiscard]] virtual std::string machine_id(const Shape& shape,
                                               const std::string& command_line) const = 0;
};

}  // namespace pyro::vmm
