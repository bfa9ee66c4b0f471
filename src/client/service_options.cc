#include "client/service_options.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/text.h"
#include "client/host_side.h"
#include "client/workspace_paths.h"
#include "proto/limits.h"

namespace pyro::client {

namespace {

constexpr std::size_t kMostTarget = 2048;  // bytes
constexpr std::uint16_t kHttpPort = 80;

// Digits alone, without a sign or a leading zero; nullopt when they are no port.
std::optional<int> port_of(std::string_view text) {
  int port = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || text.starts_with('0'))
    return std::nullopt;
  if (port < proto::kPortRange.low || port > proto::kPortRange.high) return std::nullopt;
  return port;
}

bool is_host(const std::string& host) {
  in6_addr address{};
  return host == "localhost" || ::inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

Result<GuestAddress> address_of(std::string_view text, std::optional<int> default_port) {
  GuestAddress address{.host = "localhost"};
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return fail(Errc::kInvalid, "the bracket is not closed");
    address.host = text.substr(1, close - 1);
    port = text.substr(close + 1);
    if (address.host.find(':') == std::string::npos)
      return fail(Errc::kInvalid, "only an IPv6 address stands in brackets");
    if (!port.empty() && !port.starts_with(':'))
      return fail(Errc::kInvalid, "a port follows the bracket after a colon");
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    address.host = text.substr(0, colon);
    port = text.substr(colon);
  }
  if (!is_host(address.host)) {
    return fail(Errc::kInvalid, quoted_name(address.host) + " is neither an address nor localhost");
  }
  std::optional<int> number = default_port;
  if (!port.empty()) number = port_of(port.substr(1));
  if (!number) return fail(Errc::kInvalid, "the port is missing, or not 1 to 65535");
  address.port = static_cast<std::uint16_t>(*number);
  return address;
}

template <class T>
Result<T> explained(Result<T> result, std::string_view what, const std::string& text,
                    const char* hint) {
  if (result) return result;
  return fail_hint(Errc::kInvalid,
                   fmt::format("{} is no {}: {}", quoted_name(text), what, result.error().message),
                   hint);
}

Result<void> check_command(const std::string& text) {
  if (text.empty()) return fail(Errc::kInvalid, "the readiness command is empty");
  if (text.find('\0') != std::string::npos)
    return fail(Errc::kInvalid, "the readiness command has a NUL byte in it");
  return {};
}

}  // namespace

Result<ServicePort> parse_publish(const std::string& text) {
  const std::size_t colon = text.find(':');
  ServicePort port;
  const auto guest =
      port_of(std::string_view(text).substr(colon == std::string::npos ? 0 : colon + 1));
  bool fine = guest.has_value();
  if (colon != std::string::npos) {
    port.host_port = port_of(std::string_view(text).substr(0, colon));
    fine = fine && port.host_port.has_value();
  }
  if (!fine) {
    return fail_hint(Errc::kInvalid, quoted_name(text) + " is no port to publish",
                     "write GUEST or HOST:GUEST, each from 1 to 65535: 8080, 18080:8080");
  }
  port.guest_port = *guest;
  return port;
}

Result<std::vector<proto::PublishedPort>> published_ports(const std::vector<ServicePort>& ports) {
  std::vector<proto::PublishedPort> out;
  std::set<int> guest;
  std::set<int> host;
  for (const ServicePort& p : ports) {
    PYRO_CHECK(proto::in_range("guest_port", p.guest_port, proto::kPortRange));
    if (p.host_port) PYRO_CHECK(proto::in_range("host_port", *p.host_port, proto::kPortRange));
    if (!guest.insert(p.guest_port).second)
      return fail(Errc::kInvalid,
                  fmt::format("the guest port {} is published twice", p.guest_port));
    if (p.host_port && !host.insert(*p.host_port).second)
      return fail(Errc::kInvalid, fmt::format("the host port {} is taken twice", *p.host_port));
    out.push_back({.guest_port = p.guest_port, .host_port = p.host_port.value_or(0)});
  }
  return out;
}

Result<GuestAddress> parse_guest_address(const std::string& text) {
  if (const auto port = port_of(text))
    return GuestAddress{.host = "localhost", .port = static_cast<std::uint16_t>(*port)};
  return explained(address_of(text, std::nullopt), "address in the guest", text,
                   "write HOST:PORT or PORT: 127.0.0.1:8080, 8080");
}

Result<GuestUrl> parse_guest_url(const std::string& text) {
  constexpr std::string_view kScheme = "http://";
  constexpr const char* kHint = "write http://HOST[:PORT][/PATH]: http://127.0.0.1:8080/health";
  const auto refuse = [&](const char* why) {
    return explained(Result<GuestUrl>(fail(Errc::kInvalid, why)), "URL in the guest", text, kHint);
  };
  if (!text.starts_with(kScheme)) return refuse("it does not begin with http://");
  if (std::ranges::any_of(text, [](char c) { return c <= ' ' || c > '~'; }))
    return refuse("it has a character that must be written as %XX");
  const std::string_view rest = std::string_view(text).substr(kScheme.size());
  const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  if (rest.substr(0, end).find('@') != std::string_view::npos)
    return refuse("it has a user name in it");
  GuestUrl url;
  PYRO_TRY(url.address,
           explained(address_of(rest.substr(0, end), kHttpPort), "URL in the guest", text, kHint));
  // What follows "#" is the client's own business (RFC 9110, 4.2.5).
  const std::string_view target = rest.substr(end, rest.find('#') - end);
  url.target = target.starts_with('/') ? std::string(target) : "/" + std::string(target);
  if (url.target.size() > kMostTarget) return refuse("it is too long");
  return url;
}

Result<proto::Readiness> check_readiness(const ServiceReadiness& r, const std::string& cwd) {
  proto::Readiness out{.type = r.type, .path = {}, .host = {}, .command = {}};
  if (r.type == "file") {
    if (r.path.empty() || r.path.find('\0') != std::string::npos)
      return fail(Errc::kInvalid, "the readiness file has no usable name");
    out.path = r.path.starts_with('/') ? r.path : cwd + "/" + r.path;
  } else if (r.type == "tcp") {
    PYRO_TRY(const GuestAddress address, parse_guest_address(r.address));
    out.host = address.host;
    out.port = address.port;
  } else if (r.type == "http") {
    PYRO_TRY(const GuestUrl url, parse_guest_url(r.url));
    out.host = url.address.host;
    out.port = url.address.port;
    out.path = url.target;
  } else if (r.type == "command") {
    PYRO_CHECK(check_command(r.command));
    out.command = r.command;
  } else {
    return fail_hint(Errc::kInvalid, quoted_name(r.type) + " is no kind of readiness",
                     "use file, tcp, http or command");
  }
  return out;
}

ServiceReadiness shown_readiness(const proto::Readiness& r) {
  ServiceReadiness out{.type = r.type, .path = {}, .address = {}, .url = {}, .command = r.command};
  const std::string host = r.host.find(':') == std::string::npos ? r.host : "[" + r.host + "]";
  if (r.type == "file") out.path = r.path;
  if (r.type == "tcp") out.address = fmt::format("{}:{}", host, r.port);
  if (r.type == "http") out.url = fmt::format("http://{}:{}{}", host, r.port, r.path);
  return out;
}

Result<proto::ServiceDefinition> service_definition(const ServiceOptions& o) {
  PYRO_TRY(auto argv, argv_of(o.argv, o.command));
  PYRO_CHECK(
      proto::in_range("ready_timeout_seconds", o.ready_timeout_seconds, proto::kReadyTimeoutRange));
  PYRO_CHECK(proto::in_range("ready_interval_ms", o.ready_interval_ms, proto::kReadyIntervalRange));
  if (o.restart != "no" && o.restart != "on-failure" && o.restart != "always") {
    return fail_hint(Errc::kInvalid, quoted_name(o.restart) + " is no way to restart a service",
                     "use no, on-failure or always");
  }
  PYRO_CHECK(check_variables(o.env));
  PYRO_CHECK(check_secret_variables(o.secret_env, o.env));
  proto::ServiceDefinition definition{
      .argv = {},
      .command = o.command.empty() ? shell_join(argv) : o.command,
      .cwd = guest_path(o.cwd),
      .env = {},
      .secret_env = o.secret_env,
      .readiness = {},
      .ready_timeout_ms = std::int64_t{o.ready_timeout_seconds} * 1000,
      .ready_interval_ms = o.ready_interval_ms,
      .restart = o.restart,
      .published = {}};
  for (const auto& [name, value] : o.env) definition.env[name] = proto::Bytes(value);
  definition.argv = proto::to_bytes(std::move(argv));
  if (o.readiness) {
    PYRO_TRY(definition.readiness, check_readiness(*o.readiness, definition.cwd));
  }
  PYRO_TRY(definition.published, published_ports(o.published_ports));
  return definition;
}

}  // namespace pyro::client
