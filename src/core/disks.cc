#include "core/disks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "core/sealed_file.h"
#include "image/sha256.h"
#include "proto/json.h"
#include "sys/file.h"
#include "sys/process.h"
#include "sys/sparse.h"
#include "vmm/vmm.h"

namespace pyro::core {
namespace {

using Mode = sys::FileLock::Mode;
constexpr std::size_t kHashDigits = 16;
constexpr const char* kPrefix = "work-";
constexpr const char* kManifestSuffix = ".json";
constexpr const char* kImageSuffix = ".ext4";
constexpr std::uint64_t kMostManifest = 64U << 10;

std::string recipe_prefix() {
  return fmt::format("{}-", Disks::kWorkRecipe);
}

// RECIPE-HASH: checked before it becomes part of a path.
bool is_id(std::string_view id) {
  const auto dash = id.find('-');
  if (dash == 0 || dash == std::string_view::npos || dash > 4) return false;
  const std::string_view hash = id.substr(dash + 1);
  return id.find_first_not_of("0123456789") == dash && hash.size() == kHashDigits &&
         hash.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Over the blocks that are not zero: where the host's file system sees holes does not matter.
Result<std::string> content_sha256(int fd) {
  constexpr std::size_t kBlock = 4096;
  image::Sha256 hash;
  std::string block(kBlock, '\0');
  PYRO_CHECK(sys::for_each_extent(fd, [&](off_t begin, off_t end) -> Result<void> {
    for (off_t at = begin - begin % static_cast<off_t>(kBlock); at < end; at += kBlock) {
      PYRO_TRY(const int n,
               sys::retrying("pread", [&] { return ::pread(fd, block.data(), kBlock, at); }));
      const std::string_view got(block.data(), static_cast<std::size_t>(n));
      if (got.find_first_not_of('\0') == std::string_view::npos) continue;
      PYRO_CHECK(hash.update(fmt::format("{}:", at)));
      PYRO_CHECK(hash.update(got));
    }
    return {};
  }));
  return hash.finish();
}

// All that mke2fs could take from its configuration, the clock or chance is given: the same version
// of this list gives the same bytes.
std::vector<std::string> common_options() {
  return {"-q", "-F", "-b", "4096", "-I", "256", "-i", "16384", "-m", "0"};
}
constexpr const char* kFeatures =
    "none,ext_attr,dir_index,filetype,extent,flex_bg,sparse_super,large_file,huge_file,dir_nlink,"
    "extra_isize,metadata_csum";
std::string extended_options(const char* hash_seed) {
  return fmt::format(
      "hash_seed={},lazy_itable_init=1,lazy_journal_init=1,assume_storage_prezeroed=1,nodiscard,"
      "root_owner=0:0",
      hash_seed);
}

std::vector<std::string> work_options() {
  auto options = common_options();
  // remount-ro: a file system that contradicts itself is better read than written. The journal is
  // small because every block of it ends up in each layer.
  options.insert(options.end(),
                 {"-L", "pyro-work", "-U", "7079726f-0000-4000-8000-776f726b0001", "-e",
                  "remount-ro", "-O", std::string(kFeatures) + ",has_journal", "-J", "size=32",
                  "-E", extended_options("7079726f-0000-4000-8000-776f726b0002")});
  return options;
}

std::vector<std::string> scratch_options() {
  auto options = common_options();
  options.insert(options.end(),
                 {"-L", "pyro-scratch", "-U", "7079726f-0000-4000-8000-736372610001", "-O",
                  kFeatures, "-E", extended_options("7079726f-0000-4000-8000-736372610002")});
  return options;
}

// A sparse file of that size, in place of whatever a crash left.
Result<sys::UniqueFd> sized_file(const std::string& path, std::uint64_t bytes) {
  PYRO_TRY(sys::UniqueFd fd, sys::open_file(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW));
  PYRO_CHECK(sys::retrying("ftruncate " + path,
                           [&] { return ::ftruncate(fd.get(), static_cast<off_t>(bytes)); }));
  return fd;
}

Result<void> seal(const sys::UniqueFd& fd, const std::string& path) {
  PYRO_CHECK(sys::retrying("chmod " + path, [&] { return ::fchmod(fd.get(), 0400); }));
  return {};
}

}  // namespace

Result<void> Disks::format(const std::string& path, const std::vector<std::string>& options) const {
  // Ordinary users have it installed, but not in their PATH.
  const auto program = sys::find_program("mke2fs", search_path_ + ":/usr/sbin:/sbin");
  if (!program) {
    return fail_hint(Errc::kUnavailable, "formatting a workspace's disk needs mke2fs",
                     "run: sudo apt-get install e2fsprogs");
  }
  sys::SpawnSpec spec{.program = *program, .argv = {*program}, .cwd = "/", .die_with_parent = true};
  spec.env = {"LC_ALL=C", "MKE2FS_CONFIG=/dev/null", "E2FSPROGS_FAKE_TIME=1700000000"};
  spec.argv.insert(spec.argv.end(), options.begin(), options.end());
  spec.argv.push_back(path);
  PYRO_TRY(const sys::Captured run, sys::run_captured(spec));
  if (run.status.shell_code() == 0) return {};
  return fail_hint(Errc::kUnavailable,
                   fmt::format("mke2fs ended with {} on {}: {}", run.status.shell_code(), path,
                               run.err.substr(0, 500)),
                   "it must be of e2fsprogs 1.47 or newer");
}

Result<WorkBase> Disks::open(const std::string& id) const {
  const std::string stem = dir_ + "/" + kPrefix + id;
  PYRO_TRY(const std::string text, sys::read_file(stem + kManifestSuffix, kMostManifest));
  PYRO_TRY(const auto expected, proto::decode_text<SealedFile>(text));
  PYRO_TRY(sys::UniqueFd file, open_sealed(stem + kImageSuffix, expected));
  return WorkBase{.id = id, .file = std::move(file)};
}

Result<WorkBase> Disks::find() const {
  PYRO_TRY(const auto names, sys::list_dir(dir_));
  const std::string wanted = kPrefix + recipe_prefix();
  for (const std::string& name : names) {
    if (!name.starts_with(wanted) || !name.ends_with(kManifestSuffix)) continue;
    const std::size_t from = std::string_view(kPrefix).size();
    const std::string id = name.substr(from, name.size() - from - 5);
    if (!is_id(id)) continue;
    if (auto found = open(id)) return found;
  }
  return fail(Errc::kNotFound, "no work disk was formatted yet");
}

Result<WorkBase> Disks::make() const {
  const std::string fresh = fresh_path();
  PYRO_TRY(const sys::UniqueFd file, sized_file(fresh, vmm::kWorkBytes));
  PYRO_CHECK(format(fresh, work_options()));
  PYRO_TRY(const std::string hash, content_sha256(file.get()));
  return seal_fresh(file, recipe_prefix() + hash.substr(0, kHashDigits));
}

Result<WorkBase> Disks::seal_fresh(const sys::UniqueFd& file, const std::string& id) const {
  const std::string fresh = fresh_path();
  const std::string stem = dir_ + "/" + kPrefix + id;
  PYRO_CHECK(seal(file, fresh));
  PYRO_CHECK(sys::retrying("rename " + stem,
                           [&] { return ::rename(fresh.c_str(), (stem + kImageSuffix).c_str()); }));
  // After the rename, which changes the ctime. Without it the file counts as not there.
  PYRO_TRY(SealedFile stamp, describe_sealed(stem + kImageSuffix));
  PYRO_CHECK(
      sys::write_file_atomic(stem + kManifestSuffix, proto::to_text(proto::encode(stamp)), 0400));
  return open(id);
}

// A file counts by its bytes: the copy is hashed, not what it was made of.
Result<void> Disks::adopt(const std::string& path, const std::string& id) const {
  PYRO_TRY(const sys::UniqueFd old, sys::open_file(path, O_RDONLY | O_NOFOLLOW));
  PYRO_TRY(const sys::FileStamp stamp, sys::stamp(old.get()));
  if (stamp.size != vmm::kWorkBytes) return fail(Errc::kDamaged, path + " has another size");
  PYRO_TRY(const sys::UniqueFd file, sized_file(fresh_path(), 0));
  PYRO_CHECK(sys::copy_sparse(old.get(), file.get()));
  PYRO_TRY(const std::string hash, content_sha256(file.get()));
  if (id.substr(id.find('-') + 1) != hash.substr(0, kHashDigits))
    return fail(Errc::kDamaged, path + " has another content");
  PYRO_CHECK(seal_fresh(file, id));
  return {};
}

// Every base that is not in its place as it was sealed, but has the right bytes; one that cannot be
// had is missed by who needs it.
void Disks::adopt_all() const {
  for (const std::string& dir : {dir_, old_dir_}) {
    const auto names = sys::list_dir(dir);
    if (!names) continue;
    for (const std::string& name : *names) {
      if (!name.starts_with(kPrefix) || !name.ends_with(kImageSuffix)) continue;
      const std::size_t from = std::string_view(kPrefix).size();
      const std::string id =
          name.substr(from, name.size() - from - std::string_view(kImageSuffix).size());
      if (is_id(id) && !open(id)) static_cast<void>(adopt(dir + "/" + name, id));
    }
  }
}

Result<WorkBase> Disks::work_base() const {
  if (auto found = find()) return found;
  PYRO_CHECK(sys::make_dirs(dir_));
  PYRO_TRY(const auto lock, sys::FileLock::acquire(dir_ + "/lock", Mode::kExclusive));
  if (auto found = find()) return found;  // somebody else made it meanwhile
  adopt_all();
  if (auto found = find()) return found;
  return make();
}

Result<WorkBase> Disks::work_base(const std::string& id) const {
  if (!is_id(id)) return fail(Errc::kInvalid, "not the id of a work disk's base");
  if (auto found = open(id)) return found;
  PYRO_CHECK(sys::make_dirs(dir_));
  PYRO_TRY(const auto lock, sys::FileLock::acquire(dir_ + "/lock", Mode::kExclusive));
  if (auto found = open(id)) return found;
  adopt_all();
  if (auto found = open(id)) return found;
  PYRO_TRY(WorkBase made, make());
  if (made.id == id) return made;
  return fail_hint(
      Errc::kDamaged,
      fmt::format("the file system {}/{}{}.ext4, which the workspace stands on, is gone or was "
                  "changed, and this host's mke2fs makes another one ({})",
                  dir_, kPrefix, id, made.id),
      "bring the file back from a backup; without it the workspace cannot be opened");
}

Result<sys::UniqueFd> Disks::new_scratch(const std::string& path) const {
  PYRO_TRY(sys::UniqueFd file, sized_file(path, vmm::kScratchBytes));
  PYRO_CHECK(format(path, scratch_options()));
  PYRO_CHECK(seal(file, path));
  return file;
}

Result<sys::UniqueFd> empty_baseline(const std::string& folder) {
  PYRO_TRY(const sys::UniqueFd file, sys::nameless_file(folder));
  PYRO_CHECK(sys::retrying("ftruncate", [&] {
    return ::ftruncate(file.get(), static_cast<off_t>(vmm::kBaselineBytes));
  }));
  return sys::reopen(file.get(), O_RDONLY);
}

}  // namespace pyro::core
