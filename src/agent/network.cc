#include "agent/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string_view>

#include "base/text.h"
#include "sys/file.h"

namespace pyro::agent {
namespace {

// As Linux calls the first Ethernet device where nobody gives it another name.
constexpr const char* kDevice = "eth0";

template <class T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// One message to the kernel: a header, a body, attributes (netlink(7), rtnetlink(7)).
class Message {
 public:
  template <class Body>
  Message(std::uint16_t type, std::uint16_t flags, const Body& body) {
    const nlmsghdr header{
        .nlmsg_type = type,
        .nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST | NLM_F_ACK)};
    append(bytes_of(header));
    append(bytes_of(body));
  }
  Message& with(std::uint16_t type, std::string_view value) {
    const rtattr head{.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(value.size())),
                      .rta_type = type};
    append(bytes_of(head));
    append(value);
    return *this;
  }
  // Whole, with its length in its header.
  [[nodiscard]] std::string_view finish() {
    const auto length = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data() + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
    return bytes_;
  }

 private:
  void append(std::string_view part) {
    bytes_ += part;
    bytes_.resize(NLMSG_ALIGN(bytes_.size()), '\0');
  }
  std::string bytes_;
};

class RouteSocket {
 public:
  static Result<RouteSocket> open() {
    PYRO_TRY(const int fd, sys::retrying("a netlink socket", [] {
               return ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
             }));
    return RouteSocket(sys::UniqueFd(fd));
  }
  // `what` names it in an error.
  Result<void> ask(const std::string& what, Message message) {
    const std::string_view bytes = message.finish();
    PYRO_CHECK(
        sys::retrying(what, [&] { return ::send(fd_.get(), bytes.data(), bytes.size(), 0); }));
    struct {
      nlmsghdr header;
      nlmsgerr error;
      std::array<char, 512> quoted;  // the message, when it is refused
    } answer{};
    PYRO_TRY(const int n,
             sys::retrying(what, [&] { return ::recv(fd_.get(), &answer, sizeof answer, 0); }));
    if (n < static_cast<int>(NLMSG_LENGTH(sizeof answer.error)) ||
        answer.header.nlmsg_type != NLMSG_ERROR) {
      return fail(Errc::kInternal, what + ": the kernel's answer is none");
    }
    if (answer.error.error != 0) return sys::fail_errno(what, -answer.error.error);
    return {};
  }

 private:
  explicit RouteSocket(sys::UniqueFd fd) : fd_(std::move(fd)) {}
  sys::UniqueFd fd_;
};

// A proto::LinkAddress as the kernel takes it.
struct Addresses {
  std::uint8_t family = AF_UNSPEC;
  std::uint8_t length = 0;
  std::string guest, engine;  // in network order
};

Result<std::string> parse_address(int family, const std::string& text) {
  std::string bytes(family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr), '\0');
  if (::inet_pton(family, text.c_str(), bytes.data()) == 1) return bytes;
  return fail(Errc::kInvalid, "prepare: not the address of a link: " + quoted_name(text));
}

Result<Addresses> parse_link(const proto::LinkAddress& link) {
  Addresses out;
  out.family = link.guest.find(':') == std::string::npos ? AF_INET : AF_INET6;
  PYRO_TRY(out.guest, parse_address(out.family, link.guest));
  PYRO_TRY(out.engine, parse_address(out.family, link.engine));
  constexpr int kByteBits = 8;
  if (link.length < 1 || link.length > static_cast<int>(out.guest.size()) * kByteBits) {
    return fail(Errc::kInvalid, "prepare: not the length of a link's prefix");
  }
  out.length = static_cast<std::uint8_t>(link.length);
  return out;
}

Message address_message(const Addresses& link, unsigned device) {
  const ifaddrmsg body{
      .ifa_family = link.family,
      .ifa_prefixlen = link.length,
      // Nobody else is on the link who could have the same one.
      .ifa_flags = static_cast<std::uint8_t>(link.family == AF_INET6 ? IFA_F_NODAD : 0),
      .ifa_scope = RT_SCOPE_UNIVERSE,
      .ifa_index = device};
  Message message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body);
  message.with(IFA_LOCAL, link.guest).with(IFA_ADDRESS, link.guest);
  return message;
}

Message default_route_message(const Addresses& link, unsigned device) {
  const rtmsg body{.rtm_family = link.family,
                   .rtm_table = RT_TABLE_MAIN,
                   .rtm_protocol = RTPROT_STATIC,
                   .rtm_scope = RT_SCOPE_UNIVERSE,
                   .rtm_type = RTN_UNICAST};
  Message message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, body);
  message.with(RTA_GATEWAY, link.engine).with(RTA_OIF, bytes_of(device));
  return message;
}

Message up_message(unsigned device) {
  const ifinfomsg body{.ifi_family = AF_UNSPEC,
                       .ifi_index = static_cast<int>(device),
                       .ifi_flags = IFF_UP,
                       .ifi_change = IFF_UP};
  return Message(RTM_NEWLINK, 0, body);
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
  PYRO_TRY(auto route, RouteSocket::open());
  PYRO_CHECK(route.ask("starting the network device", up_message(device)));
  std::string resolvers;
  for (const proto::LinkAddress& one : link) {
    PYRO_TRY(const Addresses addresses, parse_link(one));
    PYRO_CHECK(route.ask("setting the address " + one.guest, address_message(addresses, device)));
    PYRO_CHECK(route.ask("setting the route through " + one.engine,
                         default_route_message(addresses, device)));
    resolvers += "nameserver " + one.engine + "\n";
  }
  return sys::write_file_atomic("/etc/resolv.conf", resolvers, 0644);
}

}  // namespace pyro::agent
