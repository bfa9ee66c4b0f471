#include "agent/workspace_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "sys/clock.h"

namespace pyro::agent {
namespace {

using wire::EntryKind;

constexpr std::size_t kLengthSize = 4;  // in front of each chunk

// What went away, or became something else, since its folder was read.
bool is_gone(int e) {
  return e == ENOENT || e == ELOOP || e == ENOTDIR || e == ESTALE;
}

}  // namespace

Result<OpenFile> open_regular(int dir, const std::string& name) {
  OpenFile file;
  file.fd = sys::UniqueFd(
      ::openat(dir, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file.fd) return sys::fail_errno("opening " + quoted_name(name), errno);
  if (::fstat(file.fd.get(), &file.st) != 0) return sys::fail_errno("fstat", errno);
  if (!S_ISREG(file.st.st_mode)) return fail(Errc::kInvalid, quoted_name(name) + " is not a file");
  return file;
}

Result<std::size_t> append_chunk(std::string& out, int file, std::uint64_t left) {
  const std::size_t at = out.size();
  const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(left, wire::kMaxChunk));
  ssize_t n = 0;
  int e = 0;
  // Read to where the bytes belong, behind a length that is known only then.
  out.resize_and_overwrite(at + kLengthSize + want, [&](char* data, std::size_t) {
    do {
      n = ::read(file, data + at + kLengthSize, want);
    } while (n < 0 && errno == EINTR);
    e = n < 0 ? errno : 0;
    if (n <= 0) return at;
    for (std::size_t i = 0; i < kLengthSize; ++i) {
      data[at + i] =
          static_cast<char>(static_cast<std::uint64_t>(n) >> (8 * (kLengthSize - 1 - i)));
    }
    return at + kLengthSize + static_cast<std::size_t>(n);
  });
  if (n < 0) return sys::fail_errno("reading a file", e);
  return static_cast<std::size_t>(n);
}

wire::TreeEntry entry_of(std::string path, const struct stat& st) {
  wire::TreeEntry entry;
  entry.kind = S_ISDIR(st.st_mode)   ? EntryKind::kDirectory
               : S_ISREG(st.st_mode) ? EntryKind::kFile
               : S_ISLNK(st.st_mode) ? EntryKind::kSymlink
                                     : EntryKind::kOther;
  entry.path = std::move(path);
  entry.mode = st.st_mode & kPermissions;
  entry.mtime_ns = sys::to_ns(st.st_mtim);
  if (S_ISREG(st.st_mode)) entry.size = static_cast<std::uint64_t>(st.st_size);
  return entry;
}

Result<std::string> target_of(int dir, const std::string& name) {
  char target[PATH_MAX];
  const ssize_t n = ::readlinkat(dir, name.c_str(), target, sizeof target);
  if (n < 0)
    return sys::fail_errno("reading the link " + quoted_name(name),
                           errno == EINVAL ? ENOENT : errno);
  return std::string(target, static_cast<std::size_t>(n));
}

Result<TreeExport> TreeExport::open(int tree, const proto::WorkspaceExport& request) {
  const std::string& path = request.path.value;
  PYRO_CHECK(wire::check_tree_path(path));
  const auto [folder, name] = split_path(path);
  PYRO_TRY(sys::UniqueFd parent, open_folder(tree, folder));
  PYRO_TRY(const auto st, look(parent.get(), std::string(name)));
  if (!st) return fail(Errc::kNotFound, quoted_name(path) + " does not exist");
  if (!S_ISDIR(st->st_mode)) {
    TreeExport out(request, std::move(parent));
    out.only_ = name;
    return out;
  }
  PYRO_TRY(sys::UniqueFd top, open_folder(parent.get(), name));
  TreeExport out(request, std::move(top));
  out.folders_.emplace_back(".");
  return out;
}

Result<void> TreeExport::count(std::string_view path, const struct stat& st) {
  if (path != ".") ++counts_.entries;
  if (!S_ISREG(st.st_mode)) return {};
  if (request_.max_bytes >= 0 && st.st_size > request_.max_bytes - counts_.bytes) {
    return fail(Errc::kLimit, "the files are larger than " + std::to_string(request_.max_bytes) +
                                  " bytes together");
  }
  counts_.bytes += st.st_size;
  return {};
}

Result<void> TreeExport::begin_folder(std::string& out) {
  folder_path_ = std::move(folders_.back());
  folders_.pop_back();
  auto folder = open_folder(top_.get(), folder_path_);
  if (!folder && folder_path_ != "." && is_gone(folder.error().os_errno)) return {};
  if (!folder) return std::unexpected(std::move(folder.error()));
  struct stat st{};
  if (::fstat(folder->get(), &st) != 0) return sys::fail_errno("fstat", errno);
  PYRO_CHECK(count(folder_path_, st));
  wire::append_entry(out, entry_of(folder_path_, st));
  folder_ = *std::move(folder);
  reader_.start(folder_.get());
  return {};
}

Result<void> TreeExport::add_other(std::string& out, int dir, const std::string& name,
                                   std::string path, const struct stat& st) {
  wire::TreeEntry entry = entry_of(std::move(path), st);
  if (entry.kind == EntryKind::kSymlink) {
    auto target = target_of(dir, name);
    if (!target && is_gone(target.error().os_errno)) return {};
    if (!target) return std::unexpected(std::move(target.error()));
    entry.target = *std::move(target);
  }
  PYRO_CHECK(count(entry.path, st));
  wire::append_entry(out, entry);
  // Without content when none was asked for; otherwise it could not be opened.
  if (entry.kind == EntryKind::kFile) wire::append_file_end(out, !request_.content);
  return {};
}

Result<void> TreeExport::add_file(std::string& out, int dir, const std::string& name,
                                  std::string path) {
  auto file = open_regular(dir, name);
  if (!file) {
    PYRO_TRY(const auto st, look(dir, name));
    if (!st || S_ISDIR(st->st_mode)) return {};
    return add_other(out, dir, name, std::move(path), *st);
  }
  PYRO_CHECK(count(path, file->st));
  wire::append_entry(out, entry_of(std::move(path), file->st));
  file_ = std::move(file->fd);
  left_ = static_cast<std::uint64_t>(file->st.st_size);
  return continue_file(out);
}

// As much as the file had when it was opened: one that grows has no end to wait for.
Result<void> TreeExport::continue_file(std::string& out) {
  bool complete = true;
  while (left_ > 0 && complete) {
    if (out.size() >= kBatch) return {};
    const auto n = append_chunk(out, file_.get(), left_);
    complete = n && *n > 0;
    if (complete) left_ -= *n;
  }
  wire::append_file_end(out, complete);
  file_ = {};
  return {};
}

Result<void> TreeExport::add(std::string& out, const DirName& found) {
  name_ = found.name;
  std::string path = join_path(folder_path_, name_);
  if (path.size() > wire::kMaxPath) {
    return fail(Errc::kLimit, quoted_name(path) + " is longer than 4095 bytes");
  }
  if (found.type == DT_REG && request_.content) {
    return add_file(out, folder_.get(), name_, std::move(path));
  }
  if (found.type == DT_DIR && request_.recursive) {
    PYRO_CHECK(check_depth(path));
    folders_.push_back(std::move(path));
    return {};
  }
  PYRO_TRY(const auto st, look(folder_.get(), name_));
  if (!st) return {};
  if (S_ISDIR(st->st_mode) && request_.recursive) {
    folders_.push_back(std::move(path));
    return check_depth(folders_.back());
  }
  if (S_ISREG(st->st_mode) && request_.content) {
    return add_file(out, folder_.get(), name_, std::move(path));
  }
  return add_other(out, folder_.get(), name_, std::move(path), *st);
}

Result<bool> TreeExport::fill(std::string& out) {
  for (int i = 0; i < kSteps && out.size() < kBatch; ++i) {
    if (file_) {
      PYRO_CHECK(continue_file(out));
    } else if (!only_.empty()) {
      const std::string name = std::exchange(only_, {});
      PYRO_TRY(const auto st, look(top_.get(), name));
      if (!st) return fail(Errc::kNotFound, quoted_name(name) + " does not exist any more");
      PYRO_CHECK(S_ISREG(st->st_mode) && request_.content
                     ? add_file(out, top_.get(), name, ".")
                     : add_other(out, top_.get(), name, ".", *st));
    } else if (folder_) {
      PYRO_TRY(const auto found, reader_.next());
      if (found) {
        PYRO_CHECK(add(out, *found));
      } else {
        folder_ = {};
      }
    } else if (!folders_.empty()) {
      PYRO_CHECK(begin_folder(out));
    } else {
      wire::append_entry(out, {.kind = EntryKind::kEnd});
      return false;
    }
  }
  return true;
}

}  // namespace pyro::agent
