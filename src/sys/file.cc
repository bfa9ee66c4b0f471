#include "sys/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "sys/clock.h"

namespace pyro::sys {

Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode) {
  PYRO_TRY(const int fd,
           retrying("open " + path, [&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); }));
  return UniqueFd(fd);
}

Result<UniqueFd> open_beneath(const UniqueFd& dir, const std::string& path, int flags,
                              mode_t mode) {
  struct open_how how{};
  how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  PYRO_TRY(const int fd, retrying("openat2 " + path, [&] {
             return ::syscall(SYS_openat2, dir.get(), path.c_str(), &how, sizeof how);
           }));
  return UniqueFd(fd);
}

Result<std::string> read_file(const std::string& path, std::uint64_t max_bytes) {
  PYRO_TRY(const UniqueFd fd, open_file(path, O_RDONLY | O_NOCTTY));
  struct stat st{};
  PYRO_CHECK(retrying("stat " + path, [&] { return ::fstat(fd.get(), &st); }));
  if (st.st_size > 0 && static_cast<std::uint64_t>(st.st_size) > max_bytes) {
    return fail(Errc::kLimit, path + " is larger than " + std::to_string(max_bytes) + " bytes");
  }
  std::string out;
  char buffer[16384];
  for (;;) {
    PYRO_TRY(const int n,
             retrying("read " + path, [&] { return ::read(fd.get(), buffer, sizeof buffer); }));
    if (n == 0) return out;
    if (out.size() + static_cast<std::size_t>(n) > max_bytes) {
      return fail(Errc::kLimit, path + " is larger than " + std::to_string(max_bytes) + " bytes");
    }
    out.append(buffer, static_cast<std::size_t>(n));
  }
}

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    PYRO_TRY(const int n, retrying("write", [&] {
               return ::write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), 1U << 20));
             }));
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

namespace {
// A file that is unlinked again unless kept.
class TemporaryFile {
 public:
  static Result<TemporaryFile> beside(const std::string& path, mode_t mode) {
    std::string name = path + ".tmp-XXXXXX";
    PYRO_TRY(const int fd,
             retrying("create " + name, [&] { return ::mkostemp(name.data(), O_CLOEXEC); }));
    TemporaryFile file(UniqueFd(fd), name);
    PYRO_CHECK(retrying("chmod " + name, [&] { return ::fchmod(file.fd_.get(), mode); }));
    return file;
  }
  TemporaryFile(TemporaryFile&& o) noexcept
      : fd_(std::move(o.fd_)), name_(std::exchange(o.name_, {})) {}
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile() {
    if (!name_.empty()) ::unlink(name_.c_str());
  }
  [[nodiscard]] int fd() const { return fd_.get(); }
  Result<void> rename_to(const std::string& path) {
    PYRO_CHECK(retrying("rename " + path, [&] { return ::rename(name_.c_str(), path.c_str()); }));
    name_.clear();
    return {};
  }

 private:
  TemporaryFile(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
  UniqueFd fd_;
  std::string name_;
};
}  // namespace

Result<void> write_file_atomic(const std::string& path, std::string_view bytes, mode_t mode) {
  PYRO_TRY(auto file, TemporaryFile::beside(path, mode));
  if (auto r = write_all(file.fd(), bytes); !r) {
    return std::unexpected(std::move(r.error()).context(path));
  }
  PYRO_CHECK(retrying("fsync " + path, [&] { return ::fsync(file.fd()); }));
  PYRO_CHECK(file.rename_to(path));
  return sync_dir(parent_of(path));
}

std::string parent_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> sync_dir(const std::string& path) {
  PYRO_TRY(const UniqueFd dir, open_file(path, O_RDONLY | O_DIRECTORY));
  PYRO_CHECK(retrying("fsync " + path, [&] { return ::fsync(dir.get()); }));
  return {};
}

Result<void> make_dirs(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0) return {};
  if (errno == ENOENT && path.find('/') != std::string::npos && parent_of(path) != path) {
    PYRO_CHECK(make_dirs(parent_of(path), mode));
    if (::mkdir(path.c_str(), mode) == 0) return {};
  }
  if (const int e = errno; e != EEXIST) return fail_errno("mkdir " + path, e);
  struct stat st{};
  PYRO_CHECK(retrying("stat " + path, [&] { return ::stat(path.c_str(), &st); }));
  if (!S_ISDIR(st.st_mode)) return fail(Errc::kConflict, path + " exists and is not a folder");
  return {};
}

namespace {
struct DirCloser {
  void operator()(DIR* d) const { ::closedir(d); }
};
using DirHandle = std::unique_ptr<DIR, DirCloser>;

Result<DirHandle> open_dir(UniqueFd fd, const std::string& name) {
  DIR* dir = ::fdopendir(fd.get());
  if (dir == nullptr) return fail_errno("opendir " + name, errno);
  (void)fd.release();  // owned by dir
  return DirHandle(dir);
}

Result<std::vector<std::string>> entries(DIR* dir, const std::string& name) {
  std::vector<std::string> out;
  for (;;) {
    errno = 0;
    const dirent* e = ::readdir(dir);
    if (e == nullptr) {
      if (errno != 0) return fail_errno("readdir " + name, errno);
      std::ranges::sort(out);
      return out;
    }
    const std::string entry = static_cast<const char*>(e->d_name);
    if (entry != "." && entry != "..") out.push_back(entry);
  }
}

// A folder of ours may deny its owner what removal needs: one that was unpacked from an archive, or
// a read-only cache. Through a descriptor, so that a link in its place is not followed.
void open_up(int parent, const std::string& name) {
  const UniqueFd fd(::openat(parent, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd) (void)::chmod(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), 0700);
}

Result<void> remove_at(int parent, const std::string& name);

Result<void> empty_dir(int parent, const std::string& name) {
  const int fd = ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT ? Result<void>{} : fail_errno("open " + name, errno);
  PYRO_TRY(const DirHandle dir, open_dir(UniqueFd(fd), name));
  PYRO_TRY(const auto names, entries(dir.get(), name));
  for (const std::string& n : names) PYRO_CHECK(remove_at(::dirfd(dir.get()), n));
  return {};
}

Result<void> remove_at(int parent, const std::string& name) {
  if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (const int e = errno; e != EISDIR && e != EPERM) return fail_errno("unlink " + name, e);
  auto emptied = empty_dir(parent, name);
  if (!emptied && emptied.error().os_errno == EACCES) {
    open_up(parent, name);
    emptied = empty_dir(parent, name);
  }
  PYRO_CHECK(std::move(emptied));
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return fail_errno("rmdir " + name, errno);
  }
  return {};
}
}  // namespace

Result<void> remove_tree(const std::string& path) {
  auto r = remove_at(AT_FDCWD, path);
  if (!r && r.error().os_errno == ENOENT) return {};
  return r;
}

Result<std::vector<std::string>> list_dir(const std::string& path) {
  PYRO_TRY(UniqueFd fd, open_file(path, O_RDONLY | O_DIRECTORY));
  PYRO_TRY(const DirHandle dir, open_dir(std::move(fd), path));
  return entries(dir.get(), path);
}

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

namespace {
FileStamp stamp_of(const struct stat& st) {
  return {.device = st.st_dev,
          .inode = st.st_ino,
          .size = static_cast<std::uint64_t>(st.st_size),
          .ctime_ns = to_ns(st.st_ctim),
          .mode = st.st_mode,
          .uid = st.st_uid};
}
}  // namespace

Result<FileStamp> stamp(const std::string& path) {
  struct stat st{};
  PYRO_CHECK(retrying("stat " + path, [&] { return ::lstat(path.c_str(), &st); }));
  return stamp_of(st);
}

Result<FileStamp> stamp(int fd) {
  struct stat st{};
  PYRO_CHECK(retrying("fstat", [&] { return ::fstat(fd, &st); }));
  return stamp_of(st);
}

Result<std::uint64_t> disk_usage(const std::string& path) {
  struct stat st{};
  PYRO_CHECK(retrying("stat " + path, [&] { return ::lstat(path.c_str(), &st); }));
  return static_cast<std::uint64_t>(st.st_blocks) * 512;
}

namespace {
Result<FileLock> lock_file(const std::string& path, FileLock::Mode mode, int extra) {
  const int op = (mode == FileLock::Mode::kShared ? LOCK_SH : LOCK_EX) | extra;
  for (;;) {
    PYRO_TRY(UniqueFd fd, open_file(path, O_RDWR | O_CREAT));
    if (auto r = retrying("lock " + path, [&] { return ::flock(fd.get(), op); }); !r) {
      if (r.error().os_errno == EWOULDBLOCK) r.error().code = Errc::kConflict;
      return std::unexpected(std::move(r.error()));
    }
    struct stat locked{};
    struct stat named{};
    if (::fstat(fd.get(), &locked) != 0) return fail_errno("lock " + path, errno);
    const bool same = ::stat(path.c_str(), &named) == 0 && locked.st_ino == named.st_ino &&
                      locked.st_dev == named.st_dev;
    if (same) return FileLock(std::move(fd));  // else somebody removed it while we waited
  }
}
}  // namespace

void FileLock::remove(FileLock lock, const std::string& path) {
  ::unlink(path.c_str());  // a file that stays is an empty one
  static_cast<void>(lock);
}

Result<FileLock> FileLock::acquire(const std::string& path, Mode mode) {
  return lock_file(path, mode, 0);
}
Result<FileLock> FileLock::try_acquire(const std::string& path, Mode mode) {
  return lock_file(path, mode, LOCK_NB);
}

}  // namespace pyro::sys
