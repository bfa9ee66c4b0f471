// PID 1 of the guest.
#pragma once

namespace pyro::agent {

// Does not return while the machine runs.
int run_as_init();

}  // namespace pyro::agent
