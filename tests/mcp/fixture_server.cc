// The tools, resources and prompts that the conformance suite of MCP asks for, over the same
// protocol layer and transports as `pyro mcp serve`. A test program: nothing of it is shipped.
//
//   mcp_fixture_server              standard input and output
//   mcp_fixture_server --http ADDR  Streamable HTTP; prints its URL
#include <signal.h>
#include <sys/signalfd.h>

#include <cstdio>
#include <string>

#include "fixture_provider.h"
#include "mcp_serve/http_server.h"
#include "mcp_serve/stdio.h"
#include "sys/fd.h"

namespace {

using pyro::Result;

// Readable at SIGTERM and SIGINT.
pyro::sys::UniqueFd stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return pyro::sys::UniqueFd(::signalfd(-1, &signals, SFD_CLOEXEC));
}

Result<void> serve(int argc, char** argv, int stop_fd) {
  pyro::mcp_fixtures::FixtureProvider provider;
  if (argc == 1) return pyro::mcp_serve::serve_stdio(provider, {.stop_fd = stop_fd});
  if (std::string(argv[1]) != "--http" || argc < 3) {
    return pyro::fail(pyro::Errc::kInvalid, "usage: [--http ADDRESS:PORT [TOKEN]]");
  }
  PYRO_TRY(const auto where, pyro::mcp_serve::parse_address(argv[2]));
  pyro::mcp_serve::HttpOptions options{
      .address = where.first, .port = where.second, .stop_fd = stop_fd};
  if (argc > 3) options.token = argv[3];
  options.on_listening = [](const std::string& url) {
    std::puts(url.c_str());
    std::fflush(stdout);
  };
  return pyro::mcp_serve::serve_http(provider, options);
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  const pyro::sys::UniqueFd stop = stop_signals();
  const Result<void> served = serve(argc, argv, stop.get());
  if (served) return 0;
  std::fprintf(stderr, "%s\n", served.error().message.c_str());
  return 1;
}
