#include "sys/route_socket.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstring>

namespace pyro::sys {

namespace {
std::uint8_t family_of(std::string_view address) {
  constexpr std::size_t kIpv4Bytes = 4;
  return address.size() == kIpv4Bytes ? AF_INET : AF_INET6;
}
}  // namespace

RouteMessage::RouteMessage(std::uint16_t type, std::uint16_t flags) {
  const nlmsghdr header{
      .nlmsg_type = type,
      .nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST | NLM_F_ACK)};
  append(bytes_of(header));
}

void RouteMessage::append(std::string_view part) {
  bytes_ += part;
  bytes_.resize(NLMSG_ALIGN(bytes_.size()), '\0');
}

RouteMessage& RouteMessage::with(std::uint16_t type, std::string_view value) {
  const rtattr head{.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(value.size())),
                    .rta_type = type};
  append(bytes_of(head));
  append(value);
  return *this;
}

std::size_t RouteMessage::begin(std::uint16_t type) {
  const std::size_t at = bytes_.size();
  with(type, {});
  return at;
}

void RouteMessage::end(std::size_t begun) {
  const auto length = static_cast<std::uint16_t>(bytes_.size() - begun);
  std::memcpy(bytes_.data() + begun + offsetof(rtattr, rta_len), &length, sizeof length);
}

std::string_view RouteMessage::finish() {
  const auto length = static_cast<std::uint32_t>(bytes_.size());
  std::memcpy(bytes_.data() + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
  return bytes_;
}

Result<RouteSocket> RouteSocket::open() {
  PYRO_TRY(const int fd, retrying("a netlink socket", [] {
             return ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
           }));
  return RouteSocket(UniqueFd(fd));
}

Result<void> RouteSocket::ask(const std::string& what, RouteMessage message) {
  const std::string_view bytes = message.finish();
  PYRO_CHECK(retrying(what, [&] { return ::send(fd_.get(), bytes.data(), bytes.size(), 0); }));
  struct {
    nlmsghdr header;
    nlmsgerr error;
    std::array<char, 512> quoted;  // the message, when it is refused
  } answer{};
  PYRO_TRY(const int n,
           retrying(what, [&] { return ::recv(fd_.get(), &answer, sizeof answer, 0); }));
  if (n < static_cast<int>(NLMSG_LENGTH(sizeof answer.error)) ||
      answer.header.nlmsg_type != NLMSG_ERROR) {
    return fail(Errc::kInternal, what + ": the kernel's answer is none");
  }
  if (answer.error.error != 0) return fail_errno(what, -answer.error.error);
  return {};
}

RouteMessage address_message(unsigned device, std::string_view address, int length) {
  const std::uint8_t family = family_of(address);
  const ifaddrmsg body{.ifa_family = family,
                       .ifa_prefixlen = static_cast<std::uint8_t>(length),
                       .ifa_flags = static_cast<std::uint8_t>(family == AF_INET6 ? IFA_F_NODAD : 0),
                       .ifa_scope = RT_SCOPE_UNIVERSE,
                       .ifa_index = device};
  RouteMessage message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body);
  message.with(IFA_LOCAL, address).with(IFA_ADDRESS, address);
  return message;
}

RouteMessage route_message(unsigned device, std::string_view gateway) {
  const rtmsg body{.rtm_family = family_of(gateway),
                   .rtm_table = RT_TABLE_MAIN,
                   .rtm_protocol = RTPROT_STATIC,
                   .rtm_scope = RT_SCOPE_UNIVERSE,
                   .rtm_type = RTN_UNICAST};
  RouteMessage message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, body);
  message.with(RTA_GATEWAY, gateway).with(RTA_OIF, bytes_of(device));
  return message;
}

RouteMessage up_message(unsigned device) {
  const ifinfomsg body{.ifi_family = AF_UNSPEC,
                       .ifi_index = static_cast<int>(device),
                       .ifi_flags = IFF_UP,
                       .ifi_change = IFF_UP};
  return {RTM_NEWLINK, 0, body};
}

}  // namespace pyro::sys
