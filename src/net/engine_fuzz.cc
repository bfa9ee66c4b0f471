// Any sequence of frames, of what the host's sockets do, of time and of policies. The host's
// network is a fake that looks: nothing is opened towards an address that the policy refuses at
// that moment (a name server's aside), there are never more sockets, flows, deadlines and pins than
// there may be, what the guest is sent are frames that it can read, from nobody but the engine or
// whom it talks to, and in the end nothing is left.
#include <cstdint>
#include <cstdlib>

#include "net/engine_testing.h"

namespace {

using namespace pyro::net;
namespace policy = pyro::policy;

constexpr std::uint16_t kResolverPort = 5399;
constexpr std::uint16_t kQueryId = 1;
constexpr std::uint16_t kTypeA = 1, kTypeAaaa = 28;

constexpr Time kBegin = Time() + std::chrono::hours(1);

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
  std::string text(std::size_t most) {
    const std::size_t size = std::min<std::size_t>({next(1), most, bytes_.size()});
    std::string out(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(size));
    bytes_ = bytes_.subspan(size);
    return out;
  }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[next(1) % from.size()];
  }

 private:
  Bytes bytes_;
};

const std::vector<Address>& addresses() {
  static const std::vector<Address> all{ip("93.184.216.34"),
                                        ip("93.184.216.35"),
                                        ip("10.0.0.1"),
                                        ip("127.0.0.1"),
                                        ip("169.254.169.254"),
                                        ip("224.0.0.1"),
                                        ip("9.9.9.9"),
                                        ip("2606:2800:220:1::1"),
                                        ip("::1"),
                                        ip("fe80::1"),
                                        ip("64:ff9b::7f00:1"),
                                        policy::link_of(Family::kIpv4).engine,
                                        policy::link_of(Family::kIpv6).engine};
  return all;
}
const std::vector<std::string>& names() {
  static const std::vector<std::string> all{"a.example", "b.example", "host.pyro.internal",
                                            "sub.b.example"};
  return all;
}

// Asks decide() itself, as the gate would, when a socket is opened.
class WatchedNetwork final : public HostNetwork {
 public:
  explicit WatchedNetwork(FakeNetwork& fake) : fake_(fake) {}
  Opened<HostTcp> connect(const Address& address, std::uint16_t port, Token token) override {
    check(policy::Protocol::kTcp, address, port, token);
    return fake_.connect(address, port, token);
  }
  Opened<HostDatagrams> open_udp(const Address& address, std::uint16_t port, Token token) override {
    check(policy::Protocol::kUdp, address, port, token);
    return fake_.open_udp(address, port, token);
  }
  Opened<HostDatagrams> open_echo(const Address& address, Token token) override {
    check(policy::Protocol::kEcho, address, 0, token);
    return fake_.open_echo(address, token);
  }
  bool is_own(const Address& address) override { return fake_.is_own(address); }
  bool has_ipv6() override { return fake_.has_ipv6(); }
  Opened<HostListener> listen(std::uint16_t port, Token token) override {
    return fake_.listen(port, token);
  }
  const policy::RuleSet* rules = nullptr;
  // Names that the guest may have been given an address for; the policy knows which of them count.
  std::multimap<Address, std::string> told;
  // Those that it was sent, also as an alias, and until when that counts: a rule that denies one of
  // them is about the address, whenever it came.
  std::map<std::pair<Address, std::string>, Time> sent;
  Time now = kBegin;

 private:
  void check(policy::Protocol protocol, const Address& address, std::uint16_t port,
             Token token) const {
    if (kind_of(token) == Kind::kDns) {
      must(port == kResolverPort, "a question goes to no name server");
      return;
    }
    must(rules != nullptr, "a socket without a policy");
    // The host's loopback has one name, and no other way leads to it.
    const bool loopback = address == ip("127.0.0.1");
    std::vector<std::string> asked;
    const auto [first, last] = told.equal_range(address);
    for (auto i = first; i != last; ++i) asked.push_back(i->second);
    const policy::Endpoint there{
        .protocol = protocol,
        .address = loopback ? policy::link_of(Family::kIpv4).engine : address,
        .port = port,
        .names = asked};
    const policy::Endpoint direct{.protocol = protocol, .address = address, .port = port};
    must(rules->decide(there).allow || rules->decide(direct).allow, "the policy refuses this");
    std::vector<std::string> known;
    for (const auto& [what, until] : sent) {
      if (what.first == address && until > now) known.push_back(what.second);
    }
    must(rules->decide({.protocol = protocol, .address = address, .port = port, .aliases = known})
                 .reason != policy::Reason::kDenied,
         "the policy denies a name of this");
    // Each rule about one of these names it alone.
    must(!fake_.own.contains(address) ||
             rules->decide(direct).rule.kind == policy::RuleId::Kind::kAllow,
         "the host's own address");
  }
  FakeNetwork& fake_;
};

class World {
 public:
  explicit World(Script& script) : script_(script) {
    fake_.own.insert(ip("93.184.216.35"));
    engine_ = std::make_unique<Engine>(link_, network_);
  }
  ~World() {
    engine_.reset();
    if (fake_.open_sockets() != 0) std::abort();
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void step() {
    switch (script_.next(1) % 12) {
      case 0:
        return configure();
      case 1:
      case 2:
      case 3:
        return give(tcp());
      case 4:
        return give(guest_frame::udp(route(), port(), port(), script_.text(40)));
      case 5:
        return ask();
      case 6:
        return give(guest_frame::echo(route(), port(), 1, script_.text(40)));
      case 7:
        return stream_event();
      case 8:
        return datagram_event();
      case 9:
        return pass_time();
      case 10:
        return garbage();
      default:
        return something_else();
    }
  }
  void flush() {
    engine_->flush(now_);
    for (; !link_.frames.empty(); link_.frames.pop_front()) read(link_.frames.front());
    check();
  }

 private:
  void configure() {
    static const std::vector<std::string> kRules{
        "93.184.216.34:443", "93.184.216.35:80", "a.example:443",
        "*.b.example",       "udp://b.example",  "host.pyro.internal:443",
        "10.0.0.0/8",        "icmp://9.9.9.9",   "[2606:2800:220:1::1]:80"};
    Engine::Settings settings{.resolvers = {{.address = ip("8.8.8.8"), .port = kResolverPort}}};
    const std::uint32_t how = script_.next(1);
    policy::Policy& p = settings.policy;
    p.preset = static_cast<policy::Preset>(how % 3);
    if (p.preset != policy::Preset::kOff) {
      const auto rules = script_.next(2);
      for (std::size_t i = 0; i < kRules.size(); ++i) {
        const bool deny = (rules >> (i + 1) & 1U) != 0 && (how & 4U) != 0;
        const auto rule =
            policy::parse_rule(kRules[i], deny ? policy::Verdict::kDeny : policy::Verdict::kAllow);
        if ((rules >> i & 1U) != 0 && rule) (deny ? p.deny : p.allow).push_back(*rule);
      }
      p.allow_udp = !p.allow.empty() && (how & 8U) != 0;
      p.allow_icmp = !p.allow.empty() && (how & 16U) != 0;
    }
    rules_ = std::make_unique<policy::RuleSet>(p);
    network_.rules = rules_.get();
    engine_->configure(std::move(settings), now_);
  }
  Route route() { return guest_frame::to(script_.pick(addresses())); }
  std::uint16_t port() {
    static const std::vector<std::uint16_t> kPorts{443, 80, 53, 1000, 1001, 1002, 1003, 8080};
    return script_.pick(kPorts);
  }
  std::vector<std::uint8_t> tcp() {
    const Route to = route();
    const std::uint32_t flags = script_.next(1);
    TcpSegment s{.source_port = port(),
                 .destination_port = port(),
                 .sequence = 1000 + script_.next(1),
                 .acknowledgement = heard_ + script_.next(1) - 1,
                 .fin = (flags & 1U) != 0,
                 .syn = (flags & 2U) != 0,
                 .rst = (flags & 4U) != 0,
                 .ack = (flags & 2U) == 0,
                 .window = static_cast<std::uint16_t>(script_.next(1) * 256),
                 .max_segment = 1460,
                 .window_scale = 7};
    if (s.syn) s.sequence = 1000;
    return guest_frame::tcp(to, s, s.syn ? std::string() : script_.text(200));
  }
  void ask() {
    const std::uint16_t type = (script_.next(1) & 1U) != 0 ? kTypeA : kTypeAaaa;
    const std::string query =
        text_of(write_query(kQueryId, {.name = script_.pick(names()), .type = type}));
    give(
        guest_frame::udp(guest_frame::to(addresses().at(addresses().size() - 2)), 1000, 53, query));
  }
  void give(const std::vector<std::uint8_t>& frame) { engine_->on_frame(frame, now_); }
  void garbage() {
    std::vector<std::uint8_t> frame = tcp();
    const std::size_t at = script_.next(1) % frame.size();
    const std::string text = script_.text(60);
    for (std::size_t i = 0; i < text.size() && at + i < frame.size(); ++i)
      frame[at + i] = static_cast<std::uint8_t>(text[i]);
    give(frame);
  }
  void stream_event() {
    if (fake_.tcp.empty()) return;
    FakeTcpState& s = *fake_.tcp[script_.next(1) % fake_.tcp.size()];
    const std::uint32_t what = script_.next(1);
    if ((what & 3U) == 0) s.error = (what & 8U) != 0 ? ECONNREFUSED : EHOSTUNREACH;
    if ((what & 3U) == 1 && !s.stream.ended) s.stream.put(std::string(script_.next(1), 'x'));
    if ((what & 3U) == 2) s.stream.ended = true;
    if ((what & 4U) != 0) s.stream.takes = script_.next(1);
    if (what == 255) s.stream.broken = true;
    engine_->on_ready(s.token, {.writable = (what & 16U) != 0, .failed = (what & 32U) != 0}, now_);
  }
  void datagram_event() {
    if (fake_.datagrams.empty()) return;
    FakeDatagramState& s = *fake_.datagrams[script_.next(1) % fake_.datagrams.size()];
    const std::uint32_t what = script_.next(1);
    if (what == 255) {
      s.error = ECONNREFUSED;
    } else if (kind_of(s.token) == Kind::kDns && !s.sent.empty() && (what & 1U) != 0) {
      s.received.push_back(answer(s.sent.back()));
    } else {
      s.received.push_back(script_.text(100));
    }
    engine_->on_ready(s.token, {}, now_);
  }
  std::string answer(const std::string& query) {
    DnsAnswer out;
    const auto asked =
        parse_query({reinterpret_cast<const std::uint8_t*>(query.data()), query.size()});
    must(asked.has_value(), "no question");
    for (std::uint32_t left = script_.next(1) % 3; left > 0; --left) {
      const Address& address = script_.pick(addresses());
      const bool v4 = address.family() == Family::kIpv4;
      if (v4 != (asked->question.type == 1)) continue;
      out.addresses.push_back({.address = address, .ttl = script_.next(1) * 60});
      network_.told.emplace(address, asked->question.name);
    }
    if ((script_.next(1) & 1U) != 0) out.aliases.push_back(script_.pick(names()));
    return EngineRig::answer_to(query, out);
  }
  void pass_time() {
    now_ += std::chrono::milliseconds(script_.next(2) * 4);
    network_.now = now_;
    engine_->on_time(now_);
  }
  void something_else() {
    const std::uint32_t what = script_.next(1);
    if (what % 4 == 0) {
      static_cast<void>(engine_->publish(static_cast<std::uint16_t>(8000 + what % 3), 80));
    } else if (what % 4 == 1) {
      engine_->unpublish(static_cast<std::uint16_t>(8000 + what % 3));
    } else if (what % 4 == 2 && !fake_.listeners.empty()) {
      FakeListenerState& listener = *fake_.listeners[what % fake_.listeners.size()];
      auto client = std::make_shared<FakeTcpState>();
      fake_.tcp.push_back(client);
      listener.waiting.push_back(client);
      if (listener.closed) client->closed = true;
      if (!listener.closed) engine_->on_ready(listener.token, {}, now_);
    } else {
      link_.space = what;
      fake_.connect_error = what > 240 ? ENETUNREACH : 0;
      fake_.open_error = what > 240 ? EMFILE : 0;
    }
  }
  void read(const std::vector<std::uint8_t>& bytes) {
    constexpr std::size_t kTypeAt = 12;
    must(bytes.size() >= kEthernetHeader && bytes.size() <= kMostFrame, "no frame");
    must(std::ranges::equal(std::span(bytes).first(6), kGuestMac), "for somebody else");
    if (bytes[kTypeAt] == 8 && bytes[kTypeAt + 1] == 6) return;  // ARP
    const auto frame = parse_frame(bytes);
    must(frame.has_value(), "the guest cannot read it");
    const auto& packet = std::get<IpPacket>(frame->content);
    must(packet.destination == policy::link_of(packet.destination.family()).guest,
         "to another address");
    if (const auto* const s = std::get_if<TcpSegment>(&packet.transport)) heard_ = s->sequence + 1;
    if (const auto* const d = std::get_if<UdpDatagram>(&packet.transport)) hear_answer(d->payload);
  }
  // Whatever was asked for.
  void hear_answer(Bytes message) {
    for (const std::string& name : names()) {
      for (const std::uint16_t type : {kTypeA, kTypeAaaa}) {
        const auto told = parse_answer(message, kQueryId, {.name = name, .type = type});
        if (!told) continue;
        std::vector<std::string> about = told->aliases;
        about.push_back(name);
        for (const DnsAddress& a : told->addresses) {
          for (const std::string& each : about) {
            Time& until = network_.sent[{a.address, each}];
            until = std::max(until, now_ + Pins::lifetime(a.ttl));
          }
        }
      }
    }
  }
  void check() {
    const Engine::Sizes sizes = engine_->sizes();
    must(sizes.tcp <= kMostTcpFlows && sizes.udp <= kMostUdpFlows && sizes.echo <= kMostEchoFlows &&
             sizes.pins <= kMostPins,
         "too many");
    const std::size_t sockets = sizes.tcp + sizes.udp + sizes.echo + kMostDnsUnderWay;
    must(fake_.open_sockets() <= sockets, "sockets that nobody has");
    const bool published =
        std::ranges::any_of(fake_.listeners, [](const auto& l) { return !l->closed; });
    must(!published || (rules_ && rules_->policy().preset == policy::Preset::kEgressAndPublish),
         "a port is published that the policy does not allow");
    must(sizes.deadlines <= sockets + fake_.listeners.size(), "deadlines of nobody");
  }

  Script& script_;
  FakeNetwork fake_;
  WatchedNetwork network_{fake_};
  KeptFrames link_;
  std::unique_ptr<policy::RuleSet> rules_;
  std::unique_ptr<Engine> engine_;
  Time now_ = kBegin;
  std::uint32_t heard_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Script script({data, size});
  World world(script);
  while (!script.done()) {
    world.step();
    world.flush();
  }
  return 0;
}
