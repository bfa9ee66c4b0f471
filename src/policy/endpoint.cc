#include "policy/endpoint.h"

#include <fmt/format.h>

#include <charconv>

#include "base/text.h"
#include "policy/name.h"

namespace pyro::policy {

namespace {

constexpr const char* kForms = "tcp://HOST:PORT, udp://HOST:PORT or icmp://HOST";

std::unexpected<Error> wrong(std::string_view text, const std::string& why,
                             std::string hint = kForms) {
  return fail_hint(Errc::kInvalid, quoted_name(text) + ": " + why, std::move(hint));
}

Result<std::variant<Address, std::string>> parse_host(std::string_view text) {
  if (const auto address = Address::parse(text))
    return std::variant<Address, std::string>(*address);
  auto name = host_name(text);
  if (!name) return fail(Errc::kInvalid, quoted_name(text) + " is neither a name nor an address");
  return std::variant<Address, std::string>(*std::move(name));
}

// "[::1]:80" is "::1" and "80", "a:80" is "a" and "80"; nullopt: there is no port.
std::optional<std::pair<std::string_view, std::string_view>> split(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool brackets = host.starts_with('[') && host.ends_with(']') && host.contains(':');
  if (host.contains(':') && !brackets) return std::nullopt;
  if (brackets) host = host.substr(1, host.size() - 2);
  return std::pair(host, text.substr(colon + 1));
}

}  // namespace

std::string AskedEndpoint::text() const {
  const auto* address = std::get_if<Address>(&host);
  const std::string shown = address != nullptr ? address->text() : std::get<std::string>(host);
  if (protocol == Protocol::kEcho) return fmt::format("icmp://{}", shown);
  const bool brackets = address != nullptr && address->family() == Family::kIpv6;
  return brackets ? fmt::format("{}://[{}]:{}", protocol_name(protocol), shown, port)
                  : fmt::format("{}://{}:{}", protocol_name(protocol), shown, port);
}

Result<AskedEndpoint> parse_endpoint(std::string_view text) {
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos) return wrong(text, "there is no protocol");
  AskedEndpoint out;
  bool known = false;
  for (const Protocol p : {Protocol::kTcp, Protocol::kUdp, Protocol::kEcho}) {
    if (text.substr(0, end) != protocol_name(p)) continue;
    out.protocol = p;
    known = true;
  }
  if (!known) return wrong(text, "there is no protocol");
  std::string_view host = text.substr(end + 3);
  if (out.protocol != Protocol::kEcho) {
    const auto parts = split(host);
    if (!parts) return wrong(text, "there is no port", "IPv6 is written as tcp://[ADDRESS]:PORT");
    host = parts->first;
    const std::string_view digits = parts->second;
    const auto [stop, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
    if (error != std::errc() || stop != digits.data() + digits.size() || out.port == 0)
      return wrong(text, quoted_name(digits) + " is no port", "ports are 1 to 65535");
  }
  auto parsed = parse_host(host);
  if (!parsed) return wrong(text, parsed.error().message);
  out.host = *std::move(parsed);
  return out;
}

Decision decide(const RuleSet& rules, const AskedEndpoint& asked, const IsOwn& is_own) {
  if (const auto* name = std::get_if<std::string>(&asked.host))
    return rules.decide_unresolved(asked.protocol, *name, asked.port);
  const Endpoint flow{.protocol = asked.protocol,
                      .address = std::get<Address>(asked.host),
                      .port = asked.port,
                      .names = {},
                      .aliases = {}};
  return rules.unless_own(rules.decide(flow), flow, is_own);
}

bool is_assumed(const AskedEndpoint& asked) {
  const auto* name = std::get_if<std::string>(&asked.host);
  return name != nullptr && *name != kHostName;
}

const char* reason_text(Reason reason) {
  switch (reason) {
    case Reason::kRule:
      return "a rule names it";
    case Reason::kPreset:
      return "it is public, and nothing else was asked for";
    case Reason::kDenied:
      return "a deny rule names it";
    case Reason::kNotListed:
      return "no allow rule names it";
    case Reason::kSpecialRange:
      return "it is not public, and no rule names this range";
    case Reason::kEngine:
      return "it belongs to the network engine";
    case Reason::kHostLoopback:
      return "no rule opens this port of the host";
    case Reason::kDns:
      return "DNS elsewhere than at the engine needs a rule that names it";
    case Reason::kOff:
      return "there is no network";
  }
  return "there is no network";
}

}  // namespace pyro::policy
