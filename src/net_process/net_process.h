// The process around the network engine: its control session and its confinement.
#pragma once

#include "base/result.h"
#include "sys/fd.h"

namespace pyro::net_process {

struct NetProcessOptions {
  sys::UniqueFd link;     // to QEMU: one end of a connected AF_UNIX datagram pair
  sys::UniqueFd control;  // to the supervisor, which begins (proto/net_messages.h)
};

// Runs until the supervisor is gone. Confines the process before the first frame is read.
Result<void> run_net_process(NetProcessOptions options);

}  // namespace pyro::net_process
