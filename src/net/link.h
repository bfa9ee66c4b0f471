// The wire to QEMU: one AF_UNIX datagram is one frame. Frames go through it in batches.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "net/frame_sink.h"
#include "sys/fd.h"

namespace pyro::net {

class Link final : public FrameSink {
 public:
  // A connected datagram socket, which is made nonblocking.
  static Result<std::unique_ptr<Link>> take(sys::UniqueFd fd);

  // Shows what has come, a batch at most. False: that was all. A broken socket is as silent as one
  // whose other end is gone: there is nobody to tell.
  bool receive(const std::function<void(Bytes frame)>& show);
  Buffer place() override;
  void send(std::size_t size) override;
  // Gives the kernel what send() has got. False: it does not take all of it now.
  bool flush();
  [[nodiscard]] int fd() const { return fd_.get(); }
  static constexpr std::size_t bytes() { return (kBatch + kQueue) * kSlot; }

 private:
  explicit Link(sys::UniqueFd fd);

  static constexpr std::size_t kBatch = 16;
  static constexpr std::size_t kQueue = 32;
  static constexpr std::size_t kSlot = 65536;  // a frame, and room to see that one is too long
  sys::UniqueFd fd_;
  std::vector<std::uint8_t> in_ = std::vector<std::uint8_t>(kBatch * kSlot);
  std::vector<std::uint8_t> out_ = std::vector<std::uint8_t>(kQueue * kSlot);
  std::vector<std::size_t> sizes_;  // of the frames in out_, in a ring from first_ on
  std::size_t first_ = 0, queued_ = 0;
};

}  // namespace pyro::net
