#include "client/local_services.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "client/service_options.h"
#include "core/workspace_names.h"
#include "proto/limits.h"
#include "rpc/session.h"
#include "store/service_log.h"

namespace pyro::client {

namespace json = boost::json;

namespace {

Result<void> check_name(const std::string& name) {
  if (core::is_plain_name(name)) return {};
  return fail_hint(Errc::kInvalid, quoted_name(name) + " is no name for a service",
                   "use 1 to 63 letters, digits, '.', '_' and '-', a letter or digit first");
}

template <class To, class From>
std::optional<To> narrow(const std::optional<From>& value) {
  return value ? std::optional(static_cast<To>(*value)) : std::nullopt;
}

Result<ServiceInfo> info_of(const std::string& workspace, const std::string& mode,
                            const store::ServiceRecord& r) {
  PYRO_TRY(const json::object parsed, proto::parse_object(r.definition));
  PYRO_TRY(const auto definition, proto::decode<proto::ServiceDefinition>(parsed));
  ServiceInfo info{.workspace_id = workspace,
                   .service_name = r.name,
                   .command = definition.command,
                   .cwd = definition.cwd,
                   .execution_mode = mode,
                   .state = store::state_text(r.state),
                   .started_at = r.started_at,
                   .ready_at = r.ready_at,
                   .ended_at = r.ended_at,
                   .exit_code = narrow<int>(r.exit_code),
                   .pid = narrow<int>(r.pid),
                   .readiness = {},
                   .stop_reason = r.stop_reason,
                   .restart = definition.restart,
                   .restart_count = r.restart_count,
                   .published_ports = {},
                   .last_error = r.last_error};
  if (definition.readiness) info.readiness = shown_readiness(*definition.readiness);
  for (const proto::PublishedPort& p : definition.published) {
    // The one that it has; of a service that does not run, the one that it asked for.
    const int port = p.bound != 0 ? p.bound : p.host_port;
    info.published_ports.push_back({.host = "127.0.0.1",
                                    .protocol = "tcp",
                                    .host_port = port == 0 ? std::nullopt : std::optional(port),
                                    .guest_port = p.guest_port});
  }
  return info;
}

LogEntry entry_of(store::LogRecord record) {
  static constexpr double kMicro = 1e-6;
  const char* stream = record.stream == store::LogStream::kStdout   ? "stdout"
                       : record.stream == store::LogStream::kStderr ? "stderr"
                                                                    : "pyro";
  return {.at = static_cast<double>(record.time_us) * kMicro,
          .stream = stream,
          .text = std::move(record.text)};
}

}  // namespace

Result<ServiceInfo> LocalServices::info(const std::string& id, const std::string& name) const {
  PYRO_CHECK(check_name(name));
  PYRO_TRY(auto store, workspaces_.settled_store(id));
  PYRO_TRY(const auto record, store.record());
  const auto service = store.service(name);
  if (!service && service.error().code == Errc::kNotFound) {
    return fail_hint(Errc::kNotFound, fmt::format("{} has no service {}", id, name),
                     "run: pyro workspace service list " + id);
  }
  if (!service) return std::unexpected(service.error());
  return info_of(id, record.execution_mode, *service);
}

Result<void> LocalServices::check_ports(const std::string& id,
                                        const proto::ServiceDefinition& definition) const {
  if (definition.published.empty()) return {};
  PYRO_TRY(auto store, workspaces_.settled_store(id));
  PYRO_TRY(const auto record, store.record());
  if (record.network.preset == policy::Preset::kEgressAndPublish) return {};
  return fail_hint(
      Errc::kDenied,
      fmt::format("the network policy of {} is {}: its services cannot publish ports", id,
                  policy::preset_name(record.network.preset)),
      "change it: pyro workspace network set " + id + " --network-policy egress+published-ports");
}

Result<void> LocalServices::ask(const std::string& id, const std::string& name, const char* method,
                                json::object params, const Connection::CallOptions& options,
                                const Connection::OnData& on_data) {
  PYRO_TRY(auto connection, workspaces_.connect(id, LocalWorkspaces::Need::kStarted, {}));
  auto answer = on_data ? connection.download(method, std::move(params), on_data, options)
                        : connection.call(method, std::move(params), options);
  if (answer) return {};
  if (connection.is_open()) return std::unexpected(std::move(answer.error()));
  return std::unexpected(explained(id, name, std::move(answer.error())));
}

// Of a call whose connection has ended: the record says why, once the supervisor is quite gone.
Error LocalServices::explained(const std::string& id, const std::string& name, Error error) const {
  for (int tries = 0; tries < kTries; ++tries) {
    auto store = workspaces_.settled_store(id);
    if (!store) return std::move(store.error());
    const auto record = store->record();
    if (!record) return record.error();
    if (record->state == store::WorkspaceState::kStopped) {
      return {.code = Errc::kUnavailable,
              .message = fmt::format("the service {} has ended, for {} is stopped{}", name, id,
                                     record->last_error.empty() ? "" : ": " + record->last_error),
              .hint = fmt::format("run: pyro workspace start {}; it starts no service", id)};
    }
    pause_a_moment();
  }
  return error;
}

Result<ServiceInfo> LocalServices::start(const std::string& workspace, const std::string& name,
                                         const ServiceOptions& options, int interrupt_fd) {
  PYRO_CHECK(check_name(name));
  PYRO_TRY(auto definition, service_definition(options));
  PYRO_TRY(const std::string id, workspaces_.find(workspace));
  PYRO_CHECK(check_ports(id, definition));
  PYRO_CHECK(
      ask(id, name, proto::StartService::kName,
          proto::encode(proto::StartService{.name = name, .definition = std::move(definition)}),
          {.on_phase = {}, .interrupt_fd = interrupt_fd}));
  return info(id, name);
}

Result<ServiceList> LocalServices::list(const std::string& workspace) {
  PYRO_TRY(const std::string id, workspaces_.find(workspace));
  PYRO_TRY(auto store, workspaces_.settled_store(id));
  PYRO_TRY(const auto record, store.record());
  PYRO_TRY(const auto services, store.services());
  ServiceList list{.workspace_id = id, .services = {}};
  for (const store::ServiceRecord& s : services) {
    PYRO_TRY(ServiceInfo one, info_of(id, record.execution_mode, s));
    if (!is_over(s.state)) ++list.running_count;
    list.services.push_back(std::move(one));
  }
  return list;
}

Result<ServiceInfo> LocalServices::status(const std::string& workspace, const std::string& name) {
  PYRO_TRY(const std::string id, workspaces_.find(workspace));
  return info(id, name);
}

Result<std::uint64_t> LocalServices::read_logs(const ServiceLogOptions& o,
                                               ServiceLogs& logs) const {
  PYRO_TRY(auto content, store::read_log(workspaces_.log_folder(logs.service.workspace_id,
                                                                logs.service.service_name)));
  if (!o.all) {
    logs.truncated =
        store::keep_last_lines(content.records, static_cast<std::size_t>(o.tail_lines));
  } else {
    logs.truncated = content.begin > 0 && !content.records.empty();
  }
  logs.entries.reserve(content.records.size());
  for (store::LogRecord& r : content.records) logs.entries.push_back(entry_of(std::move(r)));
  return content.end;
}

Result<ServiceLogs> LocalServices::logs(const std::string& workspace, const std::string& name,
                                        const ServiceLogOptions& o) {
  PYRO_CHECK(proto::in_range("tail_lines", o.tail_lines, proto::kTailLinesRange));
  ServiceLogs logs;
  PYRO_TRY(logs.service, status(workspace, name));
  PYRO_CHECK(read_logs(o, logs));
  return logs;
}

Result<ServiceInfo> LocalServices::follow(
    const std::string& workspace, const std::string& name, const ServiceLogOptions& o,
    const std::function<Result<void>(const LogEntry&)>& on_entry, int interrupt_fd) {
  PYRO_CHECK(proto::in_range("tail_lines", o.tail_lines, proto::kTailLinesRange));
  ServiceLogs before;
  PYRO_TRY(before.service, status(workspace, name));
  const std::string id = before.service.workspace_id;
  PYRO_TRY(const std::uint64_t cursor, read_logs(o, before));
  for (const LogEntry& entry : before.entries) PYRO_CHECK(on_entry(entry));
  if (before.service.state != "starting" && before.service.state != "running")
    return before.service;
  store::LogParser parser;
  const auto take = [&](std::string_view bytes) -> Result<void> {
    parser.feed(bytes);
    for (;;) {
      PYRO_TRY(auto record, parser.next());
      if (!record) return {};
      PYRO_CHECK(on_entry(entry_of(*std::move(record))));
    }
  };
  PYRO_CHECK(ask(id, name, proto::FollowService::kName,
                 proto::encode(proto::FollowService{.name = name,
                                                    .cursor = static_cast<std::int64_t>(cursor)}),
                 {.on_phase = {}, .interrupt_fd = interrupt_fd}, take));
  return info(id, name);
}

Result<ServiceInfo> LocalServices::stop(const std::string& workspace, const std::string& name,
                                        int timeout_seconds, int interrupt_fd) {
  PYRO_CHECK(proto::in_range("timeout_seconds", timeout_seconds, proto::kStopTimeoutRange));
  PYRO_TRY(ServiceInfo before, status(workspace, name));
  if (before.state != "starting" && before.state != "running") return before;
  const std::string& id = before.workspace_id;
  PYRO_CHECK(ask(id, name, proto::StopService::kName,
                 proto::encode(proto::StopService{
                     .name = name, .timeout_ms = std::int64_t{timeout_seconds} * 1000}),
                 {.on_phase = {},
                  .interrupt_fd = interrupt_fd,
                  .limit = std::chrono::seconds(timeout_seconds) + kQuickAnswer}));
  return info(id, name);
}

Result<ServiceInfo> LocalServices::restart(const std::string& workspace, const std::string& name,
                                           int timeout_seconds, int interrupt_fd) {
  PYRO_CHECK(proto::in_range("timeout_seconds", timeout_seconds, proto::kStopTimeoutRange));
  PYRO_TRY(const ServiceInfo before, status(workspace, name));
  const std::string& id = before.workspace_id;
  PYRO_CHECK(ask(id, name, proto::RestartService::kName,
                 proto::encode(proto::RestartService{
                     .name = name, .timeout_ms = std::int64_t{timeout_seconds} * 1000}),
                 {.on_phase = {}, .interrupt_fd = interrupt_fd}));
  return info(id, name);
}

}  // namespace pyro::client
