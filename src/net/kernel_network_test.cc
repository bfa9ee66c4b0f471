// Over the loopback of this machine.
#include "net/kernel_network.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <set>
#include <string>

#include "net/engine_testing.h"

namespace pyro::net {
namespace {

constexpr int kBound = 10'000;  // ms
constexpr Token kToken = 77;

class KernelNetworkTest : public testing::Test {
 protected:
  // The events of that token, from now on.
  std::uint32_t wait(Token token) {
    for (;;) {
      epoll_event event{};
      if (::epoll_wait(epoll_.get(), &event, 1, kBound) != 1) return 0;
      if (event.data.u64 == token) return event.events;
    }
  }
  // A listener of the test's own: its port.
  std::uint16_t listen_here(int type) {
    here_ = sys::UniqueFd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    if (!here_) {
      ADD_FAILURE() << "no socket";
      return 0;
    }
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(at);
    auto* const address = reinterpret_cast<sockaddr*>(&at);
    EXPECT_EQ(::bind(here_.get(), address, size), 0);
    if (type == SOCK_STREAM) EXPECT_EQ(::listen(here_.get(), 5), 0);
    EXPECT_EQ(::getsockname(here_.get(), address, &size), 0);
    return ntohs(at.sin_port);
  }
  const Address loopback_ = ip("127.0.0.1");
  sys::UniqueFd epoll_{::epoll_create1(EPOLL_CLOEXEC)};
  sys::UniqueFd here_;
  KernelNetwork network_{epoll_.get()};
};

TEST_F(KernelNetworkTest, ConnectsAndTalks) {
  const std::uint16_t port = listen_here(SOCK_STREAM);
  const auto tcp = network_.connect(loopback_, port, kToken);
  ASSERT_TRUE(tcp);
  EXPECT_NE(wait(kToken) & EPOLLOUT, 0U);
  EXPECT_EQ((*tcp)->error(), 0);
  const sys::UniqueFd peer(::accept4(here_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_TRUE(peer);
  EXPECT_EQ((*tcp)->write(as_bytes("hello")).count, 5U);
  std::array<char, 8> got{};
  EXPECT_EQ(::recv(peer.get(), got.data(), got.size(), 0), 5);
  EXPECT_EQ(::send(peer.get(), "yes", 3, MSG_NOSIGNAL), 3);
  EXPECT_NE(wait(kToken) & EPOLLIN, 0U);
  std::array<std::uint8_t, 8> into{};
  EXPECT_EQ((*tcp)->peek(0, into).count, 3U);
  EXPECT_EQ((*tcp)->peek(0, into).count, 3U);
  (*tcp)->discard(3);
  EXPECT_EQ((*tcp)->peek(0, into).kind, HostIo::Kind::kWouldBlock);
}

TEST_F(KernelNetworkTest, TellsThatNobodyListens) {
  const std::uint16_t port = listen_here(SOCK_STREAM);
  here_ = sys::UniqueFd();
  const auto tcp = network_.connect(loopback_, port, kToken);
  int error = tcp ? 0 : tcp.error();
  if (tcp) {
    EXPECT_NE(wait(kToken) & EPOLLERR, 0U);
    error = (*tcp)->error();
  }
  EXPECT_EQ(error, ECONNREFUSED);
}

TEST_F(KernelNetworkTest, RoomIsToldOfWhenItIsThereAlready) {
  const std::uint16_t port = listen_here(SOCK_STREAM);
  const auto tcp = network_.connect(loopback_, port, kToken);
  ASSERT_TRUE(tcp);
  EXPECT_NE(wait(kToken) & EPOLLOUT, 0U);
  (*tcp)->ask_for_room();
  EXPECT_NE(wait(kToken) & EPOLLOUT, 0U);
  EXPECT_GT((*tcp)->room(), 0U);
}

TEST_F(KernelNetworkTest, ListensOnTheLoopbackAlone) {
  const auto listener = network_.listen(0, kToken);
  ASSERT_TRUE(listener);
  const std::uint16_t port = (*listener)->port();
  EXPECT_EQ(network_.listen(port, 1).error(), EADDRINUSE);
  EXPECT_EQ((*listener)->accept(2).error(), EAGAIN);
  const auto client = network_.connect(loopback_, port, 3);
  ASSERT_TRUE(client);
  EXPECT_NE(wait(kToken) & EPOLLIN, 0U);
  const auto accepted = (*listener)->accept(4);
  ASSERT_TRUE(accepted);
  EXPECT_EQ((*client)->write(as_bytes("x")).count, 1U);
  EXPECT_NE(wait(4), 0U);
  // Closed with a reset, as it was not finished.
  const_cast<std::unique_ptr<HostTcp>&>(*accepted).reset();
  std::uint32_t seen = 0;
  while ((seen & EPOLLERR) == 0) {
    const std::uint32_t now = wait(3);
    ASSERT_NE(now, 0U);
    seen |= now;
  }
  EXPECT_EQ((*client)->error(), ECONNRESET);
}

TEST_F(KernelNetworkTest, DatagramsAndTheirErrors) {
  const std::uint16_t port = listen_here(SOCK_DGRAM);
  const auto udp = network_.open_udp(loopback_, port, kToken);
  ASSERT_TRUE(udp);
  EXPECT_EQ((*udp)->send(as_bytes("hello")).kind, HostIo::Kind::kDone);
  EXPECT_EQ((*udp)->send({}).kind, HostIo::Kind::kDone);
  std::array<char, 8> got{};
  sockaddr_in from{};
  socklen_t size = sizeof(from);
  EXPECT_EQ(
      ::recvfrom(here_.get(), got.data(), got.size(), 0, reinterpret_cast<sockaddr*>(&from), &size),
      5);
  EXPECT_EQ(
      ::sendto(here_.get(), "0123456789", 10, 0, reinterpret_cast<const sockaddr*>(&from), size),
      10);
  EXPECT_NE(wait(kToken) & EPOLLIN, 0U);
  std::array<std::uint8_t, 4> into{};
  EXPECT_EQ((*udp)->receive(into).count, 10U);  // what it was
  EXPECT_EQ((*udp)->receive(into).kind, HostIo::Kind::kWouldBlock);
  EXPECT_EQ((*udp)->send(std::vector<std::uint8_t>(65'530)).kind, HostIo::Kind::kWouldBlock);
  here_ = sys::UniqueFd();
  EXPECT_EQ((*udp)->send(as_bytes("nobody")).kind, HostIo::Kind::kDone);
  EXPECT_NE(wait(kToken) & EPOLLERR, 0U);
  EXPECT_EQ((*udp)->receive(into).kind, HostIo::Kind::kBroken);
  EXPECT_EQ((*udp)->error(), ECONNREFUSED);
  EXPECT_EQ((*udp)->error(), 0);
}

TEST_F(KernelNetworkTest, KnowsItsOwnAddresses) {
  EXPECT_TRUE(network_.is_own(loopback_));
  EXPECT_TRUE(network_.is_own(ip("127.9.9.9")));
  EXPECT_TRUE(network_.is_own(ip("::1")));
  EXPECT_FALSE(network_.is_own(ip("93.184.216.34")));
  EXPECT_FALSE(network_.is_own(ip("192.0.2.1")));
}

TEST_F(KernelNetworkTest, AnyAddressMayBeItsOwnWhenItCannotLook) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  // With no descriptor, and with one and two: each look takes another.
  for (int spare = 0; spare <= 2; ++spare) {
    sys::UniqueFd next(::dup(epoll_.get()));
    rlimit few = before;
    few.rlim_cur = static_cast<rlim_t>(next.get()) + static_cast<rlim_t>(spare);
    next = {};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    const bool own = network_.is_own(ip("93.184.216.34"));
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_EQ(own, spare < 2) << spare;
  }
}

}  // namespace
}  // namespace pyro::net
