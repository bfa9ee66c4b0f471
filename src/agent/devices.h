// Disks of the guest by the serial that the host gave them, and mounting.
#pragma once

#include <string>

#include "base/result.h"

namespace pyro::agent {

// The path below /dev of the disk with that virtio serial (or, failing that, of that name).
// kNotFound.
Result<std::string> find_device(const std::string& wanted);

// mount(2) on a folder, which is made (0755) when it is missing. The error names it.
Result<void> mount_at(const char* source, const std::string& target, const char* type,
                      unsigned long flags, const std::string& options);

}  // namespace pyro::agent
