#include "world/world.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

#include "sys/file.h"
#include "world/servers.h"

namespace pyro::world {

Result<void> run_world(const sys::UniqueFd& control) {
  ::signal(SIGPIPE, SIG_IGN);
  PYRO_TRY(Land land, make_land());
  const Opened opened{.net_namespace = fmt::format("/proc/{}/fd/{}", ::getpid(), land.host.get())};
  PYRO_TRY(Servers servers, Servers::open(std::move(land)));
  PYRO_CHECK(sys::write_all(control.get(), proto::to_text(proto::encode(opened)) + "\n"));
  for (;;) {
    PYRO_TRY(const bool asked, servers.turn(control.get()));
    if (!asked) continue;
    std::array<char, 64> line{};
    PYRO_TRY(const int n, sys::retrying("recv", [&] {
               return ::recv(control.get(), line.data(), line.size(), 0);
             }));
    if (n == 0) return {};
    if (line.front() == kBeginAnew) servers.forget();
    PYRO_CHECK(
        sys::write_all(control.get(), proto::to_text(proto::encode(servers.arrivals())) + "\n"));
  }
}

}  // namespace pyro::world
