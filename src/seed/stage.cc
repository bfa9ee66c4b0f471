#include "seed/stage.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "seed/checks.h"
#include "sys/clock.h"
#include "sys/file.h"

namespace pyro::seed {
namespace {

constexpr mode_t kPrivateFolder = 0700;
constexpr mode_t kPrivateFile = 0600;
constexpr std::uint32_t kOwnerReads = 0400;
constexpr std::uint32_t kOwnerEnters = 0500;
constexpr std::string_view kLeftOut = "lost+found";

struct Times {
  timespec both[2];
};
// Of access and of change.
Times times_of(std::int64_t ns) {
  const timespec t = sys::to_timespec(ns);
  return {{t, t}};
}

std::string last_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

Result<Stage> Stage::open(const std::string& dir, For purpose) {
  PYRO_TRY(sys::UniqueFd root, sys::open_file(dir, O_RDONLY | O_DIRECTORY));
  char real[PATH_MAX];
  if (::realpath(dir.c_str(), real) == nullptr) return sys::fail_errno("realpath " + dir, errno);
  // PATH_MAX counts a NUL; a slash stands between the two.
  const std::size_t above = std::string_view(real).size() + 2;
  return Stage(std::move(root), above < PATH_MAX ? PATH_MAX - above : 0, purpose);
}

Result<void> Stage::check_name(const wire::TreeEntry& entry) const {
  if (purpose_ == For::kUser) return {};
  if (last_name(entry.path).starts_with(kLeftOut)) {
    return refuse(entry.path, "has a name that mkfs.erofs leaves out of every image",
                  "leave it out, or copy it in later (pyro sync)");
  }
  if (entry.path.size() > longest_) {
    return refuse(
        entry.path,
        "has a path of more than " + std::to_string(longest_) + " bytes, which is what fits here",
        "give it a shorter name, or put pyro's state at a shorter path (PYRO_HOME)");
  }
  return {};
}

Result<int> Stage::parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return root_.get();
  const std::string_view parent = path.substr(0, slash);
  if (!parent_ || parent != parent_path_) {
    parent_path_ = parent;
    PYRO_TRY(parent_, sys::open_beneath(root_, parent_path_, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  }
  return parent_.get();
}

Result<void> Stage::add(const wire::TreeEntry& entry, bool again) {
  if (entry.path == ".") {
    folders_["."] = {.mode = entry.mode, .mtime_ns = entry.mtime_ns};
    return {};
  }
  PYRO_CHECK(check_name(entry));
  PYRO_TRY(const int parent, parent_of(entry.path));
  const std::string name = last_name(entry.path);
  if (entry.kind == wire::EntryKind::kDirectory) {
    folders_[entry.path] = {.mode = entry.mode, .mtime_ns = entry.mtime_ns};
    if ((entry.mode & kOwnerEnters) != kOwnerEnters) denies_owner_ = true;
    if (!again && ::mkdirat(parent, name.c_str(), kPrivateFolder) != 0) {
      return refuse_errno(entry.path, "staged", errno);
    }
    return {};
  }
  if (again && ::unlinkat(parent, name.c_str(), 0) != 0) {
    return refuse_errno(entry.path, "replaced", errno);
  }
  if (entry.kind == wire::EntryKind::kSymlink) return make_link(parent, name, entry);
  return make_file(parent, name, entry);
}

Result<void> Stage::make_file(int parent, const std::string& name, const wire::TreeEntry& entry) {
  file_ = sys::UniqueFd(::openat(
      parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kPrivateFile));
  if (!file_) return refuse_errno(entry.path, "staged", errno);
  if ((entry.mode & kOwnerReads) == 0) denies_owner_ = true;
  current_ = entry;
  return {};
}

Result<void> Stage::make_link(int parent, const std::string& name,
                              const wire::TreeEntry& entry) const {
  const Times times = times_of(entry.mtime_ns);
  if (::symlinkat(entry.target.c_str(), parent, name.c_str()) != 0 ||
      ::utimensat(parent, name.c_str(), times.both, AT_SYMLINK_NOFOLLOW) != 0) {
    return refuse_errno(entry.path, "staged", errno);
  }
  return {};
}

Result<void> Stage::data(std::string_view bytes) {
  if (auto put = sys::write_all(file_.get(), bytes); !put) {
    return refuse_errno(current_.path, "staged", put.error().os_errno);
  }
  return {};
}

Result<void> Stage::end_file() {
  const Times times = times_of(current_.mtime_ns);
  if ((current_.mode != kPrivateFile && ::fchmod(file_.get(), current_.mode) != 0) ||
      ::futimens(file_.get(), times.both) != 0) {
    return refuse_errno(current_.path, "staged", errno);
  }
  file_ = sys::UniqueFd();
  return {};
}

Result<void> Stage::finish() {
  parent_ = sys::UniqueFd();
  folders_.try_emplace(".");
  const auto settle = [&](const std::string& path, const Final& end) -> Result<void> {
    const Times times = times_of(end.mtime_ns);
    // The time first: the mode may deny it.
    if (::utimensat(root_.get(), path.c_str(), times.both, 0) != 0 ||
        ::fchmodat(root_.get(), path.c_str(), end.mode, 0) != 0) {
      return refuse_errno(path, "staged", errno);
    }
    return {};
  };
  for (const auto& [path, end] : folders_) {
    if (path != ".") PYRO_CHECK(settle(path, end));
  }
  return settle(".", folders_["."]);
}

}  // namespace pyro::seed
