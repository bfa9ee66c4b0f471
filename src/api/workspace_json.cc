#include "api/workspace_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <charconv>

#include "api/network_json.h"

namespace pyro::api {
namespace {

namespace json = boost::json;

json::value mode_or_null(const std::optional<int>& mode) {
  return mode ? json_text(octal_mode(*mode)) : json::value(nullptr);
}

json::value optional_text(const std::optional<std::string>& bytes) {
  return bytes ? json_text(*bytes) : json::value(nullptr);
}

json::object string_map(const std::map<std::string, std::string>& map) {
  json::object out;
  for (const auto& [name, value] : map) out[json_text(name).as_string()] = json_text(value);
  return out;
}

template <class T, class F>
json::array each(const std::vector<T>& list, F object) {
  json::array out;
  for (const T& item : list) out.push_back(object(item));
  return out;
}

json::object command_object(const client::JournalEntry& entry) {
  return {{"command", json_text(entry.command)},   {"cwd", json_text(entry.cwd)},
          {"duration_ms", entry.duration_ms},      {"ended_at", or_null(entry.ended_at)},
          {"exit_code", or_null(entry.exit_code)}, {"sequence", entry.sequence},
          {"started_at", entry.started_at},        {"timed_out", entry.timed_out}};
}

json::object log_object(const client::JournalEntry& entry) {
  json::object out = command_object(entry);
  add_stream(out, "stdout", {.bytes = entry.out, .truncated = entry.out_truncated});
  add_stream(out, "stderr", {.bytes = entry.err, .truncated = entry.err_truncated});
  out["stdout_bytes"] = entry.out_bytes;
  out["stderr_bytes"] = entry.err_bytes;
  return out;
}

json::object diff_object(const client::DiffEntry& entry) {
  json::object out{{"artifact_type", json_text(entry.kind)},
                   {"new_mode", mode_or_null(entry.new_mode)},
                   {"old_artifact_type", optional_text(entry.old_kind)},
                   {"old_mode", mode_or_null(entry.old_mode)},
                   {"status", json_text(entry.status)},
                   {"text_patched", entry.text}};
  add_bytes(out, "path", entry.path);
  return out;
}

json::object snapshot_object(const client::SnapshotInfo& info) {
  return {{"bytes_written", info.bytes_written},
          {"created_at", info.created_at},
          {"entry_count", info.entry_count},
          {"kind", json_text(info.kind)},
          {"snapshot_name", json_text(info.snapshot_name)}};
}

json::object file_object(const client::FileInfo& info) {
  json::object out{{"artifact_type", json_text(info.kind)},
                   {"link_target", nullptr},
                   {"mode", octal_mode(info.mode)},
                   {"mtime", info.mtime},
                   {"size_bytes", or_null(info.size)}};
  add_bytes(out, "path", absolute_path(info.path));
  if (info.target) add_bytes(out, "link_target", *info.target);
  return out;
}

// The detail of an event is JSON already; one that is not (a damaged record) is left out.
json::object event_object(const client::SummaryEvent& event) {
  boost::system::error_code bad;
  json::value detail = json::parse(event.detail, bad);
  if (bad || !detail.is_object()) detail = json::object();
  return {{"at", event.at}, {"detail", std::move(detail)}, {"kind", json_text(event.kind)}};
}

}  // namespace

std::optional<int> parse_mode(const std::string& text) {
  unsigned mode = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, mode, 8);
  if (read.ec != std::errc() || read.ptr != end || mode > 0777) return std::nullopt;
  return static_cast<int>(mode);
}

std::string octal_mode(int mode) {
  return fmt::format("{:04o}", mode & 07777);
}

std::string absolute_path(const std::string& path) {
  if (path.starts_with('/')) return path;
  return path.empty() || path == "." ? "/workspace" : "/workspace/" + path;
}

json::object to_json(const client::WorkspaceInfo& info) {
  json::value last = nullptr;
  if (info.last_command) {
    last = {{"command", json_text(info.last_command->command)},
            {"exit_code", or_null(info.last_command->exit_code)}};
  }
  const json::value source = optional_text(info.workspace_seed.source);
  return {{"allow_host_compat", info.allow_host_compat},
          {"command_count", info.command_count},
          {"created_at", info.created_at},
          {"env", string_map(info.env)},
          {"environment", json_text(info.environment)},
          {"execution_mode", json_text(info.execution_mode)},
          {"expires_at", or_null(info.expires_at)},
          {"labels", string_map(info.labels)},
          {"last_activity_at", info.last_activity_at},
          {"last_command", std::move(last)},
          {"last_error", json_text_or_null(info.last_error)},
          {"last_reset_at", or_null(info.last_reset_at)},
          {"mem_mib", info.mem_mib},
          {"name", json_text_or_null(info.name)},
          {"network", to_json(info.network)},
          {"network_policy", json_text(info.network.policy)},
          {"reset_count", info.reset_count},
          {"running_service_count", info.running_service_count},
          {"secrets", each(info.secrets,
                           [](const client::SecretInfo& secret) {
                             return json::object{{"name", json_text(secret.name)},
                                                 {"source_kind", json_text(secret.source_kind)}};
                           })},
          {"service_count", info.service_count},
          {"state", json_text(info.state)},
          {"ttl_action", json_text(info.ttl_action)},
          {"ttl_seconds", or_null(info.ttl_seconds)},
          {"vcpu_count", info.vcpu_count},
          {"workspace_id", json_text(info.workspace_id)},
          {"workspace_path", "/workspace"},
          {"workspace_seed",
           {{"bytes_written", info.workspace_seed.bytes_written},
            {"entry_count", info.workspace_seed.entry_count},
            {"mode", json_text(info.workspace_seed.mode)},
            {"seed_path", source},
            {"source", source}}}};
}

json::object to_json(const std::vector<client::WorkspaceInfo>& list) {
  return {
      {"count", list.size()},
      {"workspaces", each(list, [](const client::WorkspaceInfo& info) { return to_json(info); })}};
}

void sort_by_activity(std::vector<client::WorkspaceInfo>& list) {
  std::ranges::sort(list, [](const client::WorkspaceInfo& a, const client::WorkspaceInfo& b) {
    return std::pair(-a.last_activity_at, std::string_view(a.workspace_id)) <
           std::pair(-b.last_activity_at, std::string_view(b.workspace_id));
  });
}

json::object to_json(const client::Journal& journal) {
  return {{"count", journal.entries.size()},
          {"entries", each(journal.entries, log_object)},
          {"workspace_id", json_text(journal.workspace_id)}};
}

json::object to_json(const client::WorkspaceExecResult& result, const Collected& out,
                     const Collected& err) {
  json::object object{
      {"command", json_text(result.command)}, {"cwd", json_text(result.cwd)},
      {"duration_ms", result.duration_ms},    {"execution_mode", json_text(result.execution_mode)},
      {"exit_code", result.exit_code},        {"sequence", result.sequence},
      {"signal", or_null(result.signal)},     {"timed_out", result.timed_out},
      {"timing", to_json(result.timing)},     {"workspace_id", json_text(result.workspace_id)}};
  add_stream(object, "stdout", out);
  add_stream(object, "stderr", err);
  return object;
}

json::object to_json(const client::SyncResult& result) {
  return {{"execution_mode", json_text(result.execution_mode)},
          {"workspace_id", json_text(result.workspace_id)},
          {"workspace_sync",
           {{"bytes_written", result.bytes_written},
            {"destination", json_text(result.destination)},
            {"entry_count", result.entry_count},
            {"mode", json_text(result.mode)},
            {"source_path", json_text(result.source)}}}};
}

json::object to_json(const client::ExportResult& result) {
  return {{"artifact_type", json_text(result.artifact_type)},
          {"bytes_written", result.bytes_written},
          {"entry_count", result.entry_count},
          {"execution_mode", json_text(result.execution_mode)},
          {"output_path", json_text(result.output_path)},
          {"skipped", json_texts(result.skipped)},
          {"workspace_id", json_text(result.workspace_id)},
          {"workspace_path", json_text(result.workspace_path)}};
}

json::object to_json(const client::DiffResult& diff) {
  json::object out{{"changed", diff.changed},
                   {"entries", each(diff.entries, diff_object)},
                   {"summary",
                    {{"added", diff.summary.added},
                     {"deleted", diff.summary.deleted},
                     {"mode_changed", diff.summary.mode_changed},
                     {"modified", diff.summary.modified},
                     {"non_text", diff.summary.non_text},
                     {"text_patched", diff.summary.text_patched},
                     {"total", diff.summary.total},
                     {"type_changed", diff.summary.type_changed}}},
                   {"workspace_id", json_text(diff.workspace_id)}};
  add_bytes(out, "patch", diff.patch);
  return out;
}

json::object to_json(const client::PatchResult& patch) {
  return {{"changed", patch.changed},
          {"entries", each(patch.entries, diff_object)},
          {"summary",
           {{"added", patch.summary.added},
            {"deleted", patch.summary.deleted},
            {"modified", patch.summary.modified},
            {"total", patch.summary.total}}},
          {"workspace_id", json_text(patch.workspace_id)}};
}

json::object to_json(const client::SnapshotInfo& created) {
  return {{"snapshot", snapshot_object(created)},
          {"workspace_id", json_text(created.workspace_id)}};
}

json::object to_json(const client::SnapshotList& list) {
  return {{"count", list.snapshots.size()},
          {"snapshots", each(list.snapshots, snapshot_object)},
          {"workspace_id", json_text(list.workspace_id)}};
}

json::object deleted_json(const client::SnapshotInfo& gone) {
  return {{"deleted", true},
          {"snapshot_name", json_text(gone.snapshot_name)},
          {"workspace_id", json_text(gone.workspace_id)}};
}

json::object deleted_json(const client::WorkspaceInfo& gone) {
  return {{"deleted", true}, {"workspace_id", json_text(gone.workspace_id)}};
}

json::object to_json(const client::ResetResult& result) {
  json::object out = to_json(result.workspace);
  out["workspace_reset"] = {{"bytes_written", result.bytes_written},
                            {"destination", json_text(result.destination)},
                            {"entry_count", result.entry_count},
                            {"kind", json_text(result.kind)},
                            {"snapshot_name", json_text(result.snapshot_name)}};
  return out;
}

json::object to_json(const client::FileList& list) {
  return {{"count", list.entries.size()},
          {"entries", each(list.entries, file_object)},
          {"path", json_text(absolute_path(list.path))},
          {"workspace_id", json_text(list.workspace_id)}};
}

json::object to_json(const client::FileReadResult& result, const std::string& content) {
  json::object out{{"path", json_text(absolute_path(result.path))},
                   {"size_bytes", result.bytes},
                   {"workspace_id", json_text(result.workspace_id)}};
  add_bytes(out, "content", content);
  return out;
}

json::object to_json(const client::FileWriteResult& result) {
  return {{"bytes_written", result.bytes_written},
          {"path", json_text(absolute_path(result.path))},
          {"workspace_id", json_text(result.workspace_id)}};
}

json::object to_json(const client::WorkspaceSummary& summary) {
  json::value diff = nullptr;
  if (summary.diff) diff = to_json(*summary.diff);
  return {{"commands", each(summary.commands, command_object)},
          {"diff", std::move(diff)},
          {"events", each(summary.events, event_object)},
          {"since", summary.since},
          {"workspace", to_json(summary.workspace)},
          {"workspace_id", json_text(summary.workspace.workspace_id)}};
}

}  // namespace pyro::api
