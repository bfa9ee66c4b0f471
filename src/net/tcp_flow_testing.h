// The two sides of a flow, for its tests and its fuzzer: a socket that is two strings, and a link
// that keeps what is sent. Each checks what the flow may not do, and throws when it does it.
#pragma once

#include <algorithm>
#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

#include "net/tcp_flow.h"

namespace pyro::net {

inline void must(bool fine, const char* what) {
  if (!fine) throw std::logic_error(what);
}

class FakeHost final : public HostStream {
 public:
  HostIo write(Bytes bytes) override {
    must(!writing_ended, "written after the end");
    must(!bytes.empty(), "nothing is written");
    if (broken) return {.kind = HostIo::Kind::kBroken};
    const std::size_t n = std::min(bytes.size(), takes);
    if (n == 0) return {.kind = HostIo::Kind::kWouldBlock};
    takes -= n;
    from_guest.append(reinterpret_cast<const char*>(bytes.data()), n);
    return {.kind = HostIo::Kind::kDone, .count = n};
  }
  HostIo peek(std::size_t skip, std::span<std::uint8_t> into) override {
    must(!into.empty(), "nothing is peeked at");
    must(skip <= queue.size(), "more is skipped than there is");
    const std::size_t n = std::min(queue.size() - skip, into.size());
    if (n == 0 && ended) return {.kind = HostIo::Kind::kEnd};
    if (n == 0) return {.kind = broken ? HostIo::Kind::kBroken : HostIo::Kind::kWouldBlock};
    std::copy_n(queue.begin() + static_cast<std::ptrdiff_t>(skip), n, into.begin());
    return {.kind = HostIo::Kind::kDone, .count = n};
  }
  void discard(std::size_t count) override {
    must(count <= queue.size(), "more is discarded than there is");
    queue.erase(0, count);
    discarded += count;
  }
  void shut_down_writing() override {
    must(!writing_ended, "ended twice");
    writing_ended = true;
  }
  bool is_reset() override { return broken; }
  void reset_at_last() override { reset_wanted = true; }
  std::size_t room() override { return promises; }
  void ask_for_room() override { asked = true; }

  void put(std::string_view bytes) { queue += bytes; }

  std::string from_guest;  // written
  std::string queue;       // to be read; its front is at `discarded` of the whole stream
  std::size_t discarded = 0;
  std::size_t takes = 1U << 30;     // bytes that write() still takes
  std::size_t promises = 1U << 18;  // room()
  bool ended = false, broken = false, writing_ended = false, asked = false;
  bool reset_wanted = false;
};

struct SentSegment {
  TcpSegment head;
  std::string payload;
};
class FakeLink final : public SegmentSink {
 public:
  std::span<std::uint8_t> payload() override {
    if (space == 0) return {};
    return buffer_;
  }
  void send(const TcpSegment& segment, std::size_t size) override {
    must(space > 0, "sent without a place");
    must(size <= buffer_.size(), "longer than its place");
    --space;
    sent.push_back({.head = segment,
                    .payload = std::string(buffer_.begin(),
                                           buffer_.begin() + static_cast<std::ptrdiff_t>(size))});
  }
  std::deque<SentSegment> sent;
  std::size_t space = 1000;  // segments

 private:
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(max_segment_size);
  static constexpr std::size_t max_segment_size = 65480;
};

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace pyro::net
