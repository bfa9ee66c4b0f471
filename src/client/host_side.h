// What every call of the library needs of the host: folders, environments, the start budget.
#pragma once

#include <memory>
#include <string>

#include "client/client.h"
#include "core/budget.h"
#include "image/debian_mirror.h"
#include "proto/supervisor_messages.h"

namespace pyro::client {

inline constexpr const char* kDefaultPath =
    "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

struct HostSide {
  HostSide(sys::Environment e, sys::Dirs d);

  const sys::Environment env;
  const sys::Dirs dirs;
  image::DebianMirrorSource source;
  image::Environments environments;

  // A positive number from the environment, else `fallback`.
  [[nodiscard]] int number(const char* name, int fallback) const;
  [[nodiscard]] proto::HostSettings settings() const;
  // A missing or damaged environment is pulled; its absence is not the caller's problem.
  Result<void> ensure_environment(const std::string& name, const RunObserver& observer);
  // Waits, with a phase "queue", until there is room.
  [[nodiscard]] Result<core::Reservation> reserve(int mem_mib, int vcpus,
                                                  const RunObserver& observer) const;
};

// The words to run in the guest: `argv`, or `command` for a shell; not both.
Result<std::vector<std::string>> argv_of(std::vector<std::string> argv, const std::string& command);

// That a program can be given these variables: kInvalid.
Result<void> check_variables(const std::map<std::string, std::string>& env);
// The same of variables that get the values of secrets (secret -> variable), beside `env`.
Result<void> check_secret_variables(const std::map<std::string, std::string>& secret_env,
                                    const std::map<std::string, std::string>& env);

// `host` is borrowed.
std::unique_ptr<Workspaces> make_workspaces(HostSide& host);

}  // namespace pyro::client
