// MCP over standard input and output: one message a line.
#pragma once

#include <chrono>
#include <functional>
#include <string_view>

#include "base/result.h"
#include "mcp/provider.h"

namespace pyro::mcp_serve {

inline constexpr std::size_t kMostThreads = 64;  // calls that run at once

struct StdioOptions {
  int in = 0, out = 1;  // borrowed
  int stop_fd = -1;     // readable: end as if the input had
  // A client that closed its input may still read what was under way.
  std::chrono::milliseconds last_answers{5000};
};

// Returns when the input ends, the client has gone or does not read, or `stop_fd` says so; calls
// under way are given up and waited for first. kUnavailable: it was the client that did not read.
Result<void> serve_stdio(mcp::Provider& provider, const StdioOptions& options);

}  // namespace pyro::mcp_serve
