#include "net/dns_upstream.h"

#include <algorithm>
#include <array>
#include <utility>

#include "sys/random.h"

namespace pyro::net {

namespace {

// Each attempt asks the next name server.
constexpr std::array<std::chrono::milliseconds, 4> kPatience{
    std::chrono::milliseconds(1500), std::chrono::milliseconds(2500),
    std::chrono::milliseconds(2500), std::chrono::milliseconds(3500)};
constexpr std::size_t kLengthField = 2;
constexpr std::size_t kReadAtATime = 4096;
constexpr std::size_t kMostReceived = kLengthField + kMostDnsMessage + kReadAtATime;
constexpr unsigned kByteBits = 8;

Result<std::uint16_t> random_id() {
  PYRO_TRY(const std::string bytes, sys::random_bytes(2));
  return static_cast<std::uint16_t>((static_cast<std::uint8_t>(bytes[0]) << kByteBits) |
                                    static_cast<std::uint8_t>(bytes[1]));
}

}  // namespace

Result<void> DnsUpstream::ask(DnsQuestion question, Done done, Time now) {
  if (resolvers_.empty()) return fail(Errc::kUnavailable, "the host has no name server");
  if (questions_.size() >= kMostDnsUnderWay)
    return fail(Errc::kLimit, "too many questions are under way");
  const Token token = questions_.next();
  Question& q = questions_.add(std::make_unique<Question>());
  q.what = std::move(question);
  q.done = std::move(done);
  q.resolvers = resolvers_;
  // Never from within: whoever asks is not told before it knows that it has asked.
  const bool begun = begin(token, q);
  wake_at(token, q, begun ? now + kPatience[q.attempts - 1] : now);
  return {};
}

void DnsUpstream::wake_at(Token token, Question& q, Time due) {
  q.due = due;
  shared_.deadlines.want(token, due, q.place);
}

// One attempt over UDP.
bool DnsUpstream::begin(Token token, Question& q) {
  const Resolver& resolver = q.resolvers[q.attempts % q.resolvers.size()];
  ++q.attempts;
  q.unread = false;
  q.tcp.reset();
  q.udp.reset();
  const auto id = random_id();
  if (!id) return false;
  q.id = *id;
  auto socket = shared_.network.open_udp(resolver.address, resolver.port, token);
  if (!socket) return false;
  q.udp = std::move(*socket);
  ++shared_.counters.dns_upstream;
  return q.udp->send(write_query(q.id, q.what)).kind == HostIo::Kind::kDone;
}

void DnsUpstream::attempt(Token token, Question& q, Time now) {
  while (q.attempts < kPatience.size()) {
    if (begin(token, q)) return wake_at(token, q, now + kPatience[q.attempts - 1]);
  }
  finish(token, fail(Errc::kDeadline, "no name server answered"), now);
}

void DnsUpstream::on_deadline(Token token, Time now) {
  Question* q = questions_.find(token);
  if (q == nullptr) return;
  q->place.reset();
  if (std::exchange(q->unread, false) && q->udp) {
    read_udp(token, *q, now);
    q = questions_.find(token);
    if (q == nullptr) return;  // that was its answer
  }
  if (q->due > now) return shared_.deadlines.want(token, q->due, q->place);
  attempt(token, *q, now);
}

void DnsUpstream::on_ready(Token token, Time now) {
  Question* const q = questions_.find(token);
  if (q == nullptr) return;
  if (q->tcp) {
    go_on_tcp(token, *q, now);
  } else if (q->udp) {
    read_udp(token, *q, now);
  }
}

void DnsUpstream::read_udp(Token token, Question& q, Time now) {
  std::array<std::uint8_t, 4096> buffer;
  for (int left = kMostInATurn; left > 0; --left) {
    const HostIo got = q.udp->receive(buffer);
    if (got.kind == HostIo::Kind::kWouldBlock) return;
    if (got.kind != HostIo::Kind::kDone) return attempt(token, q, now);  // nobody is there
    if (got.count > buffer.size()) continue;
    const Bytes message = std::span(buffer).first(got.count);
    auto answer = parse_answer(message, q.id, q.what);
    if (!answer) continue;  // somebody else's
    const bool others = q.attempts < q.resolvers.size();
    if (answer->rcode == Rcode::kServFail && others) return attempt(token, q, now);
    if (!answer->truncated) {
      return finish(
          token,
          DnsReply{.answer = *std::move(answer), .message = {message.begin(), message.end()}}, now);
    }
    const Resolver& resolver = q.resolvers[(q.attempts - 1) % q.resolvers.size()];
    auto tcp = shared_.network.connect(resolver.address, resolver.port, token);
    if (!tcp) return attempt(token, q, now);
    q.udp.reset();
    q.tcp = std::move(*tcp);
    const std::vector<std::uint8_t> query = write_query(q.id, q.what);
    q.unsent = {static_cast<std::uint8_t>(query.size() >> kByteBits),
                static_cast<std::uint8_t>(query.size())};
    q.unsent.insert(q.unsent.end(), query.begin(), query.end());
    q.received.clear();
    q.received.reserve(kMostReceived);
    return;
  }
  q.unread = true;
  shared_.deadlines.want(token, now + kNextTurn, q.place);
}

void DnsUpstream::go_on_tcp(Token token, Question& q, Time now) {
  if (q.tcp->error() != 0) return attempt(token, q, now);
  while (!q.unsent.empty()) {
    const HostIo sent = q.tcp->write(q.unsent);
    if (sent.kind == HostIo::Kind::kWouldBlock) return;
    if (sent.kind != HostIo::Kind::kDone) return attempt(token, q, now);
    q.unsent.erase(q.unsent.begin(), q.unsent.begin() + static_cast<std::ptrdiff_t>(sent.count));
  }
  std::array<std::uint8_t, kReadAtATime> buffer;
  for (;;) {
    const HostIo got = q.tcp->peek(0, buffer);
    if (got.kind == HostIo::Kind::kWouldBlock) return;
    if (got.kind != HostIo::Kind::kDone) return attempt(token, q, now);
    q.tcp->discard(got.count);
    q.received.insert(q.received.end(), buffer.begin(),
                      buffer.begin() + static_cast<std::ptrdiff_t>(got.count));
    if (q.received.size() < kLengthField) continue;
    const std::size_t size = (std::size_t{q.received[0]} << kByteBits) | q.received[1];
    if (q.received.size() < kLengthField + size) continue;
    const Bytes message = Bytes(q.received).subspan(kLengthField, size);
    auto answer = parse_answer(message, q.id, q.what);
    if (!answer || answer->truncated) return attempt(token, q, now);
    return finish(
        token, DnsReply{.answer = *std::move(answer), .message = {message.begin(), message.end()}},
        now);
  }
}

void DnsUpstream::finish(Token token, Result<DnsReply> reply, Time now) {
  Question& q = *questions_.find(token);
  const Done done = std::move(q.done);
  shared_.deadlines.forget(token, q.place);
  questions_.remove(token);
  done(std::move(reply), now);
}

}  // namespace pyro::net
