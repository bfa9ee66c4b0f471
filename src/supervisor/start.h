// What VMs and workspaces have in common: how a machine is started, and what a command may be.
#pragma once

#include <string>
#include <vector>

#include "core/clock.h"
#include "core/sandbox.h"
#include "supervisor/host.h"
#include "supervisor/service.h"

namespace pyro::supervisor {

inline constexpr const char* kExecutionMode = "guest_serial";

// Passes the phases of a start on to a client.
core::OnPhase phases_to(StreamPtr stream);

// Starts it, with emulation where KVM was chosen by us and the guest does not come up under it;
// `end` set: no second try.
io::Task<std::vector<proto::Stage>> start_sandbox(core::Sandbox& sandbox, const Host& host,
                                                  const io::Event& end, core::OnPhase on_phase);

Result<void> check_command(const std::vector<proto::Bytes>& argv, std::int64_t timeout_ms);

}  // namespace pyro::supervisor
