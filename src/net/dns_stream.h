// The engine's end of a guest's TCP flow to its name server: no socket, two buffers.
#pragma once

#include <functional>
#include <string>

#include "net/host_network.h"

namespace pyro::net {

// Messages with their length in front (RFC 1035, 4.2.2), one after the other in both directions.
class DnsStream final : public HostTcp {
 public:
  // `on_message` says whether it will be answered, now or later; a stream with a message that will
  // not is broken.
  explicit DnsStream(std::function<bool(Bytes)> on_message) : on_message_(std::move(on_message)) {}

  // Bytes that a guest has not taken, beyond which no more is read; and that break the stream.
  static constexpr std::size_t kFull = 64U << 10;
  static constexpr std::size_t kMostOut = 128U << 10;
  static constexpr std::size_t kMostIn = 2 + 65535;

  // An answer, of at most 65535 bytes. There may be more to be read, and more room, afterwards.
  void put(Bytes message);

  HostIo write(Bytes bytes) override;
  HostIo peek(std::size_t skip, std::span<std::uint8_t> into) override;
  // Questions that waited for the answers to be taken are read then.
  void discard(std::size_t count) override;
  void shut_down_writing() override { ended_ = true; }
  bool is_reset() override { return broken_; }
  void reset_at_last() override {}
  std::size_t room() override;
  void ask_for_room() override {}
  int error() override { return 0; }

 private:
  void take_messages();
  // No more is read now: there are enough questions, or answers, already.
  [[nodiscard]] bool is_full() const;

  std::function<bool(Bytes)> on_message_;
  std::string in_, out_;
  int unanswered_ = 0;
  bool taking_ = false, ended_ = false, broken_ = false;
};

}  // namespace pyro::net
