#include "world/servers.h"

#include <fmt/format.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "net/dns_message.h"
#include "world/places.h"

namespace pyro::world {

namespace {

constexpr std::size_t kMostClients = 4096;
constexpr std::size_t kMostDatagram = 65536;
constexpr std::uint16_t kDnsPort = 53;

std::string place(const sockaddr_in6& at) {
  std::array<std::uint8_t, policy::kIpv6Bytes> bytes{};
  std::ranges::copy(at.sin6_addr.s6_addr, bytes.begin());
  return fmt::format("{} {}", policy::Address::v6(bytes).text(), ntohs(at.sin6_port));
}

// Of every address of both families.
Result<sys::UniqueFd> bound(int type, std::uint16_t port) {
  PYRO_TRY(const int fd, sys::retrying("a socket", [type] {
             return ::socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
           }));
  sys::UniqueFd socket(fd);
  constexpr int kOn = 1;
  if (::setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &kOn, sizeof kOn) != 0)
    return sys::fail_errno("IPV6_RECVPKTINFO", errno);
  // Answers come from the address that was asked, which is on no device.
  if (::setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &kOn, sizeof kOn) != 0)
    return sys::fail_errno("IPV6_FREEBIND", errno);
  sockaddr_in6 at{};
  at.sin6_family = AF_INET6;
  at.sin6_port = htons(port);
  PYRO_CHECK(sys::retrying(
      "bind", [&] { return ::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at); }));
  return socket;
}

void send_text(int fd, std::string_view text) {
  // Short, to a fresh or a mostly empty socket: what does not fit is not worth a queue.
  static_cast<void>(::send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

// A datagram with where it came from and where it went to.
struct Datagram {
  std::array<std::uint8_t, kMostDatagram> bytes;
  std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))> control;
  sockaddr_in6 from{};
  iovec part{};
  msghdr message{};

  bool receive(int fd) {
    part = {.iov_base = bytes.data(), .iov_len = bytes.size()};
    message = {.msg_name = &from,
               .msg_namelen = sizeof from,
               .msg_iov = &part,
               .msg_iovlen = 1,
               .msg_control = control.data(),
               .msg_controllen = control.size()};
    const ssize_t n = ::recvmsg(fd, &message, 0);
    if (n < 0) return false;
    part.iov_len = static_cast<std::size_t>(n);
    return true;
  }
  // From the address that was asked; its control message says which.
  void answer(int fd, std::string_view text) {
    std::string copy(text);
    part = {.iov_base = copy.data(), .iov_len = copy.size()};
    if (cmsghdr* const c = CMSG_FIRSTHDR(&message); c != nullptr) {
      reinterpret_cast<in6_pktinfo*>(CMSG_DATA(c))->ipi6_ifindex = 0;
    }
    static_cast<void>(::sendmsg(fd, &message, MSG_DONTWAIT));
  }
  [[nodiscard]] net::Bytes payload() const { return net::Bytes(bytes).first(part.iov_len); }
  [[nodiscard]] std::string to(std::uint16_t port) {
    sockaddr_in6 at{};
    at.sin6_port = htons(port);
    if (cmsghdr* const c = CMSG_FIRSTHDR(&message); c != nullptr)
      at.sin6_addr = reinterpret_cast<const in6_pktinfo*>(CMSG_DATA(c))->ipi6_addr;
    return place(at);
  }
};

std::uint16_t port_of(int fd) {
  sockaddr_in6 at{};
  socklen_t size = sizeof at;
  static_cast<void>(::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size));
  return ntohs(at.sin6_port);
}

}  // namespace

Result<Servers> Servers::open(Land land) {
  Servers servers(std::move(land));
  PYRO_CHECK(servers.listen());
  return servers;
}

Result<void> Servers::listen() {
  for (sys::UniqueFd& fd : land_.host_services) listeners_.push_back({.fd = std::move(fd)});
  land_.host_services.clear();
  for (const std::uint16_t port : kTcpPorts) {
    PYRO_TRY(auto fd, bound(SOCK_STREAM, port));
    PYRO_CHECK(sys::retrying("listen", [&] { return ::listen(fd.get(), SOMAXCONN); }));
    listeners_.push_back({.fd = std::move(fd), .dns = port == kDnsPort});
  }
  for (const std::uint16_t port : kUdpPorts) {
    PYRO_TRY(auto fd, bound(SOCK_DGRAM, port));
    datagrams_.push_back({.fd = std::move(fd), .dns = port == kDnsPort});
  }
  return {};
}

Result<bool> Servers::turn(int control) {
  std::vector<pollfd> wait;
  const auto want = [&](int fd) { wait.push_back({.fd = fd, .events = POLLIN, .revents = 0}); };
  want(control);
  for (const Sniffer& sniffer : land_.sniffers) want(sniffer.fd.get());
  for (const Listener& listener : listeners_) want(listener.fd.get());
  for (const Listener& socket : datagrams_) want(socket.fd.get());
  for (const Client& client : clients_) want(client.fd.get());
  PYRO_CHECK(sys::retrying("poll", [&] { return ::poll(wait.data(), wait.size(), -1); }));
  std::size_t at = 1;
  const auto ready = [&] { return wait[at++].revents != 0; };
  for (const Sniffer& sniffer : land_.sniffers) {
    if (ready()) look(sniffer);
  }
  const std::size_t clients_at = at + listeners_.size() + datagrams_.size();
  std::size_t client_at = clients_at;
  // Before new ones come.
  for (auto client = clients_.begin(); client != clients_.end();) {
    const bool goes_on = wait[client_at++].revents == 0 || serve(*client);
    client = goes_on ? std::next(client) : clients_.erase(client);
  }
  for (const Listener& listener : listeners_) {
    if (ready()) accept(listener);
  }
  for (const Listener& socket : datagrams_) {
    if (ready()) answer_datagrams(socket);
  }
  return wait[0].revents != 0;
}

Arrivals Servers::arrivals() {
  for (const Sniffer& sniffer : land_.sniffers) look(sniffer);
  return record_.take();
}

void Servers::look(const Sniffer& sniffer) {
  std::array<std::uint8_t, kMostDatagram> packet;
  for (;;) {
    sockaddr_ll from{};
    socklen_t size = sizeof from;
    const ssize_t n = ::recvfrom(sniffer.fd.get(), packet.data(), packet.size(), 0,
                                 reinterpret_cast<sockaddr*>(&from), &size);
    if (n < 0) return;
    if (from.sll_pkttype == PACKET_OUTGOING) continue;
    const auto seen = see(net::Bytes(packet).first(static_cast<std::size_t>(n)));
    if (seen && (seen->opens || !sniffer.both_ways)) record_.add(sniffer.where, *seen);
  }
}

void Servers::accept(const Listener& listener) {
  for (;;) {
    sys::UniqueFd fd(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) return;
    if (clients_.size() >= kMostClients) continue;
    if (!listener.dns) {
      sockaddr_in6 here{};
      socklen_t size = sizeof here;
      static_cast<void>(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&here), &size));
      send_text(fd.get(), place(here) + "\n");
    }
    clients_.push_back({.fd = std::move(fd), .dns = listener.dns});
  }
}

bool Servers::serve(Client& client) {
  std::array<std::uint8_t, 16384> bytes;
  const ssize_t n = ::recv(client.fd.get(), bytes.data(), bytes.size(), 0);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return false;
  const auto news = net::Bytes(bytes).first(static_cast<std::size_t>(n));
  if (client.dns) return serve_questions(client, news);
  send_text(client.fd.get(), {reinterpret_cast<const char*>(news.data()), news.size()});
  return true;
}

bool Servers::serve_questions(Client& client, net::Bytes news) {
  constexpr std::size_t kHead = 2;
  client.held.insert(client.held.end(), news.begin(), news.end());
  while (client.held.size() >= kHead) {
    const std::size_t size = (std::size_t{client.held[0]} << 8U) | client.held[1];
    if (client.held.size() < kHead + size) break;
    const auto answer =
        answer_name(net::Bytes(client.held).subspan(kHead, size), net::kMostDnsMessage);
    std::string out{static_cast<char>(answer.size() >> 8U), static_cast<char>(answer.size())};
    out.append(answer.begin(), answer.end());
    send_text(client.fd.get(), out);
    client.held.erase(client.held.begin(),
                      client.held.begin() + static_cast<std::ptrdiff_t>(kHead + size));
  }
  return true;
}

std::vector<std::uint8_t> Servers::answer_name(net::Bytes question, std::size_t most) {
  Answered answered = names_.answer(question, most);
  record_.add("world", {.protocol = "dns",
                        .address = answered.name.empty() ? "?" : answered.name,
                        .port = kDnsPort,
                        .bytes = question.size()});
  return std::move(answered.message);
}

void Servers::answer_datagrams(const Listener& socket) {
  const std::uint16_t port = port_of(socket.fd.get());
  Datagram datagram;
  while (datagram.receive(socket.fd.get())) {
    if (socket.dns) {
      const auto answer = answer_name(datagram.payload(), net::kMostDnsUdp);
      if (!answer.empty())
        datagram.answer(socket.fd.get(),
                        {reinterpret_cast<const char*>(answer.data()), answer.size()});
    } else {
      datagram.answer(socket.fd.get(), datagram.to(port));
    }
  }
}

}  // namespace pyro::world
