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
  std::string content;  // of a link its target
  std::uint32_t mode = 0644;
  [[nodiscard]] bool is_link() const { return mode == core::kLinkMode; }
  [[nodiscard]] const char* kind() const { return is_link() ? "symlink" : "file"; }
};

// What is at a path: nothing, a file or link, or a folder.
struct Found {
  std::optional<File> file;
  bool folder = false;
};

// The files that a patch speaks of, as they are and as they will be.
class Patched {
 public:
  using Read = std::function<Result<Found>(const std::string& path)>;
  explicit Patched(Read read) : read_(std::move(read)) {}

  Result<void> apply(const core::FilePatch& patch) {
    const bool fresh = patch.old_path.empty();
    const bool gone = patch.new_path.empty();
    File file;
    if (!fresh) {
      PYRO_TRY(const Change* old, at(patch.old_path));
      if (!old->now)
        return conflict(patch.old_path, old->folder ? "is a folder" : "does not exist");
      file = *old->now;
      if (patch.mode && file.is_link() != (*patch.mode == core::kLinkMode))
        return conflict(patch.old_path, file.is_link() ? "is a link" : "is no link");
    }
    PYRO_TRY(file.content, core::apply_hunks(patch, file.content));
    if (patch.mode) file.mode = *patch.mode;
    if (gone) {
      if (!file.content.empty())
        return conflict(patch.old_path, "has more in it than the patch takes away");
    } else if (patch.new_path != patch.old_path) {
      PYRO_TRY(const Change* target, at(patch.new_path));
      if (target->now) return conflict(patch.new_path, "exists already");
    }
    if (!gone && file.is_link()) PYRO_CHECK(check_target(patch.new_path, file.content));
    if (!fresh && patch.new_path != patch.old_path) changes_[patch.old_path].now.reset();
    if (!gone) changes_[patch.new_path].now = std::move(file);
    return {};
  }

  // Folders whose place something else takes. The patch must say of all that is in one that it
  // goes; see covers().
  [[nodiscard]] std::vector<std::string> replaced_folders() const {
    std::vector<std::string> paths;
    for (const auto& [path, change] : changes_) {
      if (change.folder && change.now) paths.push_back(path);
    }
    return paths;
  }
  // `within`: what is in `folder`, folders left out.
  [[nodiscard]] Result<void> covers(const std::string& folder,
                                    const std::vector<std::string>& within) const {
    for (const std::string& path : within) {
      const auto found = changes_.find(folder + "/" + path);
      if (found == changes_.end() || found->second.now)
        return conflict(folder, "is a folder with more in it than the patch takes away");
    }
    return {};
  }

  // What a sync is to be given; fills in what changed.
  [[nodiscard]] std::string stream(PatchResult& result) const {
    const std::int64_t now = sys::wall_clock_ns();
    std::string out;
    const auto folder = [&](const std::string& path) {
      wire::append_entry(out, {.kind = wire::EntryKind::kDirectory,
                               .path = path,
                               .mode = 0755,
                               .mtime_ns = now,
                               .target = {}});
    };
    folder(".");
    for (const auto& [path, change] : changes_) {
      if (!change.now && !change.before) continue;
      const bool becomes_folder = !change.now && has_new_within(path);
      if (change.now) {
        append(out, path, *change.now, now);
      } else if (becomes_folder) {
        folder(path);
      } else if (!goes_with_folder(path)) {
        wire::append_entry(out, {.kind = wire::EntryKind::kRemoved, .path = path, .target = {}});
      }
      report(path, change, becomes_folder, result);
    }
    wire::append_entry(out, {.kind = wire::EntryKind::kEnd, .path = {}, .target = {}});
    return out;
  }

 private:
  struct Change {
    std::optional<File> before;  // without its content
    bool folder = false;         // there was one
    std::optional<File> now;
  };

  static std::unexpected<Error> conflict(const std::string& path, const char* what) {
    return fail_hint(Errc::kConflict, fmt::format("{} {}", quoted_name(path), what),
                     "the patch was made for other files: look at them, and make another");
  }

  static Result<void> check_target(const std::string& path, const std::string& target) {
    if (!target.empty() && target.size() <= wire::kMaxPath && !target.contains('\0')) return {};
    return fail(Errc::kInvalid, quoted_name(path) + " is to be a link to what cannot be a path");
  }

  static void append(std::string& out, const std::string& path, const File& file,
                     std::int64_t now) {
    wire::TreeEntry entry{.kind = wire::EntryKind::kFile,
                          .path = path,
                          .mode = file.mode,
                          .mtime_ns = now,
                          .target = {},
                          .size = file.content.size()};
    if (file.is_link()) {
      entry.kind = wire::EntryKind::kSymlink;
      entry.mode = 0777;
      entry.target = file.content;
      return wire::append_entry(out, entry);
    }
    wire::append_entry(out, entry);
    wire::append_data(out, file.content);
    wire::append_file_end(out, /*complete=*/true);
  }

  Result<const Change*> at(const std::string& path) {
    auto found = changes_.find(path);
    if (found == changes_.end()) {
      Found there;
      if (!is_within_file(path)) {
        PYRO_TRY(there, read_(path));
      }
      bytes_ += there.file ? there.file->content.size() : 0;
      if (bytes_ > kMostTogether) {
        return fail(Errc::kLimit, "the files to be patched have more than " +
                                      human_bytes(kMostTogether) + " together");
      }
      Change change{.before = {}, .folder = there.folder, .now = {}};
      if (there.file) change.before = File{.content = {}, .mode = there.file->mode};
      change.now = std::move(there.file);
      found = changes_.emplace(path, std::move(change)).first;
    }
    return &found->second;
  }

  // Whether `holds` is true of what is above `path`.
  template <class F>
  [[nodiscard]] bool any_above(const std::string& path, F holds) const {
    for (auto at = path.rfind('/'); at != std::string::npos && at > 0;
         at = path.rfind('/', at - 1)) {
      const auto found = changes_.find(path.substr(0, at));
      if (found != changes_.end() && holds(found->second)) return true;
    }
    return false;
  }
  // Nothing can be in there yet.
  [[nodiscard]] bool is_within_file(const std::string& path) const {
    return any_above(path, [](const Change& c) { return c.before.has_value(); });
  }
  [[nodiscard]] bool goes_with_folder(const std::string& path) const {
    return any_above(path, [](const Change& c) { return c.folder && c.now; });
  }
  [[nodiscard]] bool has_new_within(const std::string& path) const {
    const std::string within = path + "/";
    for (auto at = changes_.lower_bound(within);
         at != changes_.end() && at->first.starts_with(within); ++at) {
      if (at->second.now) return true;
    }
    return false;
  }

  static void report(const std::string& path, const Change& change, bool becomes_folder,
                     PatchResult& result) {
    const std::optional<File>& shown = change.now ? change.now : change.before;
    DiffEntry entry{.path = path,
                    .status = {},
                    .kind = becomes_folder || !shown ? "directory" : shown->kind(),
                    .old_kind = {},
                    .old_mode = {},
                    .new_mode = {},
                    .text = true};
    ++result.summary.total;
    const std::string was = change.before ? change.before->kind() : "directory";
    if (!change.before && !change.folder) {
      entry.status = "added";
      ++result.summary.added;
    } else if (!change.now && !becomes_folder) {
      entry.status = "deleted";
      ++result.summary.deleted;
    } else {
      entry.status = "modified";
      ++result.summary.modified;
      if (was != entry.kind) {
        entry.old_kind = was;
      } else if (change.before && change.now && change.before->mode != change.now->mode) {
        entry.old_mode = static_cast<int>(change.before->mode);
        entry.new_mode = static_cast<int>(change.now->mode);
      }
    }
    result.entries.push_back(std::move(entry));
  }

  Read read_;
  std::uint64_t bytes_ = 0;
  std::map<std::string, Change> changes_;
};

// The first entry of a tree stream: a file, a link, or a folder that is not looked into.
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
        is_folder_ = entry->kind == wire::EntryKind::kDirectory;
        if (is_folder_) return fail(Errc::kConflict, "");  // to have its content not sent
        if (entry->kind == wire::EntryKind::kSymlink) {
          file_ = {.content = entry->target, .mode = core::kLinkMode};
        } else if (entry->kind == wire::EntryKind::kFile) {
          file_.mode = entry->mode;
        } else {
          return fail(Errc::kConflict, quoted_name(path_) + " is no file: it cannot be patched");
        }
      } else if (const auto* data = std::get_if<wire::TreeData>(&*item)) {
        if (file_.content.size() + data->bytes.size() > kMostFile)
          return fail(Errc::kLimit, quoted_name(path_) + " is too large to be patched");
        file_.content += data->bytes;
      } else if (!std::get<wire::TreeFileEnd>(*item).complete) {
        return fail(Errc::kUnavailable, quoted_name(path_) + " could not be read to its end");
      }
    }
  }
  [[nodiscard]] bool is_folder() const { return is_folder_; }
  Result<File> finish() {
    if (!parser_.ended()) return fail(Errc::kInvalid, "what the guest sent has no proper end");
    return std::move(file_);
  }

 private:
  std::string path_;
  wire::TreeParser parser_;
  File file_;
  bool is_folder_ = false;
};

}  // namespace

Result<PatchResult> LocalWorkspaces::apply_patch(const std::string& workspace,
                                                 const std::string& patch, int interrupt_fd) {
  PYRO_TRY(const auto files, core::parse_patch(patch));
  PYRO_TRY(const std::string id, find(workspace));
  const auto read = [&](const std::string& path) -> Result<Found> {
    OneFile file(path);
    const proto::WorkspaceExport request{.path = proto::Bytes(path), .recursive = false};
    auto fetched = fetch(
        {.id = id}, proto::WorkspaceExport::kName, proto::encode(request),
        [&](std::string_view bytes) { return file.feed(bytes); }, given_up_by(interrupt_fd));
    if (file.is_folder()) return Found{.file = {}, .folder = true};
    if (!fetched && fetched.error().code == Errc::kNotFound) return Found{};
    if (!fetched) return std::unexpected(std::move(fetched.error()));
    PYRO_TRY(File whole, file.finish());
    return Found{.file = std::move(whole)};
  };
  Patched patched(read);
  for (const core::FilePatch& file : files) PYRO_CHECK(patched.apply(file));
  for (const std::string& folder : patched.replaced_folders()) {
    PYRO_TRY(const FileList list,
             list_from({.id = id}, {.path = folder, .recursive = true}, given_up_by(interrupt_fd)));
    std::vector<std::string> within;
    for (const FileInfo& f : list.entries) {
      if (f.kind != "directory") within.push_back(f.path.substr(folder.size() + 1));
    }
    PYRO_CHECK(patched.covers(folder, within));
  }
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
