// Starts a program that a hostile guest may take over (QEMU) with as little as it needs:
//   - user, mount, pid, network, ipc, uts and cgroup namespaces of its own;
//   - never uid 0 of the host: the caller's uid for an ordinary user, an unused uid for root;
//   - a root folder of a read-only tmpfs that shows only the listed host folders, read-only;
//   - no capabilities, no new privileges, no network device but an own loopback that is down;
//   - no file that can be opened for writing: such an open is answered by the OpenBroker with a
//     descriptor that the launcher chose, or refused;
//   - it dies with the thread that started it.
// The order of the steps is in enter_jail() (jail.cc) and each says why it is where it is.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "io/task.h"
#include "sys/fd.h"
#include "sys/process.h"

namespace pyro::isolate {

// What the program gets when it opens a path for reading and writing.
struct OpenGrant {
  std::string path;  // exact, absolute
  int fd = -1;       // borrowed until the broker ends; the program gets a duplicate
};

struct JailSpec {
  std::string program;  // absolute, inside one of `folders`
  std::vector<std::string> argv;
  std::vector<std::string> env;
  std::vector<std::string> folders;  // host folders shown read-only under their own names
  std::vector<std::pair<std::string, int>>
      files;                             // name in the root folder, descriptor to copy from
  std::vector<std::pair<int, int>> fds;  // ours, its number; 0 to 2 default to /dev/null
  std::uint64_t max_open_files = 256;
};

// The uid (and gid) the program has on the host.
struct JailIdentity {
  std::uint32_t uid = 0, gid = 0;
};

struct Jailed {
  sys::ChildProcess process;
  sys::UniqueFd open_requests;  // for the OpenBroker
  JailIdentity identity;
};

// Errc::kUnavailable with a hint where user namespaces are missing.
Result<Jailed> start_jailed(const JailSpec& spec);

// Answers the program's writable opens (seccomp_unotify(2), SECCOMP_IOCTL_NOTIF_ADDFD): a path in
// `grants` gets a duplicate of the granted descriptor, with the access mode *that descriptor* has,
// everything else EACCES. So a template's memory file can be given read-only to a QEMU that insists
// on O_RDWR (QEMU 7.2, file_ram_open). Ends when the program is gone or the task is cancelled;
// after that the kernel refuses such opens by itself (ENOSYS).
io::Task<void> serve_opens(const sys::UniqueFd& open_requests, std::vector<OpenGrant> grants);

// What this host offers to a jail; `doctor` shows it.
struct JailSupport {
  bool user_namespaces = false;
  bool seccomp_notify = false;
  bool landlock = false;
};
JailSupport probe_jail_support();

}  // namespace pyro::isolate
