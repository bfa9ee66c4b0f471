// An engine between two fakes, for its tests and its fuzzer: a host whose sockets are records, and
// a link that keeps what is sent.
#pragma once

#include <cerrno>
#include <map>
#include <set>

#include "net/dns_message.h"
#include "net/engine.h"
#include "net/tcp_flow_testing.h"

namespace pyro::net {

// What the engine did with a stream socket, and what is to happen to it.
struct FakeTcpState {
  Address address;
  std::uint16_t port = 0;
  Token token = 0;
  FakeHost stream;
  int error = 0;
  bool reset = false, closed = false;
};
struct FakeDatagramState {
  Address address;
  std::uint16_t port = 0;
  Token token = 0;
  bool echo = false;
  std::deque<std::string> sent, received;
  int error = 0;  // of the next call, and then of error()
  bool full = false, closed = false;
};

class FakeTcp final : public HostTcp {
 public:
  explicit FakeTcp(std::shared_ptr<FakeTcpState> state) : state_(std::move(state)) {}
  ~FakeTcp() override {
    state_->closed = true;
    state_->reset = !state_->stream.writing_ended || state_->stream.reset_wanted;
  }
  FakeTcp(const FakeTcp&) = delete;
  FakeTcp& operator=(const FakeTcp&) = delete;
  HostIo write(Bytes bytes) override { return state_->stream.write(bytes); }
  HostIo peek(std::size_t skip, std::span<std::uint8_t> into) override {
    return state_->stream.peek(skip, into);
  }
  void discard(std::size_t count) override { state_->stream.discard(count); }
  void shut_down_writing() override { state_->stream.shut_down_writing(); }
  bool is_reset() override { return state_->stream.is_reset(); }
  void reset_at_last() override { state_->stream.reset_at_last(); }
  std::size_t room() override { return state_->stream.room(); }
  void ask_for_room() override { state_->stream.ask_for_room(); }
  int error() override { return std::exchange(state_->error, 0); }

 private:
  std::shared_ptr<FakeTcpState> state_;
};

class FakeDatagrams final : public HostDatagrams {
 public:
  explicit FakeDatagrams(std::shared_ptr<FakeDatagramState> state) : state_(std::move(state)) {}
  ~FakeDatagrams() override { state_->closed = true; }
  FakeDatagrams(const FakeDatagrams&) = delete;
  FakeDatagrams& operator=(const FakeDatagrams&) = delete;
  HostIo send(Bytes message) override {
    if (state_->error != 0) return {.kind = HostIo::Kind::kBroken};
    if (state_->full) return {.kind = HostIo::Kind::kWouldBlock};
    state_->sent.emplace_back(message.begin(), message.end());
    return {.kind = HostIo::Kind::kDone, .count = message.size()};
  }
  HostIo receive(std::span<std::uint8_t> into) override {
    if (state_->error != 0) return {.kind = HostIo::Kind::kBroken};
    if (state_->received.empty()) return {.kind = HostIo::Kind::kWouldBlock};
    const std::string message = std::move(state_->received.front());
    state_->received.pop_front();
    std::copy_n(message.begin(), std::min(message.size(), into.size()), into.begin());
    return {.kind = HostIo::Kind::kDone, .count = message.size()};
  }
  int error() override { return std::exchange(state_->error, 0); }

 private:
  std::shared_ptr<FakeDatagramState> state_;
};

struct FakeListenerState {
  Token token = 0;
  std::uint16_t port = 0;
  std::deque<std::shared_ptr<FakeTcpState>> waiting;
  int error = 0;  // of the next accept()
  bool closed = false;
};
class FakeListener final : public HostListener {
 public:
  explicit FakeListener(std::shared_ptr<FakeListenerState> state) : state_(std::move(state)) {}
  ~FakeListener() override { state_->closed = true; }
  FakeListener(const FakeListener&) = delete;
  FakeListener& operator=(const FakeListener&) = delete;
  Opened<HostTcp> accept(Token token) override {
    if (state_->error != 0) return std::unexpected(std::exchange(state_->error, 0));
    if (state_->waiting.empty()) return std::unexpected(EAGAIN);
    const std::shared_ptr<FakeTcpState> client = state_->waiting.front();
    state_->waiting.pop_front();
    client->token = token;
    return std::make_unique<FakeTcp>(client);
  }
  [[nodiscard]] std::uint16_t port() const override { return state_->port; }

 private:
  std::shared_ptr<FakeListenerState> state_;
};

class FakeNetwork final : public HostNetwork {
 public:
  Opened<HostTcp> connect(const Address& address, std::uint16_t port, Token token) override {
    if (connect_error != 0) return std::unexpected(connect_error);
    auto state = std::make_shared<FakeTcpState>();
    state->address = address;
    state->port = port;
    state->token = token;
    tcp.push_back(state);
    return std::make_unique<FakeTcp>(state);
  }
  Opened<HostDatagrams> open_udp(const Address& address, std::uint16_t port, Token token) override {
    return open(address, port, token, /*echo=*/false);
  }
  Opened<HostDatagrams> open_echo(const Address& address, Token token) override {
    return open(address, 0, token, /*echo=*/true);
  }
  bool is_own(const Address& address) override { return own.contains(address); }
  bool has_ipv6() override { return ipv6; }
  Opened<HostListener> listen(std::uint16_t port, Token token) override {
    constexpr std::uint16_t kAnyPort = 40'000;
    auto state = std::make_shared<FakeListenerState>();
    state->token = token;
    state->port = port == 0 ? kAnyPort : port;
    for (const auto& other : listeners)
      if (!other->closed && other->port == state->port) return std::unexpected(EADDRINUSE);
    listeners.push_back(state);
    return std::make_unique<FakeListener>(state);
  }
  [[nodiscard]] std::size_t open_sockets() const {
    const auto is_open = [](const auto& s) { return !s->closed; };
    return static_cast<std::size_t>(std::ranges::count_if(tcp, is_open) +
                                    std::ranges::count_if(datagrams, is_open));
  }

  // All that were ever opened.
  std::vector<std::shared_ptr<FakeTcpState>> tcp;
  std::vector<std::shared_ptr<FakeDatagramState>> datagrams;
  std::vector<std::shared_ptr<FakeListenerState>> listeners;
  std::set<Address> own;
  bool ipv6 = true;
  int connect_error = 0, open_error = 0;

 private:
  Opened<HostDatagrams> open(const Address& address, std::uint16_t port, Token token, bool echo) {
    if (open_error != 0) return std::unexpected(open_error);
    auto state = std::make_shared<FakeDatagramState>();
    state->address = address;
    state->port = port;
    state->token = token;
    state->echo = echo;
    datagrams.push_back(state);
    return std::make_unique<FakeDatagrams>(state);
  }
};

class KeptFrames final : public FrameSink {
 public:
  Buffer place() override {
    if (space == 0) return {};
    return buffer_;
  }
  void send(std::size_t size) override {
    must(space > 0, "a frame is sent that has no place");
    must(size <= buffer_.size(), "a frame is longer than its place");
    --space;
    frames.emplace_back(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(size));
  }
  std::deque<std::vector<std::uint8_t>> frames;
  std::size_t space = 10'000;

 private:
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(kMostFrame);
};

inline Address ip(std::string_view text) {
  const auto address = Address::parse(text);
  must(address.has_value(), "no address");
  return *address;
}
inline std::string text_of(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

// Frames of a guest.
namespace guest_frame {
inline constexpr Macs kTurned{.engine = kGuestMac, .guest = kEngineMac};
inline Route to(const Address& address) {
  return {
      .macs = kTurned, .source = policy::link_of(address.family()).guest, .destination = address};
}
using Made = std::vector<std::uint8_t>;
inline Made tcp(const Route& route, const TcpSegment& segment, std::string_view payload = {}) {
  Made out(kMostFrame);
  std::ranges::copy(payload, out.begin() + static_cast<std::ptrdiff_t>(
                                               tcp_payload_at(route.destination.family())));
  out.resize(write_tcp(out, route, segment, payload.size()));
  return out;
}
inline Made udp(const Route& route, std::uint16_t from_port, std::uint16_t to_port,
                std::string_view payload) {
  Made out(kMostFrame);
  std::ranges::copy(payload, out.begin() + static_cast<std::ptrdiff_t>(
                                               udp_payload_at(route.destination.family())));
  out.resize(write_udp(out, route, from_port, to_port, payload.size()));
  return out;
}
inline Made echo(const Route& route, std::uint16_t id, std::uint16_t sequence,
                 std::string_view payload) {
  constexpr std::uint8_t kRequestV4 = 8;
  constexpr std::uint8_t kRequestV6 = 128;
  Made out(kMostFrame);
  const Family family = route.destination.family();
  std::ranges::copy(payload, out.begin() + static_cast<std::ptrdiff_t>(echo_payload_at(family)));
  out.resize(write_echo_reply(out, route, id, sequence, payload.size()));
  out[echo_payload_at(family) - kEchoHeader] = family == Family::kIpv4 ? kRequestV4 : kRequestV6;
  return out;
}
}  // namespace guest_frame

// A frame that the guest was sent, with its bytes.
struct Seen {
  std::vector<std::uint8_t> bytes;
  std::unique_ptr<IpPacket> packet;  // with views of `bytes`; null: there is none
  [[nodiscard]] const TcpSegment* tcp() const {
    return packet ? std::get_if<TcpSegment>(&packet->transport) : nullptr;
  }
  [[nodiscard]] const UdpDatagram* udp() const {
    return packet ? std::get_if<UdpDatagram>(&packet->transport) : nullptr;
  }
  // Type and code of an ICMP message that is none of the guest's own kinds; {0, 0}: it is none.
  [[nodiscard]] std::pair<int, int> icmp() const {
    if (!packet || !std::holds_alternative<OtherTransport>(packet->transport)) return {0, 0};
    const std::size_t at = ip_header(packet->source.family());
    return {packet->whole[at], packet->whole[at + 1]};
  }
  // The packet that an ICMP error quotes.
  [[nodiscard]] Bytes quoted() const {
    return packet->whole.subspan(ip_header(packet->source.family()) + kEchoHeader);
  }
};

class EngineRig {
 public:
  static constexpr std::uint16_t kDnsPort = 53;

  void configure(std::vector<std::string> allow = {}, std::vector<std::string> deny = {}) {
    settings.policy.allow.clear();
    settings.policy.deny.clear();
    for (const auto& rule : allow) add(settings.policy.allow, rule, policy::Verdict::kAllow);
    for (const auto& rule : deny) add(settings.policy.deny, rule, policy::Verdict::kDeny);
    engine.configure(settings, now);
    engine.flush(now);
  }
  void give(const std::vector<std::uint8_t>& frame) {
    engine.on_frame(frame, now);
    flush();
  }
  void flush() {
    while (!engine.flush(now) && link.space > 0) {
    }
  }
  void ready(Token token, bool writable = false, bool failed = false) {
    engine.on_ready(token, {.writable = writable, .failed = failed}, now);
    flush();
  }
  // In steps, as a loop would.
  void wait(std::chrono::milliseconds time) {
    const Time until = now + time;
    for (;;) {
      const auto due = engine.next_deadline();
      if (!due || *due > until) break;
      now = std::max(now, *due);
      engine.on_time(now);
      flush();
    }
    now = until;
  }
  // What the guest was sent next; no packet: nothing, or none of IP.
  Seen next() {
    Seen out;
    if (link.frames.empty()) return out;
    out.bytes = std::move(link.frames.front());
    link.frames.pop_front();
    const auto frame = parse_frame(out.bytes);
    if (!frame) return out;
    if (const auto* const packet = std::get_if<IpPacket>(&frame->content))
      out.packet = std::make_unique<IpPacket>(*packet);
    return out;
  }
  std::vector<NetEvent> events() { return engine.events().take(NetEvents::kMost).events; }
  // The last one told, as "protocol address port allowed/refused/end reason".
  std::string last_event() {
    const auto all = events();
    if (all.empty()) return "";
    const NetEvent& e = all.back();
    const bool end = e.kind == NetEvent::Kind::kEnd;
    return std::string(e.protocol) + " " + (e.address ? e.address->text() : e.name) + " " +
           std::to_string(e.port) +
           (end       ? " end "
            : e.allow ? " allowed "
                      : " refused ") +
           e.reason;
  }

  // ---- DNS

  void ask(const std::string& name, std::uint16_t type = 1, std::uint16_t id = 7) {
    const auto query = write_query(id, {.name = name, .type = type});
    const Address& server = policy::link_of(Family::kIpv4).engine;
    give(guest_frame::udp(guest_frame::to(server), kAskerPort, kDnsPort,
                          {reinterpret_cast<const char*>(query.data()), query.size()}));
  }
  // The name server's answer to the question that socket has sent.
  static std::string answer_to(const std::string& sent, const DnsAnswer& answer) {
    const auto query =
        parse_query({reinterpret_cast<const std::uint8_t*>(sent.data()), sent.size()});
    must(query.has_value(), "the engine asked something that is no question");
    return text_of(write_answer(*query, answer, std::nullopt, kMostDnsMessage));
  }
  void answer(const DnsAnswer& answer) {
    const auto socket = network.datagrams.back();
    must(!socket->sent.empty(), "nothing was asked");
    socket->received.push_back(answer_to(socket->sent.back(), answer));
    ready(socket->token);
  }
  static constexpr std::uint16_t kAskerPort = 5353;

  FakeNetwork network;
  KeptFrames link;
  Engine engine{link, network};
  Engine::Settings settings{.policy = {.preset = policy::Preset::kEgressAndPublish},
                            .resolvers = {{.address = ip("9.9.9.9")}}};
  Time now = Time() + std::chrono::hours(1);

 private:
  static void add(std::vector<policy::Rule>& rules, const std::string& text,
                  policy::Verdict verdict) {
    const auto rule = policy::parse_rule(text, verdict);
    must(rule.has_value(), "no rule");
    rules.push_back(*rule);
  }
};

}  // namespace pyro::net
