// May this flow be? The only place that says so, for the engine and for whoever asks beforehand.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "policy/policy.h"
#include "policy/special_ranges.h"

namespace pyro::policy {

enum class Reason : std::uint8_t {
  kRule,          // allowed: a rule names it
  kPreset,        // allowed: it is public, and nothing else was asked for
  kDenied,        // a deny rule names it
  kNotListed,     // no allow rule names it
  kSpecialRange,  // it is not public, and no rule names this very range
  kEngine,        // the engine, or the guest's own link
  kHostLoopback,  // a port of the host that no rule opens
  kDns,           // DNS elsewhere than at the engine, without a rule that names it
  kOff,           // there is no network
};
const char* reason_name(Reason reason);  // "not-listed"

// The place of a rule in its policy. "allow[2]", "deny[0]"; "preset" where no rule had a say.
struct RuleId {
  enum class Kind : std::uint8_t { kPreset, kAllow, kDeny } kind = Kind::kPreset;
  std::size_t index = 0;
  [[nodiscard]] std::string text() const;
  bool operator==(const RuleId&) const = default;
};

struct Decision {
  bool allow = false;
  RuleId rule;
  Reason reason = Reason::kOff;
  bool operator==(const Decision&) const = default;
};

// The start of a flow from the guest. `names` are those that the guest asked for and was given this
// address for, as host_name() has them; `aliases` those that stood between (CNAME), which can be
// denied and earn nothing. The engine's own address stands for host.pyro.internal.
struct Endpoint {
  Protocol protocol = Protocol::kTcp;
  Address address;
  std::uint16_t port = 0;  // 0 for echo
  std::span<const std::string> names;
  std::span<const std::string> aliases;
};

// Whether it is one of the host's own addresses: its kernel's to say, at that moment.
using IsOwn = std::function<bool(const Address& address)>;

// A policy made for fast answers; its cost does not grow with the number of rules. Immutable.
class RuleSet {
 public:
  explicit RuleSet(Policy policy);  // one that check_policy() found fine

  [[nodiscard]] Decision decide(const Endpoint& flow) const;
  // Whether the guest may be told addresses of this name at all.
  [[nodiscard]] Decision decide_name(const std::string& name) const;
  // As decide(), for a name whose addresses nobody has asked for yet: as if they were public.
  [[nodiscard]] Decision decide_unresolved(Protocol protocol, const std::string& name,
                                           std::uint16_t port) const;
  // Whether an allow rule names this very address, which is in a special range.
  [[nodiscard]] bool names_special(const Address& address) const;
  // What it comes to where the address may be one of the host's own, which are its loopback by
  // another name: whoever listens on all of them listens there. Only a rule for that very address
  // reaches one, also when a wider one stands before it. `is_own` is asked where it matters.
  [[nodiscard]] Decision unless_own(const Decision& decision, const Endpoint& flow,
                                    const IsOwn& is_own) const;
  // Whether every name may be asked for that no rule denies.
  [[nodiscard]] bool any_name() const { return policy_.allow.empty() || any_name_rule_; }
  [[nodiscard]] const Policy& policy() const { return policy_; }

 private:
  // Ports of one target, each with the first rule that names it; apart from each other and sorted.
  struct Span {
    unsigned first = 0, last = 0;
    std::size_t rule = 0;
  };
  using Ports = std::vector<Span>;
  using Blocks = std::map<std::pair<Family, int>, std::unordered_map<Address, Ports, AddressHash>>;
  // The rules of one verdict about one protocol.
  struct Table {
    Ports any, host;
    std::unordered_map<std::string, Ports> names, below;
    Blocks blocks, special;  // special: of those that lie in a special range
  };
  using Tables = std::array<Table, kProtocols>;
  // Names, each with the first rule about it.
  struct Names {
    std::unordered_map<std::string, std::size_t> exact, below;
  };
  using Found = std::optional<std::size_t>;  // a rule's index

  void add(Tables& tables, const Rule& rule, std::size_t index) const;
  static void settle(Table& table);
  static void settle(Ports& ports);
  static Found find(const Ports& ports, std::uint16_t port);
  static Found find(const Blocks& blocks, const Address& address, std::uint16_t port);
  static Found find_names(const Table& table, std::span<const std::string> names,
                          std::uint16_t port);
  static void add_name(Names& names, const NameTarget& target, std::size_t index);
  static Found find_name(const Names& names, const std::string& name);
  [[nodiscard]] Found denied(const Endpoint& flow) const;
  [[nodiscard]] Found allowed(const Endpoint& flow, bool special) const;
  [[nodiscard]] Decision decide_host(const Endpoint& flow) const;
  // The first allow rule for that single address; of a flow that decide() allows.
  [[nodiscard]] std::optional<RuleId> names_exactly(const Endpoint& flow) const;

  Policy policy_;
  Tables allow_, deny_;
  Names resolved_, blocked_;  // for decide_name()
  Found any_name_rule_, host_rule_;
};

}  // namespace pyro::policy
