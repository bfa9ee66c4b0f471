// One rule of a network policy: which endpoints it names.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "policy/address.h"

namespace pyro::policy {

enum class Protocol : std::uint8_t { kTcp, kUdp, kEcho };
inline constexpr int kProtocols = 3;
const char* protocol_name(Protocol p);  // tcp, udp, icmp

inline constexpr std::uint16_t kLastPort = 65535;
struct PortRange {
  std::uint16_t first = 1, last = kLastPort;  // 1..65535, first <= last
  bool operator==(const PortRange&) const = default;
};

struct AnyTarget {  // every public address, every name
  bool operator==(const AnyTarget&) const = default;
};
struct NameTarget {
  std::string name;    // as host_name() gives it
  bool below = false;  // "*.name": what is below it, and not itself
  bool operator==(const NameTarget&) const = default;
};
struct HostTarget {  // host.pyro.internal: the loopback of the host that pyro runs on
  bool operator==(const HostTarget&) const = default;
};
using Target = std::variant<AnyTarget, NameTarget, HostTarget, Block>;

enum class Verdict : std::uint8_t { kDeny, kAllow };

// docs/design/net-theory-of-operation.md has the grammar.
struct Rule {
  Verdict verdict = Verdict::kDeny;
  bool has_scheme = false;  // without: an allow rule is about TCP, a deny rule about everything
  Protocol protocol = Protocol::kTcp;  // meaningful with has_scheme
  Target target;
  std::vector<PortRange> ports;  // sorted, apart from each other; of icmp://: none

  [[nodiscard]] bool all_ports() const { return ports.empty() || ports.front() == PortRange{}; }
  // Canonical: parses to the same rule.
  [[nodiscard]] std::string text() const;
  bool operator==(const Rule&) const = default;
};

inline constexpr std::size_t kLongestRule = 512;  // bytes of text

// kInvalid: the message names the place, from 1, and what is wrong there. `place`, where one is
// given, is that place, or 0 for a rule that is wrong as a whole.
Result<Rule> parse_rule(std::string_view text, Verdict verdict, std::size_t* place = nullptr);

}  // namespace pyro::policy
