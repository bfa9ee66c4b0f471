// Addresses as programs write them, forms included that pyro's own parser refuses.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

namespace pyro::probe {

struct Place {
  sockaddr_storage address{};
  socklen_t size = 0;
  [[nodiscard]] int family() const { return address.ss_family; }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};
// 127.0.0.1, 2130706433, 0177.0.0.1, ::1, ::ffff:1.2.3.4 (as IPv6), fe80::2%eth0.
std::optional<Place> place_of(const std::string& address, std::uint16_t port);
std::uint16_t port_of(const std::string& text);

// Waits until it is readable (or writable) or has an error; false: time is up.
bool await(int fd, short events, int milliseconds);

}  // namespace pyro::probe
