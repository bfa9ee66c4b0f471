// Makes the baseline image of a folder: pyro_bench_seed_folder FOLDER STAGING IMAGE. Prints what
// was carried; bench/seed_folder.py measures the whole command.
#include <cstdio>
#include <string>

#include "seed/seed.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "Usage: pyro_bench_seed_folder FOLDER STAGING IMAGE\n");
    return 2;
  }
  const auto made = pyro::seed::build_baseline({.path = argv[1]}, argv[2], argv[3], {});
  if (!made) {
    std::fprintf(stderr, "%s\n", made.error().message.c_str());
    return 1;
  }
  std::printf("%llu entries, %llu bytes\n", static_cast<unsigned long long>(made->entry_count),
              static_cast<unsigned long long>(made->bytes_written));
  return 0;
}
