#include "sys/namespaces.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/file.h"

namespace pyro::sys {

namespace {

Result<bool> is_own_user_namespace(int fd) {
  struct stat theirs{};
  struct stat ours{};
  if (::fstat(fd, &theirs) != 0) return fail_errno("fstat", errno);
  if (::stat("/proc/self/ns/user", &ours) != 0) return fail_errno("/proc/self/ns/user", errno);
  return theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

Result<void> write_kernel_file(const char* path, const std::string& text) {
  PYRO_TRY(const UniqueFd file, open_file(path, O_WRONLY));
  return write_all(file.get(), text);
}

}  // namespace

Result<NetNamespace> open_net_namespace(const std::string& path) {
  PYRO_TRY(UniqueFd net, open_file(path, O_RDONLY));
  if (::ioctl(net.get(), NS_GET_NSTYPE) != CLONE_NEWNET)
    return fail(Errc::kInvalid, path + " is not a network namespace");
  const int owner = ::ioctl(net.get(), NS_GET_USERNS);
  if (owner < 0) return fail_errno("asking who owns the network namespace " + path, errno);
  UniqueFd user(owner);
  PYRO_TRY(const bool ours, is_own_user_namespace(user.get()));
  if (ours) user = UniqueFd();
  return NetNamespace{.net = std::move(net), .user = std::move(user)};
}

int join(const NetNamespace& where) {
  if (where.user && ::setns(where.user.get(), CLONE_NEWUSER) != 0) return errno;
  return ::setns(where.net.get(), CLONE_NEWNET) == 0 ? 0 : errno;
}

Result<void> become_root_of_namespace() {
  const uid_t uid = ::getuid();
  const gid_t gid = ::getgid();
  if (::unshare(CLONE_NEWUSER) != 0) {
    auto error = fail_errno("a user namespace", errno);
    error.error().hint = "pyro doctor says why this host gives none";
    return error;
  }
  PYRO_CHECK(write_kernel_file("/proc/self/setgroups", "deny"));
  PYRO_CHECK(write_kernel_file("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1"));
  return write_kernel_file("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1");
}

Result<void> leave_network() {
  if (::unshare(CLONE_NEWNET) != 0) return fail_errno("a network namespace", errno);
  return {};
}

Result<UniqueFd> own_network() {
  return open_file("/proc/thread-self/ns/net", O_RDONLY);
}

}  // namespace pyro::sys
