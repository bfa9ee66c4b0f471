#include "sys/fault.h"

#include <signal.h>

#include <utility>

namespace pyro::sys {

namespace {
// Of the process, as a crash is: code of every layer has such places, and none should have to pass
// this through for them.
std::string& armed() {
  static std::string name;
  return name;
}
}  // namespace

void arm_fault(std::string name) {
  armed() = std::move(name);
}

void fault_point(std::string_view name) {
  if (armed().empty() || armed() != name) return;
  armed().clear();
  ::raise(SIGSTOP);
}

}  // namespace pyro::sys
