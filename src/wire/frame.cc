#include "wire/frame.h"

#include <algorithm>

#include "wire/bytes.h"

namespace pyro::wire {
namespace {

std::uint32_t cap_of(FrameType type) {
  switch (type) {
    case FrameType::kHello:
    case FrameType::kClose:
      return kMaxText;
    case FrameType::kRequest:
    case FrameType::kResponse:
    case FrameType::kEvent:
      return kMaxControl;
    case FrameType::kData:
      return kMaxData;
    case FrameType::kCredit:
      return sizeof(std::uint32_t);
    case FrameType::kCancel:
      return 0;
  }
  return 0;
}

bool flags_fit(const FrameHeader& h) {
  if (h.type == FrameType::kData) {
    return (h.flags & ~kEndOfChannel) < kChannels;
  }
  if (h.type == FrameType::kCredit) return h.flags < kChannels;
  return h.flags == 0;
}

}  // namespace

Result<FrameHeader> FrameHeader::parse(std::string_view raw) {
  ByteReader r(raw);
  FrameHeader h;
  PYRO_TRY(h.length, r.be32());
  PYRO_TRY(h.stream, r.be32());
  PYRO_TRY(const std::uint16_t type, r.be16());
  PYRO_TRY(h.flags, r.be16());
  if (type < 1 || type > static_cast<std::uint16_t>(FrameType::kClose)) {
    return fail(Errc::kInvalid, "unknown frame type " + std::to_string(type));
  }
  h.type = static_cast<FrameType>(type);
  if (h.length > cap_of(h.type)) {
    return fail(Errc::kLimit, "frame of " + std::to_string(h.length) + " bytes (type " +
                                  std::to_string(type) + ")");
  }
  if (!flags_fit(h))
    return fail(Errc::kInvalid, "bad flags in frame of type " + std::to_string(type));
  const bool of_session = h.type == FrameType::kHello || h.type == FrameType::kClose;
  if (of_session != (h.stream == 0)) {
    return fail(Errc::kInvalid, "bad stream in frame of type " + std::to_string(type));
  }
  if (h.type == FrameType::kCredit && h.length != sizeof(std::uint32_t)) {
    return fail(Errc::kInvalid, "bad length of a credit frame");
  }
  return h;
}

void FrameHeader::append_to(std::string& out) const {
  ByteWriter w(out);
  w.be32(length);
  w.be32(stream);
  w.be16(static_cast<std::uint16_t>(type));
  w.be16(flags);
}

std::string encode_frame(FrameType type, std::uint32_t stream, std::uint16_t flags,
                         std::string_view payload) {
  std::string out;
  out.reserve(kHeaderSize + payload.size());
  FrameHeader{.length = static_cast<std::uint32_t>(payload.size()),
              .stream = stream,
              .type = type,
              .flags = flags}
      .append_to(out);
  out += payload;
  return out;
}

std::string encode_hello(std::string_view payload) {
  return std::string(kSyncMarker) + encode_frame(FrameType::kHello, 0, 0, payload);
}

std::string encode_credit(std::uint32_t stream, std::uint16_t channel, std::uint32_t bytes) {
  std::string payload;
  ByteWriter(payload).be32(bytes);
  return encode_frame(FrameType::kCredit, stream, channel, payload);
}

std::uint32_t credit_bytes(const Frame& frame) {
  return ByteReader(frame.payload).be32().value_or(0);
}

void FrameParser::feed(std::string_view bytes) {
  if (error_) return;
  if (used_ == buffer_.size()) {
    buffer_.clear();
    used_ = 0;
  } else if (used_ > buffer_.size() / 2) {
    buffer_.erase(0, used_);
    used_ = 0;
  }
  buffer_ += bytes;
}

// Looks for marker + hello. A candidate that turns out wrong is skipped by one byte only: a hello
// cut short by lost bytes may have swallowed the next, whole one.
std::optional<Frame> FrameParser::find_hello() {
  for (;;) {
    const std::string_view in = pending();
    const std::size_t at = in.find(kSyncMarker);
    if (at == std::string_view::npos) {
      used_ += in.size() - std::min(in.size(), kSyncMarker.size() - 1);
      return std::nullopt;
    }
    used_ += at;
    const std::string_view rest = in.substr(at + kSyncMarker.size());
    if (rest.size() < kHeaderSize) return std::nullopt;
    auto header = FrameHeader::parse(rest.substr(0, kHeaderSize));
    if (header && header->type == FrameType::kHello) {
      const std::string_view payload = rest.substr(kHeaderSize, header->length);
      // Do not wait for the end of a hello in which another one begins.
      if (payload.find(kSyncMarker) == std::string_view::npos) {
        if (payload.size() < header->length) return std::nullopt;
        if (accept_(payload)) {
          Frame frame{.header = *header, .payload = std::string(payload)};
          used_ += kSyncMarker.size() + kHeaderSize + payload.size();
          synced_ = true;
          return frame;
        }
      }
    }
    ++used_;
  }
}

Result<std::optional<Frame>> FrameParser::take_frame() {
  std::string_view in = pending();
  std::size_t marker = 0;
  if (!in.empty() && in.front() == kSyncMarker.front()) {
    const std::size_t have = std::min(in.size(), kSyncMarker.size());
    if (in.substr(0, have) != kSyncMarker.substr(0, have)) {
      return fail(Errc::kInvalid, "damaged marker between frames");
    }
    if (have < kSyncMarker.size()) return std::nullopt;
    marker = kSyncMarker.size();
    in.remove_prefix(marker);
  }
  if (in.size() < kHeaderSize) return std::nullopt;
  PYRO_TRY(const FrameHeader header, FrameHeader::parse(in.substr(0, kHeaderSize)));
  if ((header.type == FrameType::kHello) != (marker != 0)) {
    return fail(Errc::kInvalid, "marker and hello do not belong together");
  }
  if (in.size() - kHeaderSize < header.length) return std::nullopt;
  Frame frame{.header = header, .payload = std::string(in.substr(kHeaderSize, header.length))};
  used_ += marker + kHeaderSize + header.length;
  return frame;
}

Result<std::optional<Frame>> FrameParser::next() {
  if (error_) return std::unexpected(*error_);
  if (!synced_) return find_hello();
  auto frame = take_frame();
  if (!frame) {
    error_ = frame.error();
    buffer_ = {};
    used_ = 0;
  }
  return frame;
}

}  // namespace pyro::wire
