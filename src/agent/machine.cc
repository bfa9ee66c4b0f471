#include "agent/machine.h"

#include <fcntl.h>
#include <linux/random.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "agent/devices.h"
#include "agent/network.h"
#include "sys/clock.h"
#include "sys/file.h"

namespace pyro::agent {
namespace {

constexpr const char* kLower = "/pyro/lower";
constexpr const char* kUpper = "/pyro/upper";
constexpr const char* kRoot = "/pyro/root";
// What the agent and the kernel keep for themselves, out of the workload's reach: an eighth of the
// memory within these bounds. With less, the machine as a whole runs short before the workload's
// group does, and evicts and reads its programs again for minutes instead of ending the hog.
constexpr std::uint64_t kLeastReserved = 48ULL << 20;
constexpr std::uint64_t kMostReserved = 128ULL << 20;

// Overwrites in place: in the guest's own root, before anything else runs there.
Result<void> write_text(const std::string& path, std::string_view text) {
  PYRO_TRY(const sys::UniqueFd file, sys::open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  return sys::write_all(file.get(), text);
}

Result<void> mount_root(const proto::Prepare& request) {
  PYRO_TRY(const std::string device, find_device(request.root));
  ::mkdir("/pyro", 0755);
  PYRO_CHECK(mount_at(device.c_str(), kLower, "erofs", MS_RDONLY | MS_NOATIME, ""));
  std::string options;
  if (request.scratch.empty()) {
    PYRO_CHECK(mount_at("tmpfs", kUpper, "tmpfs", MS_NOATIME,
                        "mode=755,size=" + std::to_string(request.upper_percent) + "%"));
  } else {
    PYRO_TRY(const std::string scratch, find_device(request.scratch));
    PYRO_CHECK(mount_at(scratch.c_str(), kUpper, "ext4", MS_NOATIME, ""));
    // It goes with the machine: a program that syncs its files need not wait for a disk.
    options = ",volatile";
  }
  const std::string upper = std::string(kUpper) + "/files";
  const std::string work = std::string(kUpper) + "/work";
  PYRO_CHECK(sys::make_dirs(upper, 0755));
  PYRO_CHECK(sys::make_dirs(work, 0755));
  return mount_at(
      "root", kRoot, "overlay", MS_NOATIME,
      std::string("lowerdir=") + kLower + ",upperdir=" + upper + ",workdir=" + work + options);
}

Result<void> mount_system(const std::string& root) {
  constexpr unsigned long kPlain = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  PYRO_CHECK(mount_at("proc", root + "/proc", "proc", kPlain, ""));
  PYRO_CHECK(mount_at("sysfs", root + "/sys", "sysfs", kPlain, ""));
  PYRO_CHECK(mount_at("devtmpfs", root + "/dev", "devtmpfs", MS_NOSUID, ""));
  PYRO_CHECK(mount_at("devpts", root + "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                      "gid=5,mode=620,ptmxmode=666"));
  PYRO_CHECK(mount_at("tmpfs", root + "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"));
  PYRO_CHECK(mount_at("tmpfs", root + "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755"));
  PYRO_CHECK(mount_at("cgroup2", root + "/sys/fs/cgroup", "cgroup2", kPlain, ""));
  struct Link {
    const char* target;
    const char* name;
  };
  for (const auto& [target, name] :
       {Link{"/proc/self/fd", "/dev/fd"}, Link{"/proc/self/fd/0", "/dev/stdin"},
        Link{"/proc/self/fd/1", "/dev/stdout"}, Link{"/proc/self/fd/2", "/dev/stderr"}}) {
    if (::symlink(target, (root + name).c_str()) != 0 && errno != EEXIST) {
      return sys::fail_errno(std::string("making ") + name, errno);
    }
  }
  ::mkdir((root + "/tmp").c_str(), 01777);
  if (::chmod((root + "/tmp").c_str(), 01777) != 0) return sys::fail_errno("chmod /tmp", errno);
  return {};
}

Result<void> move_into(const std::string& root) {
  // The initramfs is never seen again: give its memory back, the modules first of all.
  (void)sys::remove_tree("/modules");
  if (::chdir(root.c_str()) != 0) return sys::fail_errno("entering the root", errno);
  if (::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0) {
    return sys::fail_errno("moving the root", errno);
  }
  if (::chroot(".") != 0) return sys::fail_errno("chroot", errno);
  if (::chdir("/") != 0) return sys::fail_errno("chdir", errno);
  return {};
}

Result<void> loopback_up() {
  PYRO_TRY(const int fd,
           sys::retrying("socket", [] { return ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); }));
  const sys::UniqueFd socket(fd);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  PYRO_CHECK(sys::retrying("SIOCGIFFLAGS", [&] { return ::ioctl(fd, SIOCGIFFLAGS, &request); }));
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  PYRO_CHECK(sys::retrying("SIOCSIFFLAGS", [&] { return ::ioctl(fd, SIOCSIFFLAGS, &request); }));
  return {};
}

// What an open file holds from now on.
Result<void> rewrite(const sys::UniqueFd& file, const std::string& text) {
  const auto size = static_cast<ssize_t>(text.size());
  if (::pwrite(file.get(), text.data(), text.size(), 0) != size) {
    return sys::fail_errno("writing the guest's identity", errno);
  }
  if (::ftruncate(file.get(), size) != 0) return sys::fail_errno("ftruncate", errno);
  return {};
}

Result<void> set_hostname(const std::string& name, const sys::UniqueFd& file) {
  if (::sethostname(name.c_str(), name.size()) != 0) return sys::fail_errno("sethostname", errno);
  return rewrite(file, name + "\n");
}

// One group holds the whole workload, within what leaves the agent alive.
Result<std::unique_ptr<CgroupPool>> make_groups() {
  const std::string top = "/sys/fs/cgroup";
  const std::string workload = top + "/pyro";
  PYRO_CHECK(write_text(top + "/cgroup.subtree_control", "+memory +pids"));
  PYRO_CHECK(sys::make_dirs(workload, 0755));
  struct sysinfo info{};
  if (::sysinfo(&info) != 0) return sys::fail_errno("sysinfo", errno);
  const std::uint64_t total = static_cast<std::uint64_t>(info.totalram) * info.mem_unit;
  const std::uint64_t reserved = std::clamp(total / 8, kLeastReserved, kMostReserved);
  const std::uint64_t limit = total > 2 * reserved ? total - reserved : total / 2;
  PYRO_CHECK(write_text(workload + "/memory.max", std::to_string(limit)));
  PYRO_TRY(const std::string threads, sys::read_file("/proc/sys/kernel/threads-max"));
  int most = 0;
  (void)std::from_chars(threads.data(), threads.data() + threads.size(), most);
  PYRO_CHECK(write_text(workload + "/pids.max", std::to_string(std::max(256, most / 4 * 3))));
  PYRO_TRY(sys::UniqueFd dir, sys::open_file(workload, O_RDONLY | O_DIRECTORY));
  auto pool = std::make_unique<CgroupPool>(std::move(dir), "exec-");
  pool->prepare(2);
  return pool;
}

Result<void> add_entropy(const sys::UniqueFd& device, const std::string& entropy) {
  // struct rand_pool_info ends in a flexible array: two ints, then the bytes.
  std::string raw(2 * sizeof(int) + entropy.size(), '\0');
  const int head[2] = {static_cast<int>(entropy.size() * 8), static_cast<int>(entropy.size())};
  std::memcpy(raw.data(), head, sizeof head);
  std::memcpy(raw.data() + sizeof head, entropy.data(), entropy.size());
  PYRO_CHECK(sys::retrying("RNDADDENTROPY",
                           [&] { return ::ioctl(device.get(), RNDADDENTROPY, raw.data()); }));
  PYRO_CHECK(sys::retrying("RNDRESEEDCRNG", [&] { return ::ioctl(device.get(), RNDRESEEDCRNG); }));
  return {};
}

}  // namespace

Result<std::unique_ptr<CgroupPool>> GuestMachine::prepare(const proto::Prepare& request) {
  if (request.upper_percent < 1 || request.upper_percent > 100) {
    return fail(Errc::kInvalid, "prepare: upper_percent must be 1 to 100");
  }
  PYRO_CHECK(mount_root(request));
  PYRO_CHECK(mount_system(kRoot));
  PYRO_CHECK(move_into(kRoot));
  PYRO_CHECK(loopback_up());
  if (!request.link.empty()) PYRO_CHECK(configure_network(request.link));
  constexpr int kMade = O_WRONLY | O_CREAT | O_TRUNC;
  PYRO_TRY(hostname_, sys::open_file("/etc/hostname", kMade, 0644));
  PYRO_CHECK(set_hostname(request.hostname, hostname_));
  // Only where the image brings no list of its own.
  if (!sys::exists("/etc/hosts")) {
    PYRO_CHECK(write_text("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"));
  }
  // Like the files above, copied up into the overlay's upper layer here and not in every clone.
  PYRO_TRY(machine_id_, sys::open_file("/etc/machine-id", kMade, 0444));
  PYRO_CHECK(rewrite(machine_id_, "uninitialized\n"));
  PYRO_TRY(random_, sys::open_file("/dev/urandom", O_RDWR));
  return make_groups();
}

Result<void> GuestMachine::rejuvenate(const proto::Rejuvenate& request) {
  if (!random_) return fail(Errc::kConflict, "rejuvenate: the guest is not prepared");
  const std::string& entropy = request.entropy.value;
  if (entropy.size() < 32 || entropy.size() > 4096) {
    return fail(Errc::kInvalid, "rejuvenate: 32 to 4096 bytes of entropy are needed");
  }
  PYRO_CHECK(add_entropy(random_, entropy));
  PYRO_CHECK(set_clock(request.wall_clock_ns));
  if (!request.hostname.empty()) PYRO_CHECK(set_hostname(request.hostname, hostname_));
  if (!request.machine_id.empty()) PYRO_CHECK(rewrite(machine_id_, request.machine_id + "\n"));
  return {};
}

Result<void> GuestMachine::set_clock(std::int64_t wall_clock_ns) {
  const timespec now = sys::to_timespec(wall_clock_ns);
  if (::clock_settime(CLOCK_REALTIME, &now) != 0) return sys::fail_errno("clock_settime", errno);
  return {};
}

void GuestMachine::sync_disks() {
  ::sync();
}

void GuestMachine::power_off() {
  // Without ACPI a "power off" only halts; a reset ends QEMU, which runs with -no-reboot.
  if (sys::exists("/sys/firmware/acpi/tables")) ::reboot(RB_POWER_OFF);
  ::reboot(RB_AUTOBOOT);
}

}  // namespace pyro::agent
