#include "world/arrivals.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto seen = pyro::world::see({data, size});
  if (seen && (seen->protocol.empty() || seen->address.empty() || seen->bytes > size))
    __builtin_trap();
  return 0;
}
