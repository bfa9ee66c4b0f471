// The commands of shells, each as in commands.h; attach stands in shell_attach.h.
#pragma once

#include "cli/commands.h"

namespace pyro::cli {

Result<int> shell_open(const Invocation& call, Io& io, Backend& backend);
Result<int> shell_read(const Invocation& call, Io& io, Backend& backend);
Result<int> shell_write(const Invocation& call, Io& io, Backend& backend);
Result<int> shell_signal(const Invocation& call, Io& io, Backend& backend);
Result<int> shell_resize(const Invocation& call, Io& io, Backend& backend);
Result<int> shell_list(const Invocation& call, Io& io, Backend& backend);
Result<int> shell_close(const Invocation& call, Io& io, Backend& backend);

}  // namespace pyro::cli
