// Freshly formatted disks for workspaces, made with mke2fs.
//
// <state>/disks/work-<id>.ext4 is the empty file system that the layers of work disks stand on:
// made once, sparse, sealed 0400, shared by all workspaces of the host. work-<id>.json says what it
// was when it was written, and is checked on use. The id is a hash of the content, so whoever
// stands on it says which one: formatting again after damage gives the same bytes or another id,
// never other bytes under the same id. It lies where the workspaces lie, because another version of
// mke2fs may not make the same again. `lock` (flock(2)) is held by who makes one.
//
// Both file systems are marked as zeroed, so that no kernel starts to write their inode tables in
// the background, whatever options they are mounted with. That reading does not grow a layer is up
// to who mounts it (MS_NOATIME).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace pyro::core {

struct WorkBase {
  std::string id;
  sys::UniqueFd file;  // O_RDONLY, vmm::kWorkBytes
};

class Disks {
 public:
  // Counted up when the same call would format differently.
  static constexpr int kWorkRecipe = 1;
  static constexpr int kScratchRecipe = 1;

  // `dir` is created. mke2fs is looked up in `search_path`, then where root has it. `old_dir`
  // (empty: none) is where bases were kept before: they are copied from there.
  Disks(std::string dir, std::string search_path, std::string old_dir = {})
      : dir_(std::move(dir)), search_path_(std::move(search_path)), old_dir_(std::move(old_dir)) {}

  // The one for new workspaces; formats it when there is none that is whole. Blocks for some ten
  // milliseconds then, also when another process is at it. kUnavailable without mke2fs.
  [[nodiscard]] Result<WorkBase> work_base() const;
  // The one that a workspace stands on. A file with its bytes will do, whatever happened to it (it
  // was moved, or comes from a backup). Without one it is formatted again, and kDamaged says that
  // the result is another one.
  [[nodiscard]] Result<WorkBase> work_base(const std::string& id) const;
  // A new file of vmm::kScratchBytes (0400) with an empty file system without a journal. O_RDWR.
  [[nodiscard]] Result<sys::UniqueFd> new_scratch(const std::string& path) const;

 private:
  [[nodiscard]] std::string fresh_path() const { return dir_ + "/.new"; }
  [[nodiscard]] Result<WorkBase> open(const std::string& id) const;
  [[nodiscard]] Result<WorkBase> find() const;
  [[nodiscard]] Result<WorkBase> make() const;
  [[nodiscard]] Result<WorkBase> seal_fresh(const sys::UniqueFd& file, const std::string& id) const;
  [[nodiscard]] Result<void> adopt(const std::string& path, const std::string& id) const;
  void adopt_all() const;
  [[nodiscard]] Result<void> format(const std::string& path,
                                    const std::vector<std::string>& options) const;

  std::string dir_, search_path_, old_dir_;
};

// A baseline device with nothing in it: without a name, on the file system of `folder`. O_RDONLY.
Result<sys::UniqueFd> empty_baseline(const std::string& folder);

}  // namespace pyro::core
