// Environments: the catalogue, what is installed, pulling, checking and pruning.
//
// An environment is a folder <cache>/environments/linux-x86_64/<name>-<version>/ ("debian:12" is
// debian_12-1.0.0) with rootfs.erofs, vmlinuz, initramfs (kernel modules; the agent is added at
// boot) and environment.json, which holds every artefact's size and sha256. It is installed by one
// rename of a complete folder, so a half-written one is never seen.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/prune_report.h"
#include "base/result.h"
#include "sys/dirs.h"
#include "sys/fd.h"
#include "sys/file.h"

namespace pyro::image {

struct CatalogEntry {
  std::string name;  // debian:12
  std::string version;
  std::string description;
  std::vector<std::string> default_packages;  // what the description promises
  std::string distribution;
  std::string distribution_version;
  std::string platform = "linux-x86_64";
  // Commands run in the template before it is saved, so that clones find their pages warm.
  std::vector<std::vector<std::string>> warm_up;
};

const std::vector<CatalogEntry>& catalog();
// kNotFound names the known environments and the closest match.
Result<CatalogEntry> find_entry(const std::string& name);

struct EnvironmentInfo {
  CatalogEntry entry;
  bool installed = false;
  std::string damage;  // why an existing install is not used; empty when there is none
  std::string cache_dir;
  std::string install_dir;
  std::string install_manifest;
  std::string kernel_image;
  std::string rootfs_image;
  std::string initramfs_image;
  std::string source;  // for example "debian-mirror http://deb.debian.org/debian bookworm"
  std::uint64_t size_bytes = 0;  // of all artefacts; 0 when not installed
};

struct PullProgress {
  std::string phase;  // install phases: resolve, download, unpack, configure, image, verify, ready
  std::string detail;
  double fraction = -1;  // 0..1 of the whole pull, or -1 when unknown
};
using PullObserver = std::function<void(const PullProgress&)>;

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
  Result<PruneReport> prune();

  // How many artefacts this object has read in full to hash them.
  [[nodiscard]] std::uint64_t full_hashes() const { return full_hashes_; }

 private:
  struct Paths;
  [[nodiscard]] Paths paths_of(const CatalogEntry& entry) const;
  Result<EnvironmentInfo> fetch_and_install(const CatalogEntry& entry, const Paths& paths,
                                            const PullObserver& observer);
  Result<void> prune_entry(const std::string& platform_dir, const std::string& name,
                           PruneReport& report);

  sys::Dirs dirs_;
  Source* source_;
  std::atomic<std::uint64_t> full_hashes_ = 0;
};

}  // namespace pyro::image
