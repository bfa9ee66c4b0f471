// The two network namespaces of the world, made by an ordinary user.
#pragma once

#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace pyro::world {

struct Sniffer {
  const char* where;  // as Arrival has it
  bool both_ways;     // also what goes back to those who came
  sys::UniqueFd fd;   // shows IP packets, one for each read
};

struct Land {
  sys::UniqueFd host;  // the namespace of the host
  std::vector<Sniffer> sniffers;
  std::vector<sys::UniqueFd> host_services;  // listening sockets at the host's loopback
};
// The calling thread, its process's only one, is in the namespace of the world afterwards.
Result<Land> make_land();

}  // namespace pyro::world
