// A network namespace whose only device is a TAP, with a link to an engine behind it: a guest's
// place, without the guest. Descriptor 3 is the link. Prints a line when it is there, and stays.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "net/link_addresses.h"
#include "policy/special_ranges.h"
#include "sys/file.h"
#include "sys/namespaces.h"
#include "sys/route_socket.h"

namespace {

using namespace pyro;

constexpr int kLink = 3;

Result<sys::UniqueFd> open_tap() {
  PYRO_TRY(auto tap, sys::open_file("/dev/net/tun", O_RDWR));
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  std::strncpy(request.ifr_name, "eth0", IFNAMSIZ - 1);
  if (::ioctl(tap.get(), TUNSETIFF, &request) != 0) return sys::fail_errno("TUNSETIFF", errno);
  return tap;
}

Result<void> set_up() {
  PYRO_TRY(auto route, sys::RouteSocket::open());
  const unsigned device = ::if_nametoindex("eth0");
  PYRO_CHECK(route.ask("lo", sys::up_message(::if_nametoindex("lo"))));
  for (const char* const name : {"accept_ra", "autoconf"}) {
    PYRO_TRY(const auto file,
             sys::open_file(std::string("/proc/sys/net/ipv6/conf/eth0/") + name, O_WRONLY));
    PYRO_CHECK(sys::write_all(file.get(), "0"));
  }
  const ifinfomsg body{.ifi_family = AF_UNSPEC, .ifi_index = static_cast<int>(device)};
  sys::RouteMessage shape(RTM_NEWLINK, 0, body);
  const std::uint32_t mtu = net::kMtu;
  shape.with(IFLA_ADDRESS,
             {reinterpret_cast<const char*>(net::kGuestMac.data()), net::kGuestMac.size()});
  shape.with(IFLA_MTU, sys::bytes_of(mtu));
  PYRO_CHECK(route.ask("the device", shape));
  PYRO_CHECK(route.ask("eth0", sys::up_message(device)));
  for (const auto family : {policy::Family::kIpv4, policy::Family::kIpv6}) {
    const policy::LinkAddresses& link = policy::link_of(family);
    PYRO_CHECK(route.ask("address", sys::address_message(device, link.guest.bytes(), link.length)));
    PYRO_CHECK(route.ask("route", sys::route_message(device, link.engine.bytes())));
  }
  return {};
}

// Frames, until the process ends.
void pump(int from, int to) {
  std::vector<char> frame(1U << 17U);
  for (;;) {
    const ssize_t n = ::read(from, frame.data(), frame.size());
    if (n <= 0) {
      if (n == 0 || (errno != EAGAIN && errno != EINTR)) return;
      pollfd readable{.fd = from, .events = POLLIN, .revents = 0};
      ::poll(&readable, 1, -1);
      continue;
    }
    while (::write(to, frame.data(), static_cast<std::size_t>(n)) < 0) {
      if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS) break;
      pollfd writable{.fd = to, .events = POLLOUT, .revents = 0};
      ::poll(&writable, 1, -1);
    }
  }
}

Result<void> hold() {
  PYRO_CHECK(sys::become_root_of_namespace());
  PYRO_CHECK(sys::leave_network());
  PYRO_TRY(const auto tap, open_tap());
  PYRO_CHECK(set_up());
  std::puts("ready");
  std::fflush(stdout);
  const std::jthread out([&] { pump(tap.get(), kLink); });
  pump(kLink, tap.get());
  return {};
}

}  // namespace

int main() {
  const auto held = hold();
  if (!held) std::fprintf(stderr, "tap_holder: %s\n", held.error().message.c_str());
  return held ? 0 : 1;
}
