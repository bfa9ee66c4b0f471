// pyro: the command line.
#include <signal.h>

#include <exception>
#include <string>
#include <vector>

#include "cli/exit_code.h"
#include "cli/main.h"

int main(int argc, char** argv) {
  pyro::cli::ProcessIo process;
  try {
    ::signal(SIGPIPE, SIG_IGN);  // a reader that went away is an error of write(2)
    const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
    pyro::cli::Io io = process.io();
    return pyro::cli::main_with(words, io, pyro::cli::client_library());
  } catch (const std::exception& bug) {
    (void)process.err.write("pyro: internal error: " + std::string(bug.what()) +
                            "\nhint: this is a bug in pyro: please report it\n");
  } catch (...) {
    (void)process.err.write(
        "pyro: internal error\nhint: this is a bug in pyro: please report it\n");
  }
  return pyro::cli::kExitPyro;
}
