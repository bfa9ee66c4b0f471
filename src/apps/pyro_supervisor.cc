// Started by the library with: --client FD [--hold FD]...
#include <cstdlib>
#include <cstring>

#include "supervisor/supervisor.h"

int main(int argc, char** argv) {
  pyro::supervisor::SupervisorOptions options;
  for (int i = 1; i + 1 < argc; i += 2) {
    pyro::sys::UniqueFd fd(std::atoi(argv[i + 1]));
    if (std::strcmp(argv[i], "--client") == 0) {
      options.first_client = std::move(fd);
    } else if (std::strcmp(argv[i], "--hold") == 0) {
      options.reservation.push_back(std::move(fd));
    }
  }
  if (!options.first_client) return 2;
  try {
    return pyro::supervisor::run_supervisor(std::move(options)) ? 0 : 1;
  } catch (...) {
    return 1;
  }
}
