#include "image/environments.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>

#include "image/install_check.h"
#include "image/staging.h"
#include "sys/staging.h"

namespace pyro::image {
namespace {

using Mode = sys::FileLock::Mode;

std::string folder_name(const CatalogEntry& entry) {
  std::string name = entry.name;
  std::ranges::replace(name, ':', '_');
  return name + "-" + entry.version;
}

// Progress that never goes back, whatever a source reports.
PullObserver monotone(const PullObserver& observer) {
  return [&observer, last = 0.0](const PullProgress& progress) mutable {
    PullProgress shown = progress;
    if (shown.fraction >= 0) shown.fraction = last = std::clamp(shown.fraction, last, 1.0);
    if (observer) observer(shown);
  };
}

std::uint64_t total_size(const Manifest& manifest) {
  std::uint64_t sum = 0;
  for (const auto& [name, artefact] : manifest.artefacts) sum += artefact.size;
  return sum;
}

// Puts `from` at `to`, whatever is there; that then is at `from`.
Result<void> swap_in(const std::string& from, const std::string& to, const std::string& aside) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) return {};
  // A file system that knows neither flag.
  if (::rename(to.c_str(), aside.c_str()) != 0 && errno != ENOENT) {
    return sys::fail_errno("move the old " + to, errno);
  }
  if (::rename(from.c_str(), to.c_str()) != 0) return sys::fail_errno("install " + to, errno);
  return {};
}

}  // namespace

struct Environments::Paths {
  std::string platform_dir, install_dir, lease, pull_lock;
};

Environments::Environments(sys::Dirs dirs, Source* source)
    : dirs_(std::move(dirs)), source_(source) {}

Environments::Paths Environments::paths_of(const CatalogEntry& entry) const {
  const std::string platform_dir = dirs_.environments() + "/" + entry.platform;
  const std::string install_dir = platform_dir + "/" + folder_name(entry);
  return {.platform_dir = platform_dir,
          .install_dir = install_dir,
          .lease = install_dir + ".lease",
          .pull_lock = install_dir + ".pull"};
}

Result<EnvironmentInfo> Environments::inspect(const std::string& name, bool deep) {
  PYRO_TRY(const CatalogEntry entry, find_entry(name));
  const Paths paths = paths_of(entry);
  EnvironmentInfo info;
  info.entry = entry;
  info.cache_dir = dirs_.cache;
  info.install_dir = paths.install_dir;
  info.install_manifest = fmt::format("{}/{}", paths.install_dir, kManifestName);
  info.kernel_image = fmt::format("{}/{}", paths.install_dir, kKernelName);
  info.rootfs_image = fmt::format("{}/{}", paths.install_dir, kRootfsName);
  info.initramfs_image = fmt::format("{}/{}", paths.install_dir, kInitramfsName);
  const auto manifest =
      check_install(entry, paths.install_dir, deep ? Depth::kHashes : Depth::kSizes, full_hashes_);
  if (manifest) {
    info.installed = true;
    info.source = manifest->source;
    info.size_bytes = total_size(*manifest);
  } else if (manifest.error().code != Errc::kNotFound) {
    info.damage = manifest.error().message;
  }
  return info;
}

Result<std::vector<EnvironmentInfo>> Environments::list() {
  std::vector<EnvironmentInfo> infos;
  for (const CatalogEntry& entry : catalog()) {
    PYRO_TRY(EnvironmentInfo info, inspect(entry.name, /*deep=*/false));
    infos.push_back(std::move(info));
  }
  return infos;
}

Result<EnvironmentInfo> Environments::pull(const std::string& name, const PullObserver& observer) {
  PYRO_TRY(const CatalogEntry entry, find_entry(name));
  const Paths paths = paths_of(entry);
  const PullObserver report = monotone(observer);
  PYRO_CHECK(sys::make_dirs(paths.platform_dir));
  const auto installed = [&] {
    const bool good =
        check_install(entry, paths.install_dir, Depth::kStamps, full_hashes_).has_value();
    if (good) report({.phase = "ready", .detail = "already installed", .fraction = 1});
    return good;
  };
  report({.phase = "resolve", .detail = entry.name, .fraction = 0});
  if (installed()) return inspect(name, /*deep=*/false);
  auto lock = sys::FileLock::try_acquire(paths.pull_lock, Mode::kExclusive);
  if (!lock && lock.error().code == Errc::kConflict) {
    report(
        {.phase = "wait", .detail = "another pull of this environment is running", .fraction = -1});
    lock = sys::FileLock::acquire(paths.pull_lock, Mode::kExclusive);
  }
  if (!lock) return std::unexpected(std::move(lock).error());
  // What looked damaged may have been repaired while we waited.
  if (installed()) return inspect(name, /*deep=*/false);
  return fetch_and_install(entry, paths, report);
}

Result<EnvironmentInfo> Environments::fetch_and_install(const CatalogEntry& entry,
                                                        const Paths& paths,
                                                        const PullObserver& observer) {
  PYRO_TRY(const sys::Swept swept, sys::sweep_staging(paths.platform_dir, remove_build_tree));
  (void)swept;
  PYRO_TRY(const sys::Staging staging, sys::Staging::create(paths.platform_dir, remove_build_tree));
  auto source = source_->fetch(entry, staging.out(), observer);
  if (!source) return std::unexpected(std::move(source).error().context("pull " + entry.name));
  auto sealed = seal_install(entry, staging.out(), *source, observer, full_hashes_);
  if (!sealed) return std::unexpected(std::move(sealed).error().context("pull " + entry.name));
  PYRO_CHECK(swap_in(staging.out(), paths.install_dir, staging.out() + "-old"));
  PYRO_CHECK(sys::sync_dir(paths.platform_dir));
  observer({.phase = "ready", .detail = entry.name, .fraction = 1});
  return inspect(entry.name, /*deep=*/false);
}

Result<InstalledEnvironment> Environments::open(const std::string& name) {
  PYRO_TRY(CatalogEntry entry, find_entry(name));
  const Paths paths = paths_of(entry);
  if (!sys::exists(paths.install_dir)) {
    return fail_hint(Errc::kNotFound, fmt::format("environment {} is not installed", name),
                     "run: pyro env pull " + name);
  }
  // The lease comes first: from here on prune leaves the folder alone.
  PYRO_TRY(sys::FileLock lease, sys::FileLock::acquire(paths.lease, Mode::kShared));
  auto manifest = check_install(entry, paths.install_dir, Depth::kStamps, full_hashes_);
  if (!manifest) {
    Error error = std::move(manifest).error().context("environment " + name);
    return std::unexpected(std::move(error).with_hint("run: pyro env pull " + name));
  }
  const auto artefact = [&](std::string_view file) {
    return manifest->artefacts.find(file)->second;
  };
  return InstalledEnvironment{.entry = std::move(entry),
                              .install_dir = paths.install_dir,
                              .rootfs = fmt::format("{}/{}", paths.install_dir, kRootfsName),
                              .kernel = fmt::format("{}/{}", paths.install_dir, kKernelName),
                              .initramfs = fmt::format("{}/{}", paths.install_dir, kInitramfsName),
                              .rootfs_sha256 = artefact(kRootfsName).sha256,
                              .kernel_sha256 = artefact(kKernelName).sha256,
                              .initramfs_sha256 = artefact(kInitramfsName).sha256,
                              .lease = std::move(lease)};
}

Result<Pruned> Environments::prune() {
  Pruned report;
  const std::string platform_dir = dirs_.environments() + "/" + catalog().front().platform;
  if (!sys::exists(platform_dir)) return report;
  PYRO_TRY(sys::Swept swept, sys::sweep_staging(platform_dir, remove_build_tree));
  report.deleted = std::move(swept.paths);
  report.freed_bytes = swept.bytes;
  PYRO_TRY(const std::vector<std::string> names, sys::list_dir(platform_dir));
  for (const std::string& name : names) {
    if (name.starts_with(".") || name.ends_with(".lease") || name.ends_with(".pull")) continue;
    PYRO_CHECK(prune_entry(platform_dir, name, report));
  }
  return report;
}

Result<void> Environments::prune_entry(const std::string& platform_dir, const std::string& name,
                                       Pruned& report) {
  const std::string path = platform_dir + "/" + name;
  const auto& entries = catalog();
  const auto entry = std::ranges::find(entries, name, folder_name);
  const auto good = [&] {
    return entry != entries.end() &&
           check_install(*entry, path, Depth::kStamps, full_hashes_).has_value();
  };
  if (good()) return {};
  const auto pull_lock = sys::FileLock::try_acquire(path + ".pull", Mode::kExclusive);
  const auto lease = sys::FileLock::try_acquire(path + ".lease", Mode::kExclusive);
  for (const auto* lock : {&pull_lock, &lease}) {
    if (*lock) continue;
    if (lock->error().code != Errc::kConflict) return std::unexpected(lock->error());
    report.kept_in_use.push_back(path);
    return {};
  }
  if (good()) return {};  // repaired before the locks were ours
  const std::uint64_t bytes = sys::tree_usage(path);
  // Out of its place at once, so that it is never seen half removed.
  PYRO_TRY(const sys::Staging staging, sys::Staging::create(platform_dir, remove_build_tree));
  const std::string aside = staging.out() + "/pruned";
  if (::rename(path.c_str(), aside.c_str()) != 0) return sys::fail_errno("remove " + path, errno);
  report.deleted.push_back(path);
  report.freed_bytes += bytes;
  return {};
}

}  // namespace pyro::image
