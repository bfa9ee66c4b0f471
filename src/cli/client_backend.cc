#include "cli/backend.h"
#include "client/client.h"
#include "client/workspaces.h"
#include "image/environments.h"

namespace pyro::cli {
namespace {

class ClientBackend final : public Backend {
 public:
  ClientBackend(sys::Environment env, client::Pyro pyro)
      : env_(std::move(env)), pyro_(std::move(pyro)) {}

  Result<std::vector<image::EnvironmentInfo>> list_environments() override {
    return pyro_.list_environments();
  }
  Result<image::EnvironmentInfo> pull_environment(const std::string& name,
                                                  const image::PullObserver& observer) override {
    return pyro_.pull_environment(name, observer);
  }
  Result<image::EnvironmentInfo> inspect_environment(const std::string& name) override {
    return pyro_.inspect_environment(name);
  }
  Result<client::PruneReport> prune_environments() override { return pyro_.prune_environments(); }
  Result<client::VmInfo> create_vm(const client::CreateOptions& options,
                                   const client::RunObserver& observer) override {
    return pyro_.create_vm(options, observer);
  }
  Result<client::VmInfo> start_vm(const std::string& vm_id,
                                  const client::RunObserver& observer) override {
    return pyro_.start_vm(vm_id, observer);
  }
  Result<client::ExecResult> exec_vm(const std::string& vm_id, const client::ExecOptions& options,
                                     const client::RunObserver& observer) override {
    return pyro_.exec_vm(vm_id, options, observer);
  }
  Result<client::VmInfo> delete_vm(const std::string& vm_id) override {
    return pyro_.delete_vm(vm_id);
  }
  Result<client::ExecResult> run_in_vm(const client::CreateOptions& create,
                                       const client::ExecOptions& exec,
                                       const client::RunObserver& observer) override {
    return pyro_.run_in_vm(create, exec, observer);
  }
  Result<client::DoctorReport> doctor(bool fresh) override { return pyro_.doctor(fresh); }
  Result<escape::Report> run_escape(const escape::SuiteOptions& options) override {
    return escape::run_escape(env_, options);
  }
  Result<escape::Report> run_smoke(const escape::SuiteOptions& options) override {
    return escape::run_smoke(env_, options);
  }
  client::Workspaces& workspaces() override { return pyro_.workspaces(); }

 private:
  sys::Environment env_;
  client::Pyro pyro_;
};

std::vector<std::string> workspace_names(const sys::Environment& env) {
  Result<client::Pyro> pyro = client::Pyro::open(env);
  if (!pyro) return {};
  const auto list = pyro->workspaces().list();
  if (!list) return {};
  std::vector<std::string> names;
  for (const client::WorkspaceInfo& info : *list) {
    if (!info.name.empty()) names.push_back(info.name);
    names.push_back(info.workspace_id);
  }
  return names;
}

std::vector<std::string> shell_ids(const sys::Environment& env, const std::string& workspace) {
  Result<client::Pyro> pyro = client::Pyro::open(env);
  if (!pyro) return {};
  const auto list = pyro->workspaces().shells().list(workspace);
  if (!list) return {};
  std::vector<std::string> ids;
  for (const client::ShellInfo& info : list->shells) ids.push_back(info.shell_id);
  return ids;
}

std::vector<std::string> service_names(const sys::Environment& env, const std::string& workspace) {
  Result<client::Pyro> pyro = client::Pyro::open(env);
  if (!pyro) return {};
  const auto list = pyro->workspaces().services().list(workspace);
  if (!list) return {};
  std::vector<std::string> names;
  for (const client::ServiceInfo& info : list->services) names.push_back(info.service_name);
  return names;
}

}  // namespace

Library client_library() {
  return {.open = [](const sys::Environment& env) -> Result<std::shared_ptr<Backend>> {
            PYRO_TRY(client::Pyro pyro, client::Pyro::open(env));
            return std::make_shared<ClientBackend>(env, std::move(pyro));
          },
          .environment_names =
              [] {
                std::vector<std::string> names;
                for (const image::CatalogEntry& entry : image::catalog())
                  names.push_back(entry.name);
                return names;
              },
          .workspace_names = workspace_names,
          .shell_ids = shell_ids,
          .service_names = service_names};
}

}  // namespace pyro::cli
