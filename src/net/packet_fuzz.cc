// Whatever a frame is, reading it ends, and what was read can be written and read again.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "net/packet_writer.h"

namespace {

using namespace pyro::net;

void require(bool fine) {
  if (!fine) std::abort();
}

// The same segment once more, with its payload behind new headers.
void write_again(const IpPacket& ip, const TcpSegment& segment) {
  const Family family = ip.source.family();
  if (segment.syn || segment.payload.size() > max_segment(family)) return;
  std::vector<std::uint8_t> out(kMostFrame);
  if (!segment.payload.empty()) {
    std::memcpy(out.data() + tcp_payload_at(family), segment.payload.data(),
                segment.payload.size());
  }
  const Route route{.macs = {}, .source = ip.source, .destination = ip.destination};
  out.resize(write_tcp(out, route, segment, segment.payload.size()));
  const auto read = parse_frame(out);
  require(read.has_value());
  const auto& again = std::get<TcpSegment>(std::get<IpPacket>(read->content).transport);
  require(again.sequence == segment.sequence && again.length() == segment.length());
  require(again.source_port == segment.source_port && again.window == segment.window);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto frame = parse_frame({data, size});
  if (!frame) return 0;
  const auto* ip = std::get_if<IpPacket>(&frame->content);
  if (ip == nullptr) return 0;
  require(ip->source.family() == ip->destination.family());
  require(ip->whole.data() >= data && ip->whole.data() + ip->whole.size() <= data + size);
  if (const auto* segment = std::get_if<TcpSegment>(&ip->transport)) write_again(*ip, *segment);
  std::vector<std::uint8_t> out(kMostFrame);
  const Route back{.macs = {}, .source = ip->destination, .destination = ip->source};
  const std::size_t refused = write_unreachable(out, back, Unreachable::kPort, ip->whole);
  require(refused <= 1500 && parse_frame({out.data(), refused}).has_value());
  return 0;
}
