#include "net/tcp_flow.h"

#include <algorithm>
#include <utility>

namespace pyro::net {

namespace {

constexpr int kOurScale = 7;
constexpr std::uint32_t kMostField = 65535;   // of the window in a header
constexpr std::size_t kDefaultSegment = 536;  // RFC 9293, 3.7.1
constexpr std::size_t kLeastSegment = 64;
constexpr int kDuplicatesOfALoss = 3;  // RFC 5681, 3.2
constexpr std::chrono::milliseconds kFirstTimeout{200};
constexpr std::chrono::milliseconds kLongestTimeout{60'000};
constexpr int kMostRetries = 12;

// RFC 9293, 3.4: sequence numbers go round.
bool before(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b) < 0;
}

}  // namespace

TcpFlow::TcpFlow(HostStream& host, HeldBytes& held, const Ends& ends, const TcpSegment& syn)
    : host_(host),
      all_held_(held),
      ends_(ends),
      from_guest_(true),
      unacknowledged_(ends.first_sequence),
      next_(ends.first_sequence),
      highest_(ends.first_sequence),
      segment_size_(ends.max_segment),
      received_(syn.sequence + 1),
      edge_(syn.sequence + 1) {
  take_opening(syn);
}

TcpFlow::TcpFlow(HostStream& host, HeldBytes& held, const Ends& ends)
    : host_(host),
      all_held_(held),
      ends_(ends),
      from_guest_(false),
      unacknowledged_(ends.first_sequence),
      next_(ends.first_sequence),
      highest_(ends.first_sequence),
      our_scale_(kOurScale),
      segment_size_(ends.max_segment) {}

TcpFlow::~TcpFlow() {
  drop_held();
}

void TcpFlow::drop_held() {
  all_held_.all -= held_.size();
  held_ = {};
}

void TcpFlow::end(End how) {
  if (end_ != End::kNone) return;
  end_ = how;
  if (how == End::kReset || how == End::kRefused) host_.reset_at_last();
  // What is left to be said: a RST, or the last acknowledgement.
  told_ = how == End::kRefused || how == End::kForgotten;
  deadline_.reset();
  acknowledge_at_.reset();
  ask_at_.reset();
}

// What a SYN says of the guest's end.
void TcpFlow::take_opening(const TcpSegment& s) {
  const std::size_t theirs = s.max_segment == 0 ? kDefaultSegment : s.max_segment;
  segment_size_ = std::clamp(theirs, kLeastSegment, ends_.max_segment);
  // Both scale, or neither does (RFC 7323, 2.2).
  const bool scales = s.window_scale >= 0;
  guest_scale_ = scales ? s.window_scale : 0;
  our_scale_ = scales ? kOurScale : 0;
  window_ = s.window;
}

std::size_t TcpFlow::data_in_flight() const {
  std::uint32_t out = in_flight();
  if (fin_at_ && before(*fin_at_, next_) && out > 0) --out;
  return out;
}

std::uint32_t TcpFlow::window_left() const {
  const std::uint32_t out = in_flight();
  return window_ > out ? window_ - out : 0;
}

std::uint32_t TcpFlow::expected() const {
  return received_ + static_cast<std::uint32_t>(held_.size());
}

// ---- from the guest

void TcpFlow::on_segment(const TcpSegment& s, Time now) {
  if (end_ != End::kNone) return;
  ask_at_.reset();  // from now on anew
  if (!from_guest_ && !established_) {
    // Of a SYN of ours there are two answers.
    const bool ours = s.ack && s.acknowledgement == ends_.first_sequence + 1 && in_flight() > 0;
    if (s.rst && ours) return end(End::kRefused);
    // RFC 9293, 3.10.7.3: of a flow that it has and that we have not, with these very ports.
    if (s.ack && !s.rst && s.acknowledgement != ends_.first_sequence + 1)
      unknown_ = s.acknowledgement;
    if (!s.syn || !ours) return;
    take_opening(s);
    received_ = s.sequence + 1;
    edge_ = received_;
    must_acknowledge_ = true;
    take_acknowledgement(s, now);
    return;
  }
  if (s.rst) {
    // RFC 5961, 3.2: exactly where we are, or it is only a reason to say where that is. Without an
    // ACK it answers a segment of ours of a flow that the guest has not (RFC 9293, 3.10.7.1).
    if (s.sequence == received_ || s.sequence == expected())
      return end(fin_forwarded_ && !s.ack ? End::kForgotten : End::kRefused);
    must_acknowledge_ = must_acknowledge_ || !before(s.sequence, received_);
    return;
  }
  if (s.syn) {
    // The guest's first one again: so is our answer.
    if (!established_ && from_guest_ && s.sequence + 1 == received_) {
      next_ = unacknowledged_;
    } else {
      must_acknowledge_ = true;  // RFC 5961, 4.2
    }
    return;
  }
  if (!s.ack) return;
  if (before(highest_, s.acknowledgement)) {  // of what was never sent
    must_acknowledge_ = true;
    return;
  }
  if (!before(s.acknowledgement, unacknowledged_)) take_acknowledgement(s, now);
  if (!established_ || end_ != End::kNone) return;
  take_payload(s, now);
  if (end_ == End::kNone) take_fin(s, now);
}

void TcpFlow::take_acknowledgement(const TcpSegment& s, Time now) {
  const std::uint32_t news = s.acknowledgement - unacknowledged_;
  const std::uint32_t window = s.syn ? s.window : std::uint32_t{s.window} << guest_scale_;
  const bool repeated =
      news == 0 && s.length() == 0 && window == window_ && in_flight() > 0 && established_;
  // A byte that was sent into a closed window was not taken.
  if (news == 0 && window_ == 0 && window > 0) next_ = unacknowledged_;
  window_ = window;
  // A guest that answers may keep its window closed as long as it likes.
  if (window == 0) retries_ = std::min(retries_, kMostRetries / 2);
  if (repeated && ++duplicates_ == kDuplicatesOfALoss) next_ = unacknowledged_;
  if (news == 0) return;
  duplicates_ = 0;
  retries_ = 0;
  std::uint32_t data = news;
  if (!established_) {
    established_ = true;
    --data;
  }
  if (fin_at_ && before(*fin_at_, s.acknowledgement)) {
    fin_acknowledged_ = true;
    --data;
  }
  if (data > 0) host_.discard(data);
  to_guest_ += data;
  unacknowledged_ = s.acknowledgement;
  if (before(next_, unacknowledged_)) next_ = unacknowledged_;
  deadline_.reset();
  arm(now);
}

void TcpFlow::take_payload(const TcpSegment& s, Time now) {
  if (host_lost_) return;
  if (s.payload.empty()) {
    // A probe of the window, or a keep-alive (RFC 9293, 3.8.4), wants to be answered.
    if (s.length() == 0 && before(s.sequence, received_)) must_acknowledge_ = true;
    return;
  }
  // RFC 5681, 4.2: each says so, and three are a loss.
  if (before(expected(), s.sequence)) repeats_ = std::min(repeats_ + 1, kDuplicatesOfALoss);
  const std::uint32_t known = expected() - s.sequence;
  if (fin_received_ || before(expected(), s.sequence) || known >= s.payload.size()) {
    must_acknowledge_ = true;
    return;
  }
  Bytes fresh = s.payload.subspan(known);
  const std::uint32_t allowed = before(expected(), edge_) ? edge_ - expected() : 0;
  fresh = fresh.first(std::min<std::size_t>(fresh.size(), allowed));
  std::size_t taken = 0;
  if (held_.empty() && !fresh.empty()) {
    const HostIo done = host_.write(fresh);
    if (done.kind == HostIo::Kind::kBroken || done.kind == HostIo::Kind::kEnd) return lose_host();
    taken = done.kind == HostIo::Kind::kDone ? done.count : 0;
    received_ += static_cast<std::uint32_t>(taken);
    to_host_ += taken;
    fresh = fresh.subspan(taken);
    owe(taken, now);
  }
  must_acknowledge_ = must_acknowledge_ || taken < s.payload.size();
  const std::size_t space = HeldBytes::kMost - std::min(HeldBytes::kMost, all_held_.all);
  fresh = fresh.first(std::min(fresh.size(), space));
  if (fresh.empty()) return;
  held_.append(reinterpret_cast<const char*>(fresh.data()), fresh.size());
  all_held_.all += fresh.size();
  host_.ask_for_room();
}

// A frame wakes the guest, which is dear where it is emulated: most of what an acknowledgement says
// can be said by the answer. RFC 9293, 3.8.6.3: not for two full segments; nor for a good part of
// the window, which the guest may be waiting for.
void TcpFlow::owe(std::size_t count, Time now) {
  constexpr std::size_t kGoodPart = 4;
  owed_ += count;
  const std::uint32_t left = before(received_, edge_) ? edge_ - received_ : 0;
  if (owed_ >= std::size_t{2} * announced_segment_ || owed_ * kGoodPart >= left)
    must_acknowledge_ = true;
  if (!acknowledge_at_) acknowledge_at_ = now + kAcknowledgeDelay;
}

void TcpFlow::take_fin(const TcpSegment& s, Time now) {
  if (!s.fin || host_lost_) return;
  const auto size = static_cast<std::uint32_t>(s.payload.size());
  if (fin_received_ || s.sequence + size != expected()) {  // something before it is missing
    must_acknowledge_ = true;
    return;
  }
  fin_received_ = true;
  forward_fin();
  // Often the host then ends its side, which says this as well; unless it has done so before.
  must_acknowledge_ = must_acknowledge_ || fin_at_.has_value();
  if (!acknowledge_at_) acknowledge_at_ = now + kAcknowledgeDelay;
}

void TcpFlow::forward_fin() {
  if (!fin_received_ || fin_forwarded_ || !held_.empty()) return;
  fin_forwarded_ = true;
  ++received_;
  host_.shut_down_writing();
}

// ---- from the host

void TcpFlow::on_failed() {
  if (end_ == End::kNone && host_.is_reset()) lose_host();
}

// What it said before is read to its end, and then the guest gets the reset.
void TcpFlow::lose_host() {
  if (std::exchange(host_lost_, true)) return;
  readable_ = true;
  drop_held();
  // Not when the last question about a closed window would be repeated.
  retries_ = 0;
  deadline_.reset();
}

void TcpFlow::write_held() {
  while (!held_.empty()) {
    const HostIo done =
        host_.write({reinterpret_cast<const std::uint8_t*>(held_.data()), held_.size()});
    if (done.kind == HostIo::Kind::kWouldBlock) return host_.ask_for_room();
    if (done.kind != HostIo::Kind::kDone) return lose_host();
    held_.erase(0, done.count);
    all_held_.all -= done.count;
    received_ += static_cast<std::uint32_t>(done.count);
    to_host_ += done.count;
    must_acknowledge_ = true;
  }
  held_.shrink_to_fit();
  forward_fin();
}

void TcpFlow::on_writable() {
  if (end_ != End::kNone || host_lost_) return;
  write_held();
  if (std::exchange(asked_for_room_, false)) must_acknowledge_ = true;
}

void TcpFlow::on_timer(Time now) {
  if (end_ != End::kNone) return;
  if (acknowledge_at_ && now >= *acknowledge_at_) must_acknowledge_ = true;
  if (ask_at_ && now >= *ask_at_) {
    ask_at_.reset();
    ask_ = true;
  }
  if (!deadline_ || now < *deadline_) return;
  deadline_.reset();
  if (++retries_ > kMostRetries) return end(End::kTimedOut);
  // A guest that does not read, and may wait for a host that will never read, is told now.
  if (host_lost_ && established_ && window_ == 0) return end(End::kReset);
  probe_ = window_ == 0;
  next_ = unacknowledged_;
}

// ---- to the guest

// The window for a header. What was advertised once stays so.
std::uint16_t TcpFlow::advertise(bool opening) {
  const int scale = opening ? 0 : our_scale_;
  const std::size_t room = fin_received_ ? 0 : host_.room();
  const std::uint32_t most = kMostField << scale;
  auto window = static_cast<std::uint32_t>(std::min<std::size_t>(room, most));
  const std::uint32_t promised = before(received_, edge_) ? edge_ - received_ : 0;
  window = std::max(window, promised);
  const std::uint32_t unit = 1U << scale;
  // Rounded up only to keep a promise.
  std::uint32_t field = window >> scale;
  if (field * unit < promised) ++field;
  field = std::min(field, kMostField);
  if (before(edge_, received_ + field * unit)) edge_ = received_ + field * unit;
  // A guest waits for room for a whole segment, and we for the socket.
  const bool low = field * unit < announced_segment_;
  if (established_ && low && !fin_received_ && !std::exchange(asked_for_room_, true))
    host_.ask_for_room();
  return static_cast<std::uint16_t>(field);
}

void TcpFlow::send(SegmentSink& sink, TcpSegment segment, std::size_t size) {
  segment.source_port = ends_.ours;
  segment.destination_port = ends_.guests;
  segment.ack = segment.ack || established_ || from_guest_;
  segment.acknowledgement = segment.ack ? received_ : 0;
  sink.send(segment, size);
  must_acknowledge_ = false;
  owed_ = 0;
  acknowledge_at_.reset();
}

void TcpFlow::send_opening(SegmentSink& sink) {
  if (unknown_ && !sink.payload().empty()) {
    send(sink, {.sequence = *unknown_, .rst = true}, 0);
    unknown_.reset();
  }
  if (next_ != unacknowledged_ || sink.payload().empty()) return;
  const bool scales = !from_guest_ || our_scale_ > 0;
  // Of what it may send at a time several segments must fit, or it would wait for each (a socket
  // says that it is writable when about a third of its buffer is free).
  announced_segment_ =
      static_cast<std::uint16_t>(std::clamp(host_.room() / 4, kDefaultSegment, ends_.max_segment));
  TcpSegment syn{.sequence = ends_.first_sequence,
                 .syn = true,
                 .window = advertise(/*opening=*/true),
                 .max_segment = announced_segment_,
                 .window_scale = scales ? kOurScale : -1};
  next_ = ends_.first_sequence + 1;
  if (before(highest_, next_)) highest_ = next_;
  send(sink, syn, 0);
}

// One segment; false: there is no more to send now.
bool TcpFlow::send_data(SegmentSink& sink) {
  if (!readable_ && !before(next_, highest_)) return false;
  std::size_t most = std::min<std::size_t>(window_left(), segment_size_);
  if (std::exchange(probe_, false)) most = std::max<std::size_t>(most, 1);
  if (most == 0) return false;
  const std::span<std::uint8_t> place = sink.payload();
  if (place.empty()) return false;
  const std::size_t skip = data_in_flight();
  const HostIo seen = host_.peek(skip, place.first(std::min(most, place.size())));
  if (seen.kind == HostIo::Kind::kBroken) {
    end(End::kReset);
    return false;
  }
  if (seen.kind == HostIo::Kind::kWouldBlock) readable_ = false;
  if (seen.kind == HostIo::Kind::kEnd) {
    host_ended_ = true;
    if (host_.is_reset()) lose_host();
    readable_ = false;
  }
  if (seen.kind != HostIo::Kind::kDone) return false;
  const TcpSegment segment{
      .sequence = next_, .psh = true, .ack = true, .window = advertise(/*opening=*/false)};
  next_ += static_cast<std::uint32_t>(seen.count);
  if (before(highest_, next_)) highest_ = next_;
  send(sink, segment, seen.count);
  return true;
}

void TcpFlow::send_fin(SegmentSink& sink) {
  if (!host_ended_ || fin_acknowledged_ || sink.payload().empty()) return;
  // On its way, or what is before it has to be sent again first.
  if (next_ != fin_at_.value_or(highest_)) return;
  const TcpSegment segment{
      .sequence = next_, .fin = true, .ack = true, .window = advertise(/*opening=*/false)};
  fin_at_ = next_;
  ++next_;
  if (before(highest_, next_)) highest_ = next_;
  send(sink, segment, 0);
}

// RFC 9293, 3.8.4: a segment that it has had already, which it answers.
void TcpFlow::send_question(SegmentSink& sink) {
  if (!ask_ || sink.payload().empty()) return;
  ask_ = false;
  if (in_flight() > 0) return;  // what is sent again asks as well
  const TcpSegment segment{
      .sequence = unacknowledged_ - 1, .ack = true, .window = advertise(/*opening=*/false)};
  send(sink, segment, 0);
}

void TcpFlow::arm(Time now) {
  if (fin_forwarded_ && !ask_ && !ask_at_) ask_at_ = now + kAskGuestAfter;
  const bool waits = in_flight() > 0 || (established_ && window_ == 0 && readable_);
  if (!waits) {
    deadline_.reset();
  } else if (!deadline_) {
    constexpr int kMostDoublings = 10;
    const std::chrono::milliseconds timeout =
        kFirstTimeout * (1 << std::min(retries_, kMostDoublings));
    deadline_ = now + std::min(timeout, kLongestTimeout);
  }
}

void TcpFlow::produce(SegmentSink& sink, Time now) {
  if (end_ == End::kNone) {
    if (!established_) {
      send_opening(sink);
    } else {
      while (send_data(sink)) {
      }
      if (end_ == End::kNone) send_fin(sink);
      // Only when the guest has all of it: a RST takes the place of what it has not.
      if (host_lost_ && fin_acknowledged_ && !fin_forwarded_) end(End::kReset);
      if (end_ == End::kNone) send_question(sink);
    }
  }
  for (int left = std::max(std::exchange(repeats_, 0), must_acknowledge_ ? 1 : 0);
       left > 0 && end_ == End::kNone && established_ && !sink.payload().empty(); --left) {
    const TcpSegment segment{
        .sequence = next_, .ack = true, .window = advertise(/*opening=*/false)};
    send(sink, segment, 0);
  }
  if (end_ == End::kNone) arm(now);
  if (fin_acknowledged_ && fin_forwarded_ && !must_acknowledge_ && !acknowledge_at_) {
    end(End::kClosed);
    told_ = true;
  }
  if ((end_ == End::kReset || end_ == End::kTimedOut) && !told_ && !sink.payload().empty()) {
    // Not next_, which a retransmission takes back to what the guest has and would not believe; nor
    // what is beyond its window, as the byte of a probe is.
    const std::uint32_t edge = unacknowledged_ + window_;
    const TcpSegment segment{
        .sequence = before(edge, highest_) ? edge : highest_, .rst = true, .ack = true};
    send(sink, segment, 0);
    told_ = true;
  }
}

}  // namespace pyro::net
