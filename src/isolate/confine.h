// Makes the calling process unable to do more than it has to. See docs/design/threat-model.md.
#pragma once

#include "base/result.h"

namespace pyro::isolate {

// For a process that moves bytes between sockets and was given everything else that it needs: no
// file can be opened, no program started, no other process seen or signalled, no socket made but
// for TCP, UDP and echo; of the capabilities only that for low ports is kept, where it was there.
// A call that is not foreseen ends the process. For the calling thread and those that it starts;
// cannot be undone.
Result<void> confine_relay();

}  // namespace pyro::isolate
