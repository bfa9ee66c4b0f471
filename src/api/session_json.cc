#include "api/session_json.h"

#include <algorithm>
#include <boost/json/array.hpp>

namespace pyro::api {
namespace {

namespace json = boost::json;

json::value readiness_value(const std::optional<client::ServiceReadiness>& readiness) {
  if (!readiness) return nullptr;
  json::object out{{"type", json_text(readiness->type)}};
  if (!readiness->path.empty()) out["path"] = json_text(readiness->path);
  if (!readiness->address.empty()) out["address"] = json_text(readiness->address);
  if (!readiness->url.empty()) out["url"] = json_text(readiness->url);
  if (!readiness->command.empty()) out["command"] = json_text(readiness->command);
  return out;
}

json::object port_object(const client::PublishedPortInfo& port) {
  return {{"guest_port", port.guest_port},
          {"host", json_text(port.host)},
          {"host_port", or_null(port.host_port)},
          {"protocol", json_text(port.protocol)}};
}

}  // namespace

json::object to_json(const client::ShellInfo& info) {
  return {{"cols", info.cols},
          {"cwd", json_text(info.cwd)},
          {"end_reason", json_text_or_null(info.end_reason)},
          {"ended_at", or_null(info.ended_at)},
          {"execution_mode", json_text(info.execution_mode)},
          {"exit_code", or_null(info.exit_code)},
          {"rows", info.rows},
          {"shell_id", json_text(info.shell_id)},
          {"started_at", info.started_at},
          {"state", json_text(info.state)},
          {"workspace_id", json_text(info.workspace_id)}};
}

json::object to_json(const client::ShellReadResult& result) {
  json::object out = to_json(result.shell);
  out["cursor"] = result.cursor;
  out["idle"] = result.idle;
  out["missed_bytes"] = result.missed_bytes;
  out["next_cursor"] = result.next_cursor;
  out["truncated"] = result.truncated;
  add_bytes(out, "output", result.output);
  return out;
}

json::object to_json(const client::ShellList& list) {
  json::array shells;
  for (const client::ShellInfo& info : list.shells) shells.push_back(to_json(info));
  return {{"count", list.shells.size()},
          {"running_count", std::ranges::count(list.shells, "running", &client::ShellInfo::state)},
          {"shells", std::move(shells)},
          {"workspace_id", json_text(list.workspace_id)}};
}

json::object to_json(const client::ShellWriteResult& result, bool append_newline) {
  json::object out = to_json(result.shell);
  out["append_newline"] = append_newline;
  out["input_length"] = result.input_length;
  return out;
}

json::object signalled_json(const client::ShellInfo& info, const std::string& signal) {
  json::object out = to_json(info);
  out["signal"] = json_text(signal);
  return out;
}

json::object closed_json(const client::ShellInfo& info) {
  json::object out = to_json(info);
  out["closed"] = true;
  return out;
}

json::object shell_part(std::int64_t cursor, std::int64_t missed_bytes, std::string_view bytes) {
  json::object out{{"cursor", cursor},
                   {"missed_bytes", missed_bytes},
                   {"next_cursor", cursor + static_cast<std::int64_t>(bytes.size())}};
  add_bytes(out, "output", bytes);
  return out;
}

json::object to_json(const client::ServiceInfo& info) {
  json::array ports;
  for (const client::PublishedPortInfo& port : info.published_ports) {
    ports.push_back(port_object(port));
  }
  return {{"command", json_text(info.command)},
          {"cwd", json_text(info.cwd)},
          {"ended_at", or_null(info.ended_at)},
          {"execution_mode", json_text(info.execution_mode)},
          {"exit_code", or_null(info.exit_code)},
          {"last_error", json_text_or_null(info.last_error)},
          {"pid", or_null(info.pid)},
          {"published_ports", std::move(ports)},
          {"readiness", readiness_value(info.readiness)},
          {"ready_at", or_null(info.ready_at)},
          {"restart", json_text(info.restart)},
          {"restart_count", info.restart_count},
          {"service_name", json_text(info.service_name)},
          {"started_at", info.started_at},
          {"state", json_text(info.state)},
          {"stop_reason", json_text_or_null(info.stop_reason)},
          {"workspace_id", json_text(info.workspace_id)}};
}

json::object to_json(const client::ServiceList& list) {
  json::array services;
  for (const client::ServiceInfo& info : list.services) services.push_back(to_json(info));
  return {{"count", list.services.size()},
          {"running_count", list.running_count},
          {"services", std::move(services)},
          {"workspace_id", json_text(list.workspace_id)}};
}

json::object to_json(const client::LogEntry& entry) {
  json::object out{{"at", entry.at}, {"stream", json_text(entry.stream)}};
  add_bytes(out, "text", entry.text);
  return out;
}

json::object to_json(const client::ServiceLogs& logs) {
  json::object out = to_json(logs.service);
  json::array entries;
  std::string out_bytes, err_bytes;
  for (const client::LogEntry& entry : logs.entries) {
    if (entry.stream == "stdout") out_bytes += entry.text;
    if (entry.stream == "stderr") err_bytes += entry.text;
    entries.push_back(to_json(entry));
  }
  out["entries"] = std::move(entries);
  out["truncated"] = logs.truncated;
  add_bytes(out, "stdout", out_bytes);
  add_bytes(out, "stderr", err_bytes);
  return out;
}

}  // namespace pyro::api
