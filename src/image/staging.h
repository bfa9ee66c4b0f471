// Folders .staging-ID beside the installed environments, in which one is built or thrown away. Each
// carries a lock that its maker holds, so that what a killed process left is recognised.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "sys/file.h"

namespace pyro::image {

// Removes a folder even when files in it belong to the user's subordinate ids.
Result<void> remove_build_tree(const std::string& path);

// Disk space used by a folder and all that is in it, in bytes; what cannot be read counts nothing.
std::uint64_t tree_usage(const std::string& path);

class Staging {
 public:
  static Result<Staging> create(const std::string& platform_dir);
  Staging(Staging&& other) noexcept
      : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}
  Staging& operator=(Staging&&) = delete;
  ~Staging();  // removes the folder

  [[nodiscard]] std::string out() const { return path_ + "/out"; }  // exists, empty, 0700

 private:
  Staging(std::string path, sys::FileLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  sys::FileLock lock_;
};

struct Swept {
  std::vector<std::string> paths;
  std::uint64_t bytes = 0;
};
// Removes the staging folders that nobody holds.
Result<Swept> sweep_staging(const std::string& platform_dir);

}  // namespace pyro::image
