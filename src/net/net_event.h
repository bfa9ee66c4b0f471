// What is told of the flows of a guest: each decision, and the end of each flow that was allowed.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "policy/decide.h"

namespace pyro::net {

// Beside those of policy::Reason: why something ended or was refused that the policy allows. A
// question for a name that is allowed, and that no name server answered, is told as allowed.
namespace reason {
inline constexpr const char* kLimit = "limit";          // too many of its kind at a time
inline constexpr const char* kNoRoute = "no-route";     // the host cannot reach it
inline constexpr const char* kNoEcho = "no-echo";       // the host lets us send no echo requests
inline constexpr const char* kRebinding = "rebinding";  // a public name with a special address
inline constexpr const char* kType = "type";            // of a record, where the names are listed
inline constexpr const char* kQuery = "query";          // no question that is answered
inline constexpr const char* kProtocol = "protocol";    // neither TCP, UDP nor echo
inline constexpr const char* kClosed = "closed";        // both sides had ended
inline constexpr const char* kReset = "reset";          // by the other side
inline constexpr const char* kGuestReset = "guest-reset";
inline constexpr const char* kRefused = "refused";  // nobody listens there
inline constexpr const char* kTimeout = "timeout";
inline constexpr const char* kIdle = "idle";
inline constexpr const char* kPolicy = "policy";            // it is not allowed any more
inline constexpr const char* kUnpublished = "unpublished";  // the port that it came by
}  // namespace reason

struct NetEvent {
  enum class Kind : std::uint8_t { kDecision, kEnd } kind = Kind::kDecision;
  std::int64_t time_ns = 0;                // since 1970
  const char* protocol = "";               // tcp, udp, icmp, dns, published, or another's number
  std::string name;                        // empty: none is known
  std::optional<policy::Address> address;  // none: of a question for a name
  std::uint16_t port = 0;
  bool allow = false;
  policy::RuleId rule;
  const char* reason = "";
  std::uint64_t to_host = 0, to_guest = 0;  // bytes, at the end
};

// Bounded; nobody waits for whoever takes them.
class NetEvents {
 public:
  static constexpr std::size_t kMost = 4096;
  void add(NetEvent event);  // its time is set here
  [[nodiscard]] bool empty() const { return events_.empty() && lost_ == 0; }
  [[nodiscard]] std::size_t size() const { return events_.size(); }
  // The oldest ones, and how many there was no room for since the last time.
  struct Taken {
    std::vector<NetEvent> events;
    std::uint64_t lost = 0;
  };
  Taken take(std::size_t most);

 private:
  std::deque<NetEvent> events_;
  std::uint64_t lost_ = 0;
};

}  // namespace pyro::net
