// Started by the supervisor, with the link to the guest as descriptor 3 and its control session as
// descriptor 4.
#include "net_process/net_process.h"

int main() {
  constexpr int kLink = 3;
  constexpr int kControl = 4;
  try {
    const auto ran = pyro::net_process::run_net_process(
        {.link = pyro::sys::UniqueFd(kLink), .control = pyro::sys::UniqueFd(kControl)});
    return ran ? 0 : 1;
  } catch (...) {
    return 1;
  }
}
