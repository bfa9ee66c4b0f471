// Named places at which a test has a process killed, as a crash would: after the last effect before
// the name, before the first one after it.
#pragma once

#include <string>
#include <string_view>

namespace pyro::sys {

// Once, when the process learns of it (PYRO_FAULT); empty: none.
void arm_fault(std::string name);
// kill(2) with SIGKILL of this process when that name is armed.
void fault_point(std::string_view name);

}  // namespace pyro::sys
