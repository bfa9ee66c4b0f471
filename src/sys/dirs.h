// Where pyro keeps things, resolved once from the environment that main() passes in.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"

namespace pyro::sys {

// Looks up one environment variable; main passes the real one, tests their own.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

struct Dirs {
  std::string cache;  // ${XDG_CACHE_HOME:-~/.cache}/pyro: environments, templates, host facts
  std::string state;  // PYRO_HOME, else ${XDG_STATE_HOME:-~/.local/state}/pyro: records, disks
  std::string
      runtime;  // $XDG_RUNTIME_DIR/pyro: sockets, the start budget; short (108-byte sockets)
  std::string libexec;  // where pyro-supervisor and pyro-agent lie

  [[nodiscard]] std::string environments() const { return cache + "/environments"; }
  [[nodiscard]] std::string templates() const { return cache + "/templates"; }
  [[nodiscard]] std::string disks() const { return state + "/disks"; }
  [[nodiscard]] std::string sandboxes() const { return state + "/sandboxes"; }
};

// Resolves and creates the folders, mode 0700. A runtime folder that somebody else owns is refused
// (it would be a way to take over sockets). Overrides: PYRO_CACHE_DIR, PYRO_HOME, PYRO_RUNTIME_DIR,
// PYRO_LIBEXEC. The helpers lie in ../libexec/pyro of the module (or ../../, where libraries have
// folders for each architecture), beside it, or where this build is to be installed. Without
// XDG_RUNTIME_DIR the runtime folder is /run/user/UID/pyro, else /tmp/pyro-UID.
Result<Dirs> resolve_dirs(const Environment& env);

// The folder of the running program, from /proc/self/exe.
Result<std::string> program_dir();
// The folder of the file that this code lies in: of libpyro.so when a program is linked with that,
// else of the program.
Result<std::string> module_dir();

}  // namespace pyro::sys
