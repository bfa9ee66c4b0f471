// An address and a port as the kernel takes and gives them.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "policy/address.h"

namespace pyro::net {

class SocketAddress {
 public:
  SocketAddress() = default;
  SocketAddress(const policy::Address& address, std::uint16_t port) {
    if (address.family() == policy::Family::kIpv4) {
      auto& in = as<sockaddr_in>();
      in.sin_family = AF_INET;
      in.sin_port = htons(port);
      std::ranges::copy(address.bytes(), reinterpret_cast<char*>(&in.sin_addr));
      size_ = sizeof(in);
    } else {
      auto& in6 = as<sockaddr_in6>();
      in6.sin6_family = AF_INET6;
      in6.sin6_port = htons(port);
      std::ranges::copy(address.bytes(), reinterpret_cast<char*>(&in6.sin6_addr));
      size_ = sizeof(in6);
    }
  }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  [[nodiscard]] socklen_t size() const { return size_; }
  // Of this end of a socket, and of the other one.
  bool read(int fd) { return read(::getsockname, fd); }
  bool read_peer(int fd) { return read(::getpeername, fd); }
  [[nodiscard]] std::uint16_t port() const { return ntohs(as<sockaddr_in>().sin_port); }
  // Of an IPv4 or IPv6 socket.
  [[nodiscard]] policy::Address address() const {
    if (storage_.ss_family == AF_INET) {
      std::array<std::uint8_t, policy::kIpv4Bytes> bytes{};
      std::memcpy(bytes.data(), &as<sockaddr_in>().sin_addr, bytes.size());
      return policy::Address::v4(bytes);
    }
    std::array<std::uint8_t, policy::kIpv6Bytes> bytes{};
    std::memcpy(bytes.data(), &as<sockaddr_in6>().sin6_addr, bytes.size());
    return policy::Address::v6(bytes);
  }

 private:
  bool read(int (*call)(int, sockaddr*, socklen_t*), int fd) {
    size_ = sizeof(storage_);
    return call(fd, reinterpret_cast<sockaddr*>(&storage_), &size_) == 0;
  }
  template <class T>
  T& as() {
    return reinterpret_cast<T&>(storage_);
  }
  template <class T>
  [[nodiscard]] const T& as() const {
    return reinterpret_cast<const T&>(storage_);
  }
  sockaddr_storage storage_{};
  socklen_t size_ = sizeof(storage_);
};

}  // namespace pyro::net
