// Ids and names of workspaces. A name stands wherever an id can; it belongs to one workspace at a
// time, as an entry in <state>/names/ that only one process can make.
#pragma once

#include <string>

#include "base/result.h"
#include "sys/dirs.h"

namespace pyro::core {

// "ws-" and eight letters or digits: 40 random bits, so an id is not met again after its workspace
// is gone. Anything else is refused before it becomes part of a path.
bool is_workspace_id(const std::string& text);
Result<std::string> new_workspace_id();

// 1 to 63 of A-Z, a-z, 0-9, ".", "_" and "-", the first a letter or digit.
bool is_plain_name(const std::string& name);

// A plain name that has not the form of an id. kInvalid says so.
Result<void> check_workspace_name(const std::string& name);

// Gives the name to `id`. kConflict names the workspace that has it. An entry whose workspace is
// gone is taken over, so a crash between the two removals of a deletion blocks nothing. Done with
// the sandbox's folder of `id` already there.
Result<void> take_name(const sys::Dirs& dirs, const std::string& name, const std::string& id);
// Only when it is that workspace's.
Result<void> give_name_back(const sys::Dirs& dirs, const std::string& name, const std::string& id);
// Whatever names it has, but for one: what it leaves, and what no record speaks of.
Result<void> give_names_back(const sys::Dirs& dirs, const std::string& id,
                             const std::string& but = "");
// The id for an id or a name. kNotFound when there is no such workspace.
Result<std::string> resolve_workspace(const sys::Dirs& dirs, const std::string& id_or_name);

}  // namespace pyro::core
