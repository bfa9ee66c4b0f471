#include "net/own_address.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <optional>

namespace pyro::net {

namespace {

// RFC 5737, RFC 3849: addresses for documentation. Where one can be bound, any can
// (net.ipv4.ip_nonlocal_bind).
Address nobodys(policy::Family family) {
  constexpr std::array<std::uint8_t, policy::kIpv4Bytes> kV4{192, 0, 2, 1};
  constexpr std::array<std::uint8_t, policy::kIpv6Bytes> kV6{0x20, 0x01, 0x0d, 0xb8};
  return family == policy::Family::kIpv4 ? Address::v4(kV4) : Address::v6(kV6);
}

int domain_of(const Address& address) {
  return address.family() == policy::Family::kIpv4 ? AF_INET : AF_INET6;
}

// Nothing when there is no socket to try it with.
std::optional<bool> can_bind(const Address& address) {
  const sys::UniqueFd fd = open_socket(address, SOCK_DGRAM, 0);
  if (!fd) return std::nullopt;
  const SocketAddress at(address, 0);
  return ::bind(fd.get(), at.get(), at.size()) == 0;
}

}  // namespace

sys::UniqueFd open_socket(const Address& address, int type, int protocol) {
  return sys::UniqueFd(::socket(domain_of(address), type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
}

bool is_own_address(const Address& address) {
  // Nothing is sent by this. A kernel talks to itself from the address that it talks to, but for
  // what has another one as its source: a second address of a network, a whole block.
  const sys::UniqueFd fd = open_socket(address, SOCK_DGRAM, 0);
  // Who cannot know (out of descriptors, of memory) says yes; no flow gets anywhere in a family
  // that the host does not have.
  if (!fd) return errno != EAFNOSUPPORT;
  const SocketAddress to(address, kDiscardPort);
  SocketAddress ours;
  if (::connect(fd.get(), to.get(), to.size()) == 0 && ours.read(fd.get()) &&
      ours.address() == address)
    return true;
  return can_bind(address).value_or(true) && !can_bind(nobodys(address.family())).value_or(false);
}

}  // namespace pyro::net
