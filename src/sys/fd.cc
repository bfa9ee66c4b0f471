#include "sys/fd.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <system_error>

namespace pyro::sys {

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) ::close(fd_);  // never retried on EINTR: Linux has freed the number
}

Errc errc_from_errno(int e) {
  switch (e) {
    case ENOENT:
    case ENOTDIR:
      return Errc::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return Errc::kDenied;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOSPC:
    case EDQUOT:
      return Errc::kLimit;
    case EINVAL:
    case ENAMETOOLONG:
      return Errc::kInvalid;
    case EEXIST:
    case EBUSY:
      return Errc::kConflict;
    default:
      return Errc::kUnavailable;
  }
}

std::unexpected<Error> fail_errno(std::string what, int e) {
  Error error{.code = errc_from_errno(e),
              .os_errno = e,
              .message = std::move(what) + ": " + std::generic_category().message(e),
              .hint = {}};
  if (e == ENOSPC) error.hint = "free some disk space and run the command again";
  return std::unexpected(std::move(error));
}

Result<Pipe> make_pipe() {
  int fds[2];
  PYRO_CHECK(retrying("pipe2", [&] { return ::pipe2(fds, O_CLOEXEC); }));
  return Pipe{.read = UniqueFd(fds[0]), .write = UniqueFd(fds[1])};
}

Result<SocketPair> make_socket_pair() {
  int fds[2];
  PYRO_CHECK(retrying("socketpair",
                      [&] { return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds); }));
  return SocketPair{.ours = UniqueFd(fds[0]), .theirs = UniqueFd(fds[1])};
}

Result<void> send_with_fd(int socket, std::string_view bytes, int fd) {
  // sendmsg takes the data as mutable memory but does not write to it (POSIX, sendmsg).
  iovec data{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  PYRO_TRY(const int n,
           retrying("sendmsg", [&] { return ::sendmsg(socket, &message, MSG_NOSIGNAL); }));
  if (static_cast<std::size_t>(n) != bytes.size())
    return fail(Errc::kUnavailable, "sendmsg: short write");
  return {};
}

Result<UniqueFd> duplicate(int fd) {
  PYRO_TRY(const int copy, retrying("dup", [&] { return ::fcntl(fd, F_DUPFD_CLOEXEC, 0); }));
  return UniqueFd(copy);
}

Result<void> set_nonblocking(int fd, bool on) {
  PYRO_TRY(const int flags, retrying("fcntl", [&] { return ::fcntl(fd, F_GETFL); }));
  const int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  PYRO_CHECK(retrying("fcntl", [&] { return ::fcntl(fd, F_SETFL, wanted); }));
  return {};
}

}  // namespace pyro::sys
