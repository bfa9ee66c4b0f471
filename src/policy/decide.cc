#include "policy/decide.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "policy/name.h"

namespace pyro::policy {

namespace {

constexpr std::uint16_t kDnsPort = 53;

using Found = std::optional<std::size_t>;

void keep_first(Found& best, Found other) {
  if (other && (!best || *other < *best)) best = other;
}

std::size_t index_of(Protocol p) {
  return static_cast<std::size_t>(p);
}

// What a rule is about. An allow rule without a scheme is about TCP and what the policy adds; a
// deny rule without one about everything.
std::vector<Protocol> protocols_of(const Rule& rule, const Policy& policy) {
  if (rule.has_scheme) return {rule.protocol};
  std::vector<Protocol> out{Protocol::kTcp};
  const bool deny = rule.verdict == Verdict::kDeny;
  if (deny || policy.allow_udp) out.push_back(Protocol::kUdp);
  if (deny ? rule.all_ports() : policy.allow_icmp) out.push_back(Protocol::kEcho);
  return out;
}

// The parents of "a.b.c" are "b.c" and "c".
template <class Visit>
void for_each_parent(std::string_view name, Visit visit) {
  for (std::size_t dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.')) {
    name.remove_prefix(dot + 1);
    visit(std::string(name));
  }
}

Decision refused(Reason reason) {
  return {.allow = false, .rule = {}, .reason = reason};
}
Decision denied_by(std::size_t rule) {
  return {.rule = {.kind = RuleId::Kind::kDeny, .index = rule}, .reason = Reason::kDenied};
}
Decision allowed_by(std::size_t rule) {
  return {.allow = true,
          .rule = {.kind = RuleId::Kind::kAllow, .index = rule},
          .reason = Reason::kRule};
}

}  // namespace

const char* reason_name(Reason reason) {
  switch (reason) {
    case Reason::kRule:
      return "rule";
    case Reason::kPreset:
      return "preset";
    case Reason::kDenied:
      return "denied";
    case Reason::kNotListed:
      return "not-listed";
    case Reason::kSpecialRange:
      return "special-range";
    case Reason::kEngine:
      return "engine";
    case Reason::kHostLoopback:
      return "host-loopback";
    case Reason::kDns:
      return "dns";
    case Reason::kOff:
      return "off";
  }
  return "off";
}

std::string RuleId::text() const {
  if (kind == Kind::kPreset) return "preset";
  return fmt::format("{}[{}]", kind == Kind::kAllow ? "allow" : "deny", index);
}

// ---- building

RuleSet::RuleSet(Policy policy) : policy_(std::move(policy)) {
  for (std::size_t i = 0; i < policy_.deny.size(); ++i) {
    const Rule& rule = policy_.deny[i];
    add(deny_, rule, i);
    const auto* name = std::get_if<NameTarget>(&rule.target);
    // One that is about some ports only leaves the name for the others.
    if (name != nullptr && !rule.has_scheme && rule.all_ports()) add_name(blocked_, *name, i);
  }
  for (std::size_t i = 0; i < policy_.allow.size(); ++i) {
    const Rule& rule = policy_.allow[i];
    add(allow_, rule, i);
    if (const auto* name = std::get_if<NameTarget>(&rule.target)) add_name(resolved_, *name, i);
    if (std::holds_alternative<AnyTarget>(rule.target)) keep_first(any_name_rule_, i);
    if (std::holds_alternative<HostTarget>(rule.target)) keep_first(host_rule_, i);
  }
  for (Tables* tables : {&allow_, &deny_}) {
    for (Table& table : *tables) settle(table);
  }
}

void RuleSet::add(Tables& tables, const Rule& rule, std::size_t index) const {
  for (const Protocol protocol : protocols_of(rule, policy_)) {
    Table& table = tables[index_of(protocol)];
    Ports* ports = &table.any;
    if (std::holds_alternative<HostTarget>(rule.target)) ports = &table.host;
    if (const auto* name = std::get_if<NameTarget>(&rule.target))
      ports = &(name->below ? table.below : table.names)[name->name];
    if (const auto* block = std::get_if<Block>(&rule.target)) {
      Blocks& blocks = special_block_around(*block) ? table.special : table.blocks;
      ports = &blocks[{block->first.family(), block->length}][block->first];
    }
    if (protocol == Protocol::kEcho) {
      ports->push_back({.first = 0, .last = 0, .rule = index});
    } else {
      for (const PortRange& r : rule.ports)
        ports->push_back({.first = r.first, .last = r.last, .rule = index});
    }
  }
}

void RuleSet::settle(Table& table) {
  settle(table.any);
  settle(table.host);
  for (auto* names : {&table.names, &table.below}) {
    for (auto& [name, ports] : *names) settle(ports);
  }
  for (Blocks* blocks : {&table.blocks, &table.special}) {
    for (auto& [length, addresses] : *blocks) {
      for (auto& [address, ports] : addresses) settle(ports);
    }
  }
}

// Spans that overlap become spans that do not; the first rule wins where there are several.
void RuleSet::settle(Ports& ports) {
  struct Edge {
    unsigned port;
    bool begins;
    std::size_t rule;
  };
  std::vector<Edge> edges;
  for (const Span& s : ports) {
    edges.push_back({.port = s.first, .begins = true, .rule = s.rule});
    edges.push_back({.port = s.last + 1, .begins = false, .rule = s.rule});
  }
  std::ranges::sort(edges, {}, &Edge::port);
  ports.clear();
  std::multiset<std::size_t> open;
  for (std::size_t i = 0; i < edges.size(); ++i) {
    if (edges[i].begins) {
      open.insert(edges[i].rule);
    } else {
      open.erase(open.find(edges[i].rule));
    }
    const bool more_here = i + 1 < edges.size() && edges[i + 1].port == edges[i].port;
    if (more_here || open.empty()) continue;
    const unsigned last = edges[i + 1].port - 1;
    if (!ports.empty() && ports.back().rule == *open.begin() &&
        ports.back().last + 1 == edges[i].port) {
      ports.back().last = last;
    } else {
      ports.push_back({.first = edges[i].port, .last = last, .rule = *open.begin()});
    }
  }
}

void RuleSet::add_name(Names& names, const NameTarget& target, std::size_t index) {
  (target.below ? names.below : names.exact).try_emplace(target.name, index);
}

// ---- asking

Found RuleSet::find(const Ports& ports, std::uint16_t port) {
  const auto after = std::ranges::upper_bound(ports, port, {}, &Span::first);
  if (after == ports.begin()) return std::nullopt;
  const Span& span = *std::prev(after);
  if (port > span.last) return std::nullopt;
  return span.rule;
}

Found RuleSet::find(const Blocks& blocks, const Address& address, std::uint16_t port) {
  Found best;
  for (const auto& [kind, addresses] : blocks) {
    if (kind.first != address.family()) continue;
    const auto found = addresses.find(address.masked(kind.second));
    if (found != addresses.end()) keep_first(best, find(found->second, port));
  }
  return best;
}

Found RuleSet::find_names(const Table& table, std::span<const std::string> names,
                          std::uint16_t port) {
  Found best;
  if (table.names.empty() && table.below.empty()) return best;
  for (const std::string& name : names) {
    const auto exact = table.names.find(name);
    if (exact != table.names.end()) keep_first(best, find(exact->second, port));
    if (table.below.empty()) continue;
    for_each_parent(name, [&](const std::string& parent) {
      const auto found = table.below.find(parent);
      if (found != table.below.end()) keep_first(best, find(found->second, port));
    });
  }
  return best;
}

Found RuleSet::find_name(const Names& names, const std::string& name) {
  Found best;
  const auto exact = names.exact.find(name);
  if (exact != names.exact.end()) best = exact->second;
  for_each_parent(name, [&](const std::string& parent) {
    const auto found = names.below.find(parent);
    if (found != names.below.end()) keep_first(best, found->second);
  });
  return best;
}

// As wide as it can be: also the address that a translator makes of this one.
Found RuleSet::denied(const Endpoint& flow) const {
  const Table& table = deny_[index_of(flow.protocol)];
  Found best = find(table.any, flow.port);
  keep_first(best, find_names(table, flow.names, flow.port));
  keep_first(best, find_names(table, flow.aliases, flow.port));
  const auto inner = translated(flow.address);
  for (const Blocks* blocks : {&table.blocks, &table.special}) {
    keep_first(best, find(*blocks, flow.address, flow.port));
    if (inner) keep_first(best, find(*blocks, *inner, flow.port));
  }
  return best;
}

// A special range is reached only by a rule whose block lies inside of it.
Found RuleSet::allowed(const Endpoint& flow, bool special) const {
  const Table& table = allow_[index_of(flow.protocol)];
  Found best = find(table.special, flow.address, flow.port);
  if (special) return best;
  keep_first(best, find(table.any, flow.port));
  keep_first(best, find(table.blocks, flow.address, flow.port));
  keep_first(best, find_names(table, flow.names, flow.port));
  return best;
}

Decision RuleSet::decide_host(const Endpoint& flow) const {
  const std::size_t protocol = index_of(flow.protocol);
  Found no = find(deny_[protocol].host, flow.port);
  keep_first(no, find(deny_[protocol].any, flow.port));
  if (no) return denied_by(*no);
  const Found yes = find(allow_[protocol].host, flow.port);
  return yes ? allowed_by(*yes) : refused(Reason::kHostLoopback);
}

Decision RuleSet::decide(const Endpoint& flow) const {
  if (!policy_.has_network()) return refused(Reason::kOff);
  if (is_engine(flow.address)) return decide_host(flow);
  if (is_on_link(flow.address)) return refused(Reason::kEngine);
  if (const Found no = denied(flow)) return denied_by(*no);
  const bool special = range_of(flow.address) != Range::kPublic;
  if (const Found yes = allowed(flow, special)) return allowed_by(*yes);
  if (special) return refused(Reason::kSpecialRange);
  if (!policy_.allow.empty()) return refused(Reason::kNotListed);
  if (flow.port == kDnsPort && flow.protocol != Protocol::kEcho) return refused(Reason::kDns);
  return {.allow = true, .rule = {}, .reason = Reason::kPreset};
}

bool RuleSet::names_special(const Address& address) const {
  return std::ranges::any_of(allow_, [&](const Table& table) {
    return std::ranges::any_of(table.special, [&](const auto& blocks) {
      const auto& [kind, addresses] = blocks;
      return kind.first == address.family() && addresses.contains(address.masked(kind.second));
    });
  });
}

std::optional<RuleId> RuleSet::names_exactly(const Endpoint& flow) const {
  const Table& table = allow_[index_of(flow.protocol)];
  for (const Blocks* blocks : {&table.blocks, &table.special}) {
    const auto singles = blocks->find({flow.address.family(), flow.address.bits()});
    if (singles == blocks->end()) continue;
    const auto found = singles->second.find(flow.address);
    if (found == singles->second.end()) continue;
    if (const Found rule = find(found->second, flow.port)) return allowed_by(*rule).rule;
  }
  return std::nullopt;
}

Decision RuleSet::unless_own(const Decision& decision, const Endpoint& flow,
                             const IsOwn& is_own) const {
  if (!decision.allow || is_engine(flow.address)) return decision;
  const auto exact = names_exactly(flow);
  if (exact == decision.rule || !is_own(flow.address)) return decision;
  if (exact) return {.allow = true, .rule = *exact, .reason = Reason::kRule};
  return refused(Reason::kHostLoopback);
}

Decision RuleSet::decide_name(const std::string& name) const {
  if (!policy_.has_network()) return refused(Reason::kOff);
  if (name == kHostName)
    return host_rule_ ? allowed_by(*host_rule_) : refused(Reason::kHostLoopback);
  if (const Found no = find_name(blocked_, name)) return denied_by(*no);
  if (policy_.allow.empty()) return {.allow = true, .rule = {}, .reason = Reason::kPreset};
  Found yes = find_name(resolved_, name);
  keep_first(yes, any_name_rule_);
  return yes ? allowed_by(*yes) : refused(Reason::kNotListed);
}

Decision RuleSet::decide_unresolved(Protocol protocol, const std::string& name,
                                    std::uint16_t port) const {
  const Decision known = decide_name(name);
  if (!known.allow) return known;
  if (name == kHostName) {
    return decide({.protocol = protocol, .address = link_of(Family::kIpv4).engine, .port = port});
  }
  const Table& deny = deny_[index_of(protocol)];
  const Table& allow = allow_[index_of(protocol)];
  const std::span<const std::string> names(&name, 1);
  Found no = find(deny.any, port);
  keep_first(no, find_names(deny, names, port));
  if (no) return denied_by(*no);
  if (policy_.allow.empty()) {
    if (port == kDnsPort && protocol != Protocol::kEcho) return refused(Reason::kDns);
    return {.allow = true, .rule = {}, .reason = Reason::kPreset};
  }
  Found yes = find(allow.any, port);
  keep_first(yes, find_names(allow, names, port));
  return yes ? allowed_by(*yes) : refused(Reason::kNotListed);
}

}  // namespace pyro::policy
