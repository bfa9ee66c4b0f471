// One endpoint, as somebody writes it who asks what a policy says of it.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "policy/decide.h"

namespace pyro::policy {

struct AskedEndpoint {
  Protocol protocol = Protocol::kTcp;
  std::variant<Address, std::string> host;  // a name: as host_name() gives it
  std::uint16_t port = 0;                   // 0 for icmp

  // Canonical: parses to the same endpoint.
  [[nodiscard]] std::string text() const;
  bool operator==(const AskedEndpoint&) const = default;
};

// "tcp://HOST:PORT", "udp://HOST:PORT" or "icmp://HOST"; an IPv6 address before a port stands in
// brackets. kInvalid.
Result<AskedEndpoint> parse_endpoint(std::string_view text);

// A name is decided as if its addresses were public, and not the host's own: nobody asks for them.
Decision decide(const RuleSet& rules, const AskedEndpoint& asked, const IsOwn& is_own);
// Whether that "as if" was needed: of a name that is not the host's own.
bool is_assumed(const AskedEndpoint& asked);

// For people: "no allow rule names it".
const char* reason_text(Reason reason);

}  // namespace pyro::policy
