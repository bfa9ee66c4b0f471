#include "sys/staging.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "sys/random.h"

namespace pyro::sys {
namespace {

constexpr std::string_view kPrefix = ".staging-";
constexpr std::size_t kIdBytes = 8;

// Held while a folder is made and locked, and while leftovers are looked for: in between, a new
// folder would look abandoned.
std::string lock_path(const std::string& parent) {
  return parent + "/.staging.lock";
}
Result<FileLock> directory_lock(const std::string& parent) {
  return FileLock::acquire(lock_path(parent), FileLock::Mode::kExclusive);
}

// Such a folder may stand beside a user's own: only a name that create() makes is taken for one.
bool is_staging(std::string_view name) {
  if (!name.starts_with(kPrefix) || name.size() != kPrefix.size() + 2 * kIdBytes) return false;
  return name.find_first_not_of("0123456789abcdef", kPrefix.size()) == std::string_view::npos;
}

// Gives it up, and leaves nothing of it in a folder where nothing is staged: that may be a user's.
void release(FileLock lock, const std::string& parent) {
  const auto names = list_dir(parent);
  if (names && std::ranges::none_of(*names, is_staging))
    FileLock::remove(std::move(lock), lock_path(parent));
}

}  // namespace

std::uint64_t tree_usage(const std::string& path) {
  std::uint64_t sum = disk_usage(path).value_or(0);
  std::error_code ec;
  std::filesystem::recursive_directory_iterator it(
      path, std::filesystem::directory_options::skip_permission_denied, ec);
  for (; !ec && it != std::filesystem::recursive_directory_iterator(); it.increment(ec)) {
    struct stat st{};
    if (::lstat(it->path().c_str(), &st) != 0) continue;
    // Of a file with several names each counts its part.
    sum += static_cast<std::uint64_t>(st.st_blocks) * 512 /
           (S_ISDIR(st.st_mode) ? 1 : std::max<std::uint64_t>(st.st_nlink, 1));
  }
  return sum;
}

Result<Staging> Staging::create(const std::string& parent, TreeRemover remover) {
  PYRO_TRY(const FileLock guard, directory_lock(parent));
  PYRO_TRY(const std::string id, random_bytes(kIdBytes));
  const std::string path = parent + "/" + std::string(kPrefix) + hex(id);
  PYRO_CHECK(make_dirs(path));
  PYRO_TRY(FileLock lock, FileLock::try_acquire(path + "/lock", FileLock::Mode::kExclusive));
  Staging staging(path, std::move(lock), remover);
  PYRO_CHECK(make_dirs(staging.out()));
  return staging;
}

Staging::~Staging() {
  if (path_.empty()) return;
  (void)remover_(path_);  // what cannot be removed now is swept later
  const std::string parent = path_.substr(0, path_.rfind('/'));
  if (auto guard = directory_lock(parent)) release(*std::move(guard), parent);
}

Result<Swept> sweep_staging(const std::string& parent, TreeRemover remover) {
  PYRO_TRY(FileLock guard, directory_lock(parent));
  PYRO_TRY(const std::vector<std::string> names, list_dir(parent));
  Swept swept;
  for (const std::string& name : names) {
    if (!is_staging(name)) continue;
    const std::string path = parent + "/" + name;
    auto lock = FileLock::try_acquire(path + "/lock", FileLock::Mode::kExclusive);
    if (!lock) continue;
    const std::uint64_t bytes = tree_usage(path);
    if (!remover(path)) continue;
    swept.paths.push_back(path);
    swept.bytes += bytes;
  }
  release(std::move(guard), parent);
  return swept;
}

}  // namespace pyro::sys
