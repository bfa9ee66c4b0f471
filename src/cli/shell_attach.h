// The terminal of a person on a shell of a workspace.
#pragma once

#include "cli/commands.h"

namespace pyro::cli {

// As in commands.h. The exit code: 0 when it was detached, 128+n when signal n did that, else the
// shell's own.
Result<int> shell_attach(const Invocation& call, Io& io, Backend& backend);

}  // namespace pyro::cli
