#include "escape/workspace_guest.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <utility>

#include "client/connection.h"
#include "core/network_log.h"
#include "proto/network_requests.h"
#include "store/service_log.h"
#include "sys/file.h"

namespace pyro::escape {

namespace {

constexpr int kTimeoutSeconds = 120;  // of one probe
// Whoever is killed before the suite could delete them has this deletes them.
constexpr int kTtlSeconds = 3600;
constexpr std::uint64_t kMostProbe = 8U << 20;
constexpr std::uint16_t kGuestPort = 7777;
constexpr int kExecutable = 0755;
constexpr std::chrono::milliseconds kAnswer{5000};
constexpr std::size_t kMostOutput = 1U << 20;

Result<void> keep(std::string& into, std::string_view bytes) {
  if (into.size() + bytes.size() > kMostOutput)
    return fail(Errc::kLimit, "the probe says more than it can have to say");
  into += bytes;
  return {};
}

Result<std::string> whole(int exit_code, bool timed_out, const std::string& out,
                          const std::string& err) {
  if (exit_code == 0) return out;
  return fail(timed_out ? Errc::kDeadline : Errc::kInternal,
              fmt::format("pyro-probe ended with {}: {}", exit_code, err));
}

}  // namespace

client::NetworkOptions options_of(const policy::Policy& policy) {
  client::NetworkOptions out{.policy = policy::preset_name(policy.preset),
                             .allow = {},
                             .deny = {},
                             .allow_udp = policy.allow_udp,
                             .allow_icmp = policy.allow_icmp,
                             .policy_file = {}};
  for (const policy::Rule& rule : policy.allow) out.allow.push_back(rule.text());
  for (const policy::Rule& rule : policy.deny) out.deny.push_back(rule.text());
  return out;
}

std::string probe_program(const sys::Dirs& dirs) {
  return dirs.libexec + "/pyro-probe";
}

// ---- its life

Result<std::unique_ptr<WorkspaceGuest>> WorkspaceGuest::make(client::Pyro& pyro, sys::Dirs dirs,
                                                             const policy::Policy& policy,
                                                             client::RunObserver observer) {
  std::unique_ptr<WorkspaceGuest> guest(
      new WorkspaceGuest(pyro, std::move(dirs), std::move(observer)));
  PYRO_CHECK(guest->create(policy));
  return guest;
}

WorkspaceGuest::~WorkspaceGuest() {
  for (const std::string& workspace : workspaces_)
    static_cast<void>(pyro_.workspaces().remove(workspace));
}

Result<std::string> WorkspaceGuest::create(const policy::Policy& policy) {
  PYRO_TRY(const auto info, pyro_.workspaces().create({.environment = kEnvironment,
                                                       .ttl_seconds = kTtlSeconds,
                                                       .ttl_action = "delete",
                                                       .network = options_of(policy),
                                                       .labels = {{"pyro", "selftest"}}},
                                                      {.run = observer_, .on_progress = {}}));
  workspaces_.push_back(info.workspace_id);
  PYRO_CHECK(bring_probe(info.workspace_id));
  return info.workspace_id;
}

Result<void> WorkspaceGuest::bring_probe(const std::string& workspace) {
  PYRO_TRY(const std::string program, sys::read_file(probe_program(dirs_), kMostProbe));
  PYRO_CHECK(pyro_.workspaces().write_file(
      workspace, {.path = kProbeInGuest, .content = program, .mode = kExecutable}));
  return {};
}

Result<void> WorkspaceGuest::stop_and_start() {
  const client::WorkspaceObserver observer{.run = observer_, .on_progress = {}};
  PYRO_CHECK(pyro_.workspaces().stop(workspaces_.front()));
  PYRO_CHECK(pyro_.workspaces().start(workspaces_.front(), observer));
  return {};
}

Result<void> WorkspaceGuest::reset_to(const std::string& snapshot) {
  const client::WorkspaceObserver observer{.run = observer_, .on_progress = {}};
  PYRO_CHECK(pyro_.workspaces().reset(workspaces_.front(), snapshot, observer));
  return bring_probe(workspaces_.front());
}

Result<void> WorkspaceGuest::snapshot_and_reset(const policy::Policy& then) {
  constexpr const char* kName = "selftest";
  PYRO_TRY(const auto info, pyro_.workspaces().status(workspaces_.front()));
  const client::NetworkOptions now = client::options_of(info.network);
  PYRO_CHECK(set_policy(then));
  PYRO_CHECK(pyro_.workspaces().create_snapshot(workspaces_.front(), kName));
  PYRO_CHECK(pyro_.workspaces().set_network(workspaces_.front(), now, {}));
  return reset_to(kName);
}

// ---- its network

Result<void> WorkspaceGuest::set_policy(const policy::Policy& policy) {
  PYRO_CHECK(pyro_.workspaces().set_network(workspaces_.front(), options_of(policy), {}));
  return {};
}

Result<std::vector<proto::NetEvent>> WorkspaceGuest::events() {
  const std::string folder =
      core::network_log_folder(dirs_.sandboxes() + "/" + workspaces_.front());
  PYRO_TRY(const auto news, store::read_log_bytes(folder, log_cursor_));
  store::LogParser parser;
  parser.feed(news.bytes);
  std::vector<proto::NetEvent> out;
  for (;;) {
    PYRO_TRY(const auto record, parser.next());
    if (!record) break;
    if (record->stream != store::LogStream::kStdout) continue;
    PYRO_TRY(const auto object, proto::parse_object(record->text));
    PYRO_TRY(auto event, proto::decode<proto::NetEvent>(object));
    out.push_back(std::move(event));
  }
  log_cursor_ = news.begin + parser.consumed();
  return out;
}

Result<std::map<std::string, std::int64_t>> WorkspaceGuest::drops() {
  PYRO_TRY(auto connection, client::Connection::connect(dirs_, workspaces_.front()));
  PYRO_TRY(const auto answer,
           connection.call(proto::AskNetwork::kName, {}, {.on_phase = {}, .limit = kAnswer}));
  PYRO_TRY(const auto state, proto::decode<proto::NetworkState>(answer));
  if (!state.info) return fail(Errc::kUnavailable, "the engine does not answer: " + state.error);
  return state.info->drops;
}

// ---- running the probe

Result<std::string> WorkspaceGuest::probe_in(const std::string& workspace,
                                             const std::vector<std::string>& words) {
  client::WorkspaceExecOptions options{.timeout_seconds = kTimeoutSeconds};
  options.argv = {kProbeInGuest};
  options.argv.insert(options.argv.end(), words.begin(), words.end());
  std::string out;
  std::string err;
  client::WorkspaceObserver observer{.run = observer_, .on_progress = {}};
  observer.run.on_stdout = [&out](std::string_view bytes) { return keep(out, bytes); };
  observer.run.on_stderr = [&err](std::string_view bytes) { return keep(err, bytes); };
  PYRO_TRY(const auto ran, pyro_.workspaces().exec(workspace, options, observer));
  return whole(ran.exit_code, ran.timed_out, out, err);
}

Result<std::string> WorkspaceGuest::probe(const std::vector<std::string>& words) {
  return probe_in(workspaces_.front(), words);
}

Result<Guest::Ran> WorkspaceGuest::probe_in_new_workspace(const policy::Policy& policy,
                                                          const std::vector<std::string>& words) {
  PYRO_TRY(const std::string workspace, create(policy));
  auto said = probe_in(workspace, words);
  static_cast<void>(pyro_.workspaces().remove(workspace));
  workspaces_.pop_back();
  if (!said) return std::unexpected(std::move(said.error()));
  return Ran{.line = *std::move(said), .reasons = {}};
}

Result<Guest::Ran> WorkspaceGuest::probe_in_run(const policy::Policy& policy,
                                                const std::vector<std::string>& words) {
  PYRO_TRY(const auto program, sys::open_file(probe_program(dirs_), O_RDONLY));
  client::ExecOptions exec{.timeout_seconds = kTimeoutSeconds, .stdin_fd = program.get()};
  exec.argv = {"/bin/sh", "-c", "cat >/tmp/probe && chmod 755 /tmp/probe && exec /tmp/probe \"$@\"",
               "sh"};
  exec.argv.insert(exec.argv.end(), words.begin(), words.end());
  std::string out;
  std::string err;
  client::RunObserver observer = observer_;
  observer.on_stdout = [&out](std::string_view bytes) { return keep(out, bytes); };
  observer.on_stderr = [&err](std::string_view bytes) { return keep(err, bytes); };
  PYRO_TRY(const auto ran,
           pyro_.run_in_vm({.environment = kEnvironment, .network = options_of(policy)}, exec,
                           observer));
  PYRO_TRY(std::string line, whole(ran.exit_code, ran.timed_out, out, err));
  Ran said{.line = std::move(line), .reasons = {}};
  for (const client::RefusedEndpoint& refused : ran.refused) said.reasons.push_back(refused.reason);
  return said;
}

Result<WorkspaceGuest::Served> WorkspaceGuest::serve() {
  constexpr const char* kService = "hello";
  PYRO_TRY(const std::string workspace, create({.preset = policy::Preset::kEgressAndPublish}));
  client::ServiceOptions service;
  service.argv = {kProbeInGuest, "serve", std::to_string(kGuestPort)};
  service.readiness =
      client::ServiceReadiness{.type = "tcp", .address = std::to_string(kGuestPort)};
  service.published_ports = {{.guest_port = kGuestPort, .host_port = {}}};
  PYRO_TRY(const auto info, pyro_.workspaces().services().start(workspace, kService, service,
                                                                observer_.interrupt_fd));
  if (info.published_ports.empty())
    return fail(Errc::kInternal, "the service has no published port");
  const auto port = info.published_ports.front().host_port;
  if (!port) return fail(Errc::kInternal, "the published port is not connected");
  return Served{
      .workspace = workspace, .service = kService, .port = static_cast<std::uint16_t>(*port)};
}

Result<std::uint16_t> WorkspaceGuest::other_sandbox() {
  PYRO_TRY(const Served served, serve());
  return served.port;
}

}  // namespace pyro::escape
