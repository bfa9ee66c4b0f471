// The name server that the guest has: what it may ask, what it is told, and what that earns it. See
// "DNS" in docs/design/net-theory-of-operation.md.
#pragma once

#include <functional>
#include <vector>

#include "net/dns_upstream.h"

namespace pyro::net {

// Who asked: a port of the guest over UDP, or a flow over TCP.
struct DnsAsker {
  Address server;  // which of the engine's addresses was asked
  std::uint16_t port = 0;
  std::optional<Token> tcp;
};

class DnsProxy {
 public:
  // The answer to one query.
  using Answer = std::function<void(const DnsAsker& asker, Bytes message)>;
  DnsProxy(Shared& shared, Answer answer)
      : shared_(shared), answer_(std::move(answer)), upstream_(shared) {}

  void set_resolvers(std::vector<Resolver> resolvers) {
    upstream_.set_resolvers(std::move(resolvers));
  }
  // Whether it is answered, now or later: it is no query, or nothing that can be answered.
  bool on_query(const DnsAsker& asker, Bytes message, Time now);
  void on_ready(Token token, Time now) { upstream_.on_ready(token, now); }
  void on_deadline(Token token, Time now) { upstream_.on_deadline(token, now); }

 private:
  struct Refusal {
    Rcode rcode = Rcode::kRefused;
    std::uint16_t code = kBlocked;
    std::string text;
  };
  void decide(const DnsAsker& asker, const DnsQuery& query, Time now);
  void say(const DnsAsker& asker, const DnsQuery& query, const DnsAnswer& answer,
           const std::optional<ExtendedError>& error);
  void refuse(const DnsAsker& asker, const DnsQuery& query, const Refusal& refusal);
  void pass_on(const DnsAsker& asker, const DnsQuery& query, const DnsReply& reply);
  void on_reply(const DnsAsker& asker, const DnsQuery& query, Result<DnsReply> reply, Time now);
  void tell(const std::string& name, const policy::Decision& decision, const char* reason,
            const std::optional<Address>& address = std::nullopt);
  bool take_token(Time now);

  Shared& shared_;
  Answer answer_;
  DnsUpstream upstream_;
  double tokens_ = 0;
  std::optional<Time> filled_;
};

}  // namespace pyro::net
