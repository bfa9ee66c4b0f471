// The library behind every surface: environments, the VM lifecycle, run, workspaces, doctor.
// Blocking calls; any number of objects and processes may work on the same sandboxes at once.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pyro/call.hpp"
#include "pyro/doctor.hpp"
#include "pyro/environments.hpp"
#include "pyro/export.h"
#include "pyro/network.hpp"
#include "pyro/result.hpp"
#include "pyro/vm.hpp"
#include "pyro/workspaces.hpp"

namespace pyro {

// Of the library that runs, for example "0.1.0".
PYRO_API std::string_view version();

// Looks up one variable of the process's environment.
using Variables = std::function<std::optional<std::string>(const std::string& name)>;

// Calls block; each can be started on a thread of its own with start() (pyro/call.hpp). Any number
// of threads may use one object at once; it outlives their calls.
//
// What a program that uses it has to know: helper programs are started (pyro-supervisor, found
// beside the library; the variable PYRO_LIBEXEC names another folder), so it must not ignore
// SIGCHLD or wait for children that are not its own while an environment is pulled; and after
// fork() without exec() the child makes an object of its own. SIGPIPE is kept from a thread while
// it is in a call.
class PYRO_API Pyro {
 public:
  // By the environment of the process, which says where the folders are (docs/reference/cli.md);
  // the second form asks `variables` instead, and goes on asking.
  static Result<Pyro> open();
  static Result<Pyro> open(const Variables& variables);
  Pyro(Pyro&&) noexcept;
  Pyro& operator=(Pyro&&) noexcept;
  ~Pyro();

  Result<std::vector<EnvironmentInfo>> list_environments();
  Result<EnvironmentInfo> pull_environment(const std::string& name, const PullObserver& observer);
  Result<EnvironmentInfo> inspect_environment(const std::string& name);
  Result<PruneReport> prune_environments();

  Result<VmInfo> create_vm(const CreateOptions& options, const RunObserver& observer = {});
  Result<VmInfo> start_vm(const std::string& vm_id, const RunObserver& observer = {});
  // Runs one command and deletes the VM.
  Result<ExecResult> exec_vm(const std::string& vm_id, const ExecOptions& options,
                             const RunObserver& observer);
  Result<VmInfo> stop_vm(const std::string& vm_id);
  Result<VmInfo> delete_vm(const std::string& vm_id);  // state "deleted"
  Result<VmInfo> status_vm(const std::string& vm_id);
  Result<NetworkInfo> network_info_vm(const std::string& vm_id);
  // Deletes what has expired or whose supervisor is gone; returns the ids.
  Result<std::vector<std::string>> reap_expired();
  // create, start, exec, delete in one call; the VM goes when the caller does.
  Result<ExecResult> run_in_vm(const CreateOptions& create, const ExecOptions& exec,
                               const RunObserver& observer);

  // `fresh` measures again what is otherwise cached for this boot of the host.
  Result<DoctorReport> doctor(bool fresh);

  // MicroVMs that stay; lives as long as this object.
  Workspaces& workspaces();

 private:
  struct PYRO_LOCAL Impl;
  PYRO_LOCAL explicit Pyro(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pyro
