// Files of the workspace by descriptor. Whatever runs in the guest may change the same folders at
// the same time, so no call follows a link, and none leaves the folder it was given.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace pyro::agent {

// Folders below folders, in everything that is walked or made: kLimit beyond.
inline constexpr std::size_t kMaxDepth = 512;
// Of a mode: the bits that a program sets.
inline constexpr std::uint32_t kPermissions = 07777;

// What the requests work on. All are folders, opened for reading.
struct WorkspaceDirs {
  sys::UniqueFd work;      // the root of the work disk
  sys::UniqueFd intent;    // of the work disk: logs of syncs
  sys::UniqueFd upper;     // of the work disk: what differs in the tree, as overlayfs writes it
  sys::UniqueFd baseline;  // the tree as it was seeded
  sys::UniqueFd tree;      // of the overlay: what the user sees
  sys::UniqueFd stage;     // of the overlay, beside the tree
};

// The calls that change something. Tests put faults in front of them.
class Changes {
 public:
  // Before each call: 0, or the errno it shall fail with.
  using Hook = std::function<int(const char* call)>;
  Changes() = default;
  explicit Changes(Hook hook) : hook_(std::move(hook)) {}

  Result<void> make_folder(int dir, const std::string& name);      // 0700
  Result<sys::UniqueFd> create(int dir, const std::string& name);  // 0600, must be new
  Result<void> write(int fd, std::string_view bytes);
  Result<void> make_link(const std::string& target, int dir, const std::string& name);
  Result<void> set_mode(int fd, std::uint32_t mode);
  Result<void> set_mtime(int fd, std::int64_t ns);
  Result<void> set_mtime(int dir, const std::string& name, std::int64_t ns);  // a link's own
  // Replaces nothing: kConflict when `to` is there.
  Result<void> move(int from_dir, const std::string& from, int to_dir, const std::string& to);
  Result<void> remove(int dir, const std::string& name, bool folder);
  Result<void> sync(int fd);              // this file or folder
  Result<void> sync_file_system(int fd);  // all of what `fd` is on

 private:
  template <class F>
  Result<int> run(const char* call, const std::string& what, F f);
  Hook hook_;
};

// "a/b" is in "a" and called "b"; "b" is in ".".
struct SplitPath {
  std::string_view folder, name;
};
SplitPath split_path(std::string_view path);
// `name` in the folder `folder` ("." being the root).
std::string join_path(std::string_view folder, std::string_view name);
std::size_t depth_of(std::string_view path);
// kLimit, naming the path.
Result<void> check_depth(std::string_view path);

// Opens a folder below `root` for reading. A component that is a link, or no folder: kInvalid,
// which names it. kNotFound.
Result<sys::UniqueFd> open_folder(int root, std::string_view path);

// The folder that was opened last stays open: entries mostly come folder by folder.
class FolderCache {
 public:
  explicit FolderCache(int root) : root_(root) {}
  Result<int> open(std::string_view path);

 private:
  int root_;
  std::string path_;
  sys::UniqueFd fd_;
};

// lstat of a name in a folder; nullopt when nothing is there.
Result<std::optional<struct stat>> look(int dir, const std::string& name);

struct DirName {
  const char* name;    // until the next call
  unsigned char type;  // DT_*, perhaps DT_UNKNOWN
};
// Reads a folder in large pieces; the buffer is used again for the next folder.
class FolderReader {
 public:
  FolderReader();
  // Borrows `fd`, whose position must be at its start.
  void start(int fd);
  // nullopt: that was all. Without . and ...
  Result<std::optional<DirName>> next();

 private:
  std::vector<char> buffer_;
  int fd_ = -1;
  std::size_t at_ = 0, filled_ = 0;
};
// All of a folder, sorted by bytes.
Result<std::vector<std::string>> names_in(int fd);

// Empties a folder, in pieces. It follows no link, needs neither stack nor descriptors for the
// depth of the tree, and stops with an error when somebody moves the folder it works in.
class TreeRemoval {
 public:
  // Both are borrowed.
  TreeRemoval(int root, Changes& changes) : root_(root), changes_(changes) {}
  // Removes about `most` entries. False: nothing is left.
  Result<bool> some(std::size_t most);

 private:
  struct Level {
    std::string name;  // in the level above
    std::uint64_t device = 0, inode = 0;
    std::vector<std::string> folders;  // seen and not yet entered
  };
  Result<void> enter(int dir, std::string name);
  Result<void> leave();
  // Removes what is no folder. False: there was nothing at all.
  Result<bool> clear(std::size_t& left);

  int root_;
  Changes& changes_;
  FolderReader reader_;
  sys::UniqueFd current_;
  std::vector<Level> levels_;
  bool done_ = false;
};
Result<void> empty_folder(int root, Changes& changes);

}  // namespace pyro::agent
