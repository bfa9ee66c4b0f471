// Any sequence of segments and of what a socket may do. Each byte of a stream is a function of its
// place, so whatever arrives can be checked: the host gets the guest's bytes in order and each
// once, the guest is sent the host's bytes at their sequence numbers, within its window (a probe is
// one byte beyond it), a promised window is never taken back, and more is never acknowledged than
// was sent.
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "net/tcp_flow_testing.h"

namespace {

using namespace pyro::net;

constexpr std::uint32_t kOurs = 0xffffff00;
constexpr std::uint32_t kGuests = 0xfffff000;
constexpr std::size_t kMostFed = 1U << 20;

char byte_at(std::size_t place) {
  return static_cast<char>((place * 2654435761U) >> 7U);
}

class Script {
 public:
  explicit Script(Bytes bytes) : bytes_(bytes) {}
  [[nodiscard]] bool done() const { return bytes_.empty(); }
  std::uint32_t next(int bytes) {
    std::uint32_t value = 0;
    for (; bytes > 0 && !bytes_.empty(); --bytes) {
      value = (value << 8U) | bytes_.front();
      bytes_ = bytes_.subspan(1);
    }
    return value;
  }

 private:
  Bytes bytes_;
};

class World {
 public:
  explicit World(Script& script) : script_(script) {
    const std::uint32_t how = script_.next(1);
    const Ends ends{.ours = 1, .guests = 2, .max_segment = 65480, .first_sequence = kOurs};
    if ((how & 1U) != 0) {
      flow_ = std::make_unique<TcpFlow>(host_, held_, ends);
    } else {
      scale_ = (how & 2U) != 0 ? 3 : -1;
      flow_ = std::make_unique<TcpFlow>(host_, held_, ends,
                                        TcpSegment{.sequence = kGuests,
                                                   .syn = true,
                                                   .window = 5000,
                                                   .max_segment = 1000,
                                                   .window_scale = scale_});
      window_edge_ = kOurs + 5000;
    }
  }
  ~World() {
    flow_.reset();
    if (held_.all != 0) std::abort();
  }

  void step() {
    switch (script_.next(1) % 8) {
      case 0:
      case 1:
      case 2:
        return give_segment();
      case 3:
        return feed();
      case 4:
        host_.takes = script_.next(2);
        host_.promises = std::size_t{script_.next(2)} * 4;
        return flow_->on_writable();
      case 5:
        now_ += std::chrono::milliseconds(script_.next(2));
        return flow_->on_timer(now_);
      case 6:
        link_.space = script_.next(1) % 8;
        return;
      default:
        return end_something();
    }
  }
  void produce() {
    flow_->produce(link_, now_);
    for (; !link_.sent.empty(); link_.sent.pop_front()) check(link_.sent.front());
    for (std::size_t i = checked_; i < host_.from_guest.size(); ++i)
      must(host_.from_guest[i] == byte_at(i), "the host gets other bytes");
    checked_ = host_.from_guest.size();
  }
  [[nodiscard]] bool gone() const { return flow_->gone(); }

 private:
  using Ends = TcpFlow::Ends;

  void feed() {
    const std::size_t size = std::min<std::size_t>(script_.next(2), kMostFed - fed_);
    if (host_.ended) return;
    std::string bytes(size, 0);
    for (char& c : bytes) c = byte_at(fed_++);
    host_.put(bytes);
    flow_->on_readable();
  }
  void end_something() {
    const std::uint32_t what = script_.next(1);
    if (what < 8) {
      host_.broken = true;
    } else if (what < 64) {
      host_.ended = true;
      flow_->on_readable();
    }
    if (what % 2 == 1) flow_->on_failed();
    if (what == 255) flow_->reset();
  }
  // Near where the flow is, so that some of them mean something.
  void give_segment() {
    const std::uint32_t flags = script_.next(1);
    const std::uint32_t at = script_.next(2);
    payload_.resize(std::size_t{script_.next(1)} * ((flags & 64U) != 0 ? 16 : 1));
    for (std::size_t i = 0; i < payload_.size(); ++i) payload_[i] = byte_at(at + i);
    const TcpSegment s{.sequence = (flags & 2U) != 0 ? kGuests : kGuests + 1 + at,
                       .acknowledgement = kOurs + script_.next(3),
                       .fin = (flags & 1U) != 0,
                       .syn = (flags & 2U) != 0,
                       .rst = (flags & 4U) != 0 && (flags & 8U) != 0,
                       .ack = (flags & 16U) == 0,
                       .window = static_cast<std::uint16_t>(script_.next(2)),
                       .max_segment = static_cast<std::uint16_t>(script_.next(1) * 8),
                       .window_scale = (flags & 32U) != 0 ? 2 : -1,
                       .payload = as_bytes(payload_)};
    const bool was_established = flow_->established();
    flow_->on_segment(s, now_);
    if (!was_established && flow_->established() && s.syn) scale_ = s.window_scale;
    // The widest window that the guest ever gave.
    const int scale = s.syn || scale_ < 0 ? 0 : scale_;
    const std::uint32_t edge = s.acknowledgement + (std::uint32_t{s.window} << scale);
    if (s.ack && static_cast<std::int32_t>(edge - window_edge_) > 0) window_edge_ = edge;
  }

  void check(const SentSegment& s) {
    must(s.head.source_port == 1 && s.head.destination_port == 2, "wrong ports");
    if (s.head.rst) return;
    const std::uint32_t at = s.head.sequence - (kOurs + 1);
    for (std::size_t i = 0; i < s.payload.size(); ++i)
      must(s.payload[i] == byte_at(at + i), "the guest gets other bytes");
    if (!s.payload.empty()) {
      const std::uint32_t end = s.head.sequence + static_cast<std::uint32_t>(s.payload.size());
      const auto beyond = static_cast<std::int32_t>(end - window_edge_);
      must(beyond <= 0 || s.payload.size() == 1, "beyond the window");
    }
    if (!s.head.ack || !flow_->established() || s.head.syn) return;
    const int scale = scale_ < 0 ? 0 : 7;
    const std::uint32_t edge = s.head.acknowledgement + (std::uint32_t{s.head.window} << scale);
    if (has_edge_) must(static_cast<std::int32_t>(edge - our_edge_) >= 0, "a window is taken back");
    our_edge_ = edge;
    has_edge_ = true;
  }

  Script& script_;
  FakeHost host_;
  FakeLink link_;
  HeldBytes held_;
  std::unique_ptr<TcpFlow> flow_;
  TcpFlow::Time now_ = TcpFlow::Time() + std::chrono::hours(1);
  std::string payload_;
  std::size_t fed_ = 0, checked_ = 0;
  std::uint32_t window_edge_ = kOurs, our_edge_ = 0;
  int scale_ = -1;
  bool has_edge_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Script script({data, size});
  World world(script);
  world.produce();
  while (!script.done() && !world.gone()) {
    world.step();
    world.produce();
  }
  return 0;
}
