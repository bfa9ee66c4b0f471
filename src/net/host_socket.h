// A TCP socket of the host behind a flow.
#pragma once

#include <memory>
#include <utility>

#include "net/tcp_flow.h"
#include "sys/fd.h"

namespace pyro::net {

// How what was sent to the guest already is passed over when one peeks.
enum class PeekMode : std::uint8_t {
  kOffset,  // SO_PEEK_OFF, for TCP since Linux 6.9: the kernel remembers
  kCopy,    // it is read once more
};
// What this kernel can do. Asked once.
PeekMode best_peek_mode();

class HostSocket final : public HostStream {
 public:
  // Connected, or about to be; made nonblocking, with as large a send buffer as there is.
  static Result<std::unique_ptr<HostSocket>> take(sys::UniqueFd fd, PeekMode mode);
  HostIo write(Bytes bytes) override;
  HostIo peek(std::size_t skip, std::span<std::uint8_t> into) override;
  void discard(std::size_t count) override;
  void shut_down_writing() override;
  std::size_t room() override;
  void ask_for_room() override { wants_room_ = true; }

  // Whether ask_for_room() was called since this was.
  bool wanted_room() { return std::exchange(wants_room_, false); }
  // The socket's pending error, which is none afterwards; 0: none.
  int error();
  // The peer gets a reset and no end of the stream.
  void reset_at_close();
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  HostSocket(sys::UniqueFd fd, PeekMode mode) : fd_(std::move(fd)), mode_(mode) {}
  HostIo peek_at_offset(std::size_t skip, std::span<std::uint8_t> into);
  HostIo peek_a_copy(std::size_t skip, std::span<std::uint8_t> into);

  sys::UniqueFd fd_;
  PeekMode mode_;
  std::size_t offset_ = 0;  // of the next peek, as the kernel has it
  bool wants_room_ = false;
};

}  // namespace pyro::net
