#include <sys/socket.h>

#include "vmm/vmm.h"

namespace pyro::vmm {

namespace {
// As many bytes as the queue of such a socket has places for frames (net.unix.max_dgram_qlen is 10
// on most hosts), with what the kernel counts for each on top.
constexpr int kSendBuffer = 1 << 20;
}  // namespace

Result<sys::SocketPair> make_link() {
  int fds[2];
  PYRO_CHECK(sys::retrying("socketpair", [&] {
    return ::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds);
  }));
  sys::SocketPair link{.ours = sys::UniqueFd(fds[0]), .theirs = sys::UniqueFd(fds[1])};
  for (const int fd : fds) {
    PYRO_CHECK(sys::retrying("SO_SNDBUF", [fd] {
      return ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
    }));
  }
  return link;
}

}  // namespace pyro::vmm
