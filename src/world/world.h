// A world for the escape suite: an internet, a LAN and a host with programs on its loopback, in
// namespaces of an ordinary user. Nothing of it touches the real network.
#pragma once

#include "base/result.h"
#include "sys/fd.h"

namespace pyro::world {

// Until `control` (a Unix stream socket) ends. Writes Opened, as a line of JSON, when everything is
// there. Each byte that comes is answered by Arrivals, also a line.
Result<void> run_world(const sys::UniqueFd& control);

}  // namespace pyro::world
