#include "net/datagram_relay.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "net/wire_numbers.h"

namespace pyro::net {

namespace {

// RFC 4787, 4.3 asks translators for two minutes or more, and lets them take less for what was
// never answered.
constexpr std::chrono::seconds kUnanswered{60};
constexpr std::chrono::seconds kAnswered{180};
constexpr int kMessagesInATurn = 16;
constexpr unsigned kByteBits = 8;

bool is_multicast(const Address& a) {
  return policy::range_of(a) == policy::Range::kMulticast;
}

// Until the socket's own port says it, who a message is for.
std::vector<std::uint8_t> echo_message(Family family, const EchoRequest& request) {
  std::vector<std::uint8_t> out(kEchoHeader);
  out[0] = family == Family::kIpv4 ? kEchoRequestV4 : kEchoRequestV6;
  out[6] = static_cast<std::uint8_t>(request.sequence >> kByteBits);
  out[7] = static_cast<std::uint8_t>(request.sequence);
  out.insert(out.end(), request.payload.begin(), request.payload.end());
  return out;
}

}  // namespace

// ---- from the guest

void DatagramRelay::on_datagram(const IpPacket& packet, const UdpDatagram& d, Time now) {
  on_message(packet,
             {.remote = packet.destination,
              .remote_port = d.destination_port,
              .guest_port = d.source_port},
             d.payload, now);
}

void DatagramRelay::on_echo(const IpPacket& packet, const EchoRequest& request, Time now) {
  on_message(packet, {.remote = packet.destination, .guest_port = request.id},
             echo_message(packet.destination.family(), request), now);
}

void DatagramRelay::on_message(const IpPacket& packet, const FlowKey& key, Bytes message,
                               Time now) {
  const auto found = by_key_.find(key);
  Flow* const flow = found == by_key_.end() ? open(packet, key, now) : flows_.find(found->second);
  if (flow == nullptr) return;
  flow->last = now;
  const HostIo sent = flow->host->send(message);
  if (sent.kind == HostIo::Kind::kDone) {
    flow->to_host += message.size();
  } else if (sent.kind == HostIo::Kind::kBroken) {
    on_error(by_key_.at(key), *flow);
  }
}

DatagramRelay::Flow* DatagramRelay::open(const IpPacket& packet, const FlowKey& key, Time now) {
  auto flow = std::make_unique<Flow>();
  flow->key = key;
  Gate::Verdict verdict = shared_.judge(protocol(), key.remote, key.remote_port, now);
  flow->name = std::move(verdict.name);
  flow->rule = verdict.decision.rule;
  NetEvent event = event_of(*flow);
  event.allow = verdict.decision.allow;
  event.reason = policy::reason_name(verdict.decision.reason);
  shared_.decided(event);
  if (!event.allow) {
    unreachable(packet, Unreachable::kProhibited);
    return nullptr;
  }
  if (flows_.size() >= (what_ == What::kUdp ? kMostUdpFlows : kMostEchoFlows)) drop_quietest(now);
  const Token token = flows_.next();
  const Address address = host_address(key.remote);
  auto host = what_ == What::kUdp ? shared_.network.open_udp(address, key.remote_port, token)
                                  : shared_.network.open_echo(address, token);
  if (!host) {
    const int error = host.error();
    const char* why = reason::kNoRoute;
    if (error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS)
      why = reason::kLimit;
    const bool forbidden = error == EACCES || error == EPERM;
    if (forbidden && what_ == What::kEcho) why = reason::kNoEcho;
    shared_.ended(std::move(event), why);
    unreachable(packet, forbidden ? Unreachable::kProhibited : Unreachable::kNetwork);
    return nullptr;
  }
  flow->host = *std::move(host);
  flow->last = now;
  by_key_.emplace(key, token);
  Flow& added = flows_.add(std::move(flow));
  shared_.deadlines.want(token, due(added), added.place);
  return &added;
}

// Nobody is told of what was for many (RFC 1122, 3.2.2).
void DatagramRelay::unreachable(const IpPacket& packet, Unreachable why) {
  if (is_multicast(packet.destination)) return;
  const Address& engine = policy::link_of(packet.destination.family()).engine;
  shared_.reply(
      [&](Buffer out) { return write_unreachable(out, from(engine), why, packet.whole); });
}

void DatagramRelay::drop_quietest(Time now) {
  Token quietest = 0;
  Time last = now;
  flows_.for_each([&](Token token, const Flow& flow) {
    if (flow.last > last) return;
    last = flow.last;
    quietest = token;
  });
  if (Flow* const flow = flows_.find(quietest)) remove(quietest, *flow, reason::kLimit);
}

// ---- from the host

void DatagramRelay::on_ready(Token token, Time now) {
  Flow* const flow = flows_.find(token);
  if (flow == nullptr || flow->waiting) return;
  if (!receive(token, *flow, now)) {
    flow->waiting = true;
    turn_.push_back(token);
  }
}

// False: there may be more. `flow` may be gone after true.
bool DatagramRelay::receive(Token token, Flow& flow, Time now) {
  const Family family = flow.key.remote.family();
  // An echo reply comes with its header, which is written anew.
  const std::size_t at =
      what_ == What::kUdp ? udp_payload_at(family) : echo_payload_at(family) - kEchoHeader;
  for (int i = 0; i < kMessagesInATurn; ++i) {
    const Buffer place = shared_.link.place();
    if (place.empty()) return false;
    const Buffer into = place.subspan(at);
    const HostIo got = flow.host->receive(into);
    if (got.kind == HostIo::Kind::kWouldBlock) return true;
    if (got.kind != HostIo::Kind::kDone) {
      on_error(token, flow);
      return true;
    }
    flow.last = now;
    flow.answered = true;
    const bool echo = what_ == What::kEcho;
    if (got.count > into.size() || (echo && got.count < kEchoHeader)) continue;
    flow.to_guest += got.count;
    shared_.send(write(place, flow.key, got.count));
  }
  return false;
}

std::size_t DatagramRelay::write(Buffer place, const FlowKey& key, std::size_t size) const {
  const Route route = from(key.remote);
  if (what_ == What::kUdp) return write_udp(place, route, key.remote_port, key.guest_port, size);
  const std::size_t header = echo_payload_at(key.remote.family()) - kEchoHeader;
  const auto sequence =
      static_cast<std::uint16_t>((place[header + 6] << kByteBits) | place[header + 7]);
  return write_echo_reply(place, route, key.guest_port, sequence, size - kEchoHeader);
}

// The host was told by ICMP, or by its own kernel; so is the guest.
void DatagramRelay::on_error(Token token, Flow& flow) {
  const int error = flow.host->error();
  if (error == 0) return;
  if (what_ == What::kUdp) {
    const Unreachable why = error == ECONNREFUSED ? Unreachable::kPort : Unreachable::kHost;
    // From whom it came, as far as the guest knows.
    const Address& source =
        error == ECONNREFUSED ? flow.key.remote : policy::link_of(flow.key.remote.family()).engine;
    shared_.unreachable(flow.key.remote, source, why, [&](Buffer out, const Route& there) {
      return write_udp(out, there, flow.key.guest_port, flow.key.remote_port, 0);
    });
  }
  remove(token, flow, error == ECONNREFUSED ? reason::kRefused : reason::kNoRoute);
}

bool DatagramRelay::flush(Time now) {
  for (std::size_t left = turn_.size(); left > 0; --left) {
    if (shared_.link.place().empty()) return false;
    const Token token = turn_.front();
    turn_.pop_front();
    Flow* const flow = flows_.find(token);
    if (flow == nullptr) continue;
    flow->waiting = false;
    on_ready(token, now);
  }
  return turn_.empty();
}

Time DatagramRelay::due(const Flow& flow) const {
  return flow.last + (flow.answered ? kAnswered : kUnanswered);
}

void DatagramRelay::on_deadline(Token token, Time now) {
  Flow* const flow = flows_.find(token);
  if (flow == nullptr) return;
  flow->place.reset();
  if (due(*flow) <= now) return remove(token, *flow, reason::kIdle);
  shared_.deadlines.want(token, due(*flow), flow->place);
}

void DatagramRelay::judge_again(Time now) {
  flows_.for_each([&](Token token, Flow& flow) {
    const policy::Decision decision =
        shared_.judge_again(protocol(), flow.key.remote, flow.key.remote_port, flow.name, now);
    flow.rule = decision.rule;
    if (!decision.allow) remove(token, flow, reason::kPolicy);
  });
}

NetEvent DatagramRelay::event_of(const Flow& flow) const {
  return {.protocol = policy::protocol_name(protocol()),
          .name = flow.name,
          .address = flow.key.remote,
          .port = flow.key.remote_port,
          .rule = flow.rule};
}

void DatagramRelay::remove(Token token, Flow& flow, const char* why) {
  NetEvent event = event_of(flow);
  event.to_host = flow.to_host;
  event.to_guest = flow.to_guest;
  shared_.ended(std::move(event), why);
  shared_.deadlines.forget(token, flow.place);
  if (flow.waiting) std::erase(turn_, token);
  by_key_.erase(flow.key);
  flows_.remove(token);
}

}  // namespace pyro::net
