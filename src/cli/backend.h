// What the command line asks of the library, one call for each operation. client_backend.cc is the
// real one; tests bring a fake, so that no command test needs a guest.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "client/client.h"
#include "client/workspaces.h"
#include "escape/suite.h"

namespace pyro::cli {

class Backend {
 public:
  virtual ~Backend() = default;
  virtual Result<std::vector<image::EnvironmentInfo>> list_environments() = 0;
  virtual Result<image::EnvironmentInfo> pull_environment(const std::string& name,
                                                          const image::PullObserver& observer) = 0;
  virtual Result<image::EnvironmentInfo> inspect_environment(const std::string& name) = 0;
  virtual Result<client::PruneReport> prune_environments() = 0;
  virtual Result<client::VmInfo> create_vm(const client::CreateOptions& options,
                                           const client::RunObserver& observer) = 0;
  virtual Result<client::VmInfo> start_vm(const std::string& vm_id,
                                          const client::RunObserver& observer) = 0;
  virtual Result<client::ExecResult> exec_vm(const std::string& vm_id,
                                             const client::ExecOptions& options,
                                             const client::RunObserver& observer) = 0;
  virtual Result<client::VmInfo> delete_vm(const std::string& vm_id) = 0;
  virtual Result<client::ExecResult> run_in_vm(const client::CreateOptions& create,
                                               const client::ExecOptions& exec,
                                               const client::RunObserver& observer) = 0;
  virtual Result<client::DoctorReport> doctor(bool fresh) = 0;
  virtual Result<escape::Report> run_escape(const escape::SuiteOptions& options) = 0;
  virtual Result<escape::Report> run_smoke(const escape::SuiteOptions& options) = 0;
  virtual client::Workspaces& workspaces() = 0;
};

// `open` is called at most once, and only by a command that needs it.
struct Library {
  std::function<Result<std::shared_ptr<Backend>>(const sys::Environment&)> open;
  std::function<std::vector<std::string>()> environment_names;  // of the catalogue; touches no file
  // Names and ids of the workspaces there are, for completion: what cannot be read is left out.
  std::function<std::vector<std::string>(const sys::Environment&)> workspace_names;
  // The same for the shells and the services of a workspace.
  using NamesOf = std::function<std::vector<std::string>(const sys::Environment&,
                                                         const std::string& workspace)>;
  NamesOf shell_ids, service_names;
};

// The real library.
Library client_library();

}  // namespace pyro::cli
