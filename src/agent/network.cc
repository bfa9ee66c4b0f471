#include "agent/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string_view>

#include "base/text.h"
#include "sys/file.h"
#include "sys/route_socket.h"

namespace pyro::agent {
namespace {

// As Linux calls the first Ethernet device where nobody gives it another name.
constexpr const char* kDevice = "eth0";

// A proto::LinkAddress as the kernel takes it.
struct Addresses {
  int length = 0;
  std::string guest, engine;  // in network order
};

Result<std::string> parse_address(int family, const std::string& text) {
  std::string bytes(family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr), '\0');
  if (::inet_pton(family, text.c_str(), bytes.data()) == 1) return bytes;
  return fail(Errc::kInvalid, "prepare: not the address of a link: " + quoted_name(text));
}

Result<Addresses> parse_link(const proto::LinkAddress& link) {
  Addresses out;
  const int family = link.guest.find(':') == std::string::npos ? AF_INET : AF_INET6;
  PYRO_TRY(out.guest, parse_address(family, link.guest));
  PYRO_TRY(out.engine, parse_address(family, link.engine));
  constexpr int kByteBits = 8;
  if (link.length < 1 || link.length > static_cast<int>(out.guest.size()) * kByteBits) {
    return fail(Errc::kInvalid, "prepare: not the length of a link's prefix");
  }
  out.length = link.length;
  return out;
}

Result<void> set_kernel(const std::string& name, std::string_view value) {
  PYRO_TRY(const sys::UniqueFd file, sys::open_file("/proc/sys/net/" + name, O_WRONLY));
  if (::write(file.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size())) {
    return sys::fail_errno("setting net/" + name, errno);
  }
  return {};
}

Result<void> set_kernel() {
  // Before the device is up: no router is asked for or believed, and no link-local address made.
  const std::string ipv6 = std::string("ipv6/conf/") + kDevice;
  PYRO_CHECK(set_kernel(ipv6 + "/accept_ra", "0"));
  PYRO_CHECK(set_kernel(ipv6 + "/autoconf", "0"));
  PYRO_CHECK(set_kernel(ipv6 + "/addr_gen_mode", "1"));
  // A connection's window is half of its buffer (tcp_adv_win_scale), which grows only with round
  // trips. With the default of 128 KiB that is one frame: seen, 128 bytes were left of the window
  // after the first one came. This way it is three frames then, and eight soon. What is sent needs
  // nothing: the kernel gives that buffer room for ten segments when a connection is made.
  return set_kernel("ipv4/tcp_rmem", "4096 1048576 6291456");
}

}  // namespace

Result<void> configure_network(const std::vector<proto::LinkAddress>& link) {
  const unsigned device = ::if_nametoindex(kDevice);
  if (device == 0) return sys::fail_errno(std::string("looking for ") + kDevice, errno);
  PYRO_CHECK(set_kernel());
  PYRO_TRY(auto route, sys::RouteSocket::open());
  PYRO_CHECK(route.ask("starting the network device", sys::up_message(device)));
  std::string resolvers;
  for (const proto::LinkAddress& one : link) {
    PYRO_TRY(const Addresses addresses, parse_link(one));
    PYRO_CHECK(route.ask("setting the address " + one.guest,
                         sys::address_message(device, addresses.guest, addresses.length)));
    PYRO_CHECK(route.ask("setting the route through " + one.engine,
                         sys::route_message(device, addresses.engine)));
    resolvers += "nameserver " + one.engine + "\n";
  }
  return sys::write_file_atomic("/etc/resolv.conf", resolvers, 0644);
}

}  // namespace pyro::agent
