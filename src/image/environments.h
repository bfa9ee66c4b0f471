// Environments: the catalogue, what is installed, pulling, checking and pruning.
//
// An environment is a folder <cache>/environments/linux-x86_64/<name>-<version>/ ("debian:12" is
// debian_12-1.0.0) with rootfs.erofs, vmlinuz, initramfs (kernel modules; the agent is added at
// boot) and environment.json, which holds every artefact's size and sha256. It is installed by one
// rename of a complete folder, so a half-written one is never seen.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/pruned.h"
#include "base/result.h"
#include "pyro/environments.hpp"
#include "sys/dirs.h"
#include "sys/fd.h"
#include "sys/file.h"

namespace pyro::image {

using pyro::CatalogEntry;

const std::vector<CatalogEntry>& catalog();
// kNotFound names the known environments and the closest match.
Result<CatalogEntry> find_entry(const std::string& name);

using pyro::EnvironmentInfo;
using pyro::PullObserver;
using pyro::PullProgress;

// A verified environment, held by a shared lease so that prune leaves it alone.
struct InstalledEnvironment {
  CatalogEntry entry;
  std::string install_dir;
  std::string rootfs, kernel, initramfs;  // paths
  std::string rootfs_sha256, kernel_sha256, initramfs_sha256;
  sys::FileLock lease;
};

// Where artefacts come from. An OCI registry will be a second one.
class Source {
 public:
  virtual ~Source() = default;
  // Writes rootfs.erofs, vmlinuz and initramfs into `dir` (empty, private), and optionally
  // `packages` (lines NAME TAB VERSION) and `kernel-version`, which go into environment.json.
  // Anything else it leaves there is removed. May be killed at any time.
  virtual Result<std::string> fetch(
      const CatalogEntry& entry, const std::string& dir,
      const PullObserver& observer) = 0;  // returns EnvironmentInfo::source
};

class Environments {
 public:
  // `source` is borrowed and outlives this object; without one nothing can be pulled.
  explicit Environments(sys::Dirs dirs, Source* source = nullptr);

  Result<std::vector<EnvironmentInfo>> list();
  // Never fails for a damaged install: it says so in `damage`. Hashes every artefact when `deep`.
  Result<EnvironmentInfo> inspect(const std::string& name, bool deep);
  // Installs or repairs. Two pulls at once do the work once: the second waits and finds it done.
  Result<EnvironmentInfo> pull(const std::string& name, const PullObserver& observer);
  // For use: kNotFound when not installed, kDamaged when the artefacts do not match the manifest.
  // Artefacts whose stamp (size, inode, ctime) is the one seen at the last full hash are not read
  // again.
  Result<InstalledEnvironment> open(const std::string& name);
  // Removes installs that the catalogue no longer names, damaged ones, and what an interrupted pull
  // left behind; never one in use.
  Result<Pruned> prune();

  // How many artefacts this object has read in full to hash them.
  [[nodiscard]] std::uint64_t full_hashes() const { return full_hashes_; }

 private:
  struct Paths;
  [[nodiscard]] Paths paths_of(const CatalogEntry& entry) const;
  Result<EnvironmentInfo> fetch_and_install(const CatalogEntry& entry, const Paths& paths,
                                            const PullObserver& observer);
  Result<void> prune_entry(const std::string& platform_dir, const std::string& name,
                           Pruned& report);

  sys::Dirs dirs_;
  Source* source_;
  std::atomic<std::uint64_t> full_hashes_ = 0;
};

}  // namespace pyro::image
