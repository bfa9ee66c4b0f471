#include "agent/workspace_fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "sys/clock.h"
#include "sys/file.h"

namespace pyro::agent {
namespace {

constexpr std::size_t kReadAhead = 64 << 10;  // bytes of a folder: some 2000 names

int open_beneath(int root, const std::string& path, int flags) {
  struct open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  for (;;) {
    const auto fd = ::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
    // EAGAIN: a rename somewhere made the kernel unsure that the path stayed below (openat2(2)).
    if (fd >= 0 || (errno != EINTR && errno != EAGAIN)) return static_cast<int>(fd);
  }
}

// The first component of a path that is a link, or is no folder.
std::string first_obstacle(int root, std::string_view path) {
  for (std::size_t at = 0; at < path.size();) {
    at = std::min(path.find('/', at), path.size());
    const sys::UniqueFd fd(
        open_beneath(root, std::string(path.substr(0, at)), O_PATH | O_DIRECTORY));
    if (!fd) return std::string(path.substr(0, at));
    ++at;
  }
  return std::string(path);
}

}  // namespace

template <class F>
Result<int> Changes::run(const char* call, const std::string& what, F f) {
  if (hook_) {
    if (const int e = hook_(call); e != 0) return sys::fail_errno(what, e);
  }
  for (;;) {
    const int rc = f();
    if (rc >= 0) return rc;
    if (errno != EINTR) return sys::fail_errno(what, errno);
  }
}

Result<void> Changes::make_folder(int dir, const std::string& name) {
  PYRO_CHECK(run("mkdirat", "making " + quoted_name(name),
                 [&] { return ::mkdirat(dir, name.c_str(), 0700); }));
  return {};
}
Result<sys::UniqueFd> Changes::create(int dir, const std::string& name) {
  PYRO_TRY(const int fd, run("openat", "creating " + quoted_name(name), [&] {
             return ::openat(dir, name.c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
           }));
  return sys::UniqueFd(fd);
}
Result<void> Changes::write(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    PYRO_TRY(const int n, run("write", "writing", [&] {
               return static_cast<int>(::write(fd, bytes.data(), bytes.size()));
             }));
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}
Result<void> Changes::make_link(const std::string& target, int dir, const std::string& name) {
  PYRO_CHECK(run("symlinkat", "making the link " + quoted_name(name),
                 [&] { return ::symlinkat(target.c_str(), dir, name.c_str()); }));
  return {};
}
Result<void> Changes::set_mode(int fd, std::uint32_t mode) {
  PYRO_CHECK(run("fchmod", "setting a mode", [&] { return ::fchmod(fd, mode); }));
  return {};
}
Result<void> Changes::set_mtime(int fd, std::int64_t ns) {
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, sys::to_timespec(ns)};
  PYRO_CHECK(run("futimens", "setting a time", [&] { return ::futimens(fd, times); }));
  return {};
}
Result<void> Changes::set_mtime(int dir, const std::string& name, std::int64_t ns) {
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, sys::to_timespec(ns)};
  PYRO_CHECK(run("utimensat", "setting the time of " + quoted_name(name),
                 [&] { return ::utimensat(dir, name.c_str(), times, AT_SYMLINK_NOFOLLOW); }));
  return {};
}
Result<void> Changes::move(int from_dir, const std::string& from, int to_dir,
                           const std::string& to) {
  PYRO_CHECK(run("renameat2", "moving " + quoted_name(from) + " to " + quoted_name(to), [&] {
    return ::renameat2(from_dir, from.c_str(), to_dir, to.c_str(), RENAME_NOREPLACE);
  }));
  return {};
}
Result<void> Changes::remove(int dir, const std::string& name, bool folder) {
  PYRO_CHECK(run("unlinkat", "removing " + quoted_name(name),
                 [&] { return ::unlinkat(dir, name.c_str(), folder ? AT_REMOVEDIR : 0); }));
  return {};
}
Result<void> Changes::sync(int fd) {
  PYRO_CHECK(run("fsync", "fsync", [&] { return ::fsync(fd); }));
  return {};
}
Result<void> Changes::sync_file_system(int fd) {
  PYRO_CHECK(run("syncfs", "syncfs", [&] { return ::syncfs(fd); }));
  return {};
}

SplitPath split_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {.folder = ".", .name = path};
  return {.folder = path.substr(0, slash), .name = path.substr(slash + 1)};
}
std::string join_path(std::string_view folder, std::string_view name) {
  std::string out;
  if (folder != ".") {
    out.reserve(folder.size() + 1 + name.size());
    out += folder;
    out += '/';
  }
  out += name;
  return out;
}
std::size_t depth_of(std::string_view path) {
  if (path == ".") return 0;
  return 1 + static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
}
Result<void> check_depth(std::string_view path) {
  if (depth_of(path) <= kMaxDepth) return {};
  return fail(Errc::kLimit, quoted_name(path) + " is deeper than 512 folders");
}
Result<sys::UniqueFd> open_folder(int root, std::string_view path) {
  const int fd = open_beneath(root, std::string(path),
                              O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (fd >= 0) return sys::UniqueFd(fd);
  const int e = errno;
  if (e == ELOOP) {
    return fail(Errc::kInvalid, quoted_name(first_obstacle(root, path)) + " is a link", e);
  }
  if (e == ENOTDIR) {
    return fail(Errc::kInvalid, quoted_name(first_obstacle(root, path)) + " is not a folder", e);
  }
  return sys::fail_errno("opening the folder " + quoted_name(path), e);
}

Result<int> FolderCache::open(std::string_view path) {
  if (path == ".") return root_;
  if (fd_ && path_ == path) return fd_.get();
  PYRO_TRY(fd_, open_folder(root_, path));
  path_ = path;
  return fd_.get();
}

Result<std::optional<struct stat>> look(int dir, const std::string& name) {
  struct stat st{};
  if (::fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0) return st;
  if (errno == ENOENT) return std::nullopt;
  return sys::fail_errno("looking at " + quoted_name(name), errno);
}

FolderReader::FolderReader() : buffer_(kReadAhead) {}

void FolderReader::start(int fd) {
  fd_ = fd;
  at_ = filled_ = 0;
}

Result<std::optional<DirName>> FolderReader::next() {
  // struct linux_dirent64 (getdents64(2)).
  constexpr std::size_t kLength = 16, kType = 18, kName = 19;
  for (;;) {
    if (at_ >= filled_) {
      PYRO_TRY(const int n, sys::retrying("reading a folder", [&] {
                 return ::syscall(SYS_getdents64, fd_, buffer_.data(), buffer_.size());
               }));
      if (n == 0) return std::nullopt;
      at_ = 0;
      filled_ = static_cast<std::size_t>(n);
    }
    const char* record = buffer_.data() + at_;
    std::uint16_t length = 0;
    std::memcpy(&length, record + kLength, sizeof length);
    if (length <= kName || length > filled_ - at_) {
      return fail(Errc::kInternal, "a folder's records are not what Linux promises");
    }
    at_ += length;
    const char* name = record + kName;
    if (name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'))) continue;
    return DirName{.name = name, .type = static_cast<unsigned char>(record[kType])};
  }
}

Result<std::vector<std::string>> names_in(int fd) {
  FolderReader reader;
  reader.start(fd);
  std::vector<std::string> out;
  for (;;) {
    PYRO_TRY(const auto name, reader.next());
    if (!name) break;
    out.emplace_back(name->name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

// --- removal ------------------------------------------------------------------------------------

Result<void> TreeRemoval::enter(int dir, std::string name) {
  PYRO_TRY(sys::UniqueFd fd, open_folder(dir, name));
  struct stat st{};
  PYRO_CHECK(sys::retrying("fstat", [&] { return ::fstat(fd.get(), &st); }));
  levels_.push_back(
      {.name = std::move(name), .device = st.st_dev, .inode = st.st_ino, .folders = {}});
  current_ = std::move(fd);
  return {};
}

// The folder above is reached by "..", so that no level keeps a descriptor. A process that still
// has its working folder in here can rename what it stands on to another place: then ".." is not
// the folder we came from, and nothing of it is ours to remove.
Result<void> TreeRemoval::leave() {
  const std::string name = std::move(levels_.back().name);
  levels_.pop_back();
  if (levels_.empty()) {
    done_ = true;
    return {};
  }
  PYRO_TRY(const int fd, sys::retrying("opening ..", [&] {
             return ::openat(current_.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
           }));
  current_ = sys::UniqueFd(fd);
  struct stat st{};
  PYRO_CHECK(sys::retrying("fstat", [&] { return ::fstat(fd, &st); }));
  if (st.st_dev != levels_.back().device || st.st_ino != levels_.back().inode) {
    return fail(Errc::kConflict,
                "the folder " + quoted_name(name) + " was moved while it was removed");
  }
  return changes_.remove(fd, name, true);
}

Result<bool> TreeRemoval::clear(std::size_t& left) {
  constexpr std::size_t kAhead = 1024;  // names of folders held in memory for one level
  Level& level = levels_.back();
  PYRO_CHECK(sys::retrying("lseek", [&] { return ::lseek(current_.get(), 0, SEEK_SET); }));
  reader_.start(current_.get());
  bool any = false;
  while (left > 0 && level.folders.size() < kAhead) {
    PYRO_TRY(const auto entry, reader_.next());
    if (!entry) break;
    any = true;
    if (entry->type == DT_DIR) {
      level.folders.emplace_back(entry->name);
      continue;
    }
    --left;
    auto removed = changes_.remove(current_.get(), entry->name, false);
    if (removed || removed.error().os_errno == ENOENT) continue;
    if (removed.error().os_errno != EISDIR) return std::unexpected(std::move(removed.error()));
    level.folders.emplace_back(entry->name);
  }
  return any;
}

Result<bool> TreeRemoval::some(std::size_t most) {
  if (levels_.empty() && !done_) PYRO_CHECK(enter(root_, "."));
  std::size_t left = most;
  while (!done_ && left > 0) {
    auto& folders = levels_.back().folders;
    if (!folders.empty()) {
      const std::string name = std::move(folders.back());
      folders.pop_back();
      PYRO_CHECK(enter(current_.get(), name));
      continue;
    }
    PYRO_TRY(const bool any, clear(left));
    if (any) continue;
    --left;
    PYRO_CHECK(leave());
  }
  return !done_;
}

Result<void> empty_folder(int root, Changes& changes) {
  TreeRemoval removal(root, changes);
  for (;;) {
    PYRO_TRY(const bool more, removal.some(SIZE_MAX));
    if (!more) return {};
  }
}

}  // namespace pyro::agent
