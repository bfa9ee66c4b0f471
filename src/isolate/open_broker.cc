// The answering side of the jail's one way to a writable file.
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "io/scope.h"
#include "isolate/jail.h"
#include "sys/file.h"

namespace pyro::isolate {
namespace {

// The path that the caller's system call names, at most one page; empty when it cannot be read.
std::string path_of(std::uint32_t pid, std::uint64_t address) {
  const auto mem = sys::open_file("/proc/" + std::to_string(pid) + "/mem", O_RDONLY);
  if (!mem) return {};
  char text[4096]{};
  const ssize_t n = ::pread(mem->get(), text, sizeof text - 1, static_cast<off_t>(address));
  if (n <= 0) return {};
  return std::string(text, ::strnlen(text, static_cast<std::size_t>(n)));
}

void refuse(int requests, std::uint64_t id, int error) {
  seccomp_notif_resp response{};
  response.id = id;
  response.error = -error;
  (void)::ioctl(requests, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

void answer(int requests, const seccomp_notif& request, const std::vector<OpenGrant>& grants) {
  // openat(dirfd, path, flags) or open(path, flags): only absolute paths are granted, so the
  // folder does not matter.
  const bool is_openat = request.data.nr == SYS_openat;
  const std::string path = path_of(request.pid, request.data.args[is_openat ? 1 : 0]);
  // The caller may have died and its pid may be another process by now: what was read counts only
  // if the request still stands.
  if (::ioctl(requests, SECCOMP_IOCTL_NOTIF_ID_VALID, &request.id) != 0) return;
  const auto grant = std::ranges::find(grants, path, &OpenGrant::path);
  if (path.empty() || grant == grants.end()) return refuse(requests, request.id, EACCES);
  seccomp_notif_addfd add{};
  add.id = request.id;
  add.flags = SECCOMP_ADDFD_FLAG_SEND;  // hands over the descriptor and answers, in one step
  add.srcfd = static_cast<std::uint32_t>(grant->fd);
  add.newfd_flags = O_CLOEXEC;
  if (::ioctl(requests, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0) refuse(requests, request.id, EACCES);
}

}  // namespace

io::Task<void> serve_opens(const sys::UniqueFd& open_requests, std::vector<OpenGrant> grants) {
  const int fd = open_requests.get();
  for (;;) {
    PYRO_CO_CHECK(co_await io::wait_readable(fd));
    pollfd state{.fd = fd, .events = POLLIN, .revents = 0};
    (void)::poll(&state, 1, 0);
    if ((state.revents & POLLIN) == 0) {
      if ((state.revents & (POLLHUP | POLLERR)) != 0) co_return Result<void>{};  // nobody is left
      continue;
    }
    seccomp_notif request{};
    // ENOENT: the caller was interrupted between the poll and here.
    if (::ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) continue;
    answer(fd, request, grants);
  }
}

}  // namespace pyro::isolate
