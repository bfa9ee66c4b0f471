#include "client/export_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "base/text.h"
#include "client/workspace_paths.h"
#include "sys/fault.h"
#include "sys/file.h"

namespace pyro::client {

namespace {

constexpr const char* kArtifact = "artifact";
constexpr std::size_t kMostSkipped = 100;
constexpr std::uint32_t kPlainMode = 0777;  // no set-user-id, set-group-id or sticky bit
constexpr std::uint32_t kOwnerWrites = 0200, kOwnerAll = 0700;

}  // namespace

Result<ExportWriter> ExportWriter::open(const std::string& target, OnProgress on_progress) {
  const std::string parent = sys::parent_of(target);
  struct stat st{};
  if (::stat(parent.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) {
    return fail_hint(Errc::kNotFound, fmt::format("there is no folder {}", quoted_name(parent)),
                     "make it first, or choose another --output");
  }
  static_cast<void>(sys::sweep_staging(parent));  // what a killed export left
  PYRO_TRY(sys::Staging staging, sys::Staging::create(parent));
  PYRO_TRY(seed::Stage stage, seed::Stage::open(staging.out(), seed::Stage::For::kUser));
  return ExportWriter(target, std::move(on_progress), std::move(staging), std::move(stage));
}

Result<void> ExportWriter::take(wire::TreeEntry entry) {
  const bool root = entry.path == ".";
  if (root != type_.empty())
    return fail(Errc::kInvalid, "the guest sent its tree in a wrong order");
  if (!root && ++entries_ > kMostExportEntries) {
    return fail(Errc::kLimit, fmt::format("more than {} entries", kMostExportEntries));
  }
  name_bytes_ += entry.path.size();
  if (name_bytes_ > kMostExportNames)
    return fail(Errc::kLimit, "the paths have too many bytes together");
  if (entry.kind == wire::EntryKind::kOther && !root) {
    if (skipped_.size() < kMostSkipped) skipped_.push_back(entry.path);
    return {};
  }
  if (entry.kind == wire::EntryKind::kOther || entry.kind == wire::EntryKind::kRemoved)
    return fail(Errc::kInvalid, "it is a device, a socket or a pipe, which are not exported");
  if (root) type_ = kind_name(entry.kind);
  entry.path = root ? kArtifact : fmt::format("{}/{}", kArtifact, entry.path);
  entry.mode &= kPlainMode;
  // Who moves a folder to another one must be allowed to write it.
  if (root && entry.kind == wire::EntryKind::kDirectory && (entry.mode & kOwnerWrites) == 0)
    last_mode_ = std::exchange(entry.mode, entry.mode | kOwnerAll);
  if (auto added = stage_.add(entry, /*again=*/false); !added) {
    added.error().message = printable(added.error().message);  // it has the guest's names
    return added;
  }
  if (entry.kind == wire::EntryKind::kFile) file_ = entry.path;
  if (on_progress_) on_progress_(entries_, bytes_);
  return {};
}

Result<void> ExportWriter::feed(std::string_view bytes) {
  parser_.feed(bytes);
  for (;;) {
    PYRO_TRY(auto item, parser_.next());
    if (!item) return {};
    if (auto* entry = std::get_if<wire::TreeEntry>(&*item)) {
      if (entry->kind != wire::EntryKind::kEnd) PYRO_CHECK(take(std::move(*entry)));
    } else if (const auto* data = std::get_if<wire::TreeData>(&*item)) {
      bytes_ += static_cast<std::int64_t>(data->bytes.size());
      if (bytes_ > kMostExportBytes)
        return fail(Errc::kLimit, "more than " + human_bytes(kMostExportBytes));
      PYRO_CHECK(stage_.data(data->bytes));
    } else if (const auto* end = std::get_if<wire::TreeFileEnd>(&*item)) {
      if (!end->complete) {
        return fail(Errc::kUnavailable,
                    quoted_name(file_) + " could not be read to its end in the guest");
      }
      PYRO_CHECK(stage_.end_file());
    }
  }
}

Result<void> ExportWriter::finish() {
  if (!parser_.ended() || parser_.has_more() || type_.empty())
    return fail(Errc::kInvalid, "the guest's tree has no proper end");
  PYRO_CHECK(stage_.finish());
  PYRO_TRY(const sys::UniqueFd out, sys::open_file(staging_.out(), O_RDONLY | O_DIRECTORY));
  PYRO_CHECK(sys::retrying("syncfs", [&] { return ::syncfs(out.get()); }));
  sys::fault_point("export.staged");
  const std::string from = staging_.out() + "/" + kArtifact;
  // What is at the target afterwards may be another's; this is ours.
  sys::UniqueFd moved;
  if (last_mode_) {
    PYRO_TRY(moved, sys::open_file(from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  }
  const unsigned flags = type_ == "directory" ? RENAME_NOREPLACE : 0;
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, target_.c_str(), flags) != 0) {
    if (errno == EEXIST || errno == EISDIR) {
      return fail_hint(Errc::kConflict, fmt::format("{} exists already", quoted_name(target_)),
                       "a folder is exported to a name that is free: remove it, or choose another "
                       "--output");
    }
    return sys::fail_errno("rename to " + target_, errno);
  }
  sys::fault_point("export.renamed");
  if (last_mode_) {
    PYRO_CHECK(
        sys::retrying("chmod " + target_, [&] { return ::fchmod(moved.get(), *last_mode_); }));
    PYRO_CHECK(sys::retrying("fsync " + target_, [&] { return ::fsync(moved.get()); }));
  }
  return sys::sync_dir(sys::parent_of(target_));
}

}  // namespace pyro::client
