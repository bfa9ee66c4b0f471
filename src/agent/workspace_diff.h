// What differs from the baseline. The walk follows what overlayfs has written to its upper layer,
// so it costs what the change costs (Linux, Documentation/filesystems/overlayfs.rst).
#pragma once

#include "agent/workspace_tree.h"

namespace pyro::agent {

// See proto::WorkspaceDiff.
class TreeDiff final : public TreeProducer {
 public:
  // Borrows the descriptors.
  TreeDiff(const WorkspaceDirs& dirs, std::int64_t max_content);
  Result<bool> fill(std::string& out) override;

 private:
  // One folder. While merged, the new side is the upper layer's and a name it has not is unchanged;
  // otherwise the new side is what the user sees, and what either side has is compared.
  struct Frame {
    std::string path;
    bool merged = false;
    bool has_old = false, has_new = false;
    bool read = false;  // its names are
    std::vector<std::string> names;
    std::size_t at = 0;
    sys::UniqueFd old_dir, new_dir;
  };
  struct Side {
    bool there = false;
    struct stat st{};
  };
  // Two files of the same size and mode that have to be read.
  struct Comparison {
    sys::UniqueFd was, is;
    std::string path, name;
    Side old_side, new_side;
  };
  Result<void> open(Frame& frame);
  Result<void> read_names(Frame& frame);
  Result<bool> hides_baseline(const Frame& frame) const;
  static Result<Side> side(int dir, const std::string& name);
  Result<void> step(std::string& out);
  Result<void> folders_and_others(std::string& out, const Side& was, const Side& is,
                                  const std::string& path, const std::string& name, bool merged);
  Result<bool> same(const Side& was, const Side& is, const std::string& path,
                    const std::string& name);
  // Goes on with `c`, which is comparison_.
  Result<void> compare(Comparison& c, std::string& out);
  Result<void> changed(std::string& out, const Side& was, const Side& is, const std::string& path,
                       const std::string& name);
  Result<void> put(std::string& out, int dir, const std::string& name, const std::string& path,
                   const struct stat& st, bool content);

  const WorkspaceDirs& dirs_;
  std::int64_t max_content_;
  std::vector<Frame> frames_;
  std::optional<Comparison> comparison_;
  std::string left_bytes_, right_bytes_;  // read by compare()
};

}  // namespace pyro::agent
