// Devices, addresses and routes of a network namespace, told to the kernel (rtnetlink(7)).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sys/fd.h"

namespace pyro::sys {

template <class T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// One message to the kernel: a header, a body, attributes (netlink(7), rtnetlink(7)).
class RouteMessage {
 public:
  template <class Body>
  RouteMessage(std::uint16_t type, std::uint16_t flags, const Body& body)
      : RouteMessage(type, flags) {
    append(bytes_of(body));
  }
  RouteMessage& with(std::uint16_t type, std::string_view value);
  // Attributes inside of one: those that are added between the two.
  std::size_t begin(std::uint16_t type);
  void end(std::size_t begun);
  // Whatever an attribute begins with.
  template <class Body>
  RouteMessage& body(const Body& value) {
    append(bytes_of(value));
    return *this;
  }
  // Whole, with its length in its header.
  [[nodiscard]] std::string_view finish();

 private:
  RouteMessage(std::uint16_t type, std::uint16_t flags);
  void append(std::string_view part);
  std::string bytes_;
};

// Of the network namespace of the thread that opens it.
class RouteSocket {
 public:
  static Result<RouteSocket> open();
  // `what` names it in an error.
  Result<void> ask(const std::string& what, RouteMessage message);

 private:
  explicit RouteSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// `address` in network order, 4 or 16 bytes. Nobody else is asked whether they have it.
RouteMessage address_message(unsigned device, std::string_view address, int length);
// To everywhere.
RouteMessage route_message(unsigned device, std::string_view gateway);
RouteMessage up_message(unsigned device);

}  // namespace pyro::sys
