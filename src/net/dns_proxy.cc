#include "net/dns_proxy.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace pyro::net {

namespace {

// Of questions that go upstream: names are what a tunnel is made of.
constexpr double kBurst = 100;
constexpr double kPerSecond = 50;
constexpr std::uint32_t kHostTtl = 60;
constexpr unsigned kByteBits = 8;
constexpr std::size_t kFlagsAt = 2;
constexpr std::uint8_t kTruncatedBit = 2;

bool asks_for_addresses(const DnsQuestion& q) {
  return q.type == static_cast<std::uint16_t>(DnsType::kA) ||
         q.type == static_cast<std::uint16_t>(DnsType::kAaaa);
}

Family family_of(const DnsQuestion& q) {
  return q.type == static_cast<std::uint16_t>(DnsType::kA) ? Family::kIpv4 : Family::kIpv6;
}

std::size_t most(const DnsAsker& asker, const DnsQuery& query) {
  return asker.tcp ? kMostDnsMessage : query.udp_size;
}

}  // namespace

void DnsProxy::say(const DnsAsker& asker, const DnsQuery& query, const DnsAnswer& answer,
                   const std::optional<ExtendedError>& error) {
  answer_(asker, write_answer(query, answer, error, most(asker, query)));
}

void DnsProxy::refuse(const DnsAsker& asker, const DnsQuery& query, const Refusal& refusal) {
  say(asker, query, {.rcode = refusal.rcode},
      ExtendedError{.code = refusal.code, .text = refusal.text});
}

void DnsProxy::tell(const std::string& name, const policy::Decision& decision, const char* reason,
                    const std::optional<Address>& address) {
  constexpr std::uint16_t kPort = 53;
  shared_.decided({.protocol = "dns",
                   .name = name,
                   .address = address,
                   .port = kPort,
                   .allow = decision.allow,
                   .rule = decision.rule,
                   .reason = reason});
}

bool DnsProxy::take_token(Time now) {
  if (filled_) {
    const std::chrono::duration<double> since = now - *filled_;
    tokens_ = std::min(kBurst, tokens_ + (since.count() * kPerSecond));
  } else {
    tokens_ = kBurst;
  }
  filled_ = now;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

bool DnsProxy::on_query(const DnsAsker& asker, Bytes message, Time now) {
  ++shared_.counters.dns_queries;
  const auto query = parse_query(message);
  if (!query) {
    const BadQuery& bad = query.error();
    tell(bad.name, {}, reason::kQuery);
    if (bad.id) answer_(asker, write_refusal(*bad.id, bad.rcode));
    return bad.id.has_value();
  }
  decide(asker, *query, now);
  return true;
}

void DnsProxy::decide(const DnsAsker& asker, const DnsQuery& query, Time now) {
  const DnsQuestion& q = query.question;
  const policy::RuleSet& rules = shared_.gate.rules();
  policy::Decision decision = rules.decide_name(q.name);
  const char* why = policy::reason_name(decision.reason);
  if (decision.allow && q.name == policy::kHostName) {
    tell(q.name, decision, why);
    DnsAnswer self;
    if (asks_for_addresses(q))
      self.addresses.push_back({.address = policy::link_of(family_of(q)).engine, .ttl = kHostTtl});
    return say(asker, query, self, std::nullopt);
  }
  if (decision.allow && !asks_for_addresses(q) && !rules.any_name()) {
    tell(q.name, {.allow = false, .rule = decision.rule}, reason::kType);
    return say(asker, query, {}, std::nullopt);  // there is none
  }
  if (decision.allow && q.type == static_cast<std::uint16_t>(DnsType::kAaaa) &&
      !shared_.network.has_ipv6()) {
    tell(q.name, decision, reason::kNoRoute);
    return say(asker, query, {}, std::nullopt);
  }
  bool failed = false;
  if (decision.allow && !take_token(now)) {
    decision.allow = false;
    why = reason::kLimit;
  }
  if (decision.allow) {
    const auto asked = upstream_.ask(
        q,
        [this, asker, query](Result<DnsReply> reply, Time when) {
          on_reply(asker, query, std::move(reply), when);
        },
        now);
    if (asked) return;
    failed = asked.error().code != Errc::kLimit;
    decision.allow = failed;  // no name server: it was allowed all the same
    why = failed ? reason::kNoRoute : reason::kLimit;
  }
  tell(q.name, decision, why);
  refuse(asker, query,
         {.rcode = failed ? Rcode::kServFail : Rcode::kRefused,
          .code = failed ? kNetworkError : kBlocked,
          .text = fmt::format("pyro: {}", why)});
}

// What holds no addresses is not read any further: its bytes are the name server's.
void DnsProxy::pass_on(const DnsAsker& asker, const DnsQuery& query, const DnsReply& reply) {
  std::vector<std::uint8_t> message = reply.message;
  if (message.size() > most(asker, query)) {
    message = write_answer(query, {}, std::nullopt, most(asker, query));
    message[kFlagsAt] |= kTruncatedBit;
  }
  message[0] = static_cast<std::uint8_t>(query.id >> kByteBits);
  message[1] = static_cast<std::uint8_t>(query.id);
  answer_(asker, message);
}

void DnsProxy::on_reply(const DnsAsker& asker, const DnsQuery& query, Result<DnsReply> reply,
                        Time now) {
  const DnsQuestion& q = query.question;
  const policy::RuleSet& rules = shared_.gate.rules();
  // The policy may be another one by now.
  policy::Decision decision = rules.decide_name(q.name);
  if (decision.allow && !reply) {
    tell(q.name, decision, reason::kTimeout);  // it was allowed all the same
    return refuse(asker, query,
                  {.rcode = Rcode::kServFail, .code = kNetworkError, .text = "pyro: no answer"});
  }
  for (const std::string& alias : reply ? reply->answer.aliases : std::vector<std::string>{}) {
    const policy::Decision about = rules.decide_name(alias);
    if (decision.allow && about.reason == policy::Reason::kDenied) decision = about;
  }
  if (!decision.allow) {
    const char* const why = policy::reason_name(decision.reason);
    tell(q.name, decision, why);
    return refuse(asker, query, {.text = fmt::format("pyro: {}", why)});
  }
  DnsAnswer& answer = reply->answer;
  for (const DnsAddress& a : answer.addresses) {
    const bool special =
        policy::range_of(a.address) != policy::Range::kPublic || policy::is_on_link(a.address);
    if (special && !rules.names_special(a.address)) {
      tell(q.name, {.allow = false, .rule = decision.rule}, reason::kRebinding, a.address);
      return refuse(asker, query, {.text = fmt::format("pyro: {}", reason::kRebinding)});
    }
  }
  tell(q.name, decision, policy::reason_name(decision.reason));
  if (!asks_for_addresses(q)) return pass_on(asker, query, *reply);
  // An IPv4 address in its IPv6 form is no answer to a question for IPv6.
  std::erase_if(answer.addresses,
                [&](const DnsAddress& a) { return a.address.family() != family_of(q); });
  for (DnsAddress& a : answer.addresses) {
    shared_.gate.pins().pin(a.address, q.name, answer.aliases, a.ttl, now);
    const auto pinned = static_cast<std::uint32_t>(Pins::lifetime(a.ttl).count());
    a.ttl = std::min(a.ttl, pinned);
  }
  say(asker, query, answer, std::nullopt);
}

}  // namespace pyro::net
