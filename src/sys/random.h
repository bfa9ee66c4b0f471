// Random bytes from the kernel.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace pyro::sys {

// At most 256 bytes, the size that getrandom(2) never cuts short.
Result<std::string> random_bytes(std::size_t count);

}  // namespace pyro::sys
