// What the guides show and no example has; compiled by test_consumers.py.
#include <pyro/pyro.hpp>

pyro::Result<pyro::ServiceInfo> start_and_wait(pyro::Services& services,
                                               const pyro::ServiceOptions& options) {
  pyro::Call call = pyro::start(
      [&](int interrupt_fd) { return services.start("fix", "web", options, interrupt_fd); });
  return call.get();
}
