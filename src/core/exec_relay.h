// Carries one command's stdio, signals and result between a client's stream and the guest's agent.
#pragma once

#include <functional>
#include <memory>

#include "core/guest.h"
#include "proto/supervisor_messages.h"
#include "rpc/stream.h"

namespace pyro::core {

// Memory: what the credit of both streams allows; a client that does not read stops the guest's
// writes. Ends when the agent has answered. A command that the guest does not end in time (the
// agent is dead or starved) ends with the machine: the result says timed_out, the machine is
// killed. The client's end or cancel ends the command. `on_open` gets the agent's stream, for
// signals: those must not queue behind stdin that the command does not read.
io::Task<proto::ExecVmResult> relay_exec(Guest& guest, proto::ExecVm request,
                                         std::shared_ptr<rpc::Stream> client,
                                         std::function<void(std::shared_ptr<rpc::Stream>)> on_open);

}  // namespace pyro::core
