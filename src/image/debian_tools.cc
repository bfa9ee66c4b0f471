#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "image/debian_mirror.h"
#include "image/text_lines.h"
#include "sys/file.h"
#include "sys/process.h"

namespace pyro::image {
namespace {

constexpr const char* kKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

std::string user_name() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry == nullptr ? std::to_string(::geteuid()) : std::string(entry->pw_name);
}

// Lines "user:first:count", where user is a name or a number (subuid(5)).
bool has_subordinate_ids(const std::string& file, const std::string& user) {
  const auto text = sys::read_file(file);
  if (!text) return false;
  for (const std::string_view line : split_lines(*text)) {
    const auto fields = split_fields(line, ':');
    if (fields.size() != 3) continue;
    if (fields[0] != user && fields[0] != std::to_string(::geteuid())) continue;
    if (std::strtoull(std::string(fields[2]).c_str(), nullptr, 10) >= 65536) return true;
  }
  return false;
}

// The kernel setting's value, or `missing` when this kernel has none.
long long setting(const std::string& path, long long missing) {
  const auto text = sys::read_file(path);
  return text ? std::strtoll(text->c_str(), nullptr, 10) : missing;
}

}  // namespace

Result<DebianTools> find_debian_tools(const std::string& path) {
  struct Needed {
    const char* program;
    const char* package;
    std::string DebianTools::* where;
  };
  const std::array needed = {Needed{"mmdebstrap", "mmdebstrap", &DebianTools::mmdebstrap},
                             Needed{"mkfs.erofs", "erofs-utils", &DebianTools::mkfs_erofs},
                             Needed{"unshare", "util-linux", &DebianTools::unshare}};
  DebianTools tools;
  tools.path = path;
  std::string programs, packages;
  for (const Needed& need : needed) {
    auto found = sys::find_program(need.program, path);
    if (found) {
      tools.*need.where = *std::move(found);
      continue;
    }
    programs += fmt::format("{}{}", programs.empty() ? "" : ", ", need.program);
    packages += fmt::format(" {}", need.package);
  }
  if (!sys::exists(kKeyring)) {
    programs += fmt::format("{}{}", programs.empty() ? "" : ", ", kKeyring);
    packages += " debian-archive-keyring";
  }
  if (!programs.empty()) {
    return fail_hint(Errc::kUnavailable, "building an environment needs " + programs,
                     "run: sudo apt-get install" + packages);
  }
  return tools;
}

Result<void> check_user_namespace(const DebianTools& tools) {
  if (::geteuid() == 0) return {};
  const std::string user = user_name();
  if (!sys::find_program("newuidmap", tools.path)) {
    return fail_hint(Errc::kUnavailable,
                     "building an environment as an ordinary user needs newuidmap",
                     "run: sudo apt-get install uidmap");
  }
  for (const char* file : {"/etc/subuid", "/etc/subgid"}) {
    if (has_subordinate_ids(file, user)) continue;
    return fail_hint(
        Errc::kUnavailable,
        fmt::format(
            "{} gives user {} no 65536 subordinate ids, which the root file system's owners need",
            file, user),
        fmt::format("run: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {}",
                    user));
  }
  if (setting("/proc/sys/kernel/unprivileged_userns_clone", 1) == 0) {
    return fail_hint(Errc::kUnavailable, "this kernel forbids user namespaces to ordinary users",
                     "run: sudo sysctl kernel.unprivileged_userns_clone=1");
  }
  if (setting("/proc/sys/user/max_user_namespaces", 1) == 0) {
    return fail_hint(Errc::kUnavailable, "this host allows no user namespaces",
                     "run: sudo sysctl user.max_user_namespaces=10000");
  }
  std::vector<std::string> words = namespace_words(tools);
  words.emplace_back("true");
  PYRO_TRY(const sys::Captured probe,
           sys::run_captured({.program = tools.unshare,
                              .argv = std::move(words),
                              .env = {"PATH=" + tools.path, "LC_ALL=C.UTF-8"},
                              .cwd = "/",
                              .die_with_parent = true}));
  if (probe.status.shell_code() == 0) return {};
  if (setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) != 0) {
    return fail_hint(Errc::kUnavailable,
                     "AppArmor forbids user namespaces to ordinary users on this host",
                     "run: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0");
  }
  if (probe.err.contains("unrecognized option")) {
    return fail_hint(Errc::kUnavailable, "unshare on this host is too old (it has no --map-auto)",
                     "install util-linux 2.38 or newer, or pull as root");
  }
  return fail_hint(Errc::kUnavailable,
                   "a user namespace cannot be made: " + probe.err.substr(0, 300),
                   "pull as root, or ask for user namespaces to be allowed on this host");
}

std::vector<std::string> namespace_words(const DebianTools& tools) {
  // The mount namespace takes every mount along when it ends, the process namespace every process.
  std::vector<std::string> words = {tools.unshare, "--mount",      "--pid",
                                    "--fork",      "--kill-child", "--mount-proc"};
  if (::geteuid() != 0) words.insert(words.end(), {"--map-root-user", "--map-auto"});
  words.emplace_back("--");
  return words;
}

}  // namespace pyro::image
