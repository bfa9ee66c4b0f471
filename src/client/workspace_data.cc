// What goes into a workspace and comes out of it: commands, trees, files.
#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <filesystem>

#include "base/text.h"
#include "client/diff_reader.h"
#include "client/export_writer.h"
#include "client/local_workspaces.h"
#include "client/workspace_paths.h"
#include "core/exec_output.h"
#include "core/workspace.h"
#include "proto/limits.h"
#include "proto/workspace_messages.h"
#include "seed/seed.h"
#include "sys/clock.h"
#include "sys/fault.h"

namespace pyro::client {

namespace json = boost::json;
using store::Database;
using store::WorkspaceStore;

namespace {

constexpr std::size_t kMostWrite = proto::kMaxWriteBytes;

JournalEntry entry_of(const store::CommandRecord& c) {
  JournalEntry e{.sequence = c.sequence,
                 .command = c.command,
                 .cwd = c.cwd,
                 .started_at = c.started_at,
                 .ended_at = c.ended_at,
                 .exit_code = {},
                 .timed_out = c.timed_out,
                 .duration_ms = c.duration_ms,
                 .out = c.out,
                 .err = c.err,
                 .out_bytes = c.out_bytes,
                 .err_bytes = c.err_bytes,
                 .out_truncated = c.out_bytes > static_cast<std::int64_t>(core::kKeptOutput),
                 .err_truncated = c.err_bytes > static_cast<std::int64_t>(core::kKeptOutput)};
  if (c.exit_code) e.exit_code = static_cast<int>(*c.exit_code);
  return e;
}

// Where a user's relative path leads, whatever the process does later.
Result<std::string> absolute(const std::string& path) {
  std::error_code ec;
  const auto full = std::filesystem::absolute(path, ec).lexically_normal();
  if (ec) return fail(Errc::kUnavailable, "the current folder cannot be found: " + ec.message());
  std::string text = full.string();
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

}  // namespace

Result<Journal> LocalWorkspaces::logs(const std::string& workspace, const JournalOptions& o) {
  if (o.tail && o.sequence) return fail(Errc::kInvalid, "tail and sequence cannot both be given");
  if (o.tail) PYRO_CHECK(proto::in_range("tail", *o.tail, proto::kTailCommandsRange));
  if (o.sequence) PYRO_CHECK(proto::in_range("sequence", *o.sequence, proto::kSequenceRange));
  PYRO_TRY(const std::string id, find(workspace));
  PYRO_TRY(const WorkspaceInfo found, info(id));
  PYRO_TRY(auto store,
           WorkspaceStore::open(core::folder_of(host_.dirs, id), Database::Mode::kReadOnly));
  PYRO_TRY(const auto commands, store.commands_with_outputs(o.tail, o.sequence));
  Journal journal{.workspace_id = found.workspace_id, .entries = {}};
  journal.entries.reserve(commands.size());
  for (const store::CommandRecord& c : commands) journal.entries.push_back(entry_of(c));
  return journal;
}

Result<WorkspaceExecResult> LocalWorkspaces::exec(const std::string& workspace,
                                                  const WorkspaceExecOptions& o,
                                                  const WorkspaceObserver& observer) {
  PYRO_CHECK(proto::in_range("timeout_seconds", o.timeout_seconds, proto::kTimeoutSecondsRange));
  PYRO_TRY(auto argv, argv_of(o.argv, o.command));
  PYRO_CHECK(check_variables(o.env));
  PYRO_CHECK(check_secret_variables(o.secret_env, o.env));
  PYRO_TRY(const std::string id, find(workspace));
  PYRO_TRY(auto connection, connect(id, Need::kStarted, observer.run));
  proto::ExecWorkspace request{.argv = {},
                               .command = o.command.empty() ? shell_join(argv) : o.command,
                               .cwd = guest_path(o.cwd),
                               .env = {},
                               .secret_env = o.secret_env,
                               .stdin_open = o.stdin_fd.has_value(),
                               .timeout_ms = std::int64_t{o.timeout_seconds} * 1000};
  for (const auto& [name, value] : o.env) request.env[name] = proto::Bytes(value);
  request.argv = proto::to_bytes(std::move(argv));
  if (observer.run.on_phase) observer.run.on_phase("execute", id, "");
  PYRO_TRY(auto done, connection.exec(request, o.stdin_fd, observer.run));
  WorkspaceExecResult result{.workspace_id = id,
                             .sequence = done.sequence,
                             .command = std::move(done.command),
                             .cwd = std::move(done.cwd),
                             .execution_mode = "guest_serial",
                             .exit_code = done.result.exit_code,
                             .signal = done.result.signal,
                             .timed_out = done.result.timed_out,
                             .duration_ms = (done.result.duration_us + 500) / 1000,
                             .timing = {}};
  for (const proto::Stage& s : done.result.timing) result.timing.emplace_back(s.name, s.ms);
  return result;
}

Result<proto::TreeCounts> LocalWorkspaces::send_tree(Connection& connection,
                                                     const std::string& destination,
                                                     const proto::NoteWorkspace& note,
                                                     const Connection::Produce& produce,
                                                     int interrupt_fd) {
  const proto::ForwardWorkspace request{
      .method = proto::WorkspaceSync::kName,
      .params = proto::encode(proto::WorkspaceSync{.destination = proto::Bytes(destination)}),
      .event = note.event,
      .detail = note.detail};
  const auto in_chunks = [&](const Connection::OnData& sink) -> Result<void> {
    Chunks chunks(sink);
    PYRO_CHECK(produce([&](std::string_view bytes) { return chunks.add(bytes); }));
    PYRO_CHECK(chunks.flush());
    sys::fault_point("client.sync.sent");
    return {};
  };
  PYRO_TRY(const json::object answer,
           connection.upload(proto::ForwardWorkspace::kName, proto::encode(request), in_chunks,
                             {.on_phase = {}, .interrupt_fd = interrupt_fd}));
  return proto::decode<proto::TreeCounts>(answer);
}

Result<SyncResult> LocalWorkspaces::push_sync(const std::string& workspace, const SyncOptions& o,
                                              const WorkspaceObserver& observer) {
  PYRO_TRY(const std::string destination, tree_path(o.dest));
  PYRO_TRY(const std::string id, find(workspace));
  PYRO_TRY(auto connection, connect(id, Need::kStarted, observer.run));
  const seed::Progress progress = seed_progress(observer);
  seed::Summary summary;
  const auto produce = [&](const Connection::OnData& sink) -> Result<void> {
    PYRO_TRY(summary, seed::write_tree({.path = o.source_path, .git_tracked = o.git_tracked}, sink,
                                       progress));
    return {};
  };
  PYRO_TRY(const auto counts,
           send_tree(connection, destination,
                     {.event = "sync",
                      .detail = {{"source", to_utf8(o.source_path)},
                                 {"destination", to_utf8(shown_path(destination))}}},
                     produce, observer.run.interrupt_fd));
  sys::fault_point("client.sync.answered");
  return SyncResult{.workspace_id = id,
                    .execution_mode = "guest_serial",
                    .mode = summary.mode,
                    .source = summary.source,
                    .destination = shown_path(destination),
                    .entry_count = counts.entries,
                    .bytes_written = counts.bytes};
}

// ---- trees out of it

Result<json::object> LocalWorkspaces::fetch(const Source& source, const std::string& method,
                                            json::object params, const Connection::OnData& on_data,
                                            const WorkspaceObserver& observer) {
  const Need need = source.offline ? Need::kMachine : Need::kStarted;
  PYRO_TRY(auto connection, connect(source.id, need, observer.run));
  const proto::ForwardWorkspace request{
      .method = method, .params = std::move(params), .detail = {}, .offline = source.offline};
  return connection.download(proto::ForwardWorkspace::kName, proto::encode(request), on_data,
                             waiting(observer.run, source.id));
}

// A note that cannot be made is no reason to call what was done a failure.
void LocalWorkspaces::note(const std::string& id, const std::string& event, json::object detail) {
  auto connection = connect(id, Need::kRecord, {});
  if (!connection) return;
  static_cast<void>(connection->call(
      proto::NoteWorkspace::kName,
      proto::encode(proto::NoteWorkspace{.event = event, .detail = std::move(detail)}),
      {.on_phase = {}, .limit = std::chrono::seconds(10)}));
}

Result<ExportResult> LocalWorkspaces::export_from(const Source& source, const std::string& path,
                                                  const std::string& output_path,
                                                  const WorkspaceObserver& observer) {
  PYRO_TRY(const std::string tree, tree_path(path));
  PYRO_TRY(const std::string target, absolute(output_path));
  PYRO_TRY(auto writer, ExportWriter::open(target, observer.on_progress));
  PYRO_CHECK(fetch(
      source, proto::WorkspaceExport::kName,
      proto::encode(proto::WorkspaceExport{.path = proto::Bytes(tree)}),
      [&](std::string_view bytes) { return writer.feed(bytes); }, observer));
  PYRO_CHECK(writer.finish());
  note(source.id, "export",
       {{"path", to_utf8(shown_path(tree))}, {"output_path", to_utf8(target)}});
  return ExportResult{.workspace_id = source.id,
                      .execution_mode = "guest_serial",
                      .workspace_path = shown_path(tree),
                      .output_path = target,
                      .artifact_type = writer.artifact_type(),
                      .entry_count = writer.entries() + (writer.artifact_type() != "directory"),
                      .bytes_written = writer.bytes(),
                      .skipped = writer.skipped()};
}

Result<FileList> LocalWorkspaces::list_from(const Source& source, const FileListOptions& o,
                                            const WorkspaceObserver& observer) {
  PYRO_TRY(const std::string tree, tree_path(o.path));
  FileList list{.workspace_id = source.id, .path = shown_path(tree), .entries = {}};
  wire::TreeParser parser;
  std::size_t name_bytes = 0;
  const auto take = [&](std::string_view bytes) -> Result<void> {
    parser.feed(bytes);
    for (;;) {
      PYRO_TRY(auto item, parser.next());
      if (!item) return {};
      auto* entry = std::get_if<wire::TreeEntry>(&*item);
      if (entry == nullptr || entry->kind == wire::EntryKind::kEnd) continue;
      name_bytes += entry->path.size();
      if (list.entries.size() >= static_cast<std::size_t>(kMostExportEntries) ||
          name_bytes > kMostExportNames)
        return fail(Errc::kLimit, "too many entries for a list");
      FileInfo f{.path = entry->path == "." ? tree
                         : tree == "."      ? entry->path
                                            : tree + "/" + entry->path,
                 .kind = kind_name(entry->kind),
                 .mode = static_cast<int>(entry->mode),
                 .size = {},
                 .mtime = static_cast<double>(entry->mtime_ns) / 1e9,
                 .target = {}};
      if (entry->kind == wire::EntryKind::kSymlink) f.target = std::move(entry->target);
      if (entry->kind == wire::EntryKind::kFile) f.size = static_cast<std::int64_t>(entry->size);
      list.entries.push_back(std::move(f));
    }
  };
  PYRO_CHECK(fetch(source, proto::WorkspaceExport::kName,
                   proto::encode(proto::WorkspaceExport{
                       .path = proto::Bytes(tree), .content = false, .recursive = o.recursive}),
                   take, observer));
  // A folder's own entry is not what is in it.
  if (list.entries.size() > 1 || (!list.entries.empty() && list.entries[0].kind == "directory"))
    list.entries.erase(list.entries.begin());
  std::ranges::sort(list.entries, {}, &FileInfo::path);
  return list;
}

Result<FileReadResult> LocalWorkspaces::read_from(const Source& source, const std::string& path,
                                                  std::int64_t max_bytes, const OnData& on_data,
                                                  const WorkspaceObserver& observer) {
  PYRO_TRY(const std::string tree, tree_path(path));
  FileReadResult result{.workspace_id = source.id, .path = shown_path(tree)};
  wire::TreeParser parser;
  const auto take = [&](std::string_view bytes) -> Result<void> {
    parser.feed(bytes);
    for (;;) {
      PYRO_TRY(auto item, parser.next());
      if (!item) return {};
      if (const auto* entry = std::get_if<wire::TreeEntry>(&*item)) {
        if (entry->kind == wire::EntryKind::kFile || entry->kind == wire::EntryKind::kEnd) continue;
        return fail_hint(
            Errc::kInvalid,
            fmt::format("{} is a {}, not a file", quoted_name(result.path), kind_name(entry->kind)),
            "use: pyro workspace file list, or export");
      }
      if (const auto* data = std::get_if<wire::TreeData>(&*item)) {
        result.bytes += static_cast<std::int64_t>(data->bytes.size());
        if (max_bytes > 0 && result.bytes > max_bytes)
          return fail(Errc::kLimit, "the guest sent more than it was asked for");
        PYRO_CHECK(on_data(data->bytes));
      } else if (const auto* end = std::get_if<wire::TreeFileEnd>(&*item);
                 end != nullptr && !end->complete) {
        return fail(Errc::kUnavailable, "the file could not be read to its end in the guest");
      }
    }
  };
  const proto::WorkspaceExport request{
      .path = proto::Bytes(tree), .max_bytes = max_bytes > 0 ? max_bytes : -1, .recursive = false};
  PYRO_CHECK(fetch(source, proto::WorkspaceExport::kName, proto::encode(request), take, observer));
  if (!parser.ended()) return fail(Errc::kInvalid, "what the guest sent has no proper end");
  return result;
}

Result<ExportResult> LocalWorkspaces::export_path(const std::string& workspace,
                                                  const std::string& path,
                                                  const std::string& output_path,
                                                  const WorkspaceObserver& observer) {
  PYRO_TRY(const std::string id, find(workspace));
  return export_from({.id = id}, path, output_path, observer);
}

Result<DiffResult> LocalWorkspaces::diff(const std::string& workspace, int interrupt_fd) {
  PYRO_TRY(const std::string id, find(workspace));
  DiffReader reader;
  PYRO_CHECK(fetch(
      {.id = id}, proto::WorkspaceDiff::kName,
      proto::encode(proto::WorkspaceDiff{.max_content = kMostDiffContent}),
      [&](std::string_view bytes) { return reader.feed(bytes); }, given_up_by(interrupt_fd)));
  PYRO_TRY(DiffResult result, reader.finish());
  result.workspace_id = id;
  return result;
}

Result<FileList> LocalWorkspaces::list_files(const std::string& workspace,
                                             const FileListOptions& options) {
  PYRO_TRY(const std::string id, find(workspace));
  return list_from({.id = id}, options, given_up_by(options.interrupt_fd));
}

Result<FileReadResult> LocalWorkspaces::read_file(const std::string& workspace,
                                                  const std::string& path, std::int64_t max_bytes,
                                                  const OnData& on_data, int interrupt_fd) {
  PYRO_TRY(const std::string id, find(workspace));
  return read_from({.id = id}, path, max_bytes, on_data, given_up_by(interrupt_fd));
}

// A sync of one file: whoever looks finds the old or the new one.
Result<FileWriteResult> LocalWorkspaces::write_file(const std::string& workspace,
                                                    const FileWriteOptions& o) {
  PYRO_TRY(const std::string tree, tree_path(o.path));
  if (tree == ".") return fail(Errc::kInvalid, "/workspace is a folder");
  if (o.content.size() > kMostWrite) {
    return fail_hint(Errc::kLimit, fmt::format("more than {} to write", human_bytes(kMostWrite)),
                     "use: pyro workspace sync push");
  }
  PYRO_TRY(const std::string id, find(workspace));
  PYRO_TRY(auto connection, connect(id, Need::kStarted, {}));
  const std::size_t slash = tree.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : tree.substr(0, slash);
  const std::int64_t now_ns = sys::wall_clock_ns();
  std::string stream;
  wire::append_entry(stream, {.kind = wire::EntryKind::kDirectory,
                              .path = ".",
                              .mode = 0755,
                              .mtime_ns = now_ns,
                              .target = {}});
  wire::append_entry(stream, {.kind = wire::EntryKind::kFile,
                              .path = tree.substr(slash + 1),
                              .mode = static_cast<std::uint32_t>(o.mode.value_or(0644)),
                              .mtime_ns = now_ns,
                              .target = {}});
  wire::append_data(stream, o.content);
  wire::append_file_end(stream, /*complete=*/true);
  wire::append_entry(stream, {.kind = wire::EntryKind::kEnd, .path = {}, .target = {}});
  PYRO_CHECK(send_tree(
      connection, folder,
      {.event = "file_write",
       .detail = {{"path", to_utf8(shown_path(tree))}, {"bytes", o.content.size()}}},
      [&](const Connection::OnData& sink) { return sink(stream); }, o.interrupt_fd));
  return FileWriteResult{.workspace_id = id,
                         .path = shown_path(tree),
                         .bytes_written = static_cast<std::int64_t>(o.content.size())};
}

// ---- of a stopped workspace

Result<ExportResult> LocalWorkspaces::disk_export(const std::string& workspace,
                                                  const std::string& path,
                                                  const std::string& output_path,
                                                  const WorkspaceObserver& observer) {
  PYRO_TRY(const std::string id, find(workspace));
  return export_from({.id = id, .offline = true}, path, output_path, observer);
}

Result<FileList> LocalWorkspaces::disk_list(const std::string& workspace,
                                            const FileListOptions& options,
                                            const WorkspaceObserver& observer) {
  PYRO_TRY(const std::string id, find(workspace));
  return list_from({.id = id, .offline = true}, options, observer);
}

Result<FileReadResult> LocalWorkspaces::disk_read(const std::string& workspace,
                                                  const std::string& path, std::int64_t max_bytes,
                                                  const OnData& on_data,
                                                  const WorkspaceObserver& observer) {
  PYRO_TRY(const std::string id, find(workspace));
  return read_from({.id = id, .offline = true}, path, max_bytes, on_data, observer);
}

Result<WorkspaceSummary> LocalWorkspaces::summary(const std::string& workspace, int interrupt_fd) {
  PYRO_TRY(const std::string id, find(workspace));
  WorkspaceSummary summary;
  PYRO_TRY(summary.workspace, info(id));
  summary.since = summary.workspace.last_reset_at.value_or(summary.workspace.created_at);
  PYRO_TRY(auto store,
           WorkspaceStore::open(core::folder_of(host_.dirs, id), Database::Mode::kReadOnly));
  PYRO_TRY(const auto commands, store.commands());
  for (const store::CommandRecord& c : commands) summary.commands.push_back(entry_of(c));
  PYRO_TRY(const auto events, store.events());
  for (const store::EventRecord& e : events)
    summary.events.push_back({.at = e.at, .kind = e.kind, .detail = e.detail});
  if (summary.workspace.state == "started") {
    PYRO_TRY(summary.diff, diff(id, interrupt_fd));
  }
  return summary;
}

}  // namespace pyro::client
