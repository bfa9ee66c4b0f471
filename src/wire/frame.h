// Frames: what agent, supervisor and command say to each other. A frame is a 12-byte header and
// `length` bytes of payload. Numbers are big endian:
//
//   u32 length | u32 stream | u16 type | u16 flags
//
// hello     stream 0, flags 0, JSON of at most 4 KiB; always preceded by kSyncMarker
// request   JSON, opens `stream`
// response  JSON, ends `stream`
// event     JSON, either direction, on an open stream
// data      raw bytes; flags = channel (0 stdin, 1 stdout, 2 stderr); the last: kEndOfChannel too
// credit    u32: bytes the sender of this frame is ready to take more of; flags = channel
// cancel    no payload; asks for `stream` to end early
// close     stream 0, text for people (at most 4 KiB); ends the session
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pyro::wire {

enum class FrameType : std::uint16_t {
  kHello = 1,
  kRequest = 2,
  kResponse = 3,
  kEvent = 4,
  kData = 5,
  kCredit = 6,
  kCancel = 7,
  kClose = 8,
};

inline constexpr std::size_t kHeaderSize = 12;
inline constexpr std::uint32_t kMaxControl = 1U << 20;  // payload of request, response, event
inline constexpr std::uint32_t kMaxData = 256U << 10;   // payload of data
inline constexpr std::uint32_t kMaxText = 4U << 10;     // payload of hello, close
inline constexpr std::uint16_t kChannels = 3;
inline constexpr std::uint16_t kStdin = 0, kStdout = 1, kStderr = 2;
inline constexpr std::uint16_t kEndOfChannel = 0x100;

// Stands before every hello. Its first byte can never begin a header (a length that large is
// refused), so a synced receiver sees it for what it is.
inline constexpr std::string_view kSyncMarker{
    "\xf9\x50\x59\x52\x4f\x00\xa7\x1c\xe3\x92\x6b\x0d\xfe\x35\xc8\x81", 16};

struct FrameHeader {
  std::uint32_t length = 0;
  std::uint32_t stream = 0;
  FrameType type{};
  std::uint16_t flags = 0;

  // `raw` has kHeaderSize bytes. Errc::kLimit: the length is above the cap of its type;
  // Errc::kInvalid: anything else that the table above does not allow.
  static Result<FrameHeader> parse(std::string_view raw);
  void append_to(std::string& out) const;
  bool operator==(const FrameHeader&) const = default;
};

struct Frame {
  FrameHeader header;
  std::string payload;
};

// The caller keeps payloads within the caps: a peer refuses the frame otherwise.
std::string encode_frame(FrameType type, std::uint32_t stream, std::uint16_t flags,
                         std::string_view payload);
std::string encode_hello(std::string_view payload);  // with the marker
std::string encode_credit(std::uint32_t stream, std::uint16_t channel, std::uint32_t bytes);
// The number in a credit frame's payload, which a FrameParser has already checked.
std::uint32_t credit_bytes(const Frame& frame);

// Takes bytes as they come and gives back whole frames. It starts unsynced: bytes may have been
// lost, or belong to an earlier session, so everything is discarded up to a marker followed by a
// hello that `accept` likes. From then on every byte counts and the first error is final.
class FrameParser {
 public:
  using AcceptHello = std::function<bool(std::string_view payload)>;
  explicit FrameParser(AcceptHello accept) : accept_(std::move(accept)) {}

  // After each call take frames until there is none: that bounds what is buffered.
  void feed(std::string_view bytes);
  // nullopt: more bytes are needed.
  Result<std::optional<Frame>> next();
  [[nodiscard]] bool synced() const { return synced_; }

 private:
  std::optional<Frame> find_hello();
  Result<std::optional<Frame>> take_frame();
  [[nodiscard]] std::string_view pending() const { return std::string_view(buffer_).substr(used_); }

  AcceptHello accept_;
  std::string buffer_;
  std::size_t used_ = 0;  // bytes at the start of buffer_ that are done with
  bool synced_ = false;
  std::optional<Error> error_;
};

}  // namespace pyro::wire
