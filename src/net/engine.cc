#include "net/engine.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/overloaded.h"
#include "net/link.h"

namespace pyro::net {

namespace {

constexpr std::uint16_t kDnsPort = 53;
constexpr std::chrono::milliseconds kAcceptAgain{100};
constexpr std::uint8_t kGroupBit = 1;  // of a MAC address (IEEE 802, clause 8.2)

// The limit that is stated, beside kernel sockets and rules: what each limit comes to when all are
// reached at once. Strings that grow have twice what is in them.
constexpr std::size_t kMostMemory = 32U << 20;
constexpr std::size_t kMostPinMemory = 768;  // with a name of 253 bytes, twice
constexpr std::size_t kMostEventMemory = 512;
constexpr std::size_t kGrowth = 2;
static_assert((kMostTcpFlows + kMostUdpFlows + kMostEchoFlows) * 2 * kMostFlowRecord +
                  kGrowth * HeldBytes::kMost +
                  kMostDnsFlows * kGrowth * (DnsStream::kMostIn + DnsStream::kMostOut) +
                  kMostDnsUnderWay * (kMostDnsMessage + kMostFlowRecord + 4096) + Link::bytes() +
                  kMostPins * kMostPinMemory + NetEvents::kMost * kMostEventMemory <=
              kMostMemory);

bool is_for_us(const MacAddress& destination) {
  return destination == kEngineMac || (destination[0] & kGroupBit) != 0;
}

}  // namespace

Engine::Engine(FrameSink& link, HostNetwork& network)
    : shared_{.link = link, .network = network},
      dns_(shared_, [this](const DnsAsker& asker, Bytes message) { answer_query(asker, message); }),
      tcp_(shared_,
           [this](Token flow, const Address& server, Bytes message) {
             return dns_.on_query({.server = server, .tcp = flow}, message, now_);
           }),
      udp_(shared_, DatagramRelay::What::kUdp),
      echo_(shared_, DatagramRelay::What::kEcho) {}

void Engine::configure(Settings settings, Time now) {
  now_ = now;
  shared_.gate.set(std::move(settings.policy));
  dns_.set_resolvers(std::move(settings.resolvers));
  tcp_.judge_again(now);
  udp_.judge_again(now);
  echo_.judge_again(now);
  while (!may_publish() && !published_.empty()) unpublish(published_.begin()->first);
}

bool Engine::may_publish() const {
  return policy().preset == policy::Preset::kEgressAndPublish;
}

// ---- published ports

std::expected<std::uint16_t, int> Engine::publish(std::uint16_t host_port,
                                                  std::uint16_t guest_port) {
  if (!may_publish()) return std::unexpected(EACCES);
  const Token token = token_of(Kind::kListener, ++listeners_);
  auto listener = shared_.network.listen(host_port, token);
  if (!listener) return std::unexpected(listener.error());
  const std::uint16_t port = (*listener)->port();
  published_[port] = {.listener = *std::move(listener), .token = token, .guest_port = guest_port};
  return port;
}

bool Engine::unpublish(std::uint16_t host_port) {
  const auto found = published_.find(host_port);
  if (found == published_.end()) return false;
  const Token listener = found->second.token;
  shared_.deadlines.forget(listener, found->second.place);
  published_.erase(found);
  tcp_.unpublish(listener, now_);
  return true;
}

void Engine::accept(Token token, Time now) {
  const auto found =
      std::ranges::find_if(published_, [token](const auto& p) { return p.second.token == token; });
  if (found == published_.end()) return;
  shared_.deadlines.forget(token, found->second.place);
  for (int left = kMostInATurn; left > 0; --left) {
    const Token flow = tcp_.next_token();
    auto client = found->second.listener->accept(flow);
    if (client) {
      tcp_.publish(*std::move(client), flow, token, found->second.guest_port, now);
    } else if (client.error() != ECONNABORTED) {
      // Out of descriptors, say: whoever waits is still there later.
      if (client.error() != EAGAIN)
        shared_.deadlines.want(token, now + kAcceptAgain, found->second.place);
      return;
    }
  }
  shared_.deadlines.want(token, now + kNextTurn, found->second.place);
}

// ---- frames

void Engine::on_frame(Bytes bytes, Time now) {
  now_ = now;
  ++shared_.counters.frames_from_guest;
  shared_.counters.bytes_from_guest += bytes.size();
  const auto frame = parse_frame(bytes);
  if (!frame) return drop(frame.error());
  if (frame->source != kGuestMac || !is_for_us(frame->destination)) return drop(Drop::kSource);
  if (const auto* const arp = std::get_if<ArpRequest>(&frame->content)) return on_arp(*arp);
  const auto& packet = std::get<IpPacket>(frame->content);
  if (packet.source != policy::link_of(packet.source.family()).guest) return drop(Drop::kSource);
  on_packet(packet, now);
}

void Engine::on_arp(const ArpRequest& request) {
  const policy::LinkAddresses& link = policy::link_of(Family::kIpv4);
  if (request.sender != link.guest) return drop(Drop::kSource);
  if (request.target != link.engine) return;  // nobody else is there
  shared_.reply([&](Buffer out) { return write_arp_reply(out, kMacs, request); });
}

void Engine::on_packet(const IpPacket& packet, Time now) {
  std::visit(Overloaded{
                 [&](const TcpSegment& s) { tcp_.on_segment(packet, s, now); },
                 [&](const UdpDatagram& d) { on_udp(packet, d, now); },
                 [&](const EchoRequest& e) { on_echo(packet, e, now); },
                 [&](const NeighbourSolicitation& n) { on_solicitation(packet, n); },
                 [&](const OtherTransport& o) { on_other(packet, o); },
             },
             packet.transport);
}

void Engine::on_udp(const IpPacket& packet, const UdpDatagram& d, Time now) {
  if (policy::is_engine(packet.destination) && d.destination_port == kDnsPort) {
    dns_.on_query({.server = packet.destination, .port = d.source_port}, d.payload, now);
    return;
  }
  udp_.on_datagram(packet, d, now);
}

void Engine::on_echo(const IpPacket& packet, const EchoRequest& e, Time now) {
  if (!policy::is_engine(packet.destination)) return echo_.on_echo(packet, e, now);
  shared_.reply([&](Buffer out) {
    std::ranges::copy(e.payload, out.subspan(echo_payload_at(packet.source.family())).begin());
    return write_echo_reply(out, back(packet), e.id, e.sequence, e.payload.size());
  });
}

void Engine::on_solicitation(const IpPacket& packet, const NeighbourSolicitation& what) {
  const Address& engine = policy::link_of(Family::kIpv6).engine;
  if (what.target != engine) return;
  const Route route{.macs = kMacs, .source = engine, .destination = packet.source};
  shared_.reply([&](Buffer out) { return write_advertisement(out, route); });
}

void Engine::on_other(const IpPacket& packet, const OtherTransport& what) {
  if (what.icmp) {
    ++shared_.counters.other_icmp;
    return;
  }
  shared_.decided({.protocol = "other",
                   .address = packet.destination,
                   .port = what.protocol,
                   .reason = reason::kProtocol});
  const Address& engine = policy::link_of(packet.destination.family()).engine;
  if (policy::range_of(packet.destination) == policy::Range::kMulticast) return;
  shared_.reply([&](Buffer out) {
    return write_unreachable(out, from(engine), Unreachable::kProtocol, packet.whole);
  });
}

void Engine::answer_query(const DnsAsker& asker, Bytes message) {
  if (asker.tcp) return tcp_.answer_query(*asker.tcp, message);
  shared_.reply([&](Buffer out) {
    std::ranges::copy(message, out.subspan(udp_payload_at(asker.server.family())).begin());
    return write_udp(out, from(asker.server), kDnsPort, asker.port, message.size());
  });
}

// ---- the host, and time

void Engine::on_ready(Token token, Ready what, Time now) {
  now_ = now;
  switch (kind_of(token)) {
    case Kind::kTcp:
      return tcp_.on_ready(token, what, now);
    case Kind::kUdp:
      return udp_.on_ready(token, now);
    case Kind::kEcho:
      return echo_.on_ready(token, now);
    case Kind::kDns:
      return dns_.on_ready(token, now);
    case Kind::kListener:
      return accept(token, now);
    case Kind::kLink:
    case Kind::kTimer:
      return;
  }
}

void Engine::on_time(Time now) {
  now_ = now;
  while (const std::optional<Token> who = shared_.deadlines.pop(now)) {
    switch (kind_of(*who)) {
      case Kind::kTcp:
        tcp_.on_deadline(*who, now);
        break;
      case Kind::kUdp:
        udp_.on_deadline(*who, now);
        break;
      case Kind::kEcho:
        echo_.on_deadline(*who, now);
        break;
      case Kind::kDns:
        dns_.on_deadline(*who, now);
        break;
      case Kind::kListener:
        accept(*who, now);
        break;
      case Kind::kLink:
      case Kind::kTimer:
        break;
    }
  }
}

bool Engine::flush(Time now) {
  now_ = now;
  const bool tcp = tcp_.flush(now);
  const bool udp = udp_.flush(now);
  const bool echo = echo_.flush(now);
  return tcp && udp && echo;
}

Engine::Sizes Engine::sizes() {
  return {.tcp = tcp_.size(),
          .udp = udp_.size(),
          .echo = echo_.size(),
          .pins = shared_.gate.pins().size(),
          .deadlines = shared_.deadlines.size()};
}

}  // namespace pyro::net
