#include "escape/suite.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/stopwatch.h"
#include "base/text.h"
#include "escape/workspace_guest.h"
#include "sys/file.h"
#include "world/places.h"

namespace pyro::escape {

namespace {

// A file that is gone with this object.
class ResolvConf {
 public:
  static Result<ResolvConf> make(const sys::Dirs& dirs) {
    ResolvConf out;
    out.path_ = fmt::format("{}/selftest-{}.resolv.conf", dirs.runtime, ::getpid());
    PYRO_CHECK(
        sys::write_file_atomic(out.path_, fmt::format("nameserver {}\n", world::kNameServer)));
    return out;
  }
  ResolvConf(ResolvConf&& o) noexcept : path_(std::exchange(o.path_, "")) {}
  ResolvConf& operator=(ResolvConf&&) = delete;
  ~ResolvConf() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  ResolvConf() = default;
  std::string path_;
};

Result<std::vector<Probe>> chosen(const std::vector<std::string>& only) {
  if (only.empty()) return probes();
  std::vector<Probe> out;
  for (const std::string& name : only) {
    const auto found = std::ranges::find(probes(), name, &Probe::name);
    if (found == probes().end()) {
      return fail_hint(Errc::kInvalid, "there is no probe " + quoted_name(name),
                       "docs/reference/escape-suite.md has their names");
    }
    out.push_back(*found);
  }
  return out;
}

Result<void> check_backend(const std::string& backend) {
  if (backend == kBackend) return {};
  return fail_hint(Errc::kInvalid, "there is no isolation backend " + quoted_name(backend),
                   std::string("the only one of this version is ") + kBackend);
}

// The user's environment, with the world for a network.
sys::Environment in_world(const sys::Environment& env, const NamespaceWorld& world,
                          const ResolvConf& resolv_conf) {
  return [env, ns = world.net_namespace(),
          path = resolv_conf.path()](const std::string& name) -> std::optional<std::string> {
    if (name == "PYRO_NET_NAMESPACE") return ns;
    if (name == "PYRO_RESOLV_CONF") return path;
    return env(name);
  };
}

}  // namespace

bool Report::passed() const {
  return !outcomes.empty() && std::ranges::all_of(outcomes, &Outcome::passed);
}

Result<Report> run_escape(const sys::Environment& env, const SuiteOptions& options) {
  PYRO_CHECK(check_backend(options.backend));
  PYRO_TRY(const auto list, chosen(options.only));
  const Stopwatch total;
  PYRO_TRY(const sys::Dirs dirs, sys::resolve_dirs(env));
  PYRO_TRY(const auto world, NamespaceWorld::open(dirs.libexec + "/pyro-world"));
  PYRO_TRY(const ResolvConf resolv_conf, ResolvConf::make(dirs));
  PYRO_TRY(client::Pyro pyro, client::Pyro::open(in_world(env, *world, resolv_conf)));
  PYRO_TRY(const auto first, policy_of({}));
  PYRO_TRY(const auto guest, WorkspaceGuest::make(pyro, dirs, first, options.observer));
  Runner runner(*world, *guest);
  Report report{.backend = options.backend, .environment = kEnvironment};
  for (const Probe& probe : list) {
    if (options.interrupted && options.interrupted())
      return fail(Errc::kUnavailable, "interrupted");
    if (options.on_probe) options.on_probe(probe.name, report.outcomes.size() + 1, list.size());
    report.outcomes.push_back(runner.decide(probe));
  }
  report.duration_ms = static_cast<std::int64_t>(total.ms());
  return report;
}

}  // namespace pyro::escape
