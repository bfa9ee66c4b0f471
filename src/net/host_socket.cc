#include "net/host_socket.h"

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <vector>

#include "net/socket_address.h"

namespace pyro::net {

namespace {

constexpr int kLargeBuffer = 4 << 20;  // cut to net.core.wmem_max
// A peer that is gone without a word is noticed within seven minutes (tcp(7)); asking it every five
// also keeps what is between us and it (NAT) from forgetting a flow that is merely quiet.
constexpr int kAskPeerAfter = 300;  // s
constexpr int kAskPeerAgain = 30;
constexpr int kAskPeerTimes = 4;

HostIo io_of(ssize_t n) {
  if (n > 0) return {.kind = HostIo::Kind::kDone, .count = static_cast<std::size_t>(n)};
  if (n == 0) return {.kind = HostIo::Kind::kEnd};
  const bool later = errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM;
  return {.kind = later ? HostIo::Kind::kWouldBlock : HostIo::Kind::kBroken};
}

int set(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof(value));
}

int pending_error(int fd) {
  int error = 0;
  socklen_t size = sizeof(error);
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

// How it is closed (socket(7), SO_LINGER).
constexpr linger kReset{.l_onoff = 1, .l_linger = 0};
constexpr linger kInOrder{.l_onoff = 0, .l_linger = 0};
int set_linger(int fd, const linger& how) {
  return ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &how, sizeof(how));
}

}  // namespace

PeekMode best_peek_mode() {
  static const PeekMode mode = [] {
    const sys::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return fd && set(fd.get(), SOL_SOCKET, SO_PEEK_OFF, 0) == 0 ? PeekMode::kOffset
                                                                : PeekMode::kCopy;
  }();
  return mode;
}

Opened<HostTcp> HostSocket::take(sys::UniqueFd fd, PeekMode mode, int epoll, Token token) {
  std::unique_ptr<HostSocket> made(new HostSocket(std::move(fd), mode, epoll, token));
  if (const int error = made->set_up(); error != 0) return std::unexpected(error);
  return made;
}

int HostSocket::set_up() {
  static_cast<void>(set(fd_.get(), SOL_SOCKET, SO_SNDBUF, kLargeBuffer));
  // The guest's own TCP has put small pieces together already, or was told not to (RFC 896).
  static_cast<void>(set(fd_.get(), IPPROTO_TCP, TCP_NODELAY, 1));
  // For a flow that the guest has forgotten too, nobody else would ask.
  static_cast<void>(set(fd_.get(), SOL_SOCKET, SO_KEEPALIVE, 1));
  static_cast<void>(set(fd_.get(), IPPROTO_TCP, TCP_KEEPIDLE, kAskPeerAfter));
  static_cast<void>(set(fd_.get(), IPPROTO_TCP, TCP_KEEPINTVL, kAskPeerAgain));
  static_cast<void>(set(fd_.get(), IPPROTO_TCP, TCP_KEEPCNT, kAskPeerTimes));
  // TCP over IPv6 has it only since Linux 6.12.
  if (mode_ == PeekMode::kOffset && set(fd_.get(), SOL_SOCKET, SO_PEEK_OFF, 0) != 0)
    mode_ = PeekMode::kCopy;
  if (set_linger(fd_.get(), kReset) != 0) return errno;
  return watch(EPOLL_CTL_ADD);
}

int HostSocket::watch(int operation) {
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.u64 = token_}};
  return ::epoll_ctl(epoll_, operation, fd_.get(), &event) == 0 ? 0 : errno;
}

// To be told of room that may be there already, it is asked for anew.
void HostSocket::ask_for_room() {
  static_cast<void>(watch(EPOLL_CTL_MOD));
}

HostIo HostSocket::noted(HostIo io) {
  if (io.kind == HostIo::Kind::kBroken && broken_ == 0) broken_ = errno;
  return io;
}

HostIo HostSocket::write(Bytes bytes) {
  return noted(io_of(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT)));
}

HostIo HostSocket::peek(std::size_t skip, std::span<std::uint8_t> into) {
  HostIo io =
      noted(mode_ == PeekMode::kOffset ? peek_at_offset(skip, into) : peek_a_copy(skip, into));
  // A socket that was reset, and has told so, says "end" from then on (tcp_recvmsg() of Linux).
  // EPIPE: the peer had ended it before (tcp_reset()).
  const bool told = broken_ != 0 && broken_ != EPIPE;
  if (io.kind == HostIo::Kind::kEnd && told) io.kind = HostIo::Kind::kBroken;
  return io;
}

HostIo HostSocket::peek_at_offset(std::size_t skip, std::span<std::uint8_t> into) {
  if (skip != offset_) {
    if (set(fd_.get(), SOL_SOCKET, SO_PEEK_OFF, static_cast<int>(skip)) != 0)
      return {.kind = HostIo::Kind::kBroken};
    offset_ = skip;
  }
  const HostIo io = io_of(::recv(fd_.get(), into.data(), into.size(), MSG_PEEK | MSG_DONTWAIT));
  if (io.kind == HostIo::Kind::kDone) offset_ += io.count;
  return io;
}

// What is skipped is read into one small buffer again and again.
HostIo HostSocket::peek_a_copy(std::size_t skip, std::span<std::uint8_t> into) {
  constexpr std::size_t kPiece = 64U << 10;
  static std::array<std::uint8_t, kPiece> nowhere;
  std::vector<iovec> parts;
  for (std::size_t left = skip; left > 0; left -= std::min(left, kPiece))
    parts.push_back({.iov_base = nowhere.data(), .iov_len = std::min(left, kPiece)});
  parts.push_back({.iov_base = into.data(), .iov_len = into.size()});
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  const HostIo io = io_of(::recvmsg(fd_.get(), &message, MSG_PEEK | MSG_DONTWAIT));
  if (io.kind != HostIo::Kind::kDone) return io;
  if (io.count > skip) return {.kind = HostIo::Kind::kDone, .count = io.count - skip};
  // Is this all that there will be? The end is there when it was seen before what is counted.
  pollfd state{.fd = fd_.get(), .events = POLLRDHUP, .revents = 0};
  const bool ended = ::poll(&state, 1, 0) == 1 && (state.revents & POLLRDHUP) != 0;
  int unread = 0;
  const bool counted = ::ioctl(fd_.get(), FIONREAD, &unread) == 0;
  const bool all = ended && counted && static_cast<std::size_t>(unread) == skip;
  // A reset looks the same, and is told by no read before the last byte is taken.
  if (all && (state.revents & POLLERR) != 0) broken_ = pending_error(fd_.get());
  return {.kind = all ? HostIo::Kind::kEnd : HostIo::Kind::kWouldBlock};
}

void HostSocket::discard(std::size_t count) {
  while (count > 0) {
    // Without a buffer: the kernel drops them (tcp(7), MSG_TRUNC).
    const ssize_t n = ::recv(fd_.get(), nullptr, count, MSG_TRUNC | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // cannot be, of what was peeked
    const auto gone = static_cast<std::size_t>(n);
    count -= std::min(count, gone);
    offset_ -= std::min(offset_, gone);  // so does the kernel
  }
}

void HostSocket::shut_down_writing() {
  static_cast<void>(set_linger(fd_.get(), kInOrder));
  static_cast<void>(::shutdown(fd_.get(), SHUT_WR));  // fails when the peer has reset it
}

// POLLERR and not SO_ERROR, which also tells what may pass (a route that is gone for a while).
bool HostSocket::is_reset() {
  if (broken_ != 0) return true;
  pollfd state{.fd = fd_.get(), .events = 0, .revents = 0};
  return ::poll(&state, 1, 0) == 1 && (state.revents & POLLERR) != 0;
}

void HostSocket::reset_at_last() {
  static_cast<void>(set_linger(fd_.get(), kReset));
}

std::size_t HostSocket::room() {
  std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
  socklen_t size = sizeof(info);
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_MEMINFO, info.data(), &size) != 0) return 0;
  const std::uint32_t all = info[SK_MEMINFO_SNDBUF];
  const std::uint32_t used = info[SK_MEMINFO_WMEM_QUEUED];
  return used < all ? (all - used) / 4 * 3 : 0;
}

int HostSocket::error() {
  const int error = pending_error(fd_.get());
  if (is_reset_error(error)) broken_ = error;
  return error == 0 && !std::exchange(checked_, true) && talks_to_itself() ? ECONNREFUSED : error;
}

// Nobody listened, and the kernel took the very port for this end (RFC 9293, 3.5, "simultaneous
// open").
bool HostSocket::talks_to_itself() {
  SocketAddress ours;
  SocketAddress theirs;
  return ours.read(fd_.get()) && theirs.read_peer(fd_.get()) && ours.port() == theirs.port() &&
         ours.address() == theirs.address();
}

}  // namespace pyro::net
