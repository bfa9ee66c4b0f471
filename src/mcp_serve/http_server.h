// MCP over Streamable HTTP: one endpoint, both eras.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "mcp/provider.h"

namespace pyro::mcp_serve {

inline constexpr std::size_t kMostConnections = 128;

struct HttpOptions {
  std::string address = "127.0.0.1";  // as numbers; not a loopback one only with any_address
  std::uint16_t port = 0;             // 0: any that is free
  bool any_address = false;
  std::optional<std::string> token;  // none: whoever reaches the port
  int stop_fd = -1;                  // readable: end in order
  std::function<void(const std::string& url)> on_listening;
  // A client that has not taken a piece of a response for so long has gone.
  std::chrono::milliseconds write_limit{30'000};
};

// "127.0.0.1:8080", "[::1]:0" -> both parts; kInvalid for names and whatever else.
Result<std::pair<std::string, std::uint16_t>> parse_address(std::string_view text);

// Returns when `stop_fd` says so; calls under way are given up and waited for.
Result<void> serve_http(mcp::Provider& provider, const HttpOptions& options);

}  // namespace pyro::mcp_serve
