// Files and folders: whole reads, atomic writes, locks, identity stamps, safe removal.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace pyro::sys {

// open(2) with O_CLOEXEC; the error names the path.
Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode = 0600);
// Opens `path` inside `dir` and nowhere else: "..", absolute and magic links all fail (openat2(2),
// RESOLVE_BENEATH).
Result<UniqueFd> open_beneath(const UniqueFd& dir, const std::string& path, int flags,
                              mode_t mode = 0);

// The whole file; more than `max_bytes` is Errc::kLimit, checked before it is read.
Result<std::string> read_file(const std::string& path, std::uint64_t max_bytes = 1U << 20);
Result<void> write_all(int fd, std::string_view bytes);
// Writes a temporary file beside `path`, syncs it, renames it into place and syncs the folder:
// after a crash the old or the new content is there. `mode` applies to the new file.
Result<void> write_file_atomic(const std::string& path, std::string_view bytes, mode_t mode = 0600);

// Creates the folder and its parents; an existing folder is fine.
Result<void> make_dirs(const std::string& path, mode_t mode = 0700);
// Removes a folder and everything in it without following links. A missing folder is fine; folders
// of this user that deny their owner reading, writing or entering are given these rights first.
Result<void> remove_tree(const std::string& path);
Result<std::vector<std::string>> list_dir(const std::string& path);  // sorted, without . and ..
bool exists(const std::string& path);
Result<void> sync_dir(const std::string& path);
// The folder that a path names something in: "." without a slash, "/" for "/a".
std::string parent_of(const std::string& path);

// What tells whether a file is still the one that was checked. ctime cannot be set by a program,
// so content that changed behind our back shows here without reading it again.
struct FileStamp {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t ctime_ns = 0;
  std::uint32_t mode = 0, uid = 0;
  bool operator==(const FileStamp&) const = default;
};
Result<FileStamp> stamp(const std::string& path);  // follows no final link
Result<FileStamp> stamp(int fd);
// Blocks really used on disk, in bytes.
Result<std::uint64_t> disk_usage(const std::string& path);

// An advisory lock (flock(2)) on an own file, held until destroyed or the process ends.
class FileLock {
 public:
  enum class Mode : std::uint8_t { kShared, kExclusive };
  // Creates the file if needed (0600). Blocks until the lock is there.
  static Result<FileLock> acquire(const std::string& path, Mode mode);
  // Errc::kConflict when somebody else holds it.
  static Result<FileLock> try_acquire(const std::string& path, Mode mode);
  FileLock(FileLock&&) noexcept = default;
  FileLock& operator=(FileLock&&) noexcept = default;
  [[nodiscard]] const UniqueFd& fd() const { return fd_; }
  // Removes the file of a lock that is held exclusively, and gives the lock up. Whoever waits for
  // it makes a new file: nobody ever holds a lock on one that has no name.
  static void remove(FileLock lock, const std::string& path);
  // Takes over a lock whose descriptor was inherited.
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}

 private:
  UniqueFd fd_;
};

}  // namespace pyro::sys
