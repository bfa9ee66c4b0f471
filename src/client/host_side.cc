#include "client/host_side.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace pyro::client {

namespace {
constexpr int kDaySeconds = 86'400;
}

HostSide::HostSide(sys::Environment e, sys::Dirs d)
    : env(std::move(e)), dirs(std::move(d)), source(env), environments(dirs, &source) {}

int HostSide::number(const char* name, int fallback) const {
  const auto text = env(name);
  int value = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc{})
    return fallback;
  return value > 0 ? value : fallback;
}

proto::HostSettings HostSide::settings() const {
  return {.cache_dir = dirs.cache,
          .state_dir = dirs.state,
          .runtime_dir = dirs.runtime,
          .libexec_dir = dirs.libexec,
          .qemu = env("PYRO_QEMU").value_or(""),
          .search_path = env("PATH").value_or(kDefaultPath),
          .accelerator = env("PYRO_ACCELERATOR").value_or(""),
          .resolv_conf = env("PYRO_RESOLV_CONF").value_or(""),
          .net_namespace = env("PYRO_NET_NAMESPACE").value_or(""),
          .boot_limit_ms = std::min(number("PYRO_BOOT_TIMEOUT_SECONDS", 60), kDaySeconds) * 1000,
          .fault = env("PYRO_FAULT").value_or("")};
}

Result<void> HostSide::ensure_environment(const std::string& name, const RunObserver& observer) {
  const auto ready = environments.open(name);
  if (ready) return {};
  if (ready.error().code != Errc::kNotFound && ready.error().code != Errc::kDamaged) {
    return std::unexpected(ready.error());
  }
  if (observer.on_phase) observer.on_phase("pull", "", ready.error().message);
  PYRO_CHECK(environments.pull(name, observer.on_pull));
  return {};
}

Result<core::Reservation> HostSide::reserve(int mem_mib, int vcpus,
                                            const RunObserver& observer) const {
  PYRO_TRY(const core::BudgetTotals totals, core::host_budget(number("PYRO_MEMORY_BUDGET_MIB", 0)));
  core::BudgetRequest request{.runtime_dir = dirs.runtime,
                              .totals = totals,
                              .mem_mib = mem_mib,
                              .vcpus = vcpus,
                              .on_wait = {},
                              .cancel_fd = observer.interrupt_fd};
  if (observer.on_phase) {
    request.on_wait = [&](const std::string& why) { observer.on_phase("queue", "", why); };
  }
  return core::reserve(request);
}

Result<std::vector<std::string>> argv_of(std::vector<std::string> argv,
                                         const std::string& command) {
  if (!command.empty() && !argv.empty())
    return fail(Errc::kInvalid, "a command is given as words or as a line, not as both");
  if (!command.empty()) argv = {"/bin/sh", "-c", command};
  if (argv.empty() || argv.front().empty())
    return fail(Errc::kInvalid, "there is no command to run");
  for (const std::string& word : argv) {
    if (word.find('\0') != std::string::npos) {
      return fail(Errc::kInvalid,
                  "a word of the command has a NUL byte in it; programs cannot be given that");
    }
  }
  return argv;
}

Result<void> check_variables(const std::map<std::string, std::string>& env) {
  for (const auto& [name, value] : env) {
    if (name.empty() || name.find('=') != std::string::npos || name.find('\0') != std::string::npos)
      return fail(Errc::kInvalid, quoted_name(name) + " is no name for a variable");
    if (value.find('\0') != std::string::npos)
      return fail(Errc::kInvalid, "the value of " + quoted_name(name) + " has a NUL byte in it");
  }
  return {};
}

Result<void> check_secret_variables(const std::map<std::string, std::string>& secret_env,
                                    const std::map<std::string, std::string>& env) {
  std::map<std::string, std::string> variables;
  for (const auto& [secret, variable] : secret_env) {
    const auto [other, is_new] = variables.emplace(variable, secret);
    // Messages do not name the variable: it may be the secret itself, given in the wrong place.
    if (variable.empty() ||
        variable.find_first_of(std::string_view("=\0", 2)) != std::string::npos) {
      return fail(Errc::kInvalid,
                  "the variable for the secret " + quoted_name(secret) + " has no usable name");
    }
    if (!is_new) {
      return fail(Errc::kInvalid, "the secrets " + quoted_name(other->second) + " and " +
                                      quoted_name(secret) + " are to stand in the same variable");
    }
    if (env.contains(variable)) {
      return fail(Errc::kInvalid,
                  "the variable for the secret " + quoted_name(secret) + " has a value already");
    }
  }
  return {};
}

}  // namespace pyro::client
