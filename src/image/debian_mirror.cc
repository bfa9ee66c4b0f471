#include "image/debian_mirror.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/text.h"
#include "image/apt_host.h"
#include "image/debian_hook.h"
#include "image/initramfs.h"
#include "image/mmdebstrap_log.h"
#include "sys/file.h"
#include "sys/process.h"

namespace pyro::image {
namespace {

constexpr unsigned long long kNeededBytes = 1536ULL << 20;
// The largest tree (debian:12-build) with its packages takes about 1.2 GiB.
constexpr unsigned long long kMemoryForBuildKib = 4ULL << 20;
constexpr const char* kBuildInMemory =
    R"(mount -t tmpfs -o size=2g,mode=0755 pyro-build "$TMPDIR" && exec "$@")";

// Programs in /usr/sbin are needed and are often not in a user's PATH.
std::string search_path(const sys::Environment& env) {
  const std::string system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const auto path = env("PATH");
  return path && !path->empty() ? system + ":" + *path : system;
}

Result<void> check_space(const std::string& dir) {
  struct statvfs fs{};
  if (::statvfs(dir.c_str(), &fs) != 0) return sys::fail_errno("statvfs " + dir, errno);
  const unsigned long long room = static_cast<unsigned long long>(fs.f_bavail) * fs.f_frsize;
  if (room >= kNeededBytes) return {};
  return fail_hint(Errc::kLimit,
                   fmt::format("building an environment needs {} of free disk space and {} has {}",
                               human_bytes(kNeededBytes), dir, human_bytes(room)),
                   "free some space, or set PYRO_CACHE_DIR to a folder on a larger disk");
}

// Whether the tree may be built in memory: faster, and nothing is left when we are killed.
bool memory_for_build() {
  const auto text = sys::read_file("/proc/meminfo");
  if (!text) return false;
  const auto at = text->find("MemAvailable:");
  if (at == std::string::npos) return false;
  return std::strtoull(text->c_str() + at + 13, nullptr, 10) >= kMemoryForBuildKib;
}

std::vector<std::string> mmdebstrap_words(const CatalogEntry& entry, const AptSetup& apt,
                                          const std::string& apt_conf) {
  std::string include = "ca-certificates";
  for (const std::string& package : entry.default_packages) include += "," + package;
  // Root mode also for ordinary users: they are root of the namespace it runs in, and unlike the
  // ids of mmdebstrap's own unshare mode that root may enter the user's private cache folder.
  std::vector<std::string> words = {
      "mmdebstrap",     "--mode=root",           "--verbose",     "--variant=minbase",
      "--skip=cleanup", "--architectures=amd64", "--format=null", "--include=" + include};
  for (const char* rule :
       {"path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright",
        "path-exclude=/usr/share/man/*", "path-exclude=/usr/share/info/*",
        // Half-built trees are thrown away whole, and so are sandboxes: no syncing per package.
        "force-unsafe-io", "path-exclude=/usr/share/locale/*",
        "path-include=/usr/share/locale/locale.alias"}) {
    words.push_back(fmt::format("--dpkgopt={}", rule));
  }
  words.push_back("--aptopt=" + apt_conf);
  words.push_back(fmt::format("--customize-hook={}", kDebianHook));
  words.insert(words.end(), {"bookworm", "-"});
  words.insert(words.end(), apt.sources.begin(), apt.sources.end());
  return words;
}

// Runs it to the end, feeding the log.
Result<void> run_mmdebstrap(sys::SpawnSpec spec, const PullObserver& observer) {
  PYRO_TRY(sys::Pipe output, sys::make_pipe());
  spec.fds = {{output.write.get(), 1}, {output.write.get(), 2}};
  PYRO_TRY(sys::ChildProcess child, sys::ChildProcess::spawn(spec));
  output.write = sys::UniqueFd();
  MmdebstrapLog log;
  std::string pending;
  std::array<char, 16384> buffer{};
  for (;;) {
    PYRO_TRY(const int got, sys::retrying("read", [&] {
               return ::read(output.read.get(), buffer.data(), buffer.size());
             }));
    if (got == 0) break;
    pending.append(buffer.data(), static_cast<std::size_t>(got));
    for (auto end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
      if (log.line(std::string_view(pending).substr(0, end))) observer(log.progress());
      pending.erase(0, end + 1);
    }
    if (pending.size() > buffer.size()) pending.clear();  // a line without end says nothing
  }
  (void)log.line(pending);
  PYRO_TRY(const sys::ExitStatus status, child.wait());
  if (status.shell_code() != 0) return std::unexpected(log.failure(status.shell_code()));
  return {};
}

void pass_proxies(const sys::Environment& env, std::vector<std::string>& out) {
  for (const char* name :
       {"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}) {
    if (const auto value = env(name)) out.push_back(fmt::format("{}={}", name, *value));
  }
}

}  // namespace

Result<std::string> DebianMirrorSource::fetch(const CatalogEntry& entry, const std::string& dir,
                                              const PullObserver& observer) {
  observer({.phase = "resolve", .detail = "checking the host", .fraction = 0});
  PYRO_TRY(const DebianTools tools, find_debian_tools(search_path(env_)));
  PYRO_CHECK(check_user_namespace(tools));
  PYRO_CHECK(check_space(dir));
  PYRO_TRY(const AptSetup apt, host_apt_setup(env_, tools.path));
  const std::string work = dir + "/work";
  PYRO_CHECK(sys::make_dirs(work + "/tmp"));
  // In a file and not on the command line, which everybody can read: proxies may carry passwords.
  // The host's own values come last and win.
  std::string apt_conf = "Acquire::Retries \"2\";\nAcquire::http::Timeout \"30\";\n";
  for (const std::string& option : apt.options) apt_conf += option + "\n";
  PYRO_CHECK(sys::write_file_atomic(work + "/apt.conf", apt_conf));
  sys::SpawnSpec spec{
      .program = tools.unshare,
      .argv = namespace_words(tools),
      .env = {"PATH=" + tools.path, "LC_ALL=C.UTF-8", "HOME=/root", "TMPDIR=" + work + "/tmp",
              "PYRO_OUT=" + dir, "PYRO_WORK=" + work, "PYRO_MKFS=" + tools.mkfs_erofs},
      .cwd = "/",
      .new_session = true,
      .die_with_parent = true};
  pass_proxies(env_, spec.env);
  if (memory_for_build()) {
    spec.argv.insert(spec.argv.end(), {"sh", "-c", kBuildInMemory, "sh"});
  }
  for (std::string& word : mmdebstrap_words(entry, apt, work + "/apt.conf"))
    spec.argv.push_back(std::move(word));
  PYRO_CHECK(run_mmdebstrap(std::move(spec), observer));
  observer({.phase = "image", .detail = "initramfs", .fraction = 0.93});
  PYRO_TRY(const std::string initramfs, build_initramfs(work + "/modules"));
  PYRO_TRY(const sys::UniqueFd file,
           sys::open_file(dir + "/initramfs", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW));
  PYRO_CHECK(sys::write_all(file.get(), initramfs));
  PYRO_CHECK(sys::remove_tree(work));
  return fmt::format("debian-mirror {} bookworm", apt.mirror);
}

}  // namespace pyro::image
