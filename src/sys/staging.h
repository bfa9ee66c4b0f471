// Folders .staging-ID beside what they are for, in which something is built or thrown away. Each
// carries a lock that its maker holds, so that what a killed process left is recognised.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sys/file.h"

namespace pyro::sys {

// Disk space used by a folder and all that is in it, in bytes; what cannot be read counts nothing.
std::uint64_t tree_usage(const std::string& path);

// How such a folder is removed: remove_tree, unless its files may belong to other users.
using TreeRemover = Result<void> (*)(const std::string& path);

class Staging {
 public:
  // In `parent`, which exists.
  static Result<Staging> create(const std::string& parent, TreeRemover remover = remove_tree);
  Staging(Staging&& other) noexcept
      : path_(std::exchange(other.path_, {})),
        lock_(std::move(other.lock_)),
        remover_(other.remover_) {}
  Staging& operator=(Staging&&) = delete;
  ~Staging();  // removes the folder

  [[nodiscard]] std::string out() const { return path_ + "/out"; }  // exists, empty, 0700

 private:
  Staging(std::string path, FileLock lock, TreeRemover remover)
      : path_(std::move(path)), lock_(std::move(lock)), remover_(remover) {}
  std::string path_;
  FileLock lock_;
  TreeRemover remover_;
};

struct Swept {
  std::vector<std::string> paths;
  std::uint64_t bytes = 0;
};
// Removes the staging folders in `parent` that nobody holds.
Result<Swept> sweep_staging(const std::string& parent, TreeRemover remover = remove_tree);

}  // namespace pyro::sys
