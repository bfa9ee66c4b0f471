#include "seed/folder_reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "seed/checks.h"
#include "sys/clock.h"

namespace pyro::seed {
namespace {

struct DirCloser {
  void operator()(DIR* d) const { ::closedir(d); }
};

struct Name {
  std::string name;
  bool maybe_file = false;  // the folder says that it is one
};

class FolderReader final : public Reader {
 public:
  FolderReader(sys::UniqueFd root, std::unique_ptr<TrackedFiles> tracked)
      : root_(std::move(root)), tracked_(std::move(tracked)), buffer_(wire::kMaxChunk, '\0') {}

  Result<std::optional<SourceEntry>> next() override {
    file_ = sys::UniqueFd();
    if (root_) return enter_root();
    while (!open_.empty() && open_.back().at == open_.back().names.size()) open_.pop_back();
    if (open_.empty()) return std::optional<SourceEntry>();
    Folder& folder = open_.back();
    const Name& name = folder.names[folder.at++];
    const std::string path = folder.path.empty() ? name.name : folder.path + "/" + name.name;
    if (name.maybe_file) return take_file(folder, name.name, path);
    struct stat st{};
    if (::fstatat(folder.fd.get(), name.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
      return gone(path, errno);
    }
    if (tracked_ && tracked_->is_folder(path) != S_ISDIR(st.st_mode)) {
      return refuse(path,
                    "is not what git tracks: there is a folder where a file was, or a file "
                    "where a folder was",
                    "commit what has changed, or take the whole folder");
    }
    if (S_ISREG(st.st_mode)) return take_file(folder, name.name, path);
    if (S_ISDIR(st.st_mode)) return take_folder(folder, name.name, path);
    if (S_ISLNK(st.st_mode)) return take_link(folder, name.name, path, st);
    return refuse_type(path, st.st_mode & S_IFMT);
  }

  Result<std::string_view> read() override {
    const auto n =
        sys::retrying("read", [&] { return ::read(file_.get(), buffer_.data(), buffer_.size()); });
    if (!n) return refuse_errno(file_path_, "read", n.error().os_errno);
    return std::string_view(buffer_.data(), static_cast<std::size_t>(*n));
  }

  [[nodiscard]] int content_fd() const override { return file_.get(); }

 private:
  struct Folder {
    sys::UniqueFd fd;
    std::string path;  // empty: the root
    std::vector<Name> names;
    std::size_t at = 0;
  };

  [[nodiscard]] std::unexpected<Error> gone(const std::string& path, int e) const {
    if (tracked_ && (e == ENOENT || e == ENOTDIR)) {
      return refuse(path, "is tracked by git and is not there",
                    "restore it (git restore FILE), or forget it (git rm --cached FILE)",
                    Errc::kNotFound);
    }
    return refuse_errno(path, "read", e);
  }

  Result<std::optional<SourceEntry>> enter_root() {
    struct stat st{};
    if (::fstat(root_.get(), &st) != 0) return refuse_errno(".", "read", errno);
    PYRO_CHECK(enter(std::move(root_), ""));
    return entry_of(wire::EntryKind::kDirectory, ".", st);
  }

  static SourceEntry entry_of(wire::EntryKind kind, const std::string& path,
                              const struct stat& st) {
    return SourceEntry{.entry = {.kind = kind,
                                 .path = path,
                                 .mode = st.st_mode & 07777U,
                                 .mtime_ns = sys::to_ns(st.st_mtim)},
                       .size = static_cast<std::uint64_t>(std::max<off_t>(st.st_size, 0))};
  }

  // Lists a folder into open_.
  Result<void> enter(sys::UniqueFd fd, const std::string& path) {
    Folder folder{.fd = std::move(fd), .path = path, .names = {}};
    if (tracked_) {
      for (std::string& name : tracked_->names_in(path.empty() ? "." : path)) {
        folder.names.push_back({.name = std::move(name)});
      }
    } else {
      PYRO_CHECK(list(folder));
    }
    open_.push_back(std::move(folder));
    return {};
  }

  static Result<void> list(Folder& folder) {
    const std::string path = folder.path.empty() ? "." : folder.path;
    // A descriptor of its own: the one that is kept has no position.
    sys::UniqueFd fd(::openat(folder.fd.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const std::unique_ptr<DIR, DirCloser> dir(fd ? ::fdopendir(fd.get()) : nullptr);
    if (!dir) return refuse_errno(path, "read", errno);
    (void)fd.release();  // owned by dir
    for (;;) {
      errno = 0;
      const dirent* found = ::readdir(dir.get());
      if (found == nullptr) break;
      std::string name = static_cast<const char*>(found->d_name);
      if (name == "." || name == "..") continue;
      if (folder.names.size() >= kMaxEntries) {
        return refuse(path, "has more than " + std::to_string(kMaxEntries) + " entries",
                      "leave out what can be made again", Errc::kLimit);
      }
      folder.names.push_back({.name = std::move(name), .maybe_file = found->d_type == DT_REG});
    }
    if (errno != 0) return refuse_errno(path, "read", errno);
    std::ranges::sort(folder.names, {}, &Name::name);
    return {};
  }

  Result<std::optional<SourceEntry>> take_folder(const Folder& above, const std::string& name,
                                                 const std::string& path) {
    sys::UniqueFd fd(
        ::openat(above.fd.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat st{};
    if (!fd || ::fstat(fd.get(), &st) != 0) return gone(path, errno);
    // Deeper ones are refused by the carrier, before their descriptors can run out.
    PYRO_CHECK(enter(std::move(fd), path));
    return entry_of(wire::EntryKind::kDirectory, path, st);
  }

  Result<std::optional<SourceEntry>> take_file(const Folder& above, const std::string& name,
                                               const std::string& path) {
    // O_NONBLOCK: should it have become a pipe, nobody waits for its writer.
    sys::UniqueFd fd(::openat(above.fd.get(), name.c_str(),
                              O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat st{};
    if (!fd || ::fstat(fd.get(), &st) != 0) {
      if (errno == ELOOP) {
        return refuse(path, "became a symlink while the folder was read",
                      "try again when nothing changes it", Errc::kConflict);
      }
      return gone(path, errno);
    }
    if (!S_ISREG(st.st_mode)) return refuse_type(path, st.st_mode & S_IFMT);
    file_ = std::move(fd);
    file_path_ = path;
    return entry_of(wire::EntryKind::kFile, path, st);
  }

  static Result<std::optional<SourceEntry>> take_link(const Folder& above, const std::string& name,
                                                      const std::string& path,
                                                      const struct stat& st) {
    std::string target(wire::kMaxPath + 1, '\0');
    const ssize_t n = ::readlinkat(above.fd.get(), name.c_str(), target.data(), target.size());
    if (n < 0) return refuse_errno(path, "read", errno);
    target.resize(static_cast<std::size_t>(n));
    SourceEntry entry = entry_of(wire::EntryKind::kSymlink, path, st);
    entry.entry.target = std::move(target);
    return entry;
  }

  sys::UniqueFd root_;  // until it has been entered
  std::unique_ptr<TrackedFiles> tracked_;
  std::vector<Folder> open_;  // from the root down
  sys::UniqueFd file_;
  std::string file_path_;
  std::string buffer_;
};

}  // namespace

std::unique_ptr<Reader> read_folder(sys::UniqueFd root, std::unique_ptr<TrackedFiles> tracked) {
  return std::make_unique<FolderReader>(std::move(root), std::move(tracked));
}

}  // namespace pyro::seed
