// A TCP socket of the host behind a flow.
#pragma once

#include <memory>
#include <utility>

#include "net/host_network.h"
#include "sys/fd.h"

namespace pyro::net {

// How what was sent to the guest already is passed over when one peeks.
enum class PeekMode : std::uint8_t {
  kOffset,  // SO_PEEK_OFF, for TCP since Linux 6.9: the kernel remembers
  kCopy,    // it is read once more
};
// What this kernel can do, at least for IPv4. Asked once.
PeekMode best_peek_mode();

class HostSocket final : public HostTcp {
 public:
  // A nonblocking stream socket, connected or about to be, which gets as large a send buffer as
  // there is; one that cannot do kOffset does kCopy. What happens to it is told by `epoll`, which
  // is borrowed, each change once (EPOLLET).
  static Opened<HostTcp> take(sys::UniqueFd fd, PeekMode mode, int epoll, Token token);
  HostIo write(Bytes bytes) override;
  HostIo peek(std::size_t skip, std::span<std::uint8_t> into) override;
  void discard(std::size_t count) override;
  void shut_down_writing() override;
  bool is_reset() override;
  void reset_at_last() override;
  std::size_t room() override;
  void ask_for_room() override;
  int error() override;

 private:
  HostSocket(sys::UniqueFd fd, PeekMode mode, int epoll, Token token)
      : fd_(std::move(fd)), mode_(mode), epoll_(epoll), token_(token) {}
  // 0, or errno.
  int set_up();
  int watch(int operation);
  HostIo peek_at_offset(std::size_t skip, std::span<std::uint8_t> into);
  HostIo peek_a_copy(std::size_t skip, std::span<std::uint8_t> into);
  bool talks_to_itself();
  HostIo noted(HostIo io);  // with errno still that of `io`

  sys::UniqueFd fd_;
  PeekMode mode_;
  int epoll_;
  Token token_;
  std::size_t offset_ = 0;  // of the next peek, as the kernel has it
  bool checked_ = false;    // that it does not talk to itself
  int broken_ = 0;          // the first error (errno), which the kernel tells once
};

}  // namespace pyro::net
