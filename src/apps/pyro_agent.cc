// The guest agent: /init of the initramfs.
#include <unistd.h>

#include <cstdio>

#include "agent/main.h"

int main() {
  if (::getpid() != 1) {
    std::fputs("pyro-agent is the init process of a guest and does nothing elsewhere\n", stderr);
    return 1;
  }
  return pyro::agent::run_as_init();
}
