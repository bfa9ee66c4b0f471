#include "core/sandbox_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "core/clock.h"
#include "sys/fault.h"
#include "sys/random.h"

namespace pyro::core {

namespace {
using Mode = sys::FileLock::Mode;
constexpr std::string_view kPrefix = "vm-";
constexpr std::size_t kDigits = 10;
constexpr std::string_view kNew = ".new-";
constexpr std::string_view kGone = ".gone-";

// A folder that goes is renamed first: its lock file is deleted on the way, and until then nobody
// may find the folder, make a new lock in it and so keep it alive.
Result<void> remove_folder(const sys::Dirs& dirs, const std::string& id) {
  const std::string path = folder_of(dirs, id);
  const std::string gone = dirs.sandboxes() + "/" + std::string(kGone) + id;
  if (::rename(path.c_str(), gone.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return sys::fail_errno("rename " + path, errno);
  }
  sys::fault_point("delete.renamed");
  return sys::remove_tree(gone);
}

// A creation that was cut short: old enough that nobody can still be at it.
void sweep_new(const std::string& path, double now) {
  constexpr double kAtIt = 60;  // seconds
  struct stat st{};
  if (::stat(path.c_str(), &st) != 0) return;
  if (now - static_cast<double>(st.st_ctim.tv_sec) < kAtIt) return;
  const auto lock = sys::FileLock::try_acquire(path + "/lock", Mode::kExclusive);
  if (!lock && lock.error().code == Errc::kConflict) return;
  (void)sys::remove_tree(path);
}
}  // namespace

std::string folder_of(const sys::Dirs& dirs, const std::string& id) {
  return dirs.sandboxes() + "/" + id;
}
std::string socket_of(const sys::Dirs& dirs, const std::string& id) {
  return dirs.runtime + "/" + id + ".sock";
}

bool is_vm_id(const std::string& text) {
  return text.size() == kPrefix.size() + kDigits && text.starts_with(kPrefix) &&
         text.find_first_not_of("0123456789abcdef", kPrefix.size()) == std::string::npos;
}

Result<std::string> new_vm_id() {
  PYRO_TRY(const std::string bytes, sys::random_bytes(kDigits / 2));
  return std::string(kPrefix) + hex(bytes);
}

Result<SandboxFolder> SandboxFolder::create(const sys::Dirs& dirs, const std::string& id) {
  PYRO_CHECK(sys::make_dirs(dirs.sandboxes()));
  const std::string path = folder_of(dirs, id);
  // Made under a name that remove_abandoned() does not look at, locked, then renamed: nobody ever
  // sees a sandbox's folder without its lock held.
  const std::string fresh = dirs.sandboxes() + "/" + std::string(kNew) + id;
  PYRO_CHECK(sys::retrying("mkdir " + fresh, [&] { return ::mkdir(fresh.c_str(), 0700); }));
  auto lock = sys::FileLock::acquire(fresh + "/lock", Mode::kExclusive);
  if (!lock) {
    (void)sys::remove_tree(fresh);
    return std::unexpected(std::move(lock.error()));
  }
  // An existing folder is never empty (its lock), so this cannot replace one.
  if (::rename(fresh.c_str(), path.c_str()) != 0) {
    const int e = errno;
    (void)sys::remove_tree(fresh);
    if (e == ENOTEMPTY || e == EEXIST) return fail(Errc::kConflict, id + " exists already");
    return sys::fail_errno("rename " + path, e);
  }
  return SandboxFolder(dirs, id, std::move(*lock));
}

Result<SandboxFolder> SandboxFolder::open(const sys::Dirs& dirs, const std::string& id) {
  const std::string path = folder_of(dirs, id);
  if (!sys::exists(path)) return fail(Errc::kNotFound, "there is no " + id);
  PYRO_TRY(auto lock, sys::FileLock::try_acquire(path + "/lock", Mode::kExclusive));
  // Its holder may have removed it before he gave the lock up.
  if (!sys::exists(path)) return fail(Errc::kNotFound, "there is no " + id);
  return SandboxFolder(dirs, id, std::move(lock));
}

Result<void> SandboxFolder::remove() {
  const std::string socket = socket_of(dirs_, id_);
  if (::unlink(socket.c_str()) != 0 && errno != ENOENT)
    return sys::fail_errno("unlink " + socket, errno);
  return remove_folder(dirs_, id_);
}

Result<bool> remove_if_abandoned(const sys::Dirs& dirs, const std::string& id) {
  const std::string path = folder_of(dirs, id);
  auto lock = sys::FileLock::try_acquire(path + "/lock", Mode::kExclusive);
  if (!lock) {
    if (lock.error().code == Errc::kConflict || lock.error().code == Errc::kNotFound) return false;
    return std::unexpected(std::move(lock.error()));
  }
  (void)::unlink(socket_of(dirs, id).c_str());
  PYRO_CHECK(remove_folder(dirs, id));
  return true;
}

void sweep_leftovers(const sys::Dirs& dirs, double now) {
  const auto names = sys::list_dir(dirs.sandboxes());
  if (!names) return;
  for (const std::string& name : *names) {
    const std::string path = dirs.sandboxes() + "/" + name;
    if (name.starts_with(kNew)) sweep_new(path, now);
    // Somebody may still be at it: two who remove the same are not in each other's way.
    if (name.starts_with(kGone)) (void)sys::remove_tree(path);
  }
}

Result<std::vector<std::string>> remove_abandoned(const sys::Dirs& dirs) {
  std::vector<std::string> removed;
  std::optional<Error> failed;
  if (!sys::exists(dirs.sandboxes())) return removed;
  sweep_leftovers(dirs, now_seconds());
  PYRO_TRY(const auto names, sys::list_dir(dirs.sandboxes()));
  for (const std::string& name : names) {
    if (!is_vm_id(name)) continue;
    const auto gone = remove_if_abandoned(dirs, name);
    if (gone && *gone) removed.push_back(name);
    if (!gone && !failed) failed = gone.error();
  }
  if (failed) return std::unexpected(std::move(*failed));
  return removed;
}

}  // namespace pyro::core
