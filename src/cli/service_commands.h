// The commands of services, each as in commands.h.
#pragma once

#include "cli/commands.h"

namespace pyro::cli {

Result<int> service_start(const Invocation& call, Io& io, Backend& backend);
Result<int> service_list(const Invocation& call, Io& io, Backend& backend);
Result<int> service_status(const Invocation& call, Io& io, Backend& backend);
Result<int> service_logs(const Invocation& call, Io& io, Backend& backend);
Result<int> service_stop(const Invocation& call, Io& io, Backend& backend);
Result<int> service_restart(const Invocation& call, Io& io, Backend& backend);

}  // namespace pyro::cli
