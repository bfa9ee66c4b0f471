// A tree on disk, in a private folder: from which mkfs.erofs makes an image, or which is then moved
// to where a user wants it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "seed/carry.h"
#include "sys/fd.h"

namespace pyro::seed {

// Nothing is synced: a tree that a crash cuts short is thrown away. Folders stay 0700 until
// finish(), so that every one can be entered and written whatever its own mode is.
class Stage final : public Consumer {
 public:
  // What the tree is for: some names cannot be in an image.
  enum class For : std::uint8_t { kImage, kUser };
  // `dir` exists, is empty and private.
  static Result<Stage> open(const std::string& dir, For purpose = For::kImage);

  Result<void> add(const wire::TreeEntry& entry, bool again) override;
  Result<void> data(std::string_view bytes) override;
  Result<void> end_file() override;
  [[nodiscard]] int file_fd() const override { return file_.get(); }

  // Gives folders their modes and times, from the deepest up.
  Result<void> finish();
  // Whether some mode denies its owner reading (or entering, for a folder): only root can read
  // all of this then.
  [[nodiscard]] bool denies_owner() const { return denies_owner_; }

 private:
  Stage(sys::UniqueFd root, std::size_t longest, For purpose)
      : root_(std::move(root)), longest_(longest), purpose_(purpose) {}
  Result<void> check_name(const wire::TreeEntry& entry) const;
  // A descriptor of the folder above, and what is left of the path.
  Result<int> parent_of(std::string_view path);
  Result<void> make_file(int parent, const std::string& name, const wire::TreeEntry& entry);
  Result<void> make_link(int parent, const std::string& name, const wire::TreeEntry& entry) const;

  struct Final {
    std::uint32_t mode = 0755;
    std::int64_t mtime_ns = 0;
  };
  sys::UniqueFd root_;
  std::size_t longest_;  // bytes of a path here that mkfs.erofs can still open
  For purpose_;
  // What is below comes first, because a path is a prefix of those below it.
  std::map<std::string, Final, std::greater<>> folders_;
  std::string parent_path_;
  sys::UniqueFd parent_;  // of parent_path_; none: the root
  sys::UniqueFd file_;
  wire::TreeEntry current_;
  bool denies_owner_ = false;
};

}  // namespace pyro::seed
