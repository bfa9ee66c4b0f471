#include "net/host_socket.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <random>

#include "net/tcp_flow_testing.h"

namespace pyro::net {
namespace {

using Kind = HostIo::Kind;

// Two connected sockets of this kernel, one of them ours.
class HostSocketTest : public testing::TestWithParam<PeekMode> {
 protected:
  void SetUp() override {
    if (GetParam() == PeekMode::kOffset && best_peek_mode() != PeekMode::kOffset)
      GTEST_SKIP() << "this kernel has no SO_PEEK_OFF for TCP (Linux 6.9 has)";
    const sys::UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const address = reinterpret_cast<sockaddr*>(&at);
    socklen_t size = sizeof(at);
    ASSERT_EQ(::bind(listener.get(), address, size), 0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    ASSERT_EQ(::getsockname(listener.get(), address, &size), 0);
    sys::UniqueFd ours(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(ours.get(), address, size), 0);
    ASSERT_TRUE(sys::set_nonblocking(ours.get(), true));
    peer_ = sys::UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ASSERT_TRUE(peer_);
    const int yes = 1;
    ASSERT_EQ(::setsockopt(peer_.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)), 0);
    epoll_ = sys::UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
    raw_ = ours.get();
    auto socket = HostSocket::take(std::move(ours), GetParam(), epoll_.get(), kToken);
    ASSERT_TRUE(socket) << socket.error();
    ours_ = *std::move(socket);
  }
  void peer_says(std::string_view text) {
    ASSERT_EQ(::send(peer_.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // Seen by ours when it returns.
  void reset_by_peer() {
    constexpr linger kReset{.l_onoff = 1, .l_linger = 0};
    ASSERT_EQ(::setsockopt(peer_.get(), SOL_SOCKET, SO_LINGER, &kReset, sizeof(kReset)), 0);
    peer_ = sys::UniqueFd();
    pollfd state{.fd = raw_, .events = 0, .revents = 0};
    ASSERT_EQ(::poll(&state, 1, 10'000), 1);
    ASSERT_NE(state.revents & POLLERR, 0);
  }
  // Once there is something, or the end, behind `skip`.
  std::string peek(std::size_t skip, std::size_t most = 1000) {
    std::string out(most, 0);
    for (;;) {
      const HostIo io =
          ours_->peek(skip, {reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
      if (io.kind == Kind::kDone) return out.substr(0, io.count);
      if (io.kind == Kind::kEnd) return "(end)";
      if (io.kind == Kind::kBroken) return "(broken)";
      wait();
    }
  }
  Kind peek_now(std::size_t skip) {
    std::array<std::uint8_t, 10> into{};
    return ours_->peek(skip, into).kind;
  }
  void wait() const {
    epoll_event event{};
    do {
      ASSERT_EQ(::epoll_wait(epoll_.get(), &event, 1, 10'000), 1);
      const Token token = event.data.u64;  // which is not aligned
      EXPECT_EQ(token, kToken);
    } while ((event.events & ~EPOLLOUT) == 0);
  }
  [[nodiscard]] std::string peer_hears(std::size_t most = 1000) const {
    std::string out(most, 0);
    const ssize_t n = ::recv(peer_.get(), out.data(), out.size(), 0);
    out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return out;
  }

  static constexpr Token kToken = 7;
  int raw_ = -1;  // what ours_ has
  sys::UniqueFd epoll_;
  std::unique_ptr<HostTcp> ours_;
  sys::UniqueFd peer_;
};
INSTANTIATE_TEST_SUITE_P(EachWay, HostSocketTest,
                         testing::Values(PeekMode::kOffset, PeekMode::kCopy), [](const auto& p) {
                           return p.param == PeekMode::kOffset ? "Offset" : "Copy";
                         });

TEST_P(HostSocketTest, WhatIsPeekedAtStays) {
  EXPECT_EQ(peek_now(0), Kind::kWouldBlock);
  peer_says("abcdefgh");
  EXPECT_EQ(peek(0, 3), "abc");
  EXPECT_EQ(peek(3, 3), "def");
  EXPECT_EQ(peek(0, 3), "abc");  // again, as after a loss
  EXPECT_EQ(peek(6), "gh");
  EXPECT_EQ(peek_now(8), Kind::kWouldBlock);
  ours_->discard(4);
  EXPECT_EQ(peek(0), "efgh");
  EXPECT_EQ(peek(2), "gh");
  ours_->discard(4);
  EXPECT_EQ(peek_now(0), Kind::kWouldBlock);
  peer_says("more");
  EXPECT_EQ(peek(0), "more");
}

TEST_P(HostSocketTest, WhatCameBeforeAResetIsStillThere) {
  peer_says("the answer");
  reset_by_peer();
  EXPECT_EQ(peek(0), "the answer");
  EXPECT_EQ(peek(10), "(broken)");
  EXPECT_EQ(peek(4), "answer");
  ours_->discard(10);
  EXPECT_EQ(peek(0), "(broken)");
}

TEST_P(HostSocketTest, ItIsAlsoWhenAWriteHasFoundTheReset) {
  peer_says("the answer");
  reset_by_peer();
  EXPECT_EQ(ours_->write(as_bytes("more")).kind, Kind::kBroken);
  EXPECT_EQ(peek(0), "the answer");
  EXPECT_EQ(peek(10), "(broken)");
}

TEST_P(HostSocketTest, AnEndBeforeAResetIsOne) {
  peer_says("all");
  ASSERT_EQ(::shutdown(peer_.get(), SHUT_WR), 0);
  EXPECT_EQ(peek(3), "(end)");
  EXPECT_FALSE(ours_->is_reset());
  reset_by_peer();
  EXPECT_EQ(peek(0), "all");
  EXPECT_EQ(peek(3), "(end)");
  EXPECT_TRUE(ours_->is_reset());
}

TEST_P(HostSocketTest, AResetAtLastIsOneAlsoAfterTheEnd) {
  for (const bool reset : {false, true}) {
    if (reset) SetUp();
    ours_->shut_down_writing();
    EXPECT_EQ(peer_hears(), "");
    if (reset) ours_->reset_at_last();
    ours_.reset();
    pollfd state{.fd = peer_.get(), .events = 0, .revents = 0};
    EXPECT_EQ(::poll(&state, 1, reset ? 10'000 : 0), reset ? 1 : 0);
    EXPECT_EQ((state.revents & POLLERR) != 0, reset);
  }
}

// As TCP over IPv6 is before Linux 6.12; here it is a socket that never has the option.
TEST(HostSocket, OneWithoutAnOffsetIsTakenAllTheSame) {
  sys::UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
  ASSERT_TRUE(fd);
  const int from = 0;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_PEEK_OFF, &from, sizeof(from)) == 0)
    GTEST_SKIP() << "it has it";
  const sys::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  EXPECT_TRUE(HostSocket::take(std::move(fd), PeekMode::kOffset, epoll.get(), 7));
}

TEST_P(HostSocketTest, APeerThatIsGoneIsLookedFor) {
  const auto option = [this](int level, int name) {
    int value = 0;
    socklen_t size = sizeof(value);
    EXPECT_EQ(::getsockopt(raw_, level, name, &value, &size), 0);
    return value;
  };
  EXPECT_EQ(option(SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPIDLE), 300);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPINTVL), 30);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPCNT), 4);
}

TEST_P(HostSocketTest, TheEndIsBehindWhatWasNotAcknowledged) {
  peer_says("last");
  EXPECT_EQ(peek(0), "last");
  ASSERT_EQ(::shutdown(peer_.get(), SHUT_WR), 0);
  EXPECT_EQ(peek(4), "(end)");
  EXPECT_EQ(peek(0), "last");
  ours_->discard(4);
  EXPECT_EQ(peek(0), "(end)");
}

TEST_P(HostSocketTest, WritesAndEnds) {
  EXPECT_EQ(ours_->write(as_bytes("hello")).count, 5U);
  EXPECT_EQ(peer_hears(), "hello");
  ours_->shut_down_writing();
  EXPECT_EQ(peer_hears(), "");
  EXPECT_EQ(ours_->write(as_bytes("x")).kind, Kind::kBroken);
}

TEST_P(HostSocketTest, TakesWhatItPromised) {
  const std::size_t promised = ours_->room();
  EXPECT_GT(promised, 100'000U);
  const std::string all(promised, 'x');
  std::size_t sent = 0;
  while (sent < promised) {
    const HostIo io = ours_->write(as_bytes(std::string_view(all).substr(sent, 60'000)));
    ASSERT_EQ(io.kind, Kind::kDone) << sent << " of " << promised;
    sent += io.count;
  }
  // Nobody reads: at last there is no more room.
  while (ours_->write(as_bytes(all)).kind == Kind::kDone) {
  }
  EXPECT_LT(ours_->room(), promised / 4);
}

TEST_P(HostSocketTest, AResetIsSeen) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ASSERT_EQ(::setsockopt(peer_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
  peer_ = {};
  wait();
  EXPECT_EQ(ours_->error(), ECONNRESET);
  EXPECT_NE(peek_now(0), Kind::kDone);
}

TEST_P(HostSocketTest, WhatIsCutIsReset) {
  EXPECT_EQ(ours_->write(as_bytes("half of")).count, 7U);
  EXPECT_EQ(peer_hears(), "half of");
  ours_.reset();
  char c = 0;
  EXPECT_EQ(::recv(peer_.get(), &c, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_P(HostSocketTest, WhatIsEndedArrivesWhole) {
  const std::string all(200'000, 'x');
  EXPECT_EQ(ours_->write(as_bytes(all)).count, all.size());
  ours_->shut_down_writing();
  ours_.reset();
  std::string heard;
  for (std::string piece = peer_hears(); !piece.empty(); piece = peer_hears()) heard += piece;
  EXPECT_EQ(heard.size(), all.size());
  char c = 0;
  EXPECT_EQ(::recv(peer_.get(), &c, 1, 0), 0);
}

TEST_P(HostSocketTest, ARandomWalkOverTheQueue) {
  std::mt19937 random(7);
  std::string all;
  std::size_t front = 0;  // discarded
  for (int i = 0; i < 3000; ++i) {
    if (random() % 3 == 0 && all.size() - front < 50'000) {
      std::string more(1 + random() % 3000, 0);
      std::ranges::generate(more, [&] { return static_cast<char>(random()); });
      peer_says(more);
      all += more;
    }
    if (all.size() == front) continue;
    const std::size_t skip = random() % (all.size() - front);
    const std::string seen = peek(skip, 1 + random() % 5000);
    ASSERT_TRUE(std::string_view(all).substr(front + skip).starts_with(seen)) << i;
    if (random() % 2 == 0) {
      const std::size_t done = random() % (skip + seen.size() + 1);
      ours_->discard(done);
      front += done;
    }
  }
}

}  // namespace
}  // namespace pyro::net
