#include "mcp_serve/wake.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

namespace pyro::mcp_serve {

Result<Wake> Wake::make() {
  PYRO_TRY(const int fd, sys::retrying("eventfd", [] { return ::eventfd(0, EFD_CLOEXEC); }));
  return Wake(sys::UniqueFd(fd));
}

void Wake::raise() const {
  const std::uint64_t one = 1;
  (void)sys::retrying("eventfd write", [&] { return ::write(fd_.get(), &one, sizeof one); });
}

bool Wake::raised() const {
  pollfd wanted{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&wanted, 1, 0) == 1;
}

}  // namespace pyro::mcp_serve
