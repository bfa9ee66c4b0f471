#include "mcp_serve/http_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cctype>
#include <charconv>
#include <utility>

#include "base/text.h"
#include "mcp/protocol.h"
#include "mcp_serve/seal.h"

namespace pyro::mcp_serve {
namespace {

namespace http = boost::beast::http;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

// "host:port", "host", "[::1]:port" -> both; nullopt for anything else.
std::optional<std::pair<std::string, std::optional<std::uint16_t>>> split(std::string_view text) {
  const auto close = text.starts_with('[') ? text.find(']') : std::string_view::npos;
  const auto colon = text.find(':', close == std::string_view::npos ? 0 : close);
  const std::string host = lower(text.substr(0, colon));
  if (host.empty()) return std::nullopt;
  if (colon == std::string_view::npos) return std::pair(host, std::nullopt);
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size()) return std::nullopt;
  return std::pair(host, std::optional(port));
}

bool is_ours(const std::string& host, const Gate& gate) {
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]" || host == gate.address ||
         host == "[" + gate.address + "]";
}

// No DNS answer can make a number mean something else.
bool is_number(std::string host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  boost::system::error_code ec;
  boost::asio::ip::make_address(host, ec);
  return !ec;
}

bool host_is_ours(std::string_view value, const Gate& gate) {
  const auto parts = split(value);
  return parts && (is_ours(parts->first, gate) || (gate.remote && is_number(parts->first))) &&
         parts->second.value_or(gate.port) == gate.port;
}

// Pages of this machine, whatever their port: they need the token all the same.
bool origin_is_ours(std::string_view value, const Gate& gate) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!value.starts_with(scheme)) continue;
    const auto parts = split(value.substr(scheme.size()));
    return parts && is_ours(parts->first, gate);
  }
  return false;
}

bool has_type(std::string_view list, std::string_view type) {
  const std::string all = lower(list);
  const std::string any = std::string(type.substr(0, type.find('/'))) + "/*";
  return all.contains(type) || all.contains("*/*") || all.contains(any);
}

std::optional<Refused> check_token(const Head& head, const Gate& gate) {
  if (!gate.token) return std::nullopt;
  constexpr std::string_view kScheme = "bearer ";
  const std::string given = one_header(head, "Authorization").value_or("");
  if (given.size() > kScheme.size() && lower(given.substr(0, kScheme.size())) == kScheme &&
      equal_in_constant_time(std::string_view(given).substr(kScheme.size()), *gate.token)) {
    return std::nullopt;
  }
  return Refused{http::status::unauthorized,
                 "the token is missing or wrong: send Authorization: Bearer TOKEN"};
}

mcp::RpcError mismatch(std::string message) {
  return {mcp::kHeaderMismatch, "Header mismatch: " + std::move(message), {}};
}

// The member that Mcp-Name repeats; nullopt when none does.
std::optional<std::string_view> named_by(std::string_view method) {
  if (method == "tools/call" || method == "prompts/get") return "name";
  if (method == "resources/read") return "uri";
  return std::nullopt;
}

}  // namespace

std::optional<std::string> one_header(const Head& head, std::string_view name) {
  const auto range = head.equal_range(name);
  if (range.first == range.second || std::next(range.first) != range.second) return std::nullopt;
  return std::string(range.first->value());
}

std::optional<std::string> plain_value(std::string_view header) {
  constexpr std::string_view kOpen = "=?base64?";
  constexpr std::string_view kClose = "?=";
  if (!header.starts_with(kOpen) || !header.ends_with(kClose) ||
      header.size() < kOpen.size() + kClose.size()) {
    return std::string(header);
  }
  header.remove_prefix(kOpen.size());
  header.remove_suffix(kClose.size());
  return base64_decode(header);
}

std::optional<Refused> check_head(const Head& head, const Gate& gate) {
  const auto host = one_header(head, "Host");
  if (!host || !host_is_ours(*host, gate)) {
    return Refused{http::status::forbidden, "this server is not called that (Host)"};
  }
  if (head.count("Origin") != 0) {
    const auto origin = one_header(head, "Origin");
    if (!origin || !origin_is_ours(*origin, gate)) {
      return Refused{http::status::forbidden, "pages of other origins may not use this server"};
    }
  }
  if (auto refused = check_token(head, gate)) return refused;
  if (head.target() != kEndpoint) {
    return Refused{http::status::not_found, fmt::format("MCP is at {}", kEndpoint)};
  }
  if (head.method() == http::verb::get || head.method() == http::verb::delete_) {
    // Of the era with sessions alone.
    if (one_header(head, kVersionHeader) != mcp::kModernVersion &&
        one_header(head, kSessionHeader)) {
      return std::nullopt;
    }
    return Refused{http::status::method_not_allowed, "POST a message"};
  }
  if (head.method() != http::verb::post) {
    return Refused{http::status::method_not_allowed, "POST a message"};
  }
  const std::string type = lower(one_header(head, "Content-Type").value_or(""));
  if (type != "application/json" && !type.starts_with("application/json;")) {
    return Refused{http::status::unsupported_media_type, "Content-Type must be application/json"};
  }
  const std::string accept = one_header(head, "Accept").value_or("*/*");
  if (!has_type(accept, "application/json") || !has_type(accept, "text/event-stream")) {
    return Refused{http::status::not_acceptable,
                   "Accept must have application/json and text/event-stream"};
  }
  return std::nullopt;
}

std::optional<mcp::RpcError> check_modern(const Head& head, const mcp::Request& request) {
  const auto version = one_header(head, kVersionHeader);
  if (!version) return mismatch(fmt::format("{} is missing, or there twice", kVersionHeader));
  const std::string_view named = mcp::named_version(request.params);
  if (named.empty() && *version != mcp::kModernVersion) return mcp::unsupported_version(*version);
  if (!named.empty() && named != *version) {
    return mismatch(
        fmt::format("{} differs from {} in params._meta", kVersionHeader, mcp::kMetaVersion));
  }
  if (const auto meta = mcp::read_meta(request.params); !meta) return meta.error();
  if (one_header(head, kMethodHeader) != request.method) {
    return mismatch(fmt::format("{} must be the method of the body", kMethodHeader));
  }
  const auto member = named_by(request.method);
  if (!member) return std::nullopt;
  const mcp::json::value* name = request.params.if_contains(*member);
  if (name == nullptr || !name->is_string()) return std::nullopt;  // the body is refused for that
  const auto header = one_header(head, kNameHeader);
  const auto plain = header ? plain_value(*header) : std::nullopt;
  if (!plain || *plain != std::string_view(name->get_string())) {
    return mismatch(fmt::format("{} must be params.{} of the body", kNameHeader, *member));
  }
  return std::nullopt;
}

}  // namespace pyro::mcp_serve
