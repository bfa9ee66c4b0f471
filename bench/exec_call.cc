// What one exec in a workspace takes through the C++ library, call by call.
//
//   pyro_bench_exec_call WORKSPACE
//
// For each line of standard input it runs /bin/true in the workspace and prints the milliseconds of
// the call. bench/python_exec.py drives it, in turns with the same from Python.
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>

#include "client/client.h"
#include "client/workspaces.h"
#include "sys/dirs.h"

namespace {

using namespace pyro;
using Clock = std::chrono::steady_clock;

Result<double> exec_ms(client::Pyro& pyro, const std::string& workspace) {
  std::string out;
  client::WorkspaceObserver observer;
  observer.run.on_stdout = observer.run.on_stderr = [&](std::string_view bytes) -> Result<void> {
    out += bytes;
    return {};
  };
  const Clock::time_point before = Clock::now();
  PYRO_TRY(const auto done,
           pyro.workspaces().exec(
               workspace, {.argv = {"/bin/true"}, .command = {}, .env = {}, .secret_env = {}},
               observer));
  const double ms = std::chrono::duration<double, std::milli>(Clock::now() - before).count();
  if (done.exit_code != 0) return fail(Errc::kInternal, "/bin/true failed in the guest");
  return ms;
}

Result<void> serve(const std::string& workspace) {
  PYRO_TRY(auto pyro, client::Pyro::open(sys::process_environment()));
  for (std::string line; std::getline(std::cin, line);) {
    PYRO_TRY(const double ms, exec_ms(pyro, workspace));
    std::printf("%.6f\n", ms);
    std::fflush(stdout);
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "Usage: pyro_bench_exec_call WORKSPACE\n");
    return 2;
  }
  if (const auto served = serve(argv[1]); !served) {
    std::fprintf(stderr, "%s\n", served.error().message.c_str());
    return 1;
  }
  return 0;
}
