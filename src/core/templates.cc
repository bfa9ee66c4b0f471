#include "core/templates.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "base/text.h"
#include "core/template_manifest.h"
#include "image/sha256.h"
#include "sys/clock.h"
#include "vmm/qcow2.h"
#include "vmm/qemu_command.h"

namespace pyro::core {

namespace {

using Mode = sys::FileLock::Mode;
constexpr auto kLockPoll = std::chrono::milliseconds(25);
constexpr const char* kBuildingPrefix = ".building-";
constexpr std::size_t kKeyLength = 32;
// Counted up when boot_and_save() or what it calls treats the guest differently.
constexpr int kRecipe = 2;

bool is_key(const std::string& name) {
  return name.size() == kKeyLength &&
         name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// Marks the template as just used, for prune().
void touch(const sys::FileLock& lease) {
  (void)::futimens(lease.fd().get(), nullptr);
}

Result<std::uint64_t> free_mib(const std::string& dir) {
  struct statvfs fs{};
  PYRO_CHECK(sys::retrying("statvfs " + dir, [&] { return ::statvfs(dir.c_str(), &fs); }));
  return fs.f_bavail * fs.f_frsize >> 20;
}

std::unexpected<Error> no_space(const std::string& dir, const std::string& why) {
  return fail_hint(Errc::kLimit, fmt::format("not enough space for a template in {}: {}", dir, why),
                   "free some space, run: pyro env prune, or set PYRO_CACHE_DIR");
}

Result<void> check_space(const std::string& dir, int mem_mib) {
  constexpr std::uint64_t kUsualMib = 384;  // what a booted and warmed guest has touched, and more
  PYRO_TRY(const std::uint64_t free, free_mib(dir));
  const std::uint64_t needed = std::min(kUsualMib, static_cast<std::uint64_t>(mem_mib));
  if (free >= needed) return {};
  return no_space(dir, fmt::format("{} MiB are free, {} MiB are needed", free, needed));
}

// QEMU writes the memory through a mapping: where the disk gets full it is killed without a word.
std::unexpected<Error> build_error(const std::string& dir, Error error) {
  const bool said = error.os_errno == ENOSPC || error.os_errno == EDQUOT;
  if (said || free_mib(dir).value_or(1) == 0)
    return no_space(dir, "it got full during the build: " + error.message);
  return std::unexpected(std::move(error));
}

// The scratch disk is kept; the other two are there for the guest to see them and never used: a
// baseline of nothing, and a layer that goes with its last descriptor.
Result<vmm::WorkspaceDisks> make_disks(const std::string& folder, const Disks* disks) {
  vmm::WorkspaceDisks made;
  PYRO_TRY(made.scratch, disks->new_scratch(folder + "/scratch"));
  PYRO_TRY(made.baseline, empty_baseline(folder));
  PYRO_TRY(WorkBase base, disks->work_base());
  made.work_base = std::move(base.file);
  const std::string layer = folder + "/layer";
  PYRO_TRY(sys::UniqueFd top, vmm::create_layer(layer));
  PYRO_CHECK(sys::retrying("unlink " + layer, [&] { return ::unlink(layer.c_str()); }));
  made.work_layers.push_back(std::move(top));
  return made;
}

// A building folder that disappears again unless installed.
class BuildingFolder {
 public:
  static Result<BuildingFolder> create(const std::string& parent) {
    std::string name = parent + "/" + kBuildingPrefix + "XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) return sys::fail_errno("mkdtemp " + name, errno);
    BuildingFolder folder(name);
    PYRO_TRY(folder.lock_, sys::FileLock::acquire(name + "/lock", Mode::kExclusive));
    return folder;
  }
  BuildingFolder(BuildingFolder&& o) noexcept
      : path_(std::exchange(o.path_, {})), lock_(std::move(o.lock_)) {}
  BuildingFolder& operator=(BuildingFolder&&) = delete;
  ~BuildingFolder() {
    if (!path_.empty()) (void)sys::remove_tree(path_);
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  Result<void> install(const std::string& target) {
    PYRO_CHECK(sys::remove_tree(target));  // only ever a damaged one: we hold the build lock
    PYRO_CHECK(
        sys::retrying("rename " + target, [&] { return ::rename(path_.c_str(), target.c_str()); }));
    path_.clear();
    return {};
  }

 private:
  explicit BuildingFolder(std::string path) : path_(std::move(path)), lock_(sys::UniqueFd()) {}
  std::string path_;
  sys::FileLock lock_;
};

}  // namespace

Result<std::string> Templates::key_of(const TemplateRequest& r) const {
  // By content: installing the same build again gives the agent another inode.
  PYRO_TRY(const std::string agent, sys::read_file(r.boot.agent_path, kMostAgent));
  PYRO_TRY(const std::string agent_hash, image::sha256_hex(agent));
  std::string text =
      fmt::format("recipe={} protocol={} root={} kernel={} modules={} agent={}\n", kRecipe,
                  proto::kProtocolMax, r.environment.rootfs_sha256, r.environment.kernel_sha256,
                  r.environment.initramfs_sha256, agent_hash);
  for (const auto& command : r.environment.entry.warm_up) text += shell_join(command) + "\n";
  if (r.shape.disks == vmm::Disks::kWorkspace)
    text += fmt::format("scratch={}\n", Disks::kScratchRecipe);
  text += vmm_.machine_id(r.shape, vmm::kernel_command_line(r.shape.accelerator, r.boot.tsc_khz));
  PYRO_TRY(const std::string hash, image::sha256_hex(text));
  return hash.substr(0, kKeyLength);
}

Result<Template> Templates::open(const std::string& key) const {
  const std::string folder = dir_ + "/" + key;
  PYRO_TRY(sys::FileLock lease, sys::FileLock::try_acquire(folder + ".lease", Mode::kShared));
  PYRO_TRY(const TemplateManifest manifest, read_template_manifest(folder + "/manifest.json"));
  if (manifest.key != key) return fail(Errc::kDamaged, folder + " holds another template");
  PYRO_TRY(sys::UniqueFd memory, open_sealed(folder + "/memory", manifest.memory));
  PYRO_TRY(sys::UniqueFd state, open_sealed(folder + "/state", manifest.state));
  sys::UniqueFd scratch;
  if (manifest.scratch) {
    PYRO_TRY(scratch, open_sealed(folder + "/scratch", *manifest.scratch));
  }
  touch(lease);
  return Template{.key = key,
                  .memory = std::move(memory),
                  .state = std::move(state),
                  .scratch = std::move(scratch),
                  .lease = std::move(lease)};
}

io::Task<Template> Templates::ensure(TemplateRequest request) {
  PYRO_CO_TRY(const std::string key, key_of(request));
  if (request.shape.disks == vmm::Disks::kWorkspace && request.disks == nullptr)
    co_return fail(Errc::kInternal, "a workspace's template needs disks to be made");
  if (auto ready = open(key)) co_return ready;
  PYRO_CO_CHECK(sys::make_dirs(dir_));
  bool told = false;
  for (;;) {
    auto lock = sys::FileLock::try_acquire(dir_ + "/" + key + ".build", Mode::kExclusive);
    if (!lock && lock.error().code != Errc::kConflict)
      co_return std::unexpected(std::move(lock.error()));
    if (auto ready = open(key)) co_return ready;  // somebody built it meanwhile
    if (lock) {
      if (request.on_phase) {
        request.on_phase(fmt::format("booting {} once; later starts clone this",
                                     request.environment.entry.name));
      }
      PYRO_CO_TRY(auto built, co_await build(key, request));
      built.built = true;
      static_cast<void>(prune(dir_, most_bytes_));
      co_return built;
    }
    if (!told && request.on_phase) request.on_phase("another process is building the template");
    told = true;
    PYRO_CO_CHECK(co_await io::sleep_for(kLockPoll));
  }
}

io::Task<Template> Templates::build(const std::string& key, const TemplateRequest& request) {
  static_cast<void>(prune(dir_, most_bytes_));  // makes room; what is in use stays
  PYRO_CO_CHECK(check_space(dir_, request.shape.mem_mib));
  PYRO_CO_TRY(BuildingFolder folder, BuildingFolder::create(dir_));
  auto filled = co_await fill(folder.path(), key, request);
  if (!filled) co_return build_error(dir_, std::move(filled.error()));
  // Leased before anybody can see it, so that nobody's prune() takes it away again.
  PYRO_CO_TRY(const auto lease, sys::FileLock::acquire(dir_ + "/" + key + ".lease", Mode::kShared));
  touch(lease);
  PYRO_CO_CHECK(folder.install(dir_ + "/" + key));
  co_return open(key);
}

io::Task<void> Templates::fill(const std::string& folder, const std::string& key,
                               const TemplateRequest& request) {
  const int create = O_RDWR | O_CREAT | O_EXCL;
  PYRO_CO_TRY(sys::UniqueFd memory, sys::open_file(folder + "/memory", create, 0400));
  const off_t bytes = static_cast<off_t>(request.shape.mem_mib) << 20;
  PYRO_CO_CHECK(sys::retrying("ftruncate", [&] { return ::ftruncate(memory.get(), bytes); }));
  PYRO_CO_TRY(vmm::FreshBoot boot,
              make_fresh_boot(request.environment, request.boot, request.shape.accelerator));
  PYRO_CO_TRY(boot.state_out, sys::open_file(folder + "/state", create, 0400));
  PYRO_CO_TRY(sys::UniqueFd root, sys::open_file(request.environment.rootfs, O_RDONLY));
  vmm::LaunchSpec spec{.shape = request.shape,
                       .start = std::move(boot),
                       .root_image = std::move(root),
                       .memory = std::move(memory),
                       .memory_mode = vmm::LaunchSpec::Memory::kShared};
  if (request.shape.disks == vmm::Disks::kWorkspace) {
    PYRO_CO_TRY(spec.disks, make_disks(folder, request.disks));
  }
  // Nobody reads what a booting guest sends: it is little, and whatever is in the queue when the
  // state is saved goes with the pair.
  sys::UniqueFd unread;
  if (request.shape.mac) {
    PYRO_CO_TRY(auto link, vmm::make_link());
    spec.link = std::move(link.theirs);
    unread = std::move(link.ours);
  }
  PYRO_CO_TRY(auto vm, co_await vmm_.launch(std::move(spec)));
  const auto executor = co_await io::asio::this_coro::executor;
  Guest guest(std::move(vm), executor, request.boot);
  auto saved = co_await boot_and_save(guest, request);
  co_await guest.end();
  PYRO_CO_CHECK(saved);
  co_return write_template_manifest(folder, key);
}

io::Task<void> Templates::boot_and_save(Guest& guest, const TemplateRequest& request) {
  PYRO_CO_CHECK(co_await guest.greet(request.boot.boot_limit));
  PYRO_CO_CHECK(co_await guest.prepare(request.shape));
  for (const auto& command : request.environment.entry.warm_up) {
    PYRO_CO_CHECK(co_await guest.warm_up(command));
  }
  co_return co_await guest.freeze_and_save();
}

namespace {

// Younger ones may be about to get their lock.
bool may_be_starting(const std::string& path) {
  constexpr std::int64_t kStarting = 60;
  struct stat st{};
  return ::stat(path.c_str(), &st) != 0 || ::time(nullptr) - st.st_mtim.tv_sec < kStarting;
}

// What a crashed build left: its lock is free.
void sweep_building(const std::string& dir, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!name.starts_with(kBuildingPrefix)) continue;
    const std::string path = dir + "/" + name;
    if (may_be_starting(path)) continue;
    if (sys::FileLock::try_acquire(path + "/lock", Mode::kExclusive)) (void)sys::remove_tree(path);
  }
}

// Lock files of templates that are gone.
void sweep_locks(const std::string& dir, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const std::size_t dot = name.find('.');
    if (dot == std::string::npos || !is_key(name.substr(0, dot))) continue;
    if (sys::exists(dir + "/" + name.substr(0, dot))) continue;
    const std::string path = dir + "/" + name;
    auto lock = sys::FileLock::try_acquire(path, Mode::kExclusive);
    if (lock) sys::FileLock::remove(*std::move(lock), path);
  }
}

struct Found {
  std::string key;
  std::int64_t last_use = 0;
  std::uint64_t bytes = 0;
};

std::vector<Found> find_templates(const std::string& dir, const std::vector<std::string>& names) {
  std::vector<Found> found;
  for (const std::string& name : names) {
    if (!is_key(name)) continue;
    Found f{.key = name};
    for (const char* file : {"/memory", "/state", "/scratch"})
      f.bytes += sys::disk_usage(dir + "/" + name + file).value_or(0);
    struct stat st{};
    if (::stat((dir + "/" + name + ".lease").c_str(), &st) == 0) {
      f.last_use = sys::to_ns(st.st_mtim);
    }
    found.push_back(std::move(f));
  }
  std::ranges::sort(found, {}, &Found::last_use);
  return found;
}

}  // namespace

Result<Pruned> Templates::prune(const std::string& dir, std::uint64_t keep_bytes) {
  Pruned report;
  if (!sys::exists(dir)) return report;
  PYRO_TRY(const auto names, sys::list_dir(dir));
  sweep_building(dir, names);
  const auto found = find_templates(dir, names);
  std::uint64_t total = 0;
  for (const Found& f : found) total += f.bytes;
  for (const Found& f : found) {
    if (total <= keep_bytes && keep_bytes != 0) break;
    const std::string folder = dir + "/" + f.key;
    auto lease = sys::FileLock::try_acquire(folder + ".lease", Mode::kExclusive);
    if (!lease) {
      report.kept_in_use.push_back(f.key);
      continue;
    }
    PYRO_CHECK(sys::remove_tree(folder));
    sys::FileLock::remove(*std::move(lease), folder + ".lease");
    total -= f.bytes;
    report.deleted.push_back(f.key);
    report.freed_bytes += f.bytes;
  }
  sweep_locks(dir, names);
  return report;
}

Result<std::vector<std::string>> Templates::verify(const std::string& dir) {
  std::vector<std::string> damaged;
  if (!sys::exists(dir)) return damaged;
  PYRO_TRY(const auto names, sys::list_dir(dir));
  for (const std::string& name : names) {
    if (is_key(name) && !template_hashes_match(dir + "/" + name)) damaged.push_back(name);
  }
  return damaged;
}

}  // namespace pyro::core
