// The command about Smolfiles, as in commands.h, and what --smolfile means to others. What is given
// on the command line goes before what a file says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cli/commands.h"
#include "client/smolfile.h"

namespace pyro::cli {

// The file of --smolfile; nullopt without that option.
Result<std::optional<policy::Smolfile>> smolfile_of(const Invocation& call);
std::string environment_of(const Invocation& call, const std::optional<policy::Smolfile>& file);
// The option `name`, else what the file says, else the default. client::read_smolfile() has seen to
// it that the file's fits.
int number_of(const Invocation& call, std::string_view name,
              const std::optional<std::int64_t>& of_file);

Result<int> smolfile_render(const Invocation& call, Io& io, Backend& backend);

}  // namespace pyro::cli
