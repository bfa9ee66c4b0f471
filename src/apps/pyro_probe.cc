// What `pyro selftest` runs in a guest: tries one thing and says what came of it
// (probe/commands.h).
#include <cstdio>
#include <string_view>

#include "probe/commands.h"

int main(int argc, char** argv) {
  using namespace pyro::probe;
  struct Row {
    std::string_view name;
    int (*command)(const Words&);
  };
  static constexpr Row kCommands[] = {
      {"tcp", tcp},         {"udp", udp},         {"ping", ping},   {"raw", raw},
      {"hold", hold},       {"serve", serve},     {"dns", dns},     {"tunnel", tunnel},
      {"by-name", by_name}, {"devices", devices}, {"frame", frame}, {"flood", flood},
      {"scan", scan},
  };
  constexpr int kUsage = 2;
  for (const Row& row : kCommands) {
    if (argc > 1 && row.name == argv[1]) return row.command(Words(argv + 2, argv + argc));
  }
  std::fputs("pyro-probe is run by pyro selftest, in a guest\n", stderr);
  return kUsage;
}
