#include "cli/workspace_render.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "base/text.h"
#include "cli/io.h"
#include "cli/json.h"

namespace pyro::cli {
namespace {

std::string pairs(const std::map<std::string, std::string>& map) {
  std::string out;
  for (const auto& [name, value] : map) {
    out += out.empty() ? "" : ", ";
    out += name;
    out += "=" + value;
  }
  return out;
}

std::string secrets(const std::vector<client::SecretInfo>& list) {
  std::string out;
  for (const client::SecretInfo& secret : list) {
    out += (out.empty() ? "" : ", ") + secret.name + " (" + secret.source_kind + ")";
  }
  return out;
}

std::string exit_text(const std::optional<int>& code) {
  return code ? std::to_string(*code) : "none";
}

std::string last_command(const std::optional<client::LastCommand>& last) {
  return last ? last->command + " (exit_code=" + exit_text(last->exit_code) + ")" : "";
}

using Table = std::vector<std::vector<std::string>>;

// Every cell but the last of a row as wide as the widest of its column.
std::string columns(Table rows) {
  std::vector<std::size_t> widths;
  for (std::vector<std::string>& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = one_line(row[i]);
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string out;
  for (const std::vector<std::string>& row : rows) {
    std::string text;
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += row[i] + std::string(i + 1 < row.size() ? widths[i] - row[i].size() + 2 : 0, ' ');
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  }
  return out;
}

// "added file src/x".
std::string entry_line(const client::DiffEntry& entry) {
  std::string out = entry.status + " " + entry.kind + " " + line_value(entry.path);
  if (entry.old_kind) out += " (was " + *entry.old_kind + ")";
  if (entry.old_mode && entry.new_mode) {
    out += " (" + octal_mode(*entry.old_mode) + " -> " + octal_mode(*entry.new_mode) + ")";
  }
  return one_line(out) + "\n";
}

std::string counts(std::int64_t entry_count, std::int64_t bytes_written) {
  return fmt::format("entry_count={} bytes_written={}", entry_count, bytes_written);
}

}  // namespace

std::string line(const std::string& key, const std::string& value) {
  return value.empty() ? "" : key + ": " + one_line(value) + "\n";
}

std::string utc(double seconds) {
  const auto whole = static_cast<std::time_t>(seconds);
  std::tm parts{};
  if (::gmtime_r(&whole, &parts) == nullptr) return "?";
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string line_value(std::string_view value) {
  return one_line(shell_quote(value));
}

std::string render_network(const client::PolicyInfo& network) {
  std::string out = line("Network policy", network.policy);
  for (const std::string& rule : network.deny) out += line("Network deny", rule);
  for (const std::string& rule : network.allow) out += line("Network allow", rule);
  if (network.allow_udp) out += line("Network allow UDP", "yes");
  if (network.allow_icmp) out += line("Network allow ICMP", "yes");
  return out;
}

std::string render_workspace(const client::WorkspaceInfo& info, BlockOf block) {
  const client::WorkspaceSeedInfo& seed = info.workspace_seed;
  std::string out =
      line("Workspace ID", info.workspace_id) + line("Name", info.name) +
      line("Environment", info.environment) + line("State", info.state) +
      line("Workspace", "/workspace") +
      line("Workspace seed", seed.mode + (seed.source ? " from " + *seed.source : "")) +
      render_network(info.network) + line("Secrets", secrets(info.secrets)) +
      line("Labels", pairs(info.labels)) + line("Env", pairs(info.env)) +
      line("Execution mode", info.execution_mode) +
      line("Resources", fmt::format("{} vCPU / {} MiB", info.vcpu_count, info.mem_mib));
  if (info.ttl_seconds) {
    out += line("TTL", fmt::format("{} s, then {}", *info.ttl_seconds, info.ttl_action));
  }
  if (info.expires_at) out += line("Expires", utc(*info.expires_at));
  out += line("Command count", std::to_string(info.command_count)) +
         line("Last command", last_command(info.last_command));
  if (block == BlockOf::kLater) {
    out += line("Reset count", std::to_string(info.reset_count));
    if (info.last_reset_at) out += line("Last reset", utc(*info.last_reset_at));
    if (info.service_count > 0) {
      out += line("Services", fmt::format("{} total, {} running", info.service_count,
                                          info.running_service_count));
    }
    out += line("Last activity", utc(info.last_activity_at));
  }
  return out + line("Last error", info.last_error);
}

std::string render_workspaces(const std::vector<client::WorkspaceInfo>& list) {
  if (list.empty()) return "There is no workspace: pyro workspace create makes one.\n";
  Table rows{
      {"WORKSPACE ID", "NAME", "STATE", "ENVIRONMENT", "COMMANDS", "LAST ACTIVITY", "LABELS"}};
  for (const client::WorkspaceInfo& info : list) {
    rows.push_back({info.workspace_id, info.name.empty() ? "-" : info.name, info.state,
                    info.environment, std::to_string(info.command_count),
                    utc(info.last_activity_at), pairs(info.labels)});
  }
  return columns(std::move(rows));
}

std::string render_log_header(const client::JournalEntry& entry) {
  return fmt::format(
      "[workspace-log] sequence={} exit_code={} duration_ms={} cwd={}{} command={}\n",
      entry.sequence, exit_text(entry.exit_code), entry.duration_ms, line_value(entry.cwd),
      entry.timed_out ? " timed_out=yes" : "",
      // Quoted for a shell already.
      one_line(entry.command));
}

std::string render_exec(const client::WorkspaceExecResult& result) {
  return one_line(fmt::format(
      "[workspace-exec] workspace_id={} sequence={} cwd={} execution_mode={} exit_code={} "
      "duration_ms={}",
      result.workspace_id, result.sequence, line_value(result.cwd), result.execution_mode,
      result.exit_code, result.duration_ms));
}

std::string render_sync(const client::SyncResult& result) {
  return one_line(fmt::format("[workspace-sync] workspace_id={} mode={} source={} destination={} "
                              "{} execution_mode={}",
                              result.workspace_id, result.mode, line_value(result.source),
                              line_value(result.destination),
                              counts(result.entry_count, result.bytes_written),
                              result.execution_mode)) +
         "\n";
}

std::string render_export(const std::string& tag, const client::ExportResult& result) {
  return one_line(fmt::format(
             "[{}] workspace_id={} workspace_path={} output_path={} artifact_type={} {} "
             "execution_mode={}",
             tag, result.workspace_id, line_value(result.workspace_path),
             line_value(result.output_path), result.artifact_type,
             counts(result.entry_count, result.bytes_written), result.execution_mode)) +
         "\n";
}

std::string render_diff(const client::DiffResult& diff) {
  const auto& sum = diff.summary;
  std::string out = fmt::format(
      "[workspace-diff] workspace_id={} total={} added={} modified={} deleted={} type_changed={} "
      "text_patched={} non_text={}",
      one_line(diff.workspace_id), sum.total, sum.added, sum.modified, sum.deleted,
      sum.type_changed, sum.text_patched, sum.non_text);
  if (sum.mode_changed > 0) out += fmt::format(" mode_changed={}", sum.mode_changed);
  out += "\n";
  for (const client::DiffEntry& entry : diff.entries) {
    if (!entry.text) out += entry_line(entry);
  }
  return out;
}

std::string render_patch(const client::PatchResult& patch) {
  const auto& sum = patch.summary;
  std::string out = fmt::format(
      "[workspace-patch-apply] workspace_id={} total={} added={} modified={} deleted={}\n",
      one_line(patch.workspace_id), sum.total, sum.added, sum.modified, sum.deleted);
  for (const client::DiffEntry& entry : patch.entries) out += entry_line(entry);
  return out;
}

std::string render_snapshot(const std::string& tag, const client::SnapshotInfo& info) {
  return fmt::format("[{}] snapshot_name={} kind={} {}\n", tag, line_value(info.snapshot_name),
                     one_line(info.kind), counts(info.entry_count, info.bytes_written));
}

std::string render_snapshots(const client::SnapshotList& list) {
  std::string out = line("Workspace", list.workspace_id) +
                    line("Snapshots", fmt::format("{} total", list.snapshots.size()));
  for (const client::SnapshotInfo& info : list.snapshots) {
    out += one_line(fmt::format("- {} [{}] {} created={}", info.snapshot_name, info.kind,
                                counts(info.entry_count, info.bytes_written),
                                line_value(utc(info.created_at)))) +
           "\n";
  }
  return out;
}

std::string render_reset(const client::ResetResult& result) {
  return one_line(fmt::format("Workspace reset from snapshot: {} ({})", result.snapshot_name,
                              result.kind)) +
         "\n" +
         one_line(fmt::format("[workspace-reset] destination={} {}", line_value(result.destination),
                              counts(result.entry_count, result.bytes_written))) +
         "\n" + render_workspace(result.workspace, BlockOf::kLater);
}

std::string render_files(const client::FileList& list) {
  std::size_t size_width = 1;
  for (const client::FileInfo& info : list.entries) {
    if (info.size) size_width = std::max(size_width, std::to_string(*info.size).size());
  }
  std::string out;
  for (const client::FileInfo& info : list.entries) {
    out += one_line(fmt::format("{:<9}  {}  {:>{}}  {}", info.kind, octal_mode(info.mode),
                                info.size ? std::to_string(*info.size) : "-", size_width,
                                line_value(absolute_path(info.path)))) +
           (info.target ? " -> " + line_value(*info.target) : "") + "\n";
  }
  return out;
}

std::string render_file(const std::string& tag, const std::string& workspace_id,
                        const std::string& path, const char* count_name, std::int64_t count) {
  return one_line(fmt::format("[{}] workspace_id={} path={} {}={}", tag, workspace_id,
                              line_value(absolute_path(path)), count_name, count)) +
         "\n";
}

std::string render_summary(const client::WorkspaceSummary& summary) {
  const client::WorkspaceInfo& info = summary.workspace;
  std::string out = line("Workspace ID", info.workspace_id) + line("Name", info.name) +
                    line("State", info.state) + line("Since", utc(summary.since)) +
                    line("Commands", std::to_string(summary.commands.size()));
  for (const client::JournalEntry& entry : summary.commands) {
    out += one_line(fmt::format("- {}: {} (exit_code={}, {} ms)", entry.sequence, entry.command,
                                exit_text(entry.exit_code), entry.duration_ms)) +
           "\n";
  }
  out += line("Events", std::to_string(summary.events.size()));
  for (const client::SummaryEvent& event : summary.events) {
    out += "- " + one_line(utc(event.at) + " " + event.kind + " " + event.detail) + "\n";
  }
  if (!summary.diff) return out;
  const auto& sum = summary.diff->summary;
  out += fmt::format("Changes: {} total, {} added, {} modified, {} deleted, {} other\n", sum.total,
                     sum.added, sum.modified, sum.deleted, sum.type_changed + sum.mode_changed);
  for (const client::DiffEntry& entry : summary.diff->entries) out += "- " + entry_line(entry);
  return out;
}

}  // namespace pyro::cli
