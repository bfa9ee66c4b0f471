// The host's network as its kernel has it. What happens to its sockets is told by one epoll, each
// change once (EPOLLET).
#pragma once

#include "net/host_network.h"
#include "net/own_address.h"
#include "sys/fd.h"

namespace pyro::net {

class KernelNetwork final : public HostNetwork {
 public:
  // `epoll` is borrowed and gets the tokens of open sockets as its data.
  explicit KernelNetwork(int epoll) : epoll_(epoll) {}

  Opened<HostTcp> connect(const Address& address, std::uint16_t port, Token token) override;
  Opened<HostDatagrams> open_udp(const Address& address, std::uint16_t port, Token token) override;
  Opened<HostDatagrams> open_echo(const Address& address, Token token) override;
  bool is_own(const Address& address) override { return is_own_address(address); }
  bool has_ipv6() override;
  Opened<HostListener> listen(std::uint16_t port, Token token) override;

 private:
  int epoll_;
};

}  // namespace pyro::net
