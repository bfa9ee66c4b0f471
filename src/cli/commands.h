// One function for each command: reads the invocation, asks the backend, writes to io, and returns
// the exit code. An Error is shown by the caller, in the form that --json asks for.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/backend.h"
#include "cli/io.h"
#include "cli/parse.h"

namespace pyro::cli {

Result<int> env_list(const Invocation& call, Io& io, Backend& backend);
Result<int> env_pull(const Invocation& call, Io& io, Backend& backend);
Result<int> env_inspect(const Invocation& call, Io& io, Backend& backend);
Result<int> env_prune(const Invocation& call, Io& io, Backend& backend);
Result<int> doctor(const Invocation& call, Io& io, Backend& backend);
Result<int> demo(const Invocation& call, Io& io, Backend& backend);
Result<int> demo_ollama(const Invocation& call, Io& io, Backend& backend);
Result<int> run(const Invocation& call, Io& io, Backend& backend);

// The one that a command of workspaces names.
inline std::string workspace(const Invocation& call) {
  return call.text("workspace_id");
}

}  // namespace pyro::cli
