// The same bytes, once whole and once byte by byte, must give the same frames and the same error;
// what was parsed must survive encoding and parsing again. The first input byte says whether a
// hello comes first.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "wire/frame.h"

namespace {

using pyro::wire::Frame;
using pyro::wire::FrameParser;
using pyro::wire::FrameType;

struct Outcome {
  std::vector<Frame> frames;
  bool failed = false;
};

void drain(FrameParser& parser, Outcome& out) {
  for (;;) {
    auto frame = parser.next();
    if (!frame) {
      out.failed = true;
      return;
    }
    if (!*frame) return;
    out.frames.push_back(std::move(**frame));
  }
}

void require(bool fine) {
  if (!fine) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string bytes;
  if ((data[0] & 1) != 0) bytes = pyro::wire::encode_hello("{}");
  for (std::size_t i = 1; i < size; ++i) bytes += static_cast<char>(data[i]);
  const auto accept = [](std::string_view payload) { return payload.starts_with('{'); };

  Outcome whole;
  FrameParser a(accept);
  a.feed(bytes);
  drain(a, whole);
  Outcome pieces;
  FrameParser b(accept);
  for (const char c : bytes) {
    b.feed({&c, 1});
    drain(b, pieces);
  }
  require(whole.failed == pieces.failed && whole.frames.size() == pieces.frames.size());
  for (std::size_t i = 0; i < whole.frames.size(); ++i) {
    const Frame& f = whole.frames[i];
    require(f.header == pieces.frames[i].header && f.payload == pieces.frames[i].payload);
    if (f.header.type == FrameType::kHello) continue;
    const std::string again =
        pyro::wire::encode_frame(f.header.type, f.header.stream, f.header.flags, f.payload);
    const auto parsed =
        pyro::wire::FrameHeader::parse(std::string_view(again).substr(0, pyro::wire::kHeaderSize));
    require(parsed.has_value() && *parsed == f.header);
  }
  return 0;
}
