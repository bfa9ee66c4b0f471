// A patch on a workspace's files: read, changed here, and put back by one sync.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/text.h"
#include "client/local_workspaces.h"
#include "client/workspace_paths.h"
#include "core/patch.h"
#include "proto/workspace_messages.h"
#include "sys/clock.h"
#include "wire/tree_stream.h"

namespace pyro::client {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kMostFile = 64U << 20;       // bytes of one file to be patched
constexpr std::uint64_t kMostTogether = 256U << 20;  // of all of them

struct File {
  std::string content;
  std::uint32_t mode = 0644;
};

// The files that a patch speaks of, as they are and as they will be.
class Patched {
 public:
  using Read = std::function<Result<std::optional<File>>(const std::string& path)>;
  explicit Patched(Read read) : read_(std::move(read)) {}

  Result<void> apply(const core::FilePatch& patch) {
    const bool fresh = patch.old_path.empty();
    File file;
    if (!fresh) {
      PYRO_TRY(const Change* old, at(patch.old_path));
      if (!old->now) return conflict(patch.old_path, "does not exist");
      file = *old->now;
    }
    PYRO_TRY(file.content, core::apply_hunks(patch, file.content));
    if (patch.new_mode) file.mode = *patch.new_mode;
    if (patch.new_path.empty()) {
      if (!file.content.empty())
        return conflict(patch.old_path, "has more in it than the patch takes away");
    } else if (patch.new_path != patch.old_path) {
      PYRO_TRY(const Change* target, at(patch.new_path));
      if (target->now) return conflict(patch.new_path, "exists already");
    }
    if (!fresh && patch.new_path != patch.old_path) changes_[patch.old_path].now.reset();
    if (!patch.new_path.empty()) changes_[patch.new_path].now = std::move(file);
    return {};
  }

  // What a sync is to be given; fills in what changed.
  [[nodiscard]] std::string stream(PatchResult& result) const {
    const std::int64_t now = sys::wall_clock_ns();
    std::string out;
    wire::append_entry(out, {.kind = wire::EntryKind::kDirectory,
                             .path = ".",
                             .mode = 0755,
                             .mtime_ns = now,
                             .target = {}});
    for (const auto& [path, change] : changes_) {
      if (!change.now && !change.before) continue;
      if (!change.now) {
        wire::append_entry(out, {.kind = wire::EntryKind::kRemoved, .path = path, .target = {}});
      } else {
        wire::append_entry(out, {.kind = wire::EntryKind::kFile,
                                 .path = path,
                                 .mode = change.now->mode,
                                 .mtime_ns = now,
                                 .target = {},
                                 .size = change.now->content.size()});
        wire::append_data(out, change.now->content);
        wire::append_file_end(out, /*complete=*/true);
      }
      report(path, change, result);
    }
    wire::append_entry(out, {.kind = wire::EntryKind::kEnd, .path = {}, .target = {}});
    return out;
  }

 private:
  struct Change {
    std::optional<std::uint32_t> before;  // the mode it had
    std::optional<File> now;
  };

  static std::unexpected<Error> conflict(const std::string& path, const char* what) {
    return fail_hint(Errc::kConflict, fmt::format("{} {}", quoted_name(path), what),
                     "the patch was made for other files: look at them, and make another");
  }

  Result<const Change*> at(const std::string& path) {
    auto found = changes_.find(path);
    if (found == changes_.end()) {
      PYRO_TRY(auto file, read_(path));
      bytes_ += file ? file->content.size() : 0;
      if (bytes_ > kMostTogether) {
        return fail(Errc::kLimit, "the files to be patched have more than " +
                                      human_bytes(kMostTogether) + " together");
      }
      Change change;
      if (file) change.before = file->mode;
      change.now = std::move(file);
      found = changes_.emplace(path, std::move(change)).first;
    }
    return &found->second;
  }

  static void report(const std::string& path, const Change& change, PatchResult& result) {
    DiffEntry entry{.path = path,
                    .status = {},
                    .kind = "file",
                    .old_kind = {},
                    .old_mode = {},
                    .new_mode = {},
                    .text = true};
    ++result.summary.total;
    if (!change.before) {
      entry.status = "added";
      ++result.summary.added;
    } else if (!change.now) {
      entry.status = "deleted";
      ++result.summary.deleted;
    } else {
      entry.status = "modified";
      ++result.summary.modified;
      if (*change.before != change.now->mode) {
        entry.old_mode = static_cast<int>(*change.before);
        entry.new_mode = static_cast<int>(change.now->mode);
      }
    }
    result.entries.push_back(std::move(entry));
  }

  Read read_;
  std::uint64_t bytes_ = 0;
  std::map<std::string, Change> changes_;
};

// One file of a tree stream; what is no file is refused.
class OneFile {
 public:
  explicit OneFile(std::string path) : path_(std::move(path)) {}
  Result<void> feed(std::string_view bytes) {
    parser_.feed(bytes);
    for (;;) {
      PYRO_TRY(auto item, parser_.next());
      if (!item) return {};
      if (const auto* entry = std::get_if<wire::TreeEntry>(&*item)) {
        if (entry->kind == wire::EntryKind::kEnd) continue;
        if (entry->kind != wire::EntryKind::kFile)
          return fail(Errc::kConflict, quoted_name(path_) + " is no file: it cannot be patched");
        file_.mode = entry->mode;
      } else if (const auto* data = std::get_if<wire::TreeData>(&*item)) {
        if (file_.content.size() + data->bytes.size() > kMostFile)
          return fail(Errc::kLimit, quoted_name(path_) + " is too large to be patched");
        file_.content += data->bytes;
      } else if (!std::get<wire::TreeFileEnd>(*item).complete) {
        return fail(Errc::kUnavailable, quoted_name(path_) + " could not be read to its end");
      }
    }
  }
  Result<File> finish() {
    if (!parser_.ended()) return fail(Errc::kInvalid, "what the guest sent has no proper end");
    return std::move(file_);
  }

 private:
  std::string path_;
  wire::TreeParser parser_;
  File file_;
};

}  // namespace

Result<PatchResult> LocalWorkspaces::apply_patch(const std::string& workspace,
                                                 const std::string& patch, int interrupt_fd) {
  PYRO_TRY(const auto files, core::parse_patch(patch));
  PYRO_TRY(const std::string id, find(workspace));
  const auto read = [&](const std::string& path) -> Result<std::optional<File>> {
    OneFile file(path);
    const proto::WorkspaceExport request{.path = proto::Bytes(path),
                                         .max_bytes = static_cast<std::int64_t>(kMostFile),
                                         .recursive = false};
    auto fetched = fetch(
        {.id = id}, proto::WorkspaceExport::kName, proto::encode(request),
        [&](std::string_view bytes) { return file.feed(bytes); }, given_up_by(interrupt_fd));
    if (!fetched && fetched.error().code == Errc::kNotFound) return std::optional<File>();
    if (!fetched) return std::unexpected(std::move(fetched.error()));
    PYRO_TRY(File whole, file.finish());
    return std::optional(std::move(whole));
  };
  Patched patched(read);
  for (const core::FilePatch& file : files) PYRO_CHECK(patched.apply(file));
  PatchResult result{.workspace_id = id, .entries = {}};
  const std::string stream = patched.stream(result);
  result.changed = result.summary.total > 0;
  PYRO_TRY(auto connection, connect(id, Need::kStarted, {}));
  PYRO_CHECK(send_tree(
      connection, ".", {.event = "patch", .detail = {{"files", result.summary.total}}},
      [&](const Connection::OnData& sink) { return sink(stream); }, interrupt_fd));
  return result;
}

}  // namespace pyro::client
