#include "api/network_json.h"

#include <algorithm>
#include <map>

namespace pyro::api {
namespace {

namespace json = boost::json;

json::object numbers(const std::map<std::string, std::int64_t>& map) {
  json::object out;
  for (const auto& [name, number] : map) out[name] = number;
  return out;
}

json::object live_object(const client::LiveNetwork& live) {
  json::array addresses;
  for (const client::NetworkAddress& a : live.addresses) {
    addresses.push_back(
        {{"gateway", a.gateway}, {"guest", a.guest}, {"prefix_length", a.prefix_length}});
  }
  return {{"addresses", std::move(addresses)},
          {"counters", numbers(live.counters)},
          {"drops", numbers(live.drops)},
          {"error", json_text_or_null(live.error)},
          {"policy_hash", json_text_or_null(live.policy.hash)},
          {"restarts", live.restarts},
          {"running", live.running},
          {"sizes", numbers(live.sizes)}};
}

}  // namespace

json::object to_json(const client::PolicyInfo& policy) {
  return {{"allow", json_texts(policy.allow)},      {"allow_icmp", policy.allow_icmp},
          {"allow_udp", policy.allow_udp},          {"deny", json_texts(policy.deny)},
          {"hash", json_text(policy.hash)},         {"policy", json_text(policy.policy)},
          {"warnings", json_texts(policy.warnings)}};
}

json::object to_json(const client::NetworkInfo& info) {
  json::value live = nullptr;
  if (info.network_enabled) live = live_object(info.network);
  return {{"engine", json_text(info.engine)},
          {"live", std::move(live)},
          {"network_enabled", info.network_enabled},
          {"vm_id", json_text(info.vm_id)}};
}

json::object to_json(const client::WorkspaceNetwork& network) {
  json::value live = nullptr;
  if (network.live) live = live_object(*network.live);
  return {{"live", std::move(live)},
          {"network", to_json(network.policy)},
          {"state", json_text(network.state)},
          {"workspace_id", json_text(network.workspace_id)}};
}

json::object to_json(const client::NetworkEvent& e) {
  return {{"address", json_text(e.address)},
          {"allow", e.allow},
          {"at", e.at},
          {"bytes_to_guest", e.to_guest},
          {"bytes_to_host", e.to_host},
          {"kind", json_text(e.kind)},
          {"name", json_text(e.name)},
          {"port", e.port},
          {"protocol", json_text(e.protocol)},
          {"reason", json_text(e.reason)},
          {"rule", json_text(e.rule)}};
}

json::object events_json(const std::string& workspace_id, json::array events) {
  return {{"events", std::move(events)}, {"workspace_id", json_text(workspace_id)}};
}

json::object to_json(const std::vector<client::Explanation>& list) {
  json::array endpoints;
  for (const client::Explanation& e : list) {
    endpoints.push_back({{"allow", e.allow},
                         {"assumed_public", e.assumed},
                         {"detail", json_text(e.detail)},
                         {"endpoint", json_text(e.endpoint)},
                         {"reason", json_text(e.reason)},
                         {"rule", json_text_or_null(e.rule)},
                         {"rule_id", json_text(e.rule_id)}});
  }
  return {{"allow", std::ranges::all_of(list, &client::Explanation::allow)},
          {"endpoints", std::move(endpoints)}};
}

}  // namespace pyro::api
