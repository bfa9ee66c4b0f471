// The network device of a real guest, with a test in the engine's place at its other end.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "guest/link_peer.h"
#include "guest/machines.h"
#include "net/link_addresses.h"
#include "policy/special_ranges.h"

namespace pyro::testing {
namespace {

using policy::Family;
using Step = io::Task<void>;

// Bash opens sockets by names below /dev/tcp and /dev/udp.
std::string in_bash(const std::string& script) {
  return "bash -c '" + script + "'";
}

// UDP payload of a frame of kMostFrame bytes.
std::size_t most_udp(Family family) {
  return net::kMostFrame - net::udp_payload_at(family);
}

class NetworkTest : public GuestTest {
 protected:
  using Work = std::function<Step(core::Guest&, LinkPeer&)>;

  static awaitable<void> with_link(NetworkTest* test, vmm::Disks kind, Work work,
                                   Result<void>* out) {
    auto link = vmm::make_link();
    if (!link) {
      *out = std::unexpected(std::move(link.error()));
      co_return;
    }
    test->kept_ = std::move(sys::duplicate(link->ours.get()).value());
    const any_io_executor ex = co_await io::asio::this_coro::executor;
    LinkPeer peer(ex, std::move(link->ours));
    Clone clone{.layers = {}, .baseline = {}, .kind = kind, .make_link = [&link] {
                  return Result<sys::UniqueFd>(std::move(link->theirs));
                }};
    if (kind == vmm::Disks::kWorkspace) clone.layers = {test->work()};
    auto guest = co_await test->start(std::move(clone));
    if (guest) {
      *out = co_await work(**guest, peer);
      co_await (*guest)->end();
    } else {
      *out = std::unexpected(std::move(guest.error()));
    }
    co_await peer.close();
  }
  // Lets `work` use a clone with a network and the other end of it.
  void expect_on_link(Work work, vmm::Disks kind = vmm::Disks::kNone) {
    Result<void> done = fail(Errc::kInternal, "did not run");
    run_loop([&](any_io_executor) { return with_link(this, kind, work, &done); });
    EXPECT_TRUE(done) << done.error().message;
  }
  void expect_without_link(vmm::Disks kind, const std::string& script, const std::string& said) {
    Clone clone{.layers = {}, .baseline = {}, .kind = kind, .make_link = {}};
    if (kind == vmm::Disks::kWorkspace) clone.layers = {work()};
    expect_in_clone(clone, [&](core::Guest& guest) { return says(guest, script, said); });
  }

  // The layer of this test's workspace.
  std::string work() {
    if (work_.empty()) work_ = layer("work");
    return work_;
  }

  Step is_configured(core::Guest& guest, LinkPeer& peer);
  Step sends_and_gets_udp(core::Guest& guest, LinkPeer& peer, std::string address);
  Step sends_and_gets_both(core::Guest& guest, LinkPeer& peer);
  Step opens_its_window(core::Guest& guest, LinkPeer& peer);
  Step survives_the_engine(core::Guest& guest, LinkPeer& first);

  std::string work_;
  sys::UniqueFd kept_;  // a duplicate of the peer's end, as the supervisor has one
};

constexpr const char* kResolvConf = "nameserver 10.255.255.1\nnameserver fd70:7972:6f00::1\n";

TEST_F(NetworkTest, AGuestWithoutALinkHasOnlyItself) {
  const std::string script =
      "ls /sys/class/net; wc -l < /proc/net/route; grep -c name.server /etc/resolv.conf";
  expect_without_link(vmm::Disks::kNone, script, "lo\n1\n1\n");
  expect_without_link(vmm::Disks::kWorkspace, script, "lo\n1\n1\n");
}

Step NetworkTest::is_configured(core::Guest& guest, LinkPeer& peer) {
  PYRO_CO_CHECK(co_await says(guest, "ls /sys/class/net", "eth0\nlo\n"));
  PYRO_CO_CHECK(co_await says(guest, "cd /sys/class/net/eth0 && cat address mtu operstate",
                              "02:70:79:72:6f:02\n65520\nup\n"));
  // Destination, gateway and mask, their bytes the other way around.
  PYRO_CO_CHECK(co_await says(guest, "grep eth0 /proc/net/route | cut -f 2,3,8 | sort",
                              "00000000\t01FFFF0A\t00000000\n"
                              "00FFFF0A\t00000000\tFCFFFFFF\n"));
  PYRO_CO_CHECK(co_await says(guest,
                              "grep -o '[|]-- 10[.]255[.]255[.]2$' /proc/net/fib_trie | sort -u",
                              "|-- 10.255.255.2\n"));
  // Global, permanent and without duplicate detection; no link-local one.
  PYRO_CO_CHECK(co_await says(guest, "grep eth0 /proc/net/if_inet6",
                              "fd7079726f0000000000000000000002 02 40 00 82     eth0\n"));
  PYRO_CO_CHECK(
      co_await says(guest, "grep eth0 /proc/net/ipv6_route | cut -d ' ' -f 1,2,5 | grep ' 00 '",
                    "00000000000000000000000000000000 00 fd7079726f0000000000000000000001\n"));
  PYRO_CO_CHECK(co_await says(guest, "cat /etc/resolv.conf", kResolvConf));
  PYRO_CO_CHECK(co_await says(
      guest, "cd /proc/sys/net/ipv6/conf/eth0 && cat accept_ra autoconf addr_gen_mode",
      "0\n0\n1\n"));
  // Nobody asked it for anything yet.
  EXPECT_EQ(peer.counts().frames, 0) << fmt::format("{}", fmt::join(peer.counts().refused, ", "));
  co_return Result<void>{};
}
TEST_F(NetworkTest, ACloneIsReadyAndQuiet) {
  const auto work = [this](core::Guest& guest, LinkPeer& peer) {
    return is_configured(guest, peer);
  };
  expect_on_link(work);
  expect_on_link(work, vmm::Disks::kWorkspace);
}

// Each start of a workspace has its root from the template: what a program made of it is gone.
TEST_F(NetworkTest, ResolvConfIsRightAfterEachStart) {
  const auto work = [](core::Guest& guest, LinkPeer&) -> Step {
    PYRO_CO_CHECK(co_await says(guest, "cat /etc/resolv.conf", kResolvConf));
    co_return co_await says(guest, "echo mine > /etc/resolv.conf && sync && cat /etc/resolv.conf",
                            "mine\n");
  };
  expect_on_link(work, vmm::Disks::kWorkspace);
  expect_on_link(work, vmm::Disks::kWorkspace);
}

// A datagram of the largest size goes out, and one of the largest size comes back.
Step NetworkTest::sends_and_gets_udp(core::Guest& guest, LinkPeer& peer, std::string address) {
  PYRO_CO_TRY(const policy::Address remote, policy::Address::parse(address));
  const std::size_t size = most_udp(remote.family());
  bool whole = false;
  peer.on_packet([&](const net::IpPacket& packet) {
    const auto* datagram = std::get_if<net::UdpDatagram>(&packet.transport);
    if (datagram == nullptr || datagram->destination_port != 4242) return;
    EXPECT_EQ(packet.destination, remote);
    whole = datagram->payload.size() == size &&
            std::ranges::all_of(datagram->payload, [](auto byte) { return byte == 'g'; });
    peer.reply_udp(packet, std::string(size, 'e'));
  });
  const std::string script = in_bash(fmt::format(
      "exec 3<>/dev/udp/{}/4242; head -c {} /dev/zero | tr \"\\0\" g > /tmp/out; "
      "dd if=/tmp/out bs={} count=1 status=none >&3; "
      "dd bs=70000 count=1 status=none <&3 > /tmp/in; tr -d e < /tmp/in | wc -c; wc -c < /tmp/in",
      address, size, size));
  PYRO_CO_CHECK(co_await says(guest, script, fmt::format("0\n{}\n", size)));
  EXPECT_TRUE(whole);
  EXPECT_EQ(peer.counts().largest, net::kMostFrame);
  peer.on_packet({});
  co_return Result<void>{};
}
Step NetworkTest::sends_and_gets_both(core::Guest& guest, LinkPeer& peer) {
  PYRO_CO_CHECK(co_await sends_and_gets_udp(guest, peer, "203.0.113.7"));
  EXPECT_GE(peer.counts().arp, 1);  // it asks again after a second
  PYRO_CO_CHECK(co_await sends_and_gets_udp(guest, peer, "2001:db8::7"));
  EXPECT_GE(peer.counts().solicitations, 1);
  EXPECT_EQ(peer.counts().refused, std::vector<std::string>{});
  co_return Result<void>{};
}
TEST_F(NetworkTest, TheLargestFramePassesBothWays) {
  expect_on_link(
      [this](core::Guest& guest, LinkPeer& peer) { return sends_and_gets_both(guest, peer); });
}

// The other side of one connection: takes nothing in, and sends segments of the largest size.
struct Sender {
  static constexpr std::uint32_t kStart = 1000;
  LinkPeer* peer;
  std::uint32_t sent = 0, acknowledged = 0;
  std::uint32_t first_window = 0, window = 0;
  int scale = 0;
  bool syn = false, open = false;

  void take(const net::IpPacket& packet) {
    const auto* segment = std::get_if<net::TcpSegment>(&packet.transport);
    if (segment == nullptr) return;
    if (segment->syn) {
      syn = true;
      EXPECT_EQ(segment->max_segment, net::max_segment(packet.source.family()));
      scale = segment->window_scale;
      peer->reply_tcp(packet,
                      {.sequence = kStart,
                       .acknowledgement = segment->sequence + 1,
                       .syn = true,
                       .ack = true,
                       .window = 65535,
                       .max_segment = segment->max_segment,
                       .window_scale = 7},
                      {});
      return;
    }
    if (segment->rst || !segment->ack) return;
    window = static_cast<std::uint32_t>(segment->window) << static_cast<unsigned>(scale);
    acknowledged = segment->acknowledgement - kStart - 1;
    if (!open) first_window = window;
    open = true;
    const auto most = static_cast<std::uint32_t>(net::max_segment(packet.source.family()));
    if (sent > 0 || window < most) return;
    sent = most;
    peer->reply_tcp(packet,
                    {.sequence = kStart + 1,
                     .acknowledgement = segment->sequence + segment->length(),
                     .psh = true,
                     .ack = true,
                     .window = 65535},
                    std::string(most, 'x'));
  }
};

Step NetworkTest::opens_its_window(core::Guest& guest, LinkPeer& peer) {
  Sender sender{.peer = &peer};
  peer.on_packet([&sender](const net::IpPacket& packet) { sender.take(packet); });
  PYRO_CO_TRY(auto program, begin_shell(guest, in_bash("exec 3<>/dev/tcp/203.0.113.7/80; "
                                                       "head -c 65480 <&3 | wc -c")));
  PYRO_CO_CHECK(
      co_await peer.until([&] { return sender.sent > 0 && sender.acknowledged == sender.sent; }));
  EXPECT_TRUE(sender.syn);
  std::printf("window: %u bytes, after one segment %u\n", sender.first_window, sender.window);
  EXPECT_GE(sender.first_window, net::max_segment(Family::kIpv4));
  EXPECT_GE(sender.window, 2 * net::max_segment(Family::kIpv4));
  PYRO_CO_TRY(const std::string got, co_await finish_shell(std::move(program)));
  EXPECT_EQ(got, "65480\n");
  peer.on_packet({});
  co_return Result<void>{};
}
TEST_F(NetworkTest, AConnectionOpensItsWindowAtOnce) {
  expect_on_link(
      [this](core::Guest& guest, LinkPeer& peer) { return opens_its_window(guest, peer); });
}

// Until the device takes no more: what it has sent stays the same.
constexpr const char* kUntilFull =
    "old=-1; cd /sys/class/net/eth0/statistics; until new=$(<tx_packets); [ $new = $old ]; do "
    "old=$new; sleep 0.2; done";
constexpr const char* kFlood =
    "while :; do echo x > /dev/udp/203.0.113.7/9; done 2>/dev/null & echo $! > /tmp/flood; wait";

// With nobody to read them frames wait, and with somebody they come again.
Step NetworkTest::survives_the_engine(core::Guest& guest, LinkPeer& first) {
  int datagrams = 0;
  const auto count = [&datagrams](const net::IpPacket& packet) {
    datagrams += std::holds_alternative<net::UdpDatagram>(packet.transport) ? 1 : 0;
  };
  first.on_packet(count);
  PYRO_CO_TRY(const auto flood, begin_shell(guest, in_bash(kFlood)));
  PYRO_CO_CHECK(co_await first.until([&] { return datagrams > 3; }));
  co_await first.close();
  PYRO_CO_CHECK(co_await says(guest, "echo alive", "alive\n"));
  PYRO_CO_CHECK(co_await says(guest, in_bash(kUntilFull), ""));
  PYRO_CO_CHECK(co_await says(guest, "echo alive", "alive\n"));
  EXPECT_FALSE(guest.vm().ended().is_set());
  const any_io_executor ex = co_await io::asio::this_coro::executor;
  PYRO_CO_TRY(sys::UniqueFd end, sys::duplicate(kept_.get()));
  LinkPeer second(ex, std::move(end));
  datagrams = 0;
  second.on_packet(count);
  // More than could have waited.
  auto again = co_await second.until([&] { return datagrams > 1000; });
  if (again) again = co_await sends_and_gets_udp(guest, second, "203.0.113.7");
  co_await second.close();
  flood->abandon({.code = Errc::kDeadline, .message = "enough", .hint = {}});
  co_return again;
}
TEST_F(NetworkTest, AnotherEngineTakesOverWhatADeadOneLeft) {
  expect_on_link(
      [this](core::Guest& guest, LinkPeer& peer) { return survives_the_engine(guest, peer); });
}

// As the machine has it that reads a stopped workspace.
TEST_F(NetworkTest, AGuestLivesWithoutAnybodyAtTheOtherEnd) {
  const core::MakeLink dead = []() -> Result<sys::UniqueFd> {
    PYRO_TRY(auto link, vmm::make_link());
    return std::move(link.theirs);
  };
  expect_in_clone({.layers = {}, .baseline = {}, .kind = vmm::Disks::kNone, .make_link = dead},
                  [](core::Guest& guest) {
                    return says(guest,
                                in_bash("for i in {1..2000}; do echo x > /dev/udp/203.0.113.7/9; "
                                        "done 2>/dev/null; echo alive"),
                                "alive\n");
                  });
}

}  // namespace
}  // namespace pyro::testing
