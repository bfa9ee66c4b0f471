// What a clean-up of a cache removed and what it had to leave.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pyro {

struct Pruned {
  std::vector<std::string> deleted, kept_in_use;  // paths or keys
  std::uint64_t freed_bytes = 0;
};

}  // namespace pyro
