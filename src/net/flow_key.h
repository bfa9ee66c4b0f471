// What tells the flows of a guest apart, within one protocol.
#pragma once

#include "policy/address.h"

namespace pyro::net {

struct FlowKey {
  policy::Address remote;         // as the guest sees it
  std::uint16_t remote_port = 0;  // 0 for echo
  std::uint16_t guest_port = 0;   // or its identifier of an echo
  bool operator==(const FlowKey&) const = default;
};

struct FlowKeyHash {
  std::size_t operator()(const FlowKey& k) const {
    constexpr std::size_t kOdd = 0x9e3779b97f4a7c15U;
    const std::size_t ports = (std::size_t{k.remote_port} << 16U) | k.guest_port;
    return (policy::AddressHash()(k.remote) ^ (ports * kOdd)) * kOdd;
  }
};

}  // namespace pyro::net
