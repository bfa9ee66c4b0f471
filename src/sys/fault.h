// Named places at which a test stops the process, kills one of those that work together (this one,
// its machine, the command that asked), and lets the others go on: after the last effect before the
// name, before the first one after it.
#pragma once

#include <string>
#include <string_view>

namespace pyro::sys {

// Once, when the process learns of it (PYRO_FAULT); empty: none.
void arm_fault(std::string name);
// SIGSTOP for this process, the first time that it gets to the armed name.
void fault_point(std::string_view name);

}  // namespace pyro::sys
