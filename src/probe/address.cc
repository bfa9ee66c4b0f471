#include "probe/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>

#include <cstdlib>
#include <cstring>

namespace pyro::probe {

std::uint16_t port_of(const std::string& text) {
  return static_cast<std::uint16_t>(std::strtoul(text.c_str(), nullptr, 10));
}

std::optional<Place> place_of(const std::string& address, std::uint16_t port) {
  Place out;
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  if (::inet_aton(address.c_str(), &v4.sin_addr) != 0) {
    std::memcpy(&out.address, &v4, sizeof v4);
    out.size = sizeof v4;
    return out;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  const auto zone = address.find('%');
  if (::inet_pton(AF_INET6, address.substr(0, zone).c_str(), &v6.sin6_addr) != 1)
    return std::nullopt;
  if (zone != std::string::npos)
    v6.sin6_scope_id = ::if_nametoindex(address.substr(zone + 1).c_str());
  std::memcpy(&out.address, &v6, sizeof v6);
  out.size = sizeof v6;
  return out;
}

bool await(int fd, short events, int milliseconds) {
  pollfd wait{.fd = fd, .events = events, .revents = 0};
  return ::poll(&wait, 1, milliseconds) > 0;
}

}  // namespace pyro::probe
