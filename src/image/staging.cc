#include "image/staging.h"

#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/text.h"
#include "image/debian_mirror.h"
#include "sys/process.h"

namespace pyro::image {
namespace {

constexpr std::string_view kPrefix = ".staging-";

// Held while a folder is made and locked, and while leftovers are looked for: in between, a new
// folder would look abandoned.
Result<sys::FileLock> directory_lock(const std::string& platform_dir) {
  return sys::FileLock::acquire(platform_dir + "/.staging.lock", sys::FileLock::Mode::kExclusive);
}

Result<std::string> random_id() {
  std::array<char, 8> bytes{};
  PYRO_CHECK(
      sys::retrying("getrandom", [&] { return ::getrandom(bytes.data(), bytes.size(), 0); }));
  return hex({bytes.data(), bytes.size()});
}

}  // namespace

Result<void> remove_build_tree(const std::string& path) {
  auto removed = sys::remove_tree(path);
  if (removed || ::geteuid() == 0) return removed;
  const std::string search = "/usr/bin:/bin:/usr/sbin:/sbin";
  DebianTools tools;
  tools.path = search;
  auto unshare = sys::find_program("unshare", search);
  if (!unshare) return removed;
  tools.unshare = *std::move(unshare);
  std::vector<std::string> words = namespace_words(tools);
  words.insert(words.end(), {"rm", "-rf", "--", path});
  PYRO_TRY(const sys::Captured run, sys::run_captured({.program = tools.unshare,
                                                       .argv = std::move(words),
                                                       .env = {"PATH=" + search},
                                                       .cwd = "/",
                                                       .die_with_parent = true}));
  if (run.status.shell_code() == 0) return {};
  return fail(Errc::kUnavailable,
              fmt::format("remove {}: {}", path, to_utf8(run.err.substr(0, 300))));
}

std::uint64_t tree_usage(const std::string& path) {
  std::uint64_t sum = sys::disk_usage(path).value_or(0);
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

Result<Staging> Staging::create(const std::string& platform_dir) {
  PYRO_TRY(const sys::FileLock guard, directory_lock(platform_dir));
  PYRO_TRY(const std::string id, random_id());
  const std::string path = fmt::format("{}/{}{}", platform_dir, kPrefix, id);
  PYRO_CHECK(sys::make_dirs(path));
  PYRO_TRY(sys::FileLock lock,
           sys::FileLock::try_acquire(path + "/lock", sys::FileLock::Mode::kExclusive));
  Staging staging(path, std::move(lock));
  PYRO_CHECK(sys::make_dirs(staging.out()));
  return staging;
}

Staging::~Staging() {
  // What cannot be removed now is swept later.
  if (!path_.empty()) (void)remove_build_tree(path_);
}

Result<Swept> sweep_staging(const std::string& platform_dir) {
  PYRO_TRY(const sys::FileLock guard, directory_lock(platform_dir));
  PYRO_TRY(const std::vector<std::string> names, sys::list_dir(platform_dir));
  Swept swept;
  for (const std::string& name : names) {
    if (!name.starts_with(kPrefix)) continue;
    const std::string path = platform_dir + "/" + name;
    auto lock = sys::FileLock::try_acquire(path + "/lock", sys::FileLock::Mode::kExclusive);
    if (!lock) continue;
    const std::uint64_t bytes = tree_usage(path);
    if (!remove_build_tree(path)) continue;
    swept.paths.push_back(path);
    swept.bytes += bytes;
  }
  return swept;
}

}  // namespace pyro::image
