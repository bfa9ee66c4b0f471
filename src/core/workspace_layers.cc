#include "core/workspace_layers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "sys/file.h"
#include "sys/sparse.h"
#include "vmm/qcow2.h"

namespace pyro::core {

namespace {

constexpr std::string_view kSuffix = ".qcow2";

std::unexpected<Error> damaged(const std::string& path, const std::string& why) {
  return fail_hint(Errc::kDamaged, fmt::format("the layer {} is damaged: {}", path, why),
                   "reset the workspace to another snapshot, or to the baseline");
}

// Whoever ended between freeze() and the record of it left one that its owner may only read.
Result<sys::UniqueFd> open_to_write(const std::string& path) {
  PYRO_TRY(const sys::UniqueFd fd, sys::open_file(path, O_RDONLY | O_NOFOLLOW));
  PYRO_CHECK(sys::retrying("chmod " + path, [&] { return ::fchmod(fd.get(), 0600); }));
  return sys::reopen(fd.get(), O_RDWR);
}

Result<sys::UniqueFd> open_layer(const std::string& path, const store::LayerRecord& layer,
                                 bool write) {
  auto fd = write ? open_to_write(path) : sys::open_file(path, O_RDONLY | O_NOFOLLOW);
  if (!fd) return damaged(path, fd.error().message);
  if (layer.frozen) {
    PYRO_TRY(const store::LayerStamp now, layer_stamp(path));
    if (now != *layer.frozen) return damaged(path, "it was changed after it was closed");
  }
  if (auto fine = vmm::check_layer(fd->get()); !fine) return damaged(path, fine.error().message);
  return fd;
}

}  // namespace

Result<store::LayerStamp> layer_stamp(const std::string& path) {
  PYRO_TRY(const sys::FileStamp stamp, sys::stamp(path));
  return store::LayerStamp{.size = static_cast<std::int64_t>(stamp.size),
                           .inode = static_cast<std::int64_t>(stamp.inode),
                           .ctime_ns = stamp.ctime_ns};
}

Result<std::string> folder_identity(const std::string& folder) {
  struct statx found{};
  PYRO_CHECK(sys::retrying("statx " + folder, [&] {
    return ::statx(AT_FDCWD, folder.c_str(), AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &found);
  }));
  const bool born = (found.stx_mask & STATX_BTIME) != 0;
  return fmt::format("{}:{}.{:09}", found.stx_ino, born ? found.stx_btime.tv_sec : 0,
                     born ? found.stx_btime.tv_nsec : 0);
}

Result<void> settle_copy(const std::string& folder, const store::WorkspaceRecord& record,
                         store::WorkspaceStore& store) {
  PYRO_TRY(const std::string identity, folder_identity(folder));
  if (identity == record.folder) return {};
  const bool copied = !record.folder.empty();  // an older pyro did not note it
  const WorkspaceLayers files(folder);
  const auto found = [copied](const std::string& path, const store::LayerStamp& known) {
    const auto now = layer_stamp(path);
    return copied && now && now->size == known.size ? *now : known;
  };
  PYRO_TRY(std::vector<store::LayerRecord> layers, store.layers());
  for (store::LayerRecord& layer : layers) {
    if (layer.frozen) layer.frozen = found(files.path(layer.id), *layer.frozen);
  }
  return store.set_files(identity, found(files.baseline_path(), record.baseline), layers);
}

Result<std::vector<store::LayerRecord>> layer_chain(const std::vector<store::LayerRecord>& layers,
                                                    std::int64_t top) {
  std::vector<store::LayerRecord> chain;
  while (top != 0) {
    const auto found = std::ranges::find(layers, top, &store::LayerRecord::id);
    // A parent is always older than what stands on it, so this ends.
    if (found == layers.end() || found->parent >= found->id)
      return fail(Errc::kDamaged, fmt::format("the record has no layer {}", top));
    chain.push_back(*found);
    top = found->parent;
  }
  std::ranges::reverse(chain);
  return chain;
}

std::string WorkspaceLayers::path(std::int64_t id) const {
  return fmt::format("{}/{}{}", dir_, id, kSuffix);
}

Result<sys::UniqueFd> WorkspaceLayers::create(std::int64_t id) const {
  PYRO_CHECK(sys::make_dirs(dir_));
  return vmm::create_layer(path(id));
}

Result<sys::UniqueFd> WorkspaceLayers::create_nameless() const {
  PYRO_CHECK(sys::make_dirs(dir_));
  const std::string path = fmt::format("{}/.unnamed-{}", dir_, ::getpid());
  static_cast<void>(::unlink(path.c_str()));  // what a crash left
  PYRO_TRY(sys::UniqueFd fd, vmm::create_layer(path));
  PYRO_CHECK(sys::retrying("unlink " + path, [&] { return ::unlink(path.c_str()); }));
  return fd;
}

Result<std::vector<sys::UniqueFd>> WorkspaceLayers::open(
    const std::vector<store::LayerRecord>& chain, bool write) const {
  std::vector<sys::UniqueFd> files;
  files.reserve(chain.size());
  for (const store::LayerRecord& layer : chain) {
    const bool writable = write && !layer.frozen && &layer == &chain.back();
    PYRO_TRY(sys::UniqueFd file, open_layer(path(layer.id), layer, writable));
    files.push_back(std::move(file));
  }
  return files;
}

Result<sys::UniqueFd> WorkspaceLayers::open_baseline(const store::LayerStamp& expected) const {
  const auto now = layer_stamp(baseline_);
  if (!now || *now != expected) {
    return fail_hint(Errc::kDamaged,
                     fmt::format("the baseline {} is damaged: {}", baseline_,
                                 now ? "it was changed after it was made" : now.error().message),
                     "the workspace cannot be opened without it: delete it and create another");
  }
  return sys::open_file(baseline_, O_RDONLY | O_NOFOLLOW);
}

Result<store::LayerStamp> WorkspaceLayers::freeze(std::int64_t id) const {
  PYRO_CHECK(sys::retrying("chmod " + path(id), [&] { return ::chmod(path(id).c_str(), 0400); }));
  return layer_stamp(path(id));
}

Result<void> WorkspaceLayers::remove(std::int64_t id) const {
  if (::unlink(path(id).c_str()) != 0 && errno != ENOENT)
    return sys::fail_errno("unlink " + path(id), errno);
  return {};
}

Result<std::int64_t> WorkspaceLayers::newest() const {
  std::int64_t newest = 0;
  if (!sys::exists(dir_)) return newest;
  PYRO_TRY(const auto names, sys::list_dir(dir_));
  for (const std::string& name : names) {
    if (!name.ends_with(kSuffix)) continue;
    const char* const suffix = name.data() + name.size() - kSuffix.size();
    std::int64_t id = 0;
    const auto [end, error] = std::from_chars(name.data(), suffix, id);
    if (error == std::errc() && end == suffix) newest = std::max(newest, id);
  }
  return newest;
}

Result<void> WorkspaceLayers::sweep(const std::vector<store::LayerRecord>& known) const {
  if (!sys::exists(dir_)) return {};
  PYRO_TRY(const auto names, sys::list_dir(dir_));
  for (const std::string& name : names) {
    const auto is = [&](const store::LayerRecord& l) { return path(l.id) == dir_ + "/" + name; };
    if (std::ranges::any_of(known, is)) continue;
    PYRO_CHECK(sys::remove_tree(dir_ + "/" + name));
  }
  return {};
}

}  // namespace pyro::core
