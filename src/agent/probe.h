// Looks whether services are ready: the method `probe`.
#pragma once

#include <memory>

#include "io/task.h"
#include "proto/agent_messages.h"
#include "rpc/stream.h"

namespace pyro::agent {

// Looks once, for at most `timeout_ms`. An error (kInvalid) is the request's own; that a service is
// not ready is a result. kUnavailable: the task was cancelled.
io::Task<proto::ProbeResult> probe(proto::Probe request);

// Answers one request.
boost::asio::awaitable<void> handle_probe(std::shared_ptr<rpc::Stream> stream);

}  // namespace pyro::agent
