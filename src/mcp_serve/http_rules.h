// What a request must be before anything of it is done: whom it is for, who sends it, and whether
// its headers say the same as its body.
#pragma once

#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "mcp/message.h"

namespace pyro::mcp_serve {

inline constexpr std::string_view kEndpoint = "/mcp";
inline constexpr std::string_view kVersionHeader = "MCP-Protocol-Version";
inline constexpr std::string_view kSessionHeader = "Mcp-Session-Id";
inline constexpr std::string_view kMethodHeader = "Mcp-Method";
inline constexpr std::string_view kNameHeader = "Mcp-Name";

using Head = boost::beast::http::request_header<>;

struct Refused {
  boost::beast::http::status status = boost::beast::http::status::bad_request;
  std::string why;
};

struct Gate {
  std::optional<std::string> token;  // none: whoever reaches the port
  std::string address;               // that the port is bound to
  std::uint16_t port = 0;
  bool remote = false;  // other machines may reach it, by whichever address: any number is ours
};

// Nothing of the body has been read yet. A web page that a browser was led to (DNS rebinding: a
// name of somebody else's that became our address) shows itself by Host and Origin, which it cannot
// choose: 403. Then the token: 401. Then method, path and types.
std::optional<Refused> check_head(const Head& head, const Gate& gate);

// One value; nullopt when it is missing, or given twice.
std::optional<std::string> one_header(const Head& head, std::string_view name);
// What a client may have wrapped as =?base64?...?=; nullopt when the wrapping is broken.
std::optional<std::string> plain_value(std::string_view header);

// Of a request of 2026-07-28: kHeaderMismatch, kInvalidParams or kUnsupportedVersion.
std::optional<mcp::RpcError> check_modern(const Head& head, const mcp::Request& request);

}  // namespace pyro::mcp_serve
