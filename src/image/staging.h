// Removing what an environment is built in: files in it may belong to the user's subordinate ids.
#pragma once

#include <string>

#include "base/result.h"

namespace pyro::image {

// Removes a folder even when files in it belong to the user's subordinate ids.
Result<void> remove_build_tree(const std::string& path);

}  // namespace pyro::image
