// What the engine does with the host's network. The fuzzers and tests of the relays put their own
// behind it.
#pragma once

#include <cerrno>
#include <cstdint>
#include <expected>
#include <memory>

#include "net/tcp_flow.h"

namespace pyro::net {

// Whose socket it is: given when it is opened, told when something happens to it.
using Token = std::uint64_t;

// What is new with a socket, besides that there may be something to read.
struct Ready {
  bool writable = false;
  bool failed = false;  // it may have an error
};

// A stream socket that is connected, or about to be. Until shut_down_writing() its peer gets a
// reset when it goes, also when the whole engine is killed: nobody shall take a stream that was cut
// for a whole one. After it, all that was written reaches the peer whatever becomes of the engine,
// unless reset_at_last() says otherwise.
class HostTcp : public HostStream {
 public:
  // The pending error (errno), which is none afterwards; 0: none.
  virtual int error() = 0;
};
// Of a connect: it was connected and has been reset since. What nobody listens for is refused.
inline bool is_reset_error(int error) {
  return error == ECONNRESET || error == EPIPE;
}

// A datagram socket that is connected: UDP, or ICMP echo, whose messages are whole ICMP messages
// with an identifier and a checksum that are the kernel's.
class HostDatagrams {
 public:
  virtual ~HostDatagrams() = default;
  virtual HostIo send(Bytes message) = 0;
  // kDone with the size of the message, which is more than `into` takes when it was cut.
  virtual HostIo receive(std::span<std::uint8_t> into) = 0;
  virtual int error() = 0;  // as above
};

template <class T>
using Opened = std::expected<std::unique_ptr<T>, int>;  // errno

class HostListener {
 public:
  virtual ~HostListener() = default;
  // EAGAIN: there is nobody.
  virtual Opened<HostTcp> accept(Token token) = 0;
  [[nodiscard]] virtual std::uint16_t port() const = 0;
};

class HostNetwork {
 public:
  virtual ~HostNetwork() = default;
  // Begun; the socket is writable when it has succeeded, and has an error when not.
  virtual Opened<HostTcp> connect(const Address& address, std::uint16_t port, Token token) = 0;
  virtual Opened<HostDatagrams> open_udp(const Address& address, std::uint16_t port,
                                         Token token) = 0;
  virtual Opened<HostDatagrams> open_echo(const Address& address, Token token) = 0;
  // Whether it is one of the host's own addresses: who listens on all of them listens there.
  // True when that cannot be found out.
  virtual bool is_own(const Address& address) = 0;
  // Whether it has a route to the IPv6 internet.
  virtual bool has_ipv6() = 0;
  // On 127.0.0.1; port 0: any that is free.
  virtual Opened<HostListener> listen(std::uint16_t port, Token token) = 0;
};

}  // namespace pyro::net
