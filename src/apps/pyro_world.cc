// The escape suite's world: started by `pyro selftest escape`, with descriptor 3 to whoever asks.
#include <cstdio>

#include "world/world.h"

int main() {
  constexpr int kControl = 3;
  try {
    const auto ran = pyro::world::run_world(pyro::sys::UniqueFd(kControl));
    if (ran) return 0;
    std::fprintf(stderr, "%s\n", ran.error().message.c_str());
  } catch (...) {
  }
  return 1;
}
