#include "supervisor/sandbox_folder.h"

#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

namespace pyro::supervisor {

namespace {
using Mode = sys::FileLock::Mode;
constexpr std::string_view kPrefix = "vm-";
constexpr std::size_t kDigits = 10;
}  // namespace

std::string folder_of(const sys::Dirs& dirs, const std::string& id) { return dirs.sandboxes() + "/" + id; }
std::string socket_of(const sys::Dirs& dirs, const std::string& id) { return dirs.runtime + "/" + id + ".sock"; }

bool is_vm_id(const std::string& text) {
  return text.size() == kPrefix.size() + kDigits && text.starts_with(kPrefix) &&
         text.find_first_not_of("0123456789abcdef", kPrefix.size()) == std::string::npos;
}

Result<std::string> new_vm_id() {
  char bytes[kDigits / 2];
  PYRO_CHECK(sys::retrying("getrandom", [&] { return ::getrandom(bytes, sizeof bytes, 0); }));
  return std::string(kPrefix) + hex({bytes, sizeof bytes});
}

Result<SandboxFolder> SandboxFolder::create(const sys::Dirs& dirs, const std::string& id) {
  PYRO_CHECK(sys::make_dirs(dirs.sandboxes()));
  std::string path = folder_of(dirs, id);
  // Made under a name that remove_abandoned() does not look at, locked, then renamed: nobody ever
  // sees a sandbox's folder without its lock held.
  const std::string fresh = dirs.sandboxes() + "/.new-" + id;
  PYRO_CHECK(sys::retrying("mkdir " + fresh, [&] { return ::mkdir(fresh.c_str(), 0700); }));
  auto lock = sys::FileLock::acquire(fresh + "/lock", Mode::kExclusive);
  if (!lock) return std::unexpected(std::move(lock.error()));
  if (sys::exists(path)) {
    (void)sys::remove_tree(fresh);
    return fail(Errc::kConflict, id + " exists already");
  }
  PYRO_CHECK(sys::retrying("rename " + path, [&] { return ::rename(fresh.c_str(), path.c_str()); }));
  return SandboxFolder(std::move(path), socket_of(dirs, id), std::move(*lock));
}

Result<void> SandboxFolder::remove() {
  if (::unlink(socket_.c_str()) != 0 && errno != ENOENT) return sys::fail_errno("unlink " + socket_, errno);
  return sys::remove_tree(path_);
}

Result<bool> remove_if_abandoned(const sys::Dirs& dirs, const std::string& id) {
  const std::string path = folder_of(dirs, id);
  auto lock = sys::FileLock::try_acquire(path + "/lock", Mode::kExclusive);
  if (!lock) {
    if (lock.error().code == Errc::kConflict) return false;
    if (lock.error().code != Errc::kNotFound) return std::unexpected(std::move(lock.error()));
  }
  (void)::unlink(socket_of(dirs, id).c_str());
  PYRO_CHECK(sys::remove_tree(path));
  return true;
}

Result<std::vector<std::string>> remove_abandoned(const sys::Dirs& dirs) {
  std::vector<std::string> removed;
  if (!sys::exists(dirs.sandboxes())) return removed;
  PYRO_TRY(const auto names, sys::list_dir(dirs.sandboxes()));
  for (const std::string& name : names) {
    if (!is_vm_id(name)) continue;
    PYRO_TRY(const bool gone, remove_if_abandoned(dirs, name));
    if (gone) removed.push_back(name);
  }
  return removed;
}

}  // namespace pyro::supervisor
