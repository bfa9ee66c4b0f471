#include "net/tcp_relay.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "sys/random.h"

namespace pyro::net {

namespace {

constexpr std::uint16_t kDnsPort = 53;
// Less than a host's own patience (tcp(7), tcp_syn_retries: two minutes): others want the place.
constexpr std::chrono::seconds kConnectPatience{60};
// What one flow sends before others have their turn.
constexpr int kFramesInATurn = 8;

const char* reason_of(TcpFlow::End end) {
  switch (end) {
    case TcpFlow::End::kNone:
    case TcpFlow::End::kClosed:
    case TcpFlow::End::kForgotten:
      break;
    case TcpFlow::End::kReset:
      return reason::kReset;
    case TcpFlow::End::kRefused:
      return reason::kGuestReset;
    case TcpFlow::End::kTimedOut:
      return reason::kTimeout;
  }
  return reason::kClosed;
}

std::uint32_t first_sequence(Time now) {
  // RFC 9293, 3.4.1: a clock of 4 µs, so that a flow that follows one with the same ports is newer
  // than it. There is nobody on this link to guess it.
  constexpr std::int64_t kTick = 4000;
  return static_cast<std::uint32_t>(now.time_since_epoch().count() / kTick);
}

// RFC 9293, 3.10.7.1: the answer to a segment of no flow.
TcpSegment reset_for(const TcpSegment& s) {
  TcpSegment out{.source_port = s.destination_port,
                 .destination_port = s.source_port,
                 .sequence = s.ack ? s.acknowledgement : 0,
                 .rst = true,
                 .ack = !s.ack};
  if (out.ack) out.acknowledgement = s.sequence + s.length();
  return out;
}

// Anywhere: the guest may still have flows of the engine before this one, and takes a SYN with the
// ports of one for a mistake.
std::uint16_t first_port() {
  const auto bytes = sys::random_bytes(sizeof(std::uint16_t));
  std::uint16_t out = 0;
  if (bytes) std::memcpy(&out, bytes->data(), sizeof(out));
  return out;
}

}  // namespace

TcpRelay::TcpRelay(Shared& shared, Query on_query)
    : shared_(shared), on_query_(std::move(on_query)), last_port_(first_port()) {}

// Of one flow, for one turn.
class TcpRelay::Sink final : public SegmentSink {
 public:
  explicit Sink(Shared& shared) : shared_(shared) {}
  void begin(const Address& remote) {
    route_ = from(remote);
    left_ = kFramesInATurn;
    full_ = false;
  }
  std::span<std::uint8_t> payload() override {
    const Buffer place = left_ > 0 ? shared_.link.place() : Buffer();
    full_ = full_ || place.empty();
    if (place.empty()) return {};
    const Family family = route_.destination.family();
    return place.subspan(tcp_payload_at(family), max_segment(family));
  }
  void send(const TcpSegment& segment, std::size_t size) override {
    --left_;
    shared_.send(write_tcp(shared_.link.place(), route_, segment, size));
  }
  // There was something that it did not take.
  [[nodiscard]] bool full() const { return full_; }

 private:
  Shared& shared_;
  Route route_ = from(policy::link_of(Family::kIpv4).engine);
  int left_ = 0;
  bool full_ = false;
};

// ---- from the guest

void TcpRelay::on_segment(const IpPacket& packet, const TcpSegment& s, Time now) {
  const FlowKey key{
      .remote = packet.destination, .remote_port = s.destination_port, .guest_port = s.source_port};
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    if (s.syn && !s.ack && !s.rst && !s.fin) return open(packet, s, now);
    if (!s.rst) reset(key, s);
    return;
  }
  const Token token = found->second;
  Flow& flow = *flows_.find(token);
  if (flow.guest) {
    flow.guest->on_segment(s, now);
    return touch(token, flow);
  }
  // It is being connected; a guest that is tired of waiting ends that.
  if (s.rst && s.sequence == flow.syn.sequence + 1) {
    remove(token, flow, reason::kGuestReset);
  }
}

void TcpRelay::open(const IpPacket& packet, const TcpSegment& s, Time now) {
  const FlowKey key{
      .remote = packet.destination, .remote_port = s.destination_port, .guest_port = s.source_port};
  auto flow = std::make_unique<Flow>();
  flow->key = key;
  flow->syn = s;
  flow->syn.payload = {};
  flow->connect_due = now + kConnectPatience;
  const bool dns = policy::is_engine(key.remote) && key.remote_port == kDnsPort;
  NetEvent event;
  if (dns) {
    event.allow = true;  // each of its questions is decided
  } else {
    Gate::Verdict verdict = shared_.judge(policy::Protocol::kTcp, key.remote, key.remote_port, now);
    flow->name = std::move(verdict.name);
    flow->rule = verdict.decision.rule;
    event = event_of(*flow);
    event.allow = verdict.decision.allow;
    event.reason = policy::reason_name(verdict.decision.reason);
  }
  const bool full = flows_.size() >= kMostTcpFlows || half_open_ >= kMostHalfOpen ||
                    (dns && dns_flows_ >= kMostDnsFlows);
  if (event.allow && full) {
    if (dns) event = event_of(*flow);
    event.allow = false;
    event.reason = reason::kLimit;
  }
  if (!dns || !event.allow) shared_.decided(event);
  if (!event.allow) return reset(key, s);
  const Token token = flows_.next();
  if (dns) {
    auto stream = std::make_unique<DnsStream>([this, token, server = key.remote](Bytes message) {
      return on_query_(token, server, message);
    });
    flow->dns = stream.get();
    flow->host = std::move(stream);
    Flow& added = add(std::move(flow), token);
    return on_connected(token, added, now);
  }
  auto host = shared_.network.connect(host_address(key.remote), key.remote_port, token);
  if (!host) {
    return shared_.ended(std::move(event), tell_guest(key, s, host.error()));
  }
  flow->host = *std::move(host);
  Flow& added = add(std::move(flow), token);
  wait_for(token, added);
}

TcpRelay::Flow& TcpRelay::add(std::unique_ptr<Flow> flow, Token token) {
  static_assert(sizeof(Flow) <= kMostFlowRecord);
  by_key_.emplace(flow->key, token);
  if (flow->half_open) ++half_open_;
  if (flow->dns != nullptr) ++dns_flows_;
  if (flow->listener != 0) ++published_flows_;
  return flows_.add(std::move(flow));
}

const char* TcpRelay::tell_guest(const FlowKey& key, const TcpSegment& syn, int error) {
  Unreachable why = Unreachable::kHost;
  switch (error) {
    case ECONNREFUSED:
      reset(key, syn);
      return reason::kRefused;
    case ETIMEDOUT:  // as it is: nobody says anything
      return reason::kTimeout;
    case ENETUNREACH:
    case EAFNOSUPPORT:
    case EADDRNOTAVAIL:
      why = Unreachable::kNetwork;
      break;
    case EHOSTUNREACH:
    case EHOSTDOWN:
      break;
    case EACCES:  // the host's own firewall
    case EPERM:
      why = Unreachable::kProhibited;
      break;
    default:  // no descriptors, no memory
      reset(key, syn);
      return reason::kLimit;
  }
  const Address& engine = policy::link_of(key.remote.family()).engine;
  shared_.unreachable(key.remote, engine, why, [&](Buffer out, const Route& there) {
    return write_tcp(out, there, syn, 0);
  });
  return reason::kNoRoute;
}

void TcpRelay::reset(const FlowKey& key, const TcpSegment& s) {
  shared_.reply([&](Buffer out) { return write_tcp(out, from(key.remote), reset_for(s), 0); });
}

// ---- from the host

void TcpRelay::on_ready(Token token, Ready what, Time now) {
  Flow* const flow = flows_.find(token);
  if (flow == nullptr) return;
  if (flow->guest) {
    flow->guest->on_readable();
    if (what.failed) flow->guest->on_failed();
    if (what.writable) flow->guest->on_writable();
    return touch(token, *flow);
  }
  const int error = flow->host->error();
  if (error != 0 && !is_reset_error(error)) {
    const char* const why = tell_guest(flow->key, flow->syn, error);
    return remove(token, *flow, why);
  }
  if (what.writable) on_connected(token, *flow, now);
}

void TcpRelay::on_connected(Token token, Flow& flow, Time now) {
  const TcpFlow::Ends ends{.ours = flow.key.remote_port,
                           .guests = flow.key.guest_port,
                           .max_segment = max_segment(flow.key.remote.family()),
                           .first_sequence = first_sequence(now)};
  flow.guest.emplace(*flow.host, shared_.held, ends, flow.syn);
  touch(token, flow);
}

void TcpRelay::publish(std::unique_ptr<HostTcp> client, Token token, Token listener,
                       std::uint16_t guest_port, Time now) {
  auto flow = std::make_unique<Flow>();
  flow->key = {.remote = policy::link_of(Family::kIpv4).engine, .guest_port = guest_port};
  flow->host = std::move(client);
  flow->listener = listener;
  NetEvent event = event_of(*flow);
  event.allow = flows_.size() < kMostTcpFlows && published_flows_ < kMostPublishedFlows;
  event.reason = event.allow ? policy::reason_name(policy::Reason::kRule) : reason::kLimit;
  shared_.decided(event);
  if (!event.allow) return;
  flow->key.remote_port = port_for(guest_port);
  const TcpFlow::Ends ends{.ours = flow->key.remote_port,
                           .guests = guest_port,
                           .max_segment = max_segment(Family::kIpv4),
                           .first_sequence = first_sequence(now)};
  flow->guest.emplace(*flow->host, shared_.held, ends);
  // Those of the host's clients are not what a guest can flood with.
  flow->half_open = false;
  touch(token, add(std::move(flow), token));
}

std::uint16_t TcpRelay::port_for(std::uint16_t guest_port) {
  constexpr std::uint16_t kFirst = 1024;
  const Address& engine = policy::link_of(Family::kIpv4).engine;
  do {
    last_port_ = static_cast<std::uint16_t>(last_port_ + 1);
    last_port_ = std::max(last_port_, kFirst);
  } while (
      by_key_.contains({.remote = engine, .remote_port = last_port_, .guest_port = guest_port}));
  return last_port_;
}

void TcpRelay::answer_query(Token token, Bytes message) {
  Flow* const flow = flows_.find(token);
  if (flow == nullptr || flow->dns == nullptr) return;
  // We may be within a write of this very flow: produce() tells it.
  flow->dns->put(message);
  if (flow->guest) touch(token, *flow);
}

void TcpRelay::on_deadline(Token token, Time now) {
  Flow* const flow = flows_.find(token);
  if (flow == nullptr) return;
  flow->place.reset();
  if (!flow->guest) {
    if (now < flow->connect_due) return wait_for(token, *flow);
    return remove(token, *flow, reason::kTimeout);
  }
  flow->guest->on_timer(now);
  touch(token, *flow);
}

// ---- a new policy

// Its RST is for a guest that reads; the socket goes in any case. A segment of the guest that comes
// later meets no flow and gets a RST as well.
void TcpRelay::cut(Token token, Flow& flow, TcpFlow& guest, Time now) {
  const char* const why = flow.ended;
  Sink sink(shared_);
  guest.reset();
  produce(token, flow, sink, now);
  if (Flow* const left = flows_.find(token)) remove(token, *left, why);
}

void TcpRelay::judge_again(Time now) {
  flows_.for_each([&](Token token, Flow& flow) {
    if (flow.listener != 0 || flow.dns != nullptr) return;
    const policy::Decision decision = shared_.judge_again(policy::Protocol::kTcp, flow.key.remote,
                                                          flow.key.remote_port, flow.name, now);
    flow.rule = decision.rule;
    if (decision.allow) return;
    flow.ended = reason::kPolicy;
    if (flow.guest) return cut(token, flow, *flow.guest, now);
    reset(flow.key, flow.syn);
    remove(token, flow, reason::kPolicy);
  });
}

void TcpRelay::unpublish(Token listener, Time now) {
  flows_.for_each([&](Token token, Flow& flow) {
    if (flow.listener != listener || !flow.guest) return;
    flow.ended = reason::kUnpublished;
    cut(token, flow, *flow.guest, now);
  });
}

// ---- to the guest, and the end

void TcpRelay::touch(Token token, Flow& flow) {
  if (std::exchange(flow.waiting, true)) return;
  turn_.push_back(token);
}

void TcpRelay::wait_for(Token token, Flow& flow) {
  const std::optional<Time> due = flow.guest ? flow.guest->deadline() : flow.connect_due;
  if (due) shared_.deadlines.want(token, *due, flow.place);
}

void TcpRelay::opened(Flow& flow) {
  if (flow.half_open && flow.guest && flow.guest->established()) {
    flow.half_open = false;
    --half_open_;
  }
}

bool TcpRelay::flush(Time now) {
  Sink sink(shared_);
  for (std::size_t left = turn_.size(); left > 0; --left) {
    if (shared_.link.place().empty()) return false;
    const Token token = turn_.front();
    turn_.pop_front();
    if (Flow* const flow = flows_.find(token)) produce(token, *flow, sink, now);
  }
  return turn_.empty();
}

void TcpRelay::produce(Token token, Flow& flow, Sink& sink, Time now) {
  flow.waiting = false;
  if (!flow.guest) return;  // nobody touches one that is being connected
  sink.begin(flow.key.remote);
  if (flow.dns != nullptr) {  // it has no socket that would say so
    flow.guest->on_readable();
    flow.guest->on_writable();
  }
  flow.guest->produce(sink, now);
  opened(flow);
  if (flow.guest->gone()) {
    const TcpFlow::End end = flow.guest->end();
    return remove(token, flow, flow.ended != nullptr ? flow.ended : reason_of(end));
  }
  if (sink.full()) touch(token, flow);
  wait_for(token, flow);
}

NetEvent TcpRelay::event_of(const Flow& flow) {
  const bool published = flow.listener != 0;
  return {.protocol = published ? "published" : "tcp",
          .name = flow.name,
          .address = flow.key.remote,
          .port = published ? flow.key.guest_port : flow.key.remote_port,
          .rule = flow.rule};
}

void TcpRelay::remove(Token token, Flow& flow, const char* why) {
  if (flow.half_open) --half_open_;
  if (flow.listener != 0) --published_flows_;
  if (flow.dns != nullptr) {
    --dns_flows_;
  } else {
    NetEvent event = event_of(flow);
    if (flow.guest) {
      event.to_host = flow.guest->bytes_to_host();
      event.to_guest = flow.guest->bytes_to_guest();
    }
    shared_.ended(std::move(event), why);
  }
  shared_.deadlines.forget(token, flow.place);
  by_key_.erase(flow.key);
  flows_.remove(token);
}

}  // namespace pyro::net
