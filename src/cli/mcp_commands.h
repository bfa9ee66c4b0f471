// pyro mcp serve, pyro mcp install.
#pragma once

#include "cli/commands.h"

namespace pyro::cli {

Result<int> mcp_serve(const Invocation& call, Io& io, Backend& backend);
Result<int> mcp_install(const Invocation& call, Io& io, Backend& backend);

// The token in a file that nobody but its owner may read: 16 to 4096 visible characters, and a
// newline at the end that does not count.
Result<std::string> read_token(const std::string& path);

}  // namespace pyro::cli
