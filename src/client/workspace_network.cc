// The network of a workspace: its policy, its engine, and what that has decided.
#include "client/local_workspaces.h"
#include "core/network_log.h"
#include "core/sandbox_folder.h"
#include "proto/limits.h"
#include "rpc/session.h"
#include "store/service_log.h"

namespace pyro::client {

namespace json = boost::json;

namespace {

Result<NetworkEvent> event_of(const store::LogRecord& record) {
  PYRO_TRY(const json::object parsed, proto::parse_object(record.text));
  PYRO_TRY(const auto e, proto::decode<proto::NetEvent>(parsed));
  constexpr double kNano = 1e-9;
  return NetworkEvent{.at = static_cast<double>(e.time_ns) * kNano,
                      .kind = e.kind,
                      .protocol = e.protocol,
                      .name = e.name,
                      .address = e.address,
                      .port = e.port,
                      .allow = e.allow,
                      .rule = e.rule,
                      .reason = e.reason,
                      .to_host = e.to_host,
                      .to_guest = e.to_guest};
}

// One that a newer pyro wrote otherwise is passed over, as is a remark about lost ones.
Result<void> show(const std::vector<store::LogRecord>& records,
                  const std::function<Result<void>(const NetworkEvent&)>& on_event) {
  for (const store::LogRecord& record : records) {
    if (record.stream != store::LogStream::kStdout) continue;
    const auto event = event_of(record);
    if (event) PYRO_CHECK(on_event(*event));
  }
  return {};
}

}  // namespace

Result<WorkspaceInfo> LocalWorkspaces::set_network(const std::string& workspace,
                                                   const NetworkOptions& network,
                                                   const WorkspaceObserver& observer) {
  PYRO_TRY(const std::string id, find(workspace));
  PYRO_TRY(const policy::Policy policy, usable_policy(network, observer.run.on_warning));
  PYRO_CHECK(
      ask(id, proto::SetNetwork::kName, proto::encode(proto::SetNetwork{.policy = policy.text()})));
  return info(id);
}

Result<WorkspaceNetwork> LocalWorkspaces::network(const std::string& workspace) {
  PYRO_TRY(const std::string id, find(workspace));
  PYRO_TRY(const WorkspaceInfo found, info(id));
  WorkspaceNetwork out{
      .workspace_id = id, .state = found.state, .policy = found.network, .live = {}};
  if (found.state != "started" || found.network.policy == "off") return out;
  PYRO_TRY(auto connection, connect(id, Need::kStarted, {}));
  PYRO_TRY(const json::object answer,
           connection.call(proto::AskNetwork::kName, {}, {.on_phase = {}, .limit = kQuickAnswer}));
  PYRO_TRY(const auto state, proto::decode<proto::NetworkState>(answer));
  PYRO_TRY(out.live, live_network(state));
  return out;
}

Result<void> LocalWorkspaces::network_events(
    const std::string& workspace, const NetworkEventOptions& options,
    const std::function<Result<void>(const NetworkEvent&)>& on_event) {
  PYRO_CHECK(proto::in_range("tail", options.tail, proto::kTailLinesRange));
  PYRO_TRY(const std::string id, find(workspace));
  const std::string folder = core::network_log_folder(core::folder_of(host_.dirs, id));
  PYRO_TRY(auto content, store::read_log(folder));
  std::vector<store::LogRecord>& records = content.records;
  const auto wanted = static_cast<std::size_t>(options.tail);
  if (!options.all && records.size() > wanted)
    records.erase(records.begin(), records.end() - static_cast<std::ptrdiff_t>(wanted));
  PYRO_CHECK(show(records, on_event));
  if (!options.follow) return {};
  PYRO_TRY(auto connection, connect(id, Need::kStarted, {}));
  store::LogParser parser;
  const auto on_data = [&](std::string_view bytes) -> Result<void> {
    parser.feed(bytes);
    for (;;) {
      PYRO_TRY(auto record, parser.next());
      if (!record) return {};
      PYRO_CHECK(show({*std::move(record)}, on_event));
    }
  };
  PYRO_CHECK(connection.download(
      proto::FollowNetwork::kName,
      proto::encode(proto::FollowNetwork{.cursor = static_cast<std::int64_t>(content.end)}),
      on_data, {.on_phase = {}, .interrupt_fd = options.interrupt_fd}));
  return {};
}

}  // namespace pyro::client
