#include "sys/dirs.h"

#include <dlfcn.h>
#include <link.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <memory>

#include "sys/file.h"

namespace pyro::sys {

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr || *value == '\0') return std::nullopt;
    return std::string(value);
  };
}

Result<std::string> program_dir() {
  char path[PATH_MAX];
  PYRO_TRY(const int n, retrying("readlink /proc/self/exe",
                                 [&] { return ::readlink("/proc/self/exe", path, sizeof path); }));
  const std::string exe(path, static_cast<std::size_t>(n));
  return exe.substr(0, exe.find_last_of('/'));
}

Result<std::string> module_dir() {
  Dl_info info{};
  void* entry = nullptr;
  const void* here = reinterpret_cast<const void*>(&module_dir);  // what dladdr1(3) wants
  if (::dladdr1(here, &info, &entry, RTLD_DL_LINKMAP) == 0 || entry == nullptr)
    return program_dir();
  const char* name = static_cast<const link_map*>(entry)->l_name;
  if (*name == '\0') return program_dir();  // the program itself has no name there
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(name, nullptr), &std::free);
  if (!real) return fail_errno("resolve the path of " + std::string(name), errno);
  const std::string file(real.get());
  return file.substr(0, file.find_last_of('/'));
}

namespace {

Result<std::string> home(const Environment& env) {
  if (auto h = env("HOME"); h && h->front() == '/') return *h;
  char buffer[4096];
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::getuid(), &entry, buffer, sizeof buffer, &found) == 0 && found != nullptr) {
    return std::string(entry.pw_dir);
  }
  return fail_hint(Errc::kUnavailable, "no home folder is known for this user", "set HOME");
}

// XDG Base Directory Specification 0.8: relative values are to be ignored.
std::string xdg(const Environment& env, const char* name, const std::string& fallback) {
  const auto value = env(name);
  return value && value->front() == '/' ? *value : fallback;
}

Result<void> private_dir(const std::string& path) {
  PYRO_CHECK(make_dirs(path, 0700));
  struct stat st{};
  PYRO_CHECK(retrying("stat " + path, [&] { return ::lstat(path.c_str(), &st); }));
  if (!S_ISDIR(st.st_mode) || st.st_uid != ::geteuid()) {
    return fail_hint(Errc::kDenied, path + " does not belong to this user",
                     "remove it or point XDG_RUNTIME_DIR to a private folder");
  }
  if ((st.st_mode & 0077) != 0) {
    PYRO_CHECK(retrying("chmod " + path, [&] { return ::chmod(path.c_str(), 0700); }));
  }
  return {};
}

Result<std::string> libexec(const Environment& env) {
  if (auto dir = env("PYRO_LIBEXEC")) return *dir;
  PYRO_TRY(std::string here, module_dir());
  for (const std::string& dir : {here + "/../libexec/pyro", here + "/../../libexec/pyro", here,
                                 std::string(PYRO_INSTALLED_LIBEXEC)}) {
    if (exists(dir + "/pyro-supervisor")) return dir;
  }
  return here;
}

}  // namespace

Result<Dirs> resolve_dirs(const Environment& env) {
  PYRO_TRY(const std::string home_dir, home(env));
  Dirs dirs;
  dirs.cache =
      env("PYRO_CACHE_DIR").value_or(xdg(env, "XDG_CACHE_HOME", home_dir + "/.cache") + "/pyro");
  dirs.state =
      env("PYRO_HOME").value_or(xdg(env, "XDG_STATE_HOME", home_dir + "/.local/state") + "/pyro");
  const std::string uid = std::to_string(::geteuid());
  const bool has_run = ::access(("/run/user/" + uid).c_str(), W_OK) == 0;
  dirs.runtime =
      env("PYRO_RUNTIME_DIR")
          .value_or(xdg(env, "XDG_RUNTIME_DIR", has_run ? "/run/user/" + uid : "") + "/pyro");
  if (dirs.runtime == "/pyro") dirs.runtime = "/tmp/pyro-" + uid;
  PYRO_TRY(dirs.libexec, libexec(env));
  PYRO_CHECK(make_dirs(dirs.cache));
  PYRO_CHECK(make_dirs(dirs.state));
  PYRO_CHECK(private_dir(dirs.runtime));
  return dirs;
}

}  // namespace pyro::sys
