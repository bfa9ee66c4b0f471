#include <fcntl.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "probe/address.h"
#include "probe/commands.h"
#include "probe/report.h"

namespace pyro::probe {

namespace {

constexpr int kPatienceMs = 3000;
constexpr int kBadWords = 2;

int error_of(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

// A connected socket, or -errno.
int connect_to(const Place& to) {
  const int fd = ::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  int error = 0;
  if (::connect(fd, to.get(), to.size) != 0) {
    error = errno;
    if (error == EINPROGRESS) error = await(fd, POLLOUT, kPatienceMs) ? error_of(fd) : ETIMEDOUT;
  }
  if (error == 0) return fd;
  ::close(fd);
  return -error;
}

std::string read_line(int fd, int& error) {
  std::string line;
  char c = 0;
  while (line.find('\n') == std::string::npos) {
    if (!await(fd, POLLIN, kPatienceMs)) {
      error = ETIMEDOUT;
      break;
    }
    const ssize_t n = ::read(fd, &c, 1);
    if (n < 0) error = errno;
    if (n <= 0) break;
    line += c;
  }
  if (line.ends_with('\n')) line.pop_back();
  return line;
}

int talk(const Place& to, const std::string& text) {
  Report report;
  const int fd = connect_to(to);
  if (fd < 0) return report.flag("connected", false).ended(false, -fd);
  report.flag("connected", true);
  if (!text.empty() && ::send(fd, text.data(), text.size(), MSG_NOSIGNAL) < 0)
    return report.ended(false, errno);
  int error = 0;
  const std::string said = read_line(fd, error);
  ::close(fd);
  return report.text("said", said).ended(!said.empty(), error);
}

}  // namespace

int connect_and_talk(const std::string& address, const std::string& port, const std::string& text) {
  const auto to = place_of(address, port_of(port));
  return to ? talk(*to, text) : kBadWords;
}

int tcp(const Words& words) {
  if (words.size() < 2) return kBadWords;
  return connect_and_talk(words[0], words[1], words.size() > 2 ? words[2] : "");
}

int udp(const Words& words) {
  if (words.size() < 2 || words.size() % 2 != 0) return kBadWords;
  Report report;
  const auto first = place_of(words[0], port_of(words[1]));
  if (!first) return kBadWords;
  const int fd = ::socket(first->family(), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return report.ended(false, errno);
  // Errors that routers report, although the socket has no one peer.
  constexpr int kOn = 1;
  ::setsockopt(fd, IPPROTO_IP, IP_RECVERR, &kOn, sizeof kOn);
  if (first->family() == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &kOn, sizeof kOn);
  int answers = 0;
  int error = 0;
  std::string said;
  for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
    const auto to = place_of(words[i], port_of(words[i + 1]));
    if (!to) return kBadWords;
    if (::sendto(fd, "probe", 5, 0, to->get(), to->size) < 0) {
      error = errno;
      continue;
    }
    std::array<char, 2048> answer{};
    if (!await(fd, POLLIN, kPatienceMs)) {
      error = ETIMEDOUT;
      continue;
    }
    const ssize_t n = ::recv(fd, answer.data(), answer.size(), 0);
    if (n < 0) {
      error = errno;
      continue;
    }
    ++answers;
    said += (said.empty() ? "" : "; ") + std::string(answer.data(), static_cast<std::size_t>(n));
  }
  ::close(fd);
  return report.number("answers", answers).text("said", said).ended(answers > 0, error);
}

int ping(const Words& words) {
  if (words.empty()) return kBadWords;
  const auto to = place_of(words[0], 0);
  if (!to) return kBadWords;
  Report report;
  const bool v6 = to->family() == AF_INET6;
  const int fd =
      ::socket(to->family(), SOCK_RAW | SOCK_CLOEXEC, v6 ? int{IPPROTO_ICMPV6} : int{IPPROTO_ICMP});
  if (fd < 0) return report.ended(false, errno);
  constexpr int kOn = 1;
  ::setsockopt(fd, v6 ? int{IPPROTO_IPV6} : int{IPPROTO_IP}, v6 ? IPV6_RECVERR : IP_RECVERR, &kOn,
               sizeof kOn);
  // Type, code, checksum, identifier 0x7079, sequence 1. The kernel computes that of ICMPv6.
  std::array<unsigned char, 8> request{
      static_cast<unsigned char>(v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO), 0, 0, 0, 0x70, 0x79, 0, 1};
  if (!v6) {
    const unsigned sum = 0xffffU - (0x0800U + 0x7079U + 1U);
    request[2] = static_cast<unsigned char>(sum >> 8U);
    request[3] = static_cast<unsigned char>(sum);
  }
  if (::sendto(fd, request.data(), request.size(), 0, to->get(), to->size) < 0)
    return report.ended(false, errno);
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatienceMs);
  int error = ETIMEDOUT;
  while (std::chrono::steady_clock::now() < end) {
    if (!await(fd, POLLIN, kPatienceMs)) break;
    std::array<unsigned char, 2048> answer{};
    const ssize_t n = ::recv(fd, answer.data(), answer.size(), 0);
    if (n < 0) {
      error = errno;
      break;
    }
    const std::size_t at = v6 ? 0 : std::size_t{answer[0]} % 16 * 4;
    const unsigned char reply = v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;
    const unsigned char unreachable = v6 ? ICMP6_DST_UNREACH : ICMP_DEST_UNREACH;
    if (answer[at] == reply && answer[at + 4] == 0x70 && answer[at + 5] == 0x79) {
      error = 0;
      break;
    }
    if (answer[at] == unreachable) {
      report.number("code", answer[at + 1]);
      error = EHOSTUNREACH;
      break;
    }
  }
  ::close(fd);
  return report.ended(error == 0, error);
}

int raw(const Words& words) {
  if (words.size() < 2) return kBadWords;
  const auto to = place_of(words[0], 0);
  if (!to) return kBadWords;
  Report report;
  const int fd = ::socket(to->family(), SOCK_RAW | SOCK_CLOEXEC, port_of(words[1]));
  if (fd < 0) return report.ended(false, errno);
  constexpr int kOn = 1;
  ::setsockopt(fd, IPPROTO_IP, IP_RECVERR, &kOn, sizeof kOn);
  int error = 0;
  std::array<char, 32> payload{};
  if (::connect(fd, to->get(), to->size) != 0 || ::send(fd, payload.data(), payload.size(), 0) < 0)
    error = errno;
  std::array<char, 2048> answer{};
  if (error == 0) {
    const bool came = await(fd, POLLIN, kPatienceMs);
    error = !came ? ETIMEDOUT : ::recv(fd, answer.data(), answer.size(), 0) < 0 ? errno : 0;
  }
  ::close(fd);
  return report.ended(error == 0, error);
}

int hold(const Words& words) {
  if (words.size() < 3) return kBadWords;
  const auto to = place_of(words[0], port_of(words[1]));
  if (!to) return kBadWords;
  Report report;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(port_of(words[2]));
  const int fd = connect_to(*to);
  if (fd < 0) return report.flag("connected", false).ended(false, -fd);
  report.flag("connected", true);
  int error = 0;
  int exchanges = 0;
  static_cast<void>(read_line(fd, error));  // the greeting
  while (error == 0 && std::chrono::steady_clock::now() < end) {
    constexpr int kPauseMs = 20;
    if (::send(fd, "ping\n", 5, MSG_NOSIGNAL) < 0) {
      error = errno;
      break;
    }
    if (read_line(fd, error).empty()) {
      if (error == 0) error = EPIPE;
      break;
    }
    ++exchanges;
    ::poll(nullptr, 0, kPauseMs);
  }
  ::close(fd);
  return report.number("exchanges", exchanges).ended(error == 0, error);
}

int serve(const Words& words) {
  if (words.empty()) return kBadWords;
  const auto at = place_of("0.0.0.0", port_of(words[0]));
  if (!at) return kBadWords;
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return Report().ended(false, errno);
  constexpr int kOn = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &kOn, sizeof kOn);
  if (::bind(listener, at->get(), at->size) != 0 || ::listen(listener, SOMAXCONN) != 0)
    return Report().ended(false, errno);
  std::printf("serving\n");
  std::fflush(stdout);
  for (;;) {
    const int fd = ::accept(listener, nullptr, nullptr);
    if (fd < 0) continue;
    constexpr std::string_view kHello = "hello from the guest\n";
    static_cast<void>(::send(fd, kHello.data(), kHello.size(), MSG_NOSIGNAL));
    ::close(fd);
    std::printf("answered\n");
    std::fflush(stdout);
  }
}

int devices(const Words& /*words*/) {
  Report report;
  std::string names;
  struct if_nameindex* const list = ::if_nameindex();
  if (list == nullptr) return report.ended(false, errno);
  for (const struct if_nameindex* one = list; one->if_index != 0; ++one)
    names += (names.empty() ? "" : " ") + std::string(one->if_name);
  ::if_freenameindex(list);
  return report.text("said", names).ended(true);
}

}  // namespace pyro::probe
