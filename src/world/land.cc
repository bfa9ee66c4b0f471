#include "world/land.h"
#include "world/arrivals.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

#include "policy/address.h"
#include "sys/file.h"
#include "sys/namespaces.h"
#include "sys/route_socket.h"
#include "world/arrivals.h"
#include "world/places.h"

namespace pyro::world {

namespace {

constexpr const char* kHostDevice = "host0";
constexpr const char* kWorldDevice = "world0";

std::string_view with_zero(const char* text) {
  return {text, std::string_view(text).size() + 1};
}

Result<unsigned> index_of(const char* device) {
  const unsigned index = ::if_nametoindex(device);
  if (index == 0) return sys::fail_errno(std::string("looking for ") + device, errno);
  return index;
}

// Its other end is in `peer`.
Result<void> make_pair(sys::RouteSocket& route, const sys::UniqueFd& peer) {
  const ifinfomsg body{.ifi_family = AF_UNSPEC};
  sys::RouteMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body);
  message.with(IFLA_IFNAME, with_zero(kWorldDevice));
  const auto info = message.begin(IFLA_LINKINFO);
  message.with(IFLA_INFO_KIND, "veth");
  const auto data = message.begin(IFLA_INFO_DATA);
  const auto other = message.begin(VETH_INFO_PEER);
  const int fd = peer.get();
  message.body(body)
      .with(IFLA_IFNAME, with_zero(kHostDevice))
      .with(IFLA_NET_NS_FD, sys::bytes_of(fd));
  message.end(other);
  message.end(data);
  message.end(info);
  return route.ask("making a pair of network devices", message);
}

Result<void> add_address(sys::RouteSocket& route, unsigned device, const char* text, int length) {
  PYRO_TRY(const auto address, policy::Address::parse(text));
  return route.ask(std::string("setting the address ") + text,
                   sys::address_message(device, address.bytes(), length));
}

// To every address of the family that nothing else is known of: this machine.
Result<void> be_everywhere(sys::RouteSocket& route, std::uint8_t family, unsigned loopback) {
  const rtmsg body{.rtm_family = family,
                   .rtm_table = RT_TABLE_MAIN,
                   .rtm_protocol = RTPROT_STATIC,
                   .rtm_scope = RT_SCOPE_HOST,
                   .rtm_type = RTN_LOCAL};
  sys::RouteMessage message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, body);
  message.with(RTA_OIF, sys::bytes_of(loopback));
  return route.ask("making every address the world's", message);
}

Result<Sniffer> sniff(const char* where, unsigned device, bool both_ways) {
  PYRO_TRY(const int fd, sys::retrying("a packet socket", [] {
             return ::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                             htons(ETH_P_ALL));
           }));
  Sniffer sniffer{.where = where, .both_ways = both_ways, .fd = sys::UniqueFd(fd)};
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_protocol = htons(ETH_P_ALL);
  at.sll_ifindex = static_cast<int>(device);
  PYRO_CHECK(sys::retrying(
      "bind", [&] { return ::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at); }));
  constexpr int kRoom = 8 << 20;
  static_cast<void>(::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kRoom, sizeof kRoom));
  return sniffer;
}

Result<sys::UniqueFd> listen_everywhere(std::uint16_t port) {
  PYRO_TRY(const int fd, sys::retrying("a socket", [] {
             return ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
           }));
  sys::UniqueFd listener(fd);
  sockaddr_in6 at{};
  at.sin6_family = AF_INET6;
  at.sin6_port = htons(port);
  PYRO_CHECK(sys::retrying(
      "bind", [&] { return ::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at); }));
  PYRO_CHECK(sys::retrying("listen", [&] { return ::listen(fd, SOMAXCONN); }));
  return listener;
}

Result<void> set_up_world(const sys::UniqueFd& host) {
  PYRO_TRY(auto route, sys::RouteSocket::open());
  PYRO_CHECK(make_pair(route, host));
  PYRO_TRY(const unsigned device, index_of(kWorldDevice));
  PYRO_TRY(const unsigned loopback, index_of("lo"));
  PYRO_CHECK(route.ask("starting the loopback device", sys::up_message(loopback)));
  PYRO_CHECK(route.ask("starting the world's device", sys::up_message(device)));
  PYRO_CHECK(add_address(route, device, kGatewayLan, kLanLength));
  PYRO_CHECK(add_address(route, device, kNeighbour, policy::kIpv4Bits));
  PYRO_CHECK(add_address(route, device, kGatewayV6, kLanLengthV6));
  PYRO_CHECK(be_everywhere(route, AF_INET, loopback));
  return be_everywhere(route, AF_INET6, loopback);
}

// In its namespace.
Result<void> set_up_host(Land& land) {
  PYRO_TRY(auto route, sys::RouteSocket::open());
  PYRO_TRY(const unsigned device, index_of(kHostDevice));
  PYRO_TRY(const unsigned loopback, index_of("lo"));
  PYRO_CHECK(route.ask("starting the loopback device", sys::up_message(loopback)));
  PYRO_CHECK(route.ask("starting the host's device", sys::up_message(device)));
  PYRO_CHECK(add_address(route, device, kHostLan, kLanLength));
  PYRO_CHECK(add_address(route, device, kHostV6, kLanLengthV6));
  for (const char* const gateway : {kGatewayLan, kGatewayV6}) {
    PYRO_TRY(const auto address, policy::Address::parse(gateway));
    PYRO_CHECK(
        route.ask("setting the route to the world", sys::route_message(device, address.bytes())));
  }
  // Echo is allowed to the one group that there is.
  PYRO_TRY(const auto range, sys::open_file("/proc/sys/net/ipv4/ping_group_range", O_WRONLY));
  PYRO_CHECK(sys::write_all(range.get(), "0 0"));
  PYRO_TRY(auto sniffer, sniff(kAtHost, loopback, true));
  land.sniffers.push_back(std::move(sniffer));
  for (const std::uint16_t port : {kHostService, kOtherHostService}) {
    PYRO_TRY(auto listener, listen_everywhere(port));
    land.host_services.push_back(std::move(listener));
  }
  return {};
}

}  // namespace

Result<Land> make_land() {
  Land land;
  PYRO_CHECK(sys::become_root_of_namespace());
  PYRO_CHECK(sys::leave_network());
  PYRO_TRY(land.host, sys::own_network());
  PYRO_CHECK(sys::leave_network());
  PYRO_TRY(sys::NetNamespace world, [] -> Result<sys::NetNamespace> {
    PYRO_TRY(auto net, sys::own_network());
    return sys::NetNamespace{.net = std::move(net), .user = {}};
  }());
  PYRO_CHECK(set_up_world(land.host));
  PYRO_TRY(const unsigned device, index_of(kWorldDevice));
  PYRO_TRY(auto sniffer, sniff("world", device, false));
  land.sniffers.push_back(std::move(sniffer));

  PYRO_TRY(auto host, sys::duplicate(land.host.get()));
  if (const int e = sys::join({.net = std::move(host), .user = {}}); e != 0)
    return sys::fail_errno("going to the host's namespace", e);
  PYRO_CHECK(set_up_host(land));
  if (const int e = sys::join(world); e != 0)
    return sys::fail_errno("going back to the world's namespace", e);
  return land;
}

}  // namespace pyro::world
