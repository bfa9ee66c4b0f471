// Environments: the root images that sandboxes are made of.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace pyro {

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

}  // namespace pyro
