// Disks of the guest by the serial that the host gave them.
#pragma once

#include <string>

#include "base/result.h"

namespace pyro::agent {

// The path below /dev of the disk with that virtio serial (or, failing that, of that name).
// kNotFound.
Result<std::string> find_device(const std::string& wanted);

}  // namespace pyro::agent
