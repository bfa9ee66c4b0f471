#include "net/kernel_network.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "net/host_socket.h"
#include "net/socket_address.h"
#include "policy/special_ranges.h"

namespace pyro::net {

namespace {

constexpr int kBacklog = 1024;  // cut to net.core.somaxconn

// 0, or errno.
int watch(int epoll, int fd, Token token, std::uint32_t what) {
  epoll_event event{.events = what | EPOLLET, .data = {.u64 = token}};
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

class KernelDatagrams final : public HostDatagrams {
 public:
  explicit KernelDatagrams(sys::UniqueFd fd) : fd_(std::move(fd)) {}
  HostIo send(Bytes message) override {
    return io_of(::send(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
  }
  HostIo receive(std::span<std::uint8_t> into) override {
    return io_of(::recv(fd_.get(), into.data(), into.size(), MSG_DONTWAIT | MSG_TRUNC));
  }
  // Of the last failure, which the kernel tells only once.
  int error() override { return std::exchange(error_, 0); }

 private:
  // A message may be empty, and there is no end.
  HostIo io_of(ssize_t n) {
    if (n >= 0) return {.kind = HostIo::Kind::kDone, .count = static_cast<std::size_t>(n)};
    const bool later = errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM;
    // Too long for the host's own links: lost on the way, as it is anywhere.
    if (later || errno == EMSGSIZE) return {.kind = HostIo::Kind::kWouldBlock};
    error_ = errno;
    return {.kind = HostIo::Kind::kBroken};
  }
  sys::UniqueFd fd_;
  int error_ = 0;
};

class KernelListener final : public HostListener {
 public:
  KernelListener(sys::UniqueFd fd, std::uint16_t port, int epoll)
      : fd_(std::move(fd)), port_(port), epoll_(epoll) {}
  Opened<HostTcp> accept(Token token) override {
    sys::UniqueFd client(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) return std::unexpected(errno);
    return HostSocket::take(std::move(client), best_peek_mode(), epoll_, token);
  }
  [[nodiscard]] std::uint16_t port() const override { return port_; }

 private:
  sys::UniqueFd fd_;
  std::uint16_t port_;
  int epoll_;
};

}  // namespace

Opened<HostTcp> KernelNetwork::connect(const Address& address, std::uint16_t port, Token token) {
  sys::UniqueFd fd = open_socket(address, SOCK_STREAM, 0);
  if (!fd) return std::unexpected(errno);
  const SocketAddress to(address, port);
  if (::connect(fd.get(), to.get(), to.size()) != 0 && errno != EINPROGRESS)
    return std::unexpected(errno);
  return HostSocket::take(std::move(fd), best_peek_mode(), epoll_, token);
}

Opened<HostDatagrams> KernelNetwork::open_udp(const Address& address, std::uint16_t port,
                                              Token token) {
  sys::UniqueFd fd = open_socket(address, SOCK_DGRAM, 0);
  if (!fd) return std::unexpected(errno);
  const SocketAddress to(address, port);
  if (::connect(fd.get(), to.get(), to.size()) != 0) return std::unexpected(errno);
  if (const int error = watch(epoll_, fd.get(), token, EPOLLIN); error != 0)
    return std::unexpected(error);
  return std::make_unique<KernelDatagrams>(std::move(fd));
}

Opened<HostDatagrams> KernelNetwork::open_echo(const Address& address, Token token) {
  const bool v4 = address.family() == Family::kIpv4;
  // icmp(7): for groups within net.ipv4.ping_group_range.
  sys::UniqueFd fd = open_socket(address, SOCK_DGRAM, v4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6});
  if (!fd) return std::unexpected(errno);
  const SocketAddress to(address, 0);
  if (::connect(fd.get(), to.get(), to.size()) != 0) return std::unexpected(errno);
  if (const int error = watch(epoll_, fd.get(), token, EPOLLIN); error != 0)
    return std::unexpected(error);
  return std::make_unique<KernelDatagrams>(std::move(fd));
}

bool KernelNetwork::has_ipv6() {
  // Nothing is sent by this. 2000::/3 is what is given out (RFC 4291, 2.4), and this address of it
  // is nobody's.
  constexpr std::array<std::uint8_t, policy::kIpv6Bytes> kSomewhere{0x2f};
  const Address there = Address::v6(kSomewhere);
  const sys::UniqueFd fd = open_socket(there, SOCK_DGRAM, 0);
  const SocketAddress to(there, kDiscardPort);
  SocketAddress ours;
  return fd && ::connect(fd.get(), to.get(), to.size()) == 0 && ours.read(fd.get()) &&
         policy::range_of(ours.address()) == policy::Range::kPublic;
}

Opened<HostListener> KernelNetwork::listen(std::uint16_t port, Token token) {
  constexpr std::array<std::uint8_t, policy::kIpv4Bytes> kLoopback{127, 0, 0, 1};
  const Address loopback = Address::v4(kLoopback);
  sys::UniqueFd fd = open_socket(loopback, SOCK_STREAM, 0);
  if (!fd) return std::unexpected(errno);
  // A port whose last connections linger is free all the same.
  const int yes = 1;
  SocketAddress at(loopback, port);
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
      ::bind(fd.get(), at.get(), at.size()) != 0 || ::listen(fd.get(), kBacklog) != 0 ||
      !at.read(fd.get()))
    return std::unexpected(errno);
  if (const int error = watch(epoll_, fd.get(), token, EPOLLIN); error != 0)
    return std::unexpected(error);
  return std::make_unique<KernelListener>(std::move(fd), at.port(), epoll_);
}

}  // namespace pyro::net
