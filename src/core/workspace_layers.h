// The layers of a workspace's work disk as files, <folder>/layers/<id>.qcow2, and its baseline. The
// record says which there are; a file that it does not name is what a crash left.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/workspace_record.h"
#include "sys/fd.h"

namespace pyro::core {

// From the bottom to `top` (0: none).
Result<std::vector<store::LayerRecord>> layer_chain(const std::vector<store::LayerRecord>& layers,
                                                    std::int64_t top);

class WorkspaceLayers {
 public:
  explicit WorkspaceLayers(const std::string& folder)
      : dir_(folder + "/layers"), baseline_(folder + "/baseline.erofs") {}

  [[nodiscard]] std::string path(std::int64_t id) const;
  [[nodiscard]] const std::string& baseline_path() const { return baseline_; }

  // A new empty layer, on disk. O_RDWR.
  [[nodiscard]] Result<sys::UniqueFd> create(std::int64_t id) const;
  // The same without a name: for a machine whose writes nobody keeps.
  [[nodiscard]] Result<sys::UniqueFd> create_nameless() const;
  // The files of a chain, bottom to top, O_RDONLY but for the last where it is not frozen and
  // `write` is set. kDamaged names the one that is not as it was left.
  [[nodiscard]] Result<std::vector<sys::UniqueFd>> open(
      const std::vector<store::LayerRecord>& chain, bool write) const;
  [[nodiscard]] Result<sys::UniqueFd> open_baseline(const store::LayerStamp& expected) const;
  // Read-only for good, and how it must be found from now on.
  [[nodiscard]] Result<store::LayerStamp> freeze(std::int64_t id) const;
  [[nodiscard]] Result<void> remove(std::int64_t id) const;
  // The highest id of which there is a file; 0: none.
  [[nodiscard]] Result<std::int64_t> newest() const;
  // Removes every file that is none of these.
  [[nodiscard]] Result<void> sweep(const std::vector<store::LayerRecord>& known) const;

 private:
  std::string dir_, baseline_;
};

Result<store::LayerStamp> layer_stamp(const std::string& path);

// Which folder that is: its inode and, because inodes are used again, when it was made (statx(2),
// stx_btime; 0 where the file system does not know).
Result<std::string> folder_identity(const std::string& folder);
// A folder that is another than the recorded one is a copy, and so is each file in it. Their stamps
// are recorded anew, of those that still have their size. `record` is what `store` has.
Result<void> settle_copy(const std::string& folder, const store::WorkspaceRecord& record,
                         store::WorkspaceStore& store);

}  // namespace pyro::core
