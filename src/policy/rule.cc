#include "policy/rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/overloaded.h"
#include "base/text.h"
#include "policy/name.h"
#include "policy/special_ranges.h"

namespace pyro::policy {

namespace {

constexpr const char* kInternal = "pyro.internal";

// A rule as it is read, with the place of each part for messages.
class Reader {
 public:
  Reader(std::string_view text, Verdict verdict) : text_(text) { rule_.verdict = verdict; }

  // Of the last error, from 1; 0: none is known.
  [[nodiscard]] std::size_t place() const { return place_; }

  Result<Rule> read() {
    if (text_.empty()) return fail(Errc::kInvalid, "an empty rule names nothing");
    if (text_.size() > kLongestRule) {
      return fail(Errc::kInvalid, fmt::format("a rule has at most {} characters", kLongestRule));
    }
    PYRO_CHECK(read_scheme());
    PYRO_TRY(const std::size_t colon, read_target());
    if (rule_.has_scheme && rule_.protocol == Protocol::kEcho) {
      if (colon != text_.size()) return wrong(colon, "icmp:// has no ports", "leave them out");
    } else {
      PYRO_CHECK(read_ports(colon));
    }
    PYRO_CHECK(check_host());
    // The canonical text may be the longer one (":1,3" is "*:1,3"), and must be a rule again.
    if (rule_.text().size() > kLongestRule) {
      return fail(Errc::kInvalid, fmt::format("a rule has at most {} characters", kLongestRule));
    }
    return std::move(rule_);
  }

 private:
  [[nodiscard]] std::unexpected<Error> wrong(std::size_t at, const std::string& why,
                                             std::string hint) const {
    place_ = at + 1;
    return fail_hint(Errc::kInvalid,
                     fmt::format("rule {}, character {}: {}", quoted_name(text_), at + 1, why),
                     std::move(hint));
  }

  Result<void> read_scheme() {
    const std::size_t end = text_.find("://");
    if (end == std::string_view::npos) return {};
    const std::string_view scheme = text_.substr(0, end);
    rule_.has_scheme = true;
    for (const Protocol p : {Protocol::kTcp, Protocol::kUdp, Protocol::kEcho}) {
      if (scheme != protocol_name(p)) continue;
      rule_.protocol = p;
      at_ = end + 3;
      return {};
    }
    return wrong(0, quoted_name(scheme) + " is no protocol of a rule", "tcp, udp or icmp");
  }

  // Where the target ends: at a colon, or at the end of the text.
  Result<std::size_t> read_target() {
    const std::string_view rest = text_.substr(at_);
    if (rest.starts_with('[')) return read_bracketed();
    // More than one colon: an IPv6 address without brackets, which has no place for ports.
    const bool bare_ipv6 = std::ranges::count(rest, ':') > 1;
    const std::size_t colon = bare_ipv6 ? std::string_view::npos : rest.find(':');
    const std::string_view target = rest.substr(0, colon);
    const std::size_t end = at_ + target.size();
    if (target == "*" || (target.empty() && colon != std::string_view::npos)) {
      rule_.target = AnyTarget{};
      return end;
    }
    if (target.empty()) return wrong(at_, "there is no target", "write HOST:PORT");
    const bool digits = target.find_first_not_of("0123456789./") == std::string_view::npos;
    if (bare_ipv6 || digits) {
      const auto block = parse_block(target);
      if (!block && bare_ipv6)
        return wrong(at_, block.error().message, "write IPv6 as [ADDRESS]:PORT");
      PYRO_CHECK(set_block(block));
      return end;
    }
    PYRO_CHECK(set_name(target));
    return end;
  }

  Result<std::size_t> read_bracketed() {
    const std::size_t close = text_.find(']', at_);
    if (close == std::string_view::npos) return wrong(at_, "this bracket is not closed", "add ]");
    const std::size_t begin = at_ + 1;
    const std::string_view inside = text_.substr(begin, close - begin);
    if (!inside.contains(':'))
      return wrong(begin, "only IPv6 stands in brackets", "leave them out");
    const std::size_t open = std::exchange(at_, begin);
    PYRO_CHECK(set_block(parse_block(inside)));
    at_ = open;
    if (close + 1 < text_.size() && text_[close + 1] != ':')
      return wrong(close + 1, "after ] come a colon and ports", "write [ADDRESS]:PORT");
    return close + 1;
  }

  Result<void> set_block(const Result<Block>& block) {
    if (!block) return wrong(at_, block.error().message, "");
    if (block->length == 0) return wrong(at_, "this is every address there is", "write *");
    const Range range = range_of(block->first);
    const bool own =
        special_block_around(*block) && (range == Range::kLoopback || range == Range::kThisHost);
    if (own && rule_.verdict == Verdict::kAllow) {
      return wrong(at_, block->text() + " is the guest itself, as the guest sees it",
                   fmt::format("services of this host: {}:PORT", kHostName));
    }
    if (is_on_link(block->first) && block->length >= link_of(block->first.family()).length)
      return wrong(at_, block->text() + " belongs to the network engine", "");
    rule_.target = *block;
    return {};
  }

  Result<void> set_name(std::string_view written) {
    const bool below = written.starts_with("*.");
    const std::size_t at = at_ + (below ? 2 : 0);
    const auto name = host_name(below ? written.substr(2) : written);
    if (!name) {
      const bool ascii =
          std::ranges::all_of(written, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
      return wrong(at, quoted_name(written) + " is neither a name nor an address",
                   ascii ? "names are letters, digits and hyphens; a wildcard is *.NAME"
                         : "write it in its ASCII form (xn--...)");
    }
    if (*name == kHostName && !below) {
      rule_.target = HostTarget{};
    } else if (*name == kInternal || is_below(*name, kInternal)) {
      return wrong(at, quoted_name(*name) + " is none of pyro's own names",
                   fmt::format("this host is {}", kHostName));
    } else {
      rule_.target = NameTarget{.name = *name, .below = below};
    }
    return {};
  }

  Result<void> read_ports(std::size_t colon) {
    const bool deny = rule_.verdict == Verdict::kDeny;
    if (colon == text_.size()) {
      const auto* block = std::get_if<Block>(&rule_.target);
      const bool ipv6 = block != nullptr && block->first.family() == Family::kIpv6;
      if (!deny) {
        return wrong(colon, "there are no ports",
                     ipv6 ? "write [ADDRESS]:PORT" : "write TARGET:PORT, or TARGET:* for all");
      }
      rule_.ports = {PortRange{}};
      return {};
    }
    at_ = colon + 1;
    if (text_.substr(at_) == "*") {
      rule_.ports = {PortRange{}};
      return {};
    }
    for (;;) {
      const std::size_t comma = std::min(text_.find(',', at_), text_.size());
      PYRO_TRY(const PortRange range, read_range(text_.substr(at_, comma - at_)));
      rule_.ports.push_back(range);
      if (comma == text_.size()) break;
      at_ = comma + 1;
    }
    merge_ports();
    return {};
  }

  [[nodiscard]] Result<PortRange> read_range(std::string_view item) const {
    std::size_t at = at_;
    for (; item.starts_with(' '); ++at) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (item == "*") return wrong(at, "* stands alone: it is every port", "");
    const std::size_t dash = item.find('-');
    PYRO_TRY(const std::uint16_t first, read_port(item.substr(0, dash), at));
    if (dash == std::string_view::npos) return PortRange{.first = first, .last = first};
    PYRO_TRY(const std::uint16_t last, read_port(item.substr(dash + 1), at + dash + 1));
    if (first > last) return wrong(at, "this range is backwards", "");
    return PortRange{.first = first, .last = last};
  }

  [[nodiscard]] Result<std::uint16_t> read_port(std::string_view digits, std::size_t at) const {
    unsigned port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    const bool plain = error == std::errc() && end == digits.data() + digits.size();
    if (plain && port >= 1 && port <= kLastPort) return static_cast<std::uint16_t>(port);
    return wrong(at, quoted_name(digits) + " is no port", "ports are 1 to 65535");
  }

  void merge_ports() {
    std::ranges::sort(rule_.ports, {}, &PortRange::first);
    std::vector<PortRange> merged;
    for (const PortRange& r : rule_.ports) {
      if (!merged.empty() && r.first <= merged.back().last + 1) {
        merged.back().last = std::max(merged.back().last, r.last);
      } else {
        merged.push_back(r);
      }
    }
    rule_.ports = std::move(merged);
  }

  // The host's loopback is opened port by port.
  [[nodiscard]] Result<void> check_host() const {
    if (rule_.verdict == Verdict::kDeny || !std::holds_alternative<HostTarget>(rule_.target))
      return {};
    const bool echo = rule_.has_scheme && rule_.protocol == Protocol::kEcho;
    if (!echo && !rule_.all_ports()) return {};
    return wrong(0, fmt::format("{} is opened port by port", kHostName),
                 fmt::format("write {}:PORT[,PORT...]", kHostName));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  mutable std::size_t place_ = 0;
  Rule rule_;
};

std::string target_text(const Target& target, bool with_ports) {
  return std::visit(Overloaded{[](const AnyTarget&) { return std::string("*"); },
                               [](const NameTarget& n) { return (n.below ? "*." : "") + n.name; },
                               [](const HostTarget&) { return std::string(kHostName); },
                               [&](const Block& b) {
                                 const bool brackets =
                                     with_ports && b.first.family() == Family::kIpv6;
                                 return brackets ? "[" + b.text() + "]" : b.text();
                               }},
                    target);
}

}  // namespace

const char* protocol_name(Protocol p) {
  switch (p) {
    case Protocol::kTcp:
      return "tcp";
    case Protocol::kUdp:
      return "udp";
    case Protocol::kEcho:
      return "icmp";
  }
  return "tcp";
}

std::string Rule::text() const {
  std::string out = has_scheme ? std::string(protocol_name(protocol)) + "://" : "";
  out += target_text(target, !ports.empty());
  if (ports.empty()) return out;
  out += ':';
  if (all_ports()) return out + "*";
  bool first = true;
  for (const PortRange& r : ports) {
    if (!std::exchange(first, false)) out += ',';
    out += r.first == r.last ? fmt::format("{}", r.first) : fmt::format("{}-{}", r.first, r.last);
  }
  return out;
}

Result<Rule> parse_rule(std::string_view text, Verdict verdict, std::size_t* place) {
  Reader reader(text, verdict);
  auto rule = reader.read();
  if (place != nullptr) *place = rule ? 0 : reader.place();
  return rule;
}

}  // namespace pyro::policy
