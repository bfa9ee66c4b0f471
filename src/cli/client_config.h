// How the clients of MCP are told of a server: an entry in a file of theirs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/dirs.h"

namespace pyro::cli {

struct ServerEntry {
  std::string client;                // of proto::kMcpClients
  std::string name;                  // letters, digits, - and _
  std::vector<std::string> command;  // program and arguments
};

// The file in which `client` looks for servers of this user.
Result<std::string> config_file(std::string_view client, const sys::Environment& env);
// The entry alone, as such a file would have it.
std::string entry_text(const ServerEntry& entry);
// `text` of such a file with the entry in it; all else of it is as it was. kInvalid: it cannot be
// understood well enough for that.
Result<std::string> with_entry(const ServerEntry& entry, std::string_view text);

// Reads the file (a missing one is empty), and writes it with the entry: atomically, its old text
// beside it. False: it had the entry already. kConflict: somebody else wrote it meanwhile.
Result<bool> install(const ServerEntry& entry, const std::string& path);

}  // namespace pyro::cli
