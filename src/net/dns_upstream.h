// Questions to the host's name servers, over UDP, and over TCP when the answer is cut (RFC 1035,
// RFC 7766).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "net/dns_message.h"
#include "net/shared.h"
#include "net/slab.h"

namespace pyro::net {

inline constexpr std::size_t kMostDnsUnderWay = 64;
inline constexpr std::size_t kMostResolvers = 8;

struct Resolver {
  Address address;
  std::uint16_t port = 53;
  bool operator==(const Resolver&) const = default;
};

struct DnsReply {
  DnsAnswer answer;
  std::vector<std::uint8_t> message;  // as it came, of a name server that is not trusted
};

class DnsUpstream {
 public:
  using Done = std::function<void(Result<DnsReply>, Time now)>;

  explicit DnsUpstream(Shared& shared) : shared_(shared) {}

  // Questions under way go on as they began.
  void set_resolvers(std::vector<Resolver> resolvers) { resolvers_ = std::move(resolvers); }
  // `done` is called once, by a later call of this object. kLimit: kMostDnsUnderWay are under way;
  // kUnavailable: there is no name server.
  Result<void> ask(DnsQuestion question, Done done, Time now);
  void on_ready(Token token, Time now);
  void on_deadline(Token token, Time now);
  [[nodiscard]] std::size_t under_way() const { return questions_.size(); }

 private:
  struct Question {
    DnsQuestion what;
    Done done;
    std::vector<Resolver> resolvers;
    std::size_t attempts = 0;
    std::uint16_t id = 0;
    std::unique_ptr<HostDatagrams> udp;
    std::unique_ptr<HostTcp> tcp;
    std::vector<std::uint8_t> unsent, received;  // over TCP, with the length in front
    Time due;                                    // of the next attempt
    bool unread = false;  // there may be more from the name server, which is read before that
    Deadlines::Place place;
  };
  void attempt(Token token, Question& question, Time now);
  bool begin(Token token, Question& question);
  void read_udp(Token token, Question& question, Time now);
  void go_on_tcp(Token token, Question& question, Time now);
  void finish(Token token, Result<DnsReply> reply, Time now);
  void wake_at(Token token, Question& question, Time due);

  Shared& shared_;
  std::vector<Resolver> resolvers_;
  Slab<Question> questions_{Kind::kDns};
};

}  // namespace pyro::net
