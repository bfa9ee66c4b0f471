// Both ends of what bench/net_guests.py measures: the servers run on the host, the clients in the
// guest and, to compare with, on the host.
//
//   pyro_bench_net_load serve PORT                     echoes what it gets, on 127.0.0.1
//   pyro_bench_net_load serve-dns PORT                 answers each question with one address
//   pyro_bench_net_load connects ADDRESS PORT SECONDS  connect, request, answer, close: how often
//   pyro_bench_net_load requests ADDRESS PORT COUNT    of one connection: ns of each
//   pyro_bench_net_load lookups ADDRESS PORT COUNT     of names that are all different: ns of each
//
// A server prints "ready". Clients print a number in a line.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr int kFailed = 1;
constexpr int kBadWords = 2;
constexpr std::size_t kRequest = 64;
constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};

long long now_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return (t.tv_sec * 1'000'000'000LL) + t.tv_nsec;
}

int fail(const char* what) {
  std::perror(what);
  return kFailed;
}

// Of an IPv4 socket, connected or bound to the place; -1: it could not be had.
enum class End { kClient, kServer };
int open_socket(End end, int type, const char* address, int port) {
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET, address, &place.sin_addr);
  const auto* at = reinterpret_cast<const sockaddr*>(&place);
  const int fd = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  constexpr int kOn = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &kOn, sizeof kOn);
  if (type == SOCK_STREAM) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &kOn, sizeof kOn);
  if (end == End::kClient) ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  const int rc =
      end == End::kClient ? ::connect(fd, at, sizeof place) : ::bind(fd, at, sizeof place);
  if (rc == 0) return fd;
  ::close(fd);
  return -1;
}

void watch(int epoll, int fd) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int serve(int port) {
  const int listener = open_socket(End::kServer, SOCK_STREAM, "127.0.0.1", port);
  if (listener < 0 || ::listen(listener, SOMAXCONN) != 0) return fail("listen");
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return fail("epoll_create1");
  watch(epoll, listener);
  std::puts("ready");
  std::fflush(stdout);
  for (;;) {
    std::array<epoll_event, 64> events{};
    const int n = ::epoll_wait(epoll, events.data(), events.size(), -1);
    for (int i = 0; i < n; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener) {
        if (const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC); client >= 0)
          watch(epoll, client);
        continue;
      }
      char bytes[4096];
      const ssize_t got = ::read(fd, bytes, sizeof bytes);
      if (got <= 0 || ::write(fd, bytes, static_cast<std::size_t>(got)) != got) ::close(fd);
    }
  }
}

// RFC 1035, 4.1: the question comes back with an answer of 16 bytes that points to its name.
int serve_dns(int port) {
  const int fd = open_socket(End::kServer, SOCK_DGRAM, "127.0.0.1", port);
  if (fd < 0) return fail("bind");
  std::puts("ready");
  std::fflush(stdout);
  for (;;) {
    char message[512];
    sockaddr_in from{};
    socklen_t size = sizeof from;
    auto* peer = reinterpret_cast<sockaddr*>(&from);
    const ssize_t n = ::recvfrom(fd, message, sizeof message, 0, peer, &size);
    constexpr std::size_t kHeader = 12;
    if (n <= static_cast<ssize_t>(kHeader)) continue;
    std::size_t end = kHeader;  // of the question
    while (end < static_cast<std::size_t>(n) && message[end] != 0) ++end;
    end += 5;
    if (end > static_cast<std::size_t>(n)) continue;
    std::string answer(message, end);
    answer[2] = static_cast<char>(0x81);
    answer[3] = static_cast<char>(0x80);
    answer.replace(6, 6, std::string("\0\1\0\0\0\0", 6));
    answer += std::string("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x5d\xb8\xd8\x22", 16);  // 93.184.216.34
    static_cast<void>(::sendto(fd, answer.data(), answer.size(), 0, peer, size));
  }
}

bool exchange(int fd, std::span<char, kRequest> bytes) {
  if (::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) != kRequest) return false;
  return ::recv(fd, bytes.data(), bytes.size(), MSG_WAITALL) == kRequest;
}

int connects(const char* address, int port, long seconds) {
  std::array<char, kRequest> bytes{};
  const long long begin = now_ns();
  const long long end = begin + (seconds * 1'000'000'000LL);
  long count = 0;
  long long now = begin;
  for (; now < end; now = now_ns(), ++count) {
    const int fd = open_socket(End::kClient, SOCK_STREAM, address, port);
    if (fd < 0) return fail("connect");
    if (!exchange(fd, bytes)) return fail("exchange");
    ::close(fd);
  }
  std::printf("%.3f\n", static_cast<double>(count) * 1e9 / static_cast<double>(now - begin));
  return 0;
}

void print(const std::vector<long long>& samples) {
  for (const long long ns : samples) std::printf("%lld\n", ns);
}

int requests(const char* address, int port, long count) {
  const int fd = open_socket(End::kClient, SOCK_STREAM, address, port);
  if (fd < 0) return fail("connect");
  std::array<char, kRequest> bytes{};
  std::vector<long long> samples;
  for (long i = 0; i < count; ++i) {
    const long long before = now_ns();
    if (!exchange(fd, bytes)) return fail("exchange");
    samples.push_back(now_ns() - before);
  }
  print(samples);
  return 0;
}

int lookups(const char* address, int port, long count) {
  const int fd = open_socket(End::kClient, SOCK_DGRAM, address, port);
  if (fd < 0) return fail("connect");
  std::vector<long long> samples;
  for (long i = 0; i < count; ++i) {
    char label[16];
    const int length = std::snprintf(label, sizeof label, "n%ld", i);
    std::string query("\x12\x34\1\0\0\1\0\0\0\0\0\0", 12);
    query += static_cast<char>(length);
    query += label;
    query += std::string("\7example\3com\0\0\1\0\1", 17);
    char answer[512];
    const long long before = now_ns();
    if (::send(fd, query.data(), query.size(), 0) < 0) return fail("send");
    if (::recv(fd, answer, sizeof answer, 0) <= static_cast<ssize_t>(query.size()) ||
        (static_cast<unsigned char>(answer[3]) & 0x0fU) != 0)
      return fail("no answer, or none with an address");
    samples.push_back(now_ns() - before);
  }
  print(samples);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  const std::string_view mode = argc > 2 ? argv[1] : "";
  if (mode == "serve" && argc == 3) return serve(std::atoi(argv[2]));
  if (mode == "serve-dns" && argc == 3) return serve_dns(std::atoi(argv[2]));
  if (argc != 5) return kBadWords;
  const int port = std::atoi(argv[3]);
  const long count = std::atol(argv[4]);
  if (mode == "connects") return connects(argv[2], port, count);
  if (mode == "requests") return requests(argv[2], port, count);
  if (mode == "lookups") return lookups(argv[2], port, count);
  return kBadWords;
}
