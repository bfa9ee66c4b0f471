// The two acceptance scenarios of the network: a service that the host reaches, and no network.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/stopwatch.h"
#include "escape/suite.h"
#include "escape/workspace_guest.h"

namespace pyro::escape {

namespace {

// What a program on the host's loopback says; empty: nobody is there.
Result<std::string> ask_loopback(std::uint16_t port) {
  PYRO_TRY(const int fd, sys::retrying("a socket", [] {
             return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
           }));
  const sys::UniqueFd socket(fd);
  constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) {
    if (errno == ECONNREFUSED) return std::string();
    return sys::fail_errno("connecting to the published port", errno);
  }
  std::array<char, 64> line{};
  PYRO_TRY(const int n, sys::retrying("reading from the published port",
                                      [&] { return ::recv(fd, line.data(), line.size(), 0); }));
  return std::string(line.data(), static_cast<std::size_t>(n));
}

Result<void> published_service(client::Pyro& pyro, WorkspaceGuest& guest, Outcome& out) {
  PYRO_TRY(const auto served, guest.serve());
  PYRO_TRY(const std::string said, ask_loopback(served.port));
  out.saw = said.substr(0, said.find('\n'));
  if (said != "hello from the guest\n") out.problems.push_back("the host read \"" + out.saw + "\"");
  auto& services = pyro.workspaces().services();
  PYRO_TRY(const auto logs, services.logs(served.workspace, served.service, {.all = true}));
  std::string printed;
  for (const client::LogEntry& entry : logs.entries) printed += entry.text;
  if (printed.find("answered") == std::string::npos)
    out.problems.push_back("the service's log does not say that it answered: " + printed);
  constexpr int kStopSeconds = 10;
  PYRO_TRY(const auto stopped, services.stop(served.workspace, served.service, kStopSeconds, -1));
  if (stopped.state != "stopped") out.problems.push_back("after its stop it is " + stopped.state);
  PYRO_TRY(const std::string after, ask_loopback(served.port));
  out.control = after.empty() ? "closed after the stop" : after;
  if (!after.empty()) out.problems.emplace_back("its port is still open after the stop");
  return {};
}

Result<void> off(WorkspaceGuest& guest, Outcome& out) {
  PYRO_TRY(const std::string line, guest.probe({"devices"}));
  PYRO_TRY(const auto object, proto::parse_object(line));
  const auto* const said = object.if_contains("said");
  if (said == nullptr || !said->is_string()) return fail(Errc::kInternal, "the probe said " + line);
  out.saw = std::string(said->get_string());
  if (out.saw != "lo") out.problems.push_back("the guest has the devices \"" + out.saw + "\"");
  return {};
}

}  // namespace

Result<Report> run_smoke(const sys::Environment& env, const SuiteOptions& options) {
  const Stopwatch total;
  PYRO_TRY(const sys::Dirs dirs, sys::resolve_dirs(env));
  PYRO_TRY(client::Pyro pyro, client::Pyro::open(env));
  PYRO_TRY(const auto guest, WorkspaceGuest::make(pyro, dirs, {}, options.observer));
  Report report{.backend = options.backend, .environment = kEnvironment};
  const auto note = [&](Outcome out, const Result<void>& done) {
    if (!done) out.problems.push_back(done.error().message);
    out.passed = out.problems.empty();
    report.outcomes.push_back(std::move(out));
  };
  Outcome alone{.name = "off", .attempt = "a workspace under off has no network device"};
  const auto looked = off(*guest, alone);
  note(std::move(alone), looked);
  Outcome service{.name = "published-service",
                  .attempt = "a service is started, ready, answers the host, logs it, and stops"};
  const auto served = published_service(pyro, *guest, service);
  note(std::move(service), served);
  report.duration_ms = static_cast<std::int64_t>(total.ms());
  return report;
}

}  // namespace pyro::escape
