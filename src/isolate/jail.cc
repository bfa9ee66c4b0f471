#include "isolate/jail.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "sys/file.h"

namespace pyro::isolate {
namespace {

// Inside the namespace the program has this uid. Not 0: exec then drops every capability.
constexpr std::uint32_t kInsideUid = 1000;
// Outside, when started by root: a range that no Debian account or subuid range uses by default
// (Debian Policy 9.2.2 leaves 65536-4294967293 for dynamic use; adduser's subuids start at 100000).
constexpr std::uint32_t kOutsideBase = 0x70000000;
constexpr std::uint32_t kOutsideCount = 1U << 20;
constexpr char kStagingFolder[] = "/tmp";  // covered by the new root before anything is written

struct FilterDeleter {
  void operator()(void* ctx) const { seccomp_release(ctx); }
};
using Filter = std::unique_ptr<void, FilterDeleter>;

// Kernel surface that a VMM never needs; refused so that a bug there is out of reach. QEMU's own
// -sandbox covers spawning and privileges; this one is about what it leaves open.
constexpr int kRefused[] = {
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(personality),
    SCMP_SYS(creat),
    SCMP_SYS(mknod),
    SCMP_SYS(mknodat),
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(pidfd_getfd),
};

Result<Filter> make_filter() {
  Filter filter(seccomp_init(SCMP_ACT_ALLOW));
  if (!filter) return fail(Errc::kInternal, "seccomp_init failed");
  const auto add = [&](std::uint32_t action, int call, auto... conditions) {
    return seccomp_rule_add(filter.get(), action, call, sizeof...(conditions), conditions...);
  };
  int rc = 0;
  for (const int call : kRefused) rc |= add(SCMP_ACT_ERRNO(EPERM), call);
  // Its flags are behind a pointer, which a filter cannot read: glibc falls back to openat.
  rc |= add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2));
  // clone3 likewise (glibc falls back to clone, whose flags are visible to QEMU's filter).
  rc |= add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
  for (const std::uint64_t mode : {1U /* O_WRONLY */, 2U /* O_RDWR */, 3U /* both bits */}) {
    const auto flags_are = [mode](unsigned argument) {
      return scmp_arg_cmp{
          .arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = O_ACCMODE, .datum_b = mode};
    };
    rc |= add(SCMP_ACT_NOTIFY, SCMP_SYS(open), flags_are(1));
    rc |= add(SCMP_ACT_NOTIFY, SCMP_SYS(openat), flags_are(2));
  }
  if (rc != 0) return fail(Errc::kInternal, "building the seccomp filter failed");
  return filter;
}

// ---- In the child: each step names itself through the Error it returns. ----

Result<void> call(const char* name, long rc) {
  if (rc < 0) return sys::fail_errno(name, errno);
  return {};
}

Result<void> become_unprivileged_user() {
  // Leaves the capabilities of the new user namespace in place: uid 0 is not mapped here, so this
  // is not a change away from the namespace's root (capabilities(7)). exec drops them.
  (void)::setgroups(0, nullptr);  // refused for an ordinary user, whose groups give nothing inside
  PYRO_CHECK(call("setresgid", ::setresgid(kInsideUid, kInsideUid, kInsideUid)));
  PYRO_CHECK(call("setresuid", ::setresuid(kInsideUid, kInsideUid, kInsideUid)));
  // A change of credentials clears it, so it comes after.
  return call("PR_SET_PDEATHSIG", ::prctl(PR_SET_PDEATHSIG, SIGKILL));
}

Result<void> make_read_only(const char* path, bool recursive) {
  mount_attr attr{};
  attr.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  return call("mount_setattr", ::syscall(SYS_mount_setattr, AT_FDCWD, path,
                                         recursive ? AT_RECURSIVE : 0, &attr, sizeof attr));
}

Result<void> copy_into(const std::string& name, int from) {
  PYRO_TRY(const sys::UniqueFd to, sys::open_file(name, O_WRONLY | O_CREAT | O_EXCL, 0444));
  off_t offset = 0;
  for (;;) {
    const ssize_t n = ::sendfile(to.get(), from, &offset, 1U << 30);
    if (n < 0) return sys::fail_errno("copy " + name, errno);
    if (n == 0) return {};
  }
}

// A root folder with nothing in it but what the spec lists. Host folders that are links (merged
// /usr) are made again as links.
Result<void> build_root(const JailSpec& spec) {
  PYRO_CHECK(
      call("make mounts private", ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr)));
  PYRO_CHECK(call("mount tmpfs", ::mount("tmpfs", kStagingFolder, "tmpfs", MS_NOSUID | MS_NODEV,
                                         "size=256m,mode=0755")));
  PYRO_CHECK(call("chdir", ::chdir(kStagingFolder)));
  for (const std::string& folder : spec.folders) {
    const std::string inside = folder.substr(1);
    char target[4096];
    const ssize_t n = ::readlink(folder.c_str(), target, sizeof target - 1);
    if (n > 0) {
      target[n] = '\0';
      PYRO_CHECK(call("symlink", ::symlink(target, inside.c_str())));
      continue;
    }
    PYRO_CHECK(sys::make_dirs(inside, 0755));
    PYRO_CHECK(call(("bind " + folder).c_str(),
                    ::mount(folder.c_str(), inside.c_str(), nullptr, MS_BIND | MS_REC, nullptr)));
    PYRO_CHECK(make_read_only(inside.c_str(), /*recursive=*/true));
  }
  for (const auto& [name, fd] : spec.files) PYRO_CHECK(copy_into(name, fd));
  PYRO_CHECK(call("pivot_root", ::syscall(SYS_pivot_root, ".", ".")));
  PYRO_CHECK(call("detach the old root", ::umount2(".", MNT_DETACH)));
  PYRO_CHECK(call("chdir", ::chdir("/")));
  return make_read_only("/", /*recursive=*/false);
}

// Beneath the mounts, a second wall that no mount trick moves: reading and executing files only.
// Missing on kernels without Landlock; `doctor` says so.
void forbid_writing() {
  landlock_ruleset_attr rules{};
  rules.handled_access_fs =
      LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
      LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
      LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
      LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
      LANDLOCK_ACCESS_FS_MAKE_SYM;
  const sys::UniqueFd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0)));
  if (!ruleset) return;
  const sys::UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  landlock_path_beneath_attr beneath{};
  beneath.allowed_access =
      LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
  beneath.parent_fd = root.get();
  if (::syscall(SYS_landlock_add_rule, ruleset.get(), LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) ==
      0) {
    (void)::syscall(SYS_landlock_restrict_self, ruleset.get(), 0);
  }
}

Result<void> limit_resources(const JailSpec& spec) {
  const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
  PYRO_CHECK(call("RLIMIT_CORE", ::setrlimit(RLIMIT_CORE, &no_core)));
  const rlimit files{.rlim_cur = spec.max_open_files, .rlim_max = spec.max_open_files};
  PYRO_CHECK(call("RLIMIT_NOFILE", ::setrlimit(RLIMIT_NOFILE, &files)));
  return {};
}

// Puts the listed descriptors under their numbers and closes everything else at exec. `keep` and
// the files to copy may have any of these numbers: they are moved out of the way and stay open
// until then.
Result<void> arrange_fds(JailSpec& spec, sys::UniqueFd& keep) {
  int highest = 2;
  for (const auto& [ours, its] : spec.fds) highest = std::max(highest, its);
  const auto above = [&](int fd) -> Result<sys::UniqueFd> {
    PYRO_TRY(const int copy,
             sys::retrying("dup", [&] { return ::fcntl(fd, F_DUPFD_CLOEXEC, highest + 1); }));
    return sys::UniqueFd(copy);
  };
  std::vector<sys::UniqueFd> copies;
  for (const auto& [ours, its] : spec.fds) {
    PYRO_TRY(auto copy, above(ours));
    copies.push_back(std::move(copy));
  }
  for (auto& [name, fd] : spec.files) {
    PYRO_TRY(auto copy, above(fd));
    fd = copy.release();
  }
  PYRO_TRY(keep, above(keep.get()));
  PYRO_TRY(sys::UniqueFd null, sys::open_file("/dev/null", O_RDWR));
  PYRO_TRY(null, above(null.get()));
  for (int n = 0; n < 3; ++n) PYRO_CHECK(call("dup2", ::dup2(null.get(), n)));
  for (std::size_t i = 0; i < copies.size(); ++i) {
    PYRO_CHECK(call("dup2", ::dup2(copies[i].get(), spec.fds[i].second)));
  }
  for (int n = 3; n <= highest; ++n) {
    if (std::ranges::none_of(spec.fds, [n](const auto& p) { return p.second == n; })) ::close(n);
  }
  return call("close_range", ::syscall(SYS_close_range, static_cast<unsigned>(highest + 1), ~0U,
                                       CLOSE_RANGE_CLOEXEC));
}

// Everything between clone and exec, in the only order that works.
Result<void> enter_jail(JailSpec& spec, sys::UniqueFd& launcher, void* filter) {
  char go = 0;
  PYRO_TRY(const int n, sys::retrying("read", [&] { return ::read(launcher.get(), &go, 1); }));
  if (n != 1) return fail(Errc::kInternal, "the launcher went away");
  PYRO_CHECK(arrange_fds(spec, launcher));  // needs /dev/null, which the new root does not have
  PYRO_CHECK(become_unprivileged_user());
  PYRO_CHECK(build_root(spec));  // needs the capabilities that exec drops
  PYRO_CHECK(limit_resources(spec));
  PYRO_CHECK(call("PR_SET_NO_NEW_PRIVS", ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)));
  forbid_writing();
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  // Last, because it refuses the mounts above.
  if (const int rc = seccomp_load(filter); rc != 0) return sys::fail_errno("seccomp_load", -rc);
  const int notify = seccomp_notify_fd(filter);
  if (notify < 0) return fail(Errc::kUnavailable, "seccomp user notification is not available");
  PYRO_CHECK(sys::send_with_fd(launcher.get(), "N", notify));
  ::close(notify);
  return {};
}

[[noreturn]] void child_main(JailSpec spec, sys::UniqueFd launcher, void* filter) {
  std::vector<char*> argv;
  std::vector<char*> env;
  argv.reserve(spec.argv.size() + 1);
  env.reserve(spec.env.size() + 1);
  // exec takes char* for historical reasons and does not write through it.
  for (const std::string& a : spec.argv) argv.push_back(const_cast<char*>(a.c_str()));
  for (const std::string& e : spec.env) env.push_back(const_cast<char*>(e.c_str()));
  argv.push_back(nullptr);
  env.push_back(nullptr);
  auto r = enter_jail(spec, launcher, filter);
  if (r) {
    ::execve(spec.program.c_str(), argv.data(), env.data());
    r = sys::fail_errno("run " + spec.program, errno);
  }
  (void)!::send(launcher.get(), r.error().message.data(), r.error().message.size(), MSG_NOSIGNAL);
  ::_exit(127);
}

// ---- In the launcher. ----

Result<JailIdentity> choose_identity() {
  if (::geteuid() != 0) return JailIdentity{.uid = ::geteuid(), .gid = ::getegid()};
  for (int tries = 0; tries < 16; ++tries) {
    std::uint32_t random = 0;
    PYRO_CHECK(sys::retrying("getrandom", [&] { return ::getrandom(&random, sizeof random, 0); }));
    const std::uint32_t id = kOutsideBase + random % kOutsideCount;
    if (::getpwuid(id) == nullptr && ::getgrgid(id) == nullptr)
      return JailIdentity{.uid = id, .gid = id};
  }
  return fail(Errc::kInternal, "no unused uid found for the jail");
}

Result<void> write_map(pid_t pid, const char* file, const std::string& text) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + file;
  PYRO_TRY(const sys::UniqueFd fd, sys::open_file(path, O_WRONLY));
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return sys::fail_errno("write " + path, errno);
  }
  return {};
}

Result<void> map_identity(pid_t pid, const JailIdentity& id) {
  const auto line = [](std::uint32_t outside) {
    return std::to_string(kInsideUid) + " " + std::to_string(outside) + " 1\n";
  };
  // An ordinary user may only map a gid after giving up setgroups (user_namespaces(7)).
  if (::geteuid() != 0) PYRO_CHECK(write_map(pid, "setgroups", "deny"));
  PYRO_CHECK(write_map(pid, "gid_map", line(id.gid)));
  return write_map(pid, "uid_map", line(id.uid));
}

// The notification descriptor, or the child's own account of what went wrong.
Result<sys::UniqueFd> receive_fd(int socket) {
  char text[1024];
  iovec data{.iov_base = text, .iov_len = sizeof text};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  PYRO_TRY(const int n,
           sys::retrying("recvmsg", [&] { return ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC); }));
  if (const cmsghdr* header = CMSG_FIRSTHDR(&message);
      header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return sys::UniqueFd(fd);
  }
  return fail(Errc::kUnavailable, n > 0 ? std::string(text, static_cast<std::size_t>(n))
                                        : std::string("the jail's process ended early"));
}

constexpr std::uint64_t kNamespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                                      CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

Error no_namespaces(int e) {
  Error error = sys::fail_errno("creating namespaces for the jail", e).error();
  error.code = Errc::kUnavailable;
  error.hint =
      "pyro needs user namespaces: check /proc/sys/user/max_user_namespaces and "
      "/proc/sys/kernel/unprivileged_userns_clone";
  return error;
}

}  // namespace

Result<Jailed> start_jailed(const JailSpec& spec) {
  PYRO_TRY(const Filter filter, make_filter());
  PYRO_TRY(const JailIdentity identity, choose_identity());
  PYRO_TRY(auto channel, sys::make_socket_pair());
  int pidfd = -1;
  clone_args args{};
  args.flags = kNamespaces | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);  // the kernel's ABI takes addresses as u64
  args.exit_signal = SIGCHLD;
  // A fork with namespaces: the child is a copy of this single-threaded process, so what child_main
  // does before exec is ordinary code.
  const long pid = ::syscall(SYS_clone3, &args, sizeof args);
  if (pid < 0) return std::unexpected(no_namespaces(errno));
  if (pid == 0) child_main(spec, std::move(channel.theirs), filter.get());
  sys::ChildProcess process(sys::UniqueFd(pidfd), static_cast<pid_t>(pid));
  channel.theirs = sys::UniqueFd();
  PYRO_CHECK(map_identity(static_cast<pid_t>(pid), identity));
  PYRO_CHECK(sys::write_all(channel.ours.get(), "g"));
  auto requests = receive_fd(channel.ours.get());
  if (!requests) return std::unexpected(std::move(requests.error()).context("jail"));
  // The channel closes at exec; anything readable now is an exec that failed.
  char text[1024];
  PYRO_TRY(const int n,
           sys::retrying("recv", [&] { return ::recv(channel.ours.get(), text, sizeof text, 0); }));
  if (n > 0) return fail(Errc::kUnavailable, std::string(text, static_cast<std::size_t>(n)));
  return Jailed{
      .process = std::move(process), .open_requests = std::move(*requests), .identity = identity};
}

JailSupport probe_jail_support() {
  JailSupport support;
  support.landlock =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 1;
  std::uint32_t action = SECCOMP_RET_USER_NOTIF;
  support.seccomp_notify = ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
  clone_args args{};
  args.flags = kNamespaces;
  args.exit_signal = SIGCHLD;
  const long pid = ::syscall(SYS_clone3, &args, sizeof args);
  if (pid == 0) ::_exit(0);
  if (pid > 0) {
    support.user_namespaces = true;
    (void)sys::retrying("waitpid", [&] { return ::waitpid(static_cast<pid_t>(pid), nullptr, 0); });
  }
  return support;
}

}  // namespace pyro::isolate
