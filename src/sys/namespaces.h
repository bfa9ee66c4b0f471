// Network namespaces as descriptors: made by unshare(2), joined by setns(2).
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "sys/fd.h"

namespace pyro::sys {

// A network namespace that a child is to be started in.
struct NetNamespace {
  UniqueFd net;
  UniqueFd user;  // that owns it, to be joined first; none: the one we are in
};
// `path` as /proc/PID/ns/net or /run/netns/NAME. kInvalid: it is none; kDenied: it may not be
// joined by this user.
Result<NetNamespace> open_net_namespace(const std::string& path);

// The calling thread, which must be its process's only one. Async-signal-safe. Returns errno, or 0.
int join(const NetNamespace& where);

// A user namespace in which this user is root, unless that is so already. The calling process must
// have one thread.
Result<void> become_root_of_namespace();
// The calling thread gets a network namespace of its own, with nothing but a loopback device that
// is down.
Result<void> leave_network();
// That of the calling thread.
Result<UniqueFd> own_network();

}  // namespace pyro::sys
