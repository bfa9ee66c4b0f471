// The template cache: machines booted and warmed once, cloned ever after.
//
// <cache>/templates/<key>/ holds `memory` (the guest's RAM, sparse), `state` (device state) and
// `manifest.json` (sizes, hashes and the stamps seen when they were written), all mode 0400; that
// of a workspace machine also `scratch`, the disk that its guest has mounted. The key is a hash
// over everything the saved state depends on, so a changed part means another template, never a
// wrong one. A folder is installed by one rename. Locks (all flock(2)):
//   <key>.lease      shared by every sandbox that runs on it; exclusive to remove it
//   <key>.build      exclusive by who builds it
//   .building-*/lock exclusive by who builds there: what is not locked was left by a crash
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/disks.h"
#include "core/guest.h"
#include "image/environments.h"
#include "sys/file.h"
#include "vmm/vmm.h"

namespace pyro::core {

// A template ready to be cloned. The memory descriptor cannot be written through.
struct Template {
  std::string key;
  sys::UniqueFd memory;  // O_RDONLY
  sys::UniqueFd state;   // O_RDONLY, at its start
  // O_RDONLY; there for a workspace machine. The guest's memory knows what is on it, so each clone
  // gets a copy of this one (sys::nameless_copy) and no other.
  sys::UniqueFd scratch;
  sys::FileLock lease;
  bool built = false;  // by this call
};

struct TemplateRequest {
  const image::InstalledEnvironment& environment;  // borrowed until the call returns
  vmm::Shape shape;
  BootConfig boot;
  const Disks* disks = nullptr;  // borrowed; needed where the shape has disks
  std::function<void(const std::string& detail)> on_phase;  // building or waiting; may be empty
};

class Templates {
 public:
  static constexpr std::uint64_t kMostBytes = 2ULL << 30;

  // `vmm` is borrowed. `dir` is created. After each build the least recently used templates go
  // until at most `most_bytes` are left.
  Templates(std::string dir, vmm::Vmm& vmm, std::uint64_t most_bytes = kMostBytes)
      : dir_(std::move(dir)), vmm_(vmm), most_bytes_(most_bytes) {}

  // Opens the template or builds it; of several callers one builds and the others wait. A template
  // whose files are not the ones that were written is built again.
  io::Task<Template> ensure(TemplateRequest request);
  [[nodiscard]] Result<std::string> key_of(const TemplateRequest& request) const;

  // Removes the least recently used templates that no sandbox runs on until at most `keep_bytes`
  // are left (0: all of them), and what a build left behind that crashed more than a minute ago.
  static Result<Pruned> prune(const std::string& dir, std::uint64_t keep_bytes);
  // Reads every template's files again and compares their hashes. Names the damaged ones.
  static Result<std::vector<std::string>> verify(const std::string& dir);

 private:
  Result<Template> open(const std::string& key) const;
  io::Task<Template> build(const std::string& key, const TemplateRequest& request);
  // Boots a machine and leaves everything of a template in `folder`.
  io::Task<void> fill(const std::string& folder, const std::string& key,
                      const TemplateRequest& request);
  static io::Task<void> boot_and_save(Guest& guest, const TemplateRequest& request);

  std::string dir_;
  vmm::Vmm& vmm_;
  std::uint64_t most_bytes_;
};

}  // namespace pyro::core
