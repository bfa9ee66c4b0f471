// One TCP flow of a guest: its end here, translated to and from a socket of the host. See "TCP" in
// docs/design/net-theory-of-operation.md.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "net/packet.h"

namespace pyro::net {

// What a socket did. `count` is meaningful with kDone.
struct HostIo {
  enum class Kind : std::uint8_t { kDone, kWouldBlock, kEnd, kBroken } kind = Kind::kWouldBlock;
  std::size_t count = 0;
};

// The host's side: a connected stream socket that does not block.
class HostStream {
 public:
  virtual ~HostStream() = default;
  // kDone with how much of it was taken, at least one byte.
  virtual HostIo write(Bytes bytes) = 0;
  // The bytes behind the first `skip` that are to be read, which stay where they are. kEnd: there
  // are none behind them, and no more will come. What came before a reset is still there.
  virtual HostIo peek(std::size_t skip, std::span<std::uint8_t> into) = 0;
  virtual void discard(std::size_t count) = 0;  // of what was peeked, from the front
  virtual void shut_down_writing() = 0;
  // The peer has reset it, which after the peer's end peek() does not tell.
  virtual bool is_reset() = 0;
  // The peer is to get a reset when this goes, also after shut_down_writing(); what it has not been
  // given by then is lost.
  virtual void reset_at_last() = 0;
  // How much write() takes now, with some caution.
  virtual std::size_t room() = 0;
  // on_writable() is wanted once there is a good deal of room.
  virtual void ask_for_room() = 0;
};

// Where segments for the guest go.
class SegmentSink {
 public:
  virtual ~SegmentSink() = default;
  // A place for a payload; empty when the link takes nothing now.
  virtual std::span<std::uint8_t> payload() = 0;
  // With `size` bytes of it.
  virtual void send(const TcpSegment& segment, std::size_t size) = 0;
};

// Bytes that flows hold for sockets that took less than they promised.
struct HeldBytes {
  std::size_t all = 0;
  static constexpr std::size_t kMost = 4U << 20;
};

// How long the acknowledgement of a small piece waits for an answer of the host that can carry it.
inline constexpr std::chrono::milliseconds kAcknowledgeDelay{1};

// A guest that has ended its side may have forgotten the flow, as kernels do after a minute
// (tcp(7), tcp_fin_timeout): when it was quiet for this long it is asked.
inline constexpr std::chrono::seconds kAskGuestAfter{60};

// One thread. Whoever owns it calls on_...() as things happen and then produce(), until gone().
class TcpFlow {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Ends {
    std::uint16_t ours = 0, guests = 0;  // ports
    std::size_t max_segment = 0;         // that the link can carry to the guest
    std::uint32_t first_sequence = 0;    // ours: not to be guessed
  };
  // From the guest, whose SYN was this; the socket is connected.
  TcpFlow(HostStream& host, HeldBytes& held, const Ends& ends, const TcpSegment& syn);
  // To the guest.
  TcpFlow(HostStream& host, HeldBytes& held, const Ends& ends);
  ~TcpFlow();
  TcpFlow(const TcpFlow&) = delete;
  TcpFlow& operator=(const TcpFlow&) = delete;

  void on_segment(const TcpSegment& segment, Time now);
  void on_readable() { readable_ = true; }
  void on_failed();  // the socket may have an error
  void on_writable();
  void on_timer(Time now);
  // To be ended: the guest is told so, by produce().
  void reset() { end(End::kReset); }
  // Sends what there is to send.
  void produce(SegmentSink& sink, Time now);

  // When on_timer() is wanted; may move later at any time, and earlier only by a call.
  [[nodiscard]] std::optional<Time> deadline() const {
    const Time first = std::min({acknowledge_at_.value_or(Time::max()),
                                 deadline_.value_or(Time::max()), ask_at_.value_or(Time::max())});
    return first == Time::max() ? std::nullopt : std::optional(first);
  }
  enum class End : std::uint8_t {
    kNone,
    kClosed,     // both sides have said all that they had to say
    kReset,      // ended from here: the guest gets a RST
    kRefused,    // by the guest, which the host's side should see as a reset
    kForgotten,  // by the guest, which had ended its side: what it said is still to arrive
    kTimedOut,   // the guest does not answer
  };
  [[nodiscard]] End end() const { return end_; }
  // Nothing is left to be done: end() says why, and what is to be done about the socket.
  [[nodiscard]] bool gone() const { return end_ != End::kNone && told_; }
  [[nodiscard]] bool established() const { return established_; }
  [[nodiscard]] std::uint64_t bytes_to_host() const { return to_host_; }
  [[nodiscard]] std::uint64_t bytes_to_guest() const { return to_guest_; }

 private:
  void end(End how);
  void take_opening(const TcpSegment& s);
  void take_acknowledgement(const TcpSegment& s, Time now);
  void take_payload(const TcpSegment& s, Time now);
  void owe(std::size_t count, Time now);
  void take_fin(const TcpSegment& s, Time now);
  void drop_held();
  void lose_host();
  void write_held();
  void forward_fin();
  void send(SegmentSink& sink, TcpSegment segment, std::size_t size);
  void send_opening(SegmentSink& sink);
  bool send_data(SegmentSink& sink);
  void send_fin(SegmentSink& sink);
  void send_question(SegmentSink& sink);
  void arm(Time now);
  [[nodiscard]] std::uint32_t in_flight() const { return next_ - unacknowledged_; }
  [[nodiscard]] std::size_t data_in_flight() const;
  [[nodiscard]] std::uint32_t window_left() const;
  [[nodiscard]] std::uint32_t expected() const;  // the next sequence number of new payload
  std::uint16_t advertise(bool opening);

  HostStream& host_;
  HeldBytes& all_held_;
  Ends ends_;
  bool from_guest_;

  // To the guest (RFC 9293, 3.3.1: SND.UNA, SND.NXT, SND.WND).
  std::uint32_t unacknowledged_, next_;
  std::uint32_t highest_;  // next_ before a retransmission took it back
  std::uint32_t window_ = 0;
  int guest_scale_ = 0, our_scale_ = 0;
  std::size_t segment_size_;
  int duplicates_ = 0;
  bool readable_ = true;
  bool host_ended_ = false;
  bool host_lost_ = false;  // it takes nothing more; what it has sent before is still for the guest
  std::optional<std::uint32_t> fin_at_;  // its sequence number, while it was sent
  bool fin_acknowledged_ = false;

  // From the guest (RCV.NXT; the right edge of what we let it send).
  std::uint32_t received_ = 0, edge_ = 0;
  std::uint16_t announced_segment_ = 0;
  std::string held_;
  bool fin_received_ = false, fin_forwarded_ = false;
  bool asked_for_room_ = false;

  bool established_ = false;
  std::optional<std::uint32_t> unknown_;  // what it acknowledged instead of our SYN
  bool must_acknowledge_ = false;
  std::size_t owed_ = 0;                // what came since we acknowledged last
  std::optional<Time> acknowledge_at_;  // at the latest, while there is some
  int repeats_ = 0;     // of the acknowledgement, for segments behind one that is missing
  bool probe_ = false;  // a byte beyond a closed window
  int retries_ = 0;
  std::optional<Time> deadline_;
  std::optional<Time> ask_at_;  // the guest, whether it still has the flow
  bool ask_ = false;
  End end_ = End::kNone;
  bool told_ = false;
  std::uint64_t to_host_ = 0, to_guest_ = 0;
};

}  // namespace pyro::net
