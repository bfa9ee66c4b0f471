// A configuration of whatever bytes: either it is refused, or the entry is in it, doing it again
// changes nothing, and nothing is lost that was longer than the entry that gave way.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "cli/client_config.h"

namespace {

void require(bool fine) {
  if (!fine) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  for (const char* client : {"claude-code", "codex"}) {
    const pyro::cli::ServerEntry entry{
        .client = client, .name = "pyro", .command = {"/usr/bin/pyro", "mcp", "serve"}};
    const auto once = pyro::cli::with_entry(entry, text);
    if (!once) continue;
    require(once->contains("/usr/bin/pyro"));
    const auto twice = pyro::cli::with_entry(entry, *once);
    require(twice.has_value() && *twice == *once);
  }
  return 0;
}
