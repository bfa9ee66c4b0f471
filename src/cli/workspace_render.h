// Results of the workspace calls as text for people. What a guest or a person named is fit for a
// terminal and stays on its line; only the output kept in a log, a patch and a file are what they
// are.
#pragma once

#include <string>
#include <vector>

#include "client/workspaces.h"

namespace pyro::cli {

// The block of create (kCreated) or of the others, which also say what happened since.
enum class BlockOf { kCreated, kLater };
// Preset and rules, a line each.
std::string render_network(const client::PolicyInfo& network);
std::string render_workspace(const client::WorkspaceInfo& info, BlockOf block);
// One line each, in columns.
std::string render_workspaces(const std::vector<client::WorkspaceInfo>& list);
// The line before the output of one command.
std::string render_log_header(const client::JournalEntry& entry);
std::string render_exec(const client::WorkspaceExecResult& result);
std::string render_sync(const client::SyncResult& result);
std::string render_export(const std::string& tag, const client::ExportResult& result);
// The [workspace-diff] line and one for each entry that is not in the patch.
std::string render_diff(const client::DiffResult& diff);
std::string render_patch(const client::PatchResult& patch);
std::string render_snapshot(const std::string& tag, const client::SnapshotInfo& info);
std::string render_snapshots(const client::SnapshotList& list);
std::string render_reset(const client::ResetResult& result);
std::string render_files(const client::FileList& list);
std::string render_file(const std::string& tag, const std::string& workspace_id,
                        const std::string& path, const char* count_name, std::int64_t count);
std::string render_summary(const client::WorkspaceSummary& summary);

// "KEY: VALUE" and a newline; nothing when there is no value.
std::string line(const std::string& key, const std::string& value);
// "2026-01-01 00:00:00 UTC".
std::string utc(double seconds);
// A value of a "name=value" line: in quotes when it has blanks.
std::string line_value(std::string_view value);

}  // namespace pyro::cli
