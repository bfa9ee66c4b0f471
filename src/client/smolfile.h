// What a Smolfile becomes: options of a run or of a workspace, and back.
#pragma once

#include <string>
#include <vector>

#include "client/workspaces.h"
#include "policy/smolfile.h"

namespace pyro::client {

// The name of the service that a workspace runs for `entrypoint` and `cmd`.
inline constexpr const char* kSmolfileService = "main";

// kInvalid names the file and the line, and the key of a number that is out of range.
Result<policy::Smolfile> read_smolfile(const std::string& path);

// Its rules after those that are given. kInvalid: both say something that cannot be joined.
Result<void> add_network(NetworkOptions& options, const policy::Smolfile& file);

// The words for a guest: `entrypoint`, then `given` or else `cmd`; in `workdir`, with `env`, after
// `init`. kInvalid: there are none, or the file has ports, which a run cannot publish.
Result<std::vector<std::string>> words_of_run(const policy::Smolfile& file,
                                              const std::vector<std::string>& given);

// Runs `init` in a workspace that was just created, and starts its service. An error of either is
// one of the whole: the caller removes the workspace.
Result<void> furnish(Workspaces& workspaces, const std::string& id, const policy::Smolfile& file,
                     const WorkspaceObserver& observer);

using pyro::render_smolfile;

}  // namespace pyro::client
