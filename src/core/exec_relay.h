// Carries one command's stdio, signals and result between a client's stream and the guest's agent.
#pragma once

#include <functional>
#include <memory>

#include "core/exec_output.h"
#include "core/guest.h"
#include "proto/supervisor_messages.h"
#include "rpc/stream.h"

namespace pyro::core {

struct ExecHooks {
  // Gets the agent's stream, for signals: those must not queue behind stdin that the command does
  // not read.
  std::function<void(std::shared_ptr<rpc::Stream>)> on_open;
  ExecOutput* output = nullptr;  // what stdout and stderr go through; null: as they come
};

// Memory: what the credit of both streams allows; a client that does not read stops the guest's
// writes. Ends when the agent has answered. A command that the guest does not end in time (the
// agent is dead or starved) ends with the machine: the result says timed_out, the machine is
// killed. The client's end or cancel ends the command. Sets `exec.kill_grace_ms`.
io::Task<proto::ExecVmResult> relay_exec(Guest& guest, proto::Exec exec,
                                         std::shared_ptr<rpc::Stream> client, ExecHooks hooks);

// Any other request whose data goes to and from a client. `what`, if any, begins the error's message.
io::Task<boost::json::object> relay_request(Guest& guest, std::string what, std::string method,
                                            boost::json::object params,
                                            std::shared_ptr<rpc::Stream> client);

}  // namespace pyro::core
