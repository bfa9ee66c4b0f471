// What surfaces ask of the library, one call for each operation. ClientBackend asks the real one;
// tests bring a fake, so that no test of a surface needs a guest.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "client/client.h"
#include "client/workspaces.h"

namespace pyro::api {

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
  virtual Result<client::VmInfo> stop_vm(const std::string& vm_id) = 0;
  virtual Result<client::VmInfo> delete_vm(const std::string& vm_id) = 0;
  virtual Result<client::VmInfo> status_vm(const std::string& vm_id) = 0;
  virtual Result<client::NetworkInfo> network_info_vm(const std::string& vm_id) = 0;
  virtual Result<std::vector<std::string>> reap_expired() = 0;
  virtual Result<client::ExecResult> run_in_vm(const client::CreateOptions& create,
                                               const client::ExecOptions& exec,
                                               const client::RunObserver& observer) = 0;
  virtual Result<client::DoctorReport> doctor(bool fresh) = 0;
  virtual client::Workspaces& workspaces() = 0;
};

// The real library behind `Interface`, which is Backend or has more than it.
template <class Interface>
class ClientBackend : public Interface {
 public:
  explicit ClientBackend(client::Pyro pyro) : pyro_(std::move(pyro)) {}

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
  Result<client::VmInfo> stop_vm(const std::string& vm_id) override { return pyro_.stop_vm(vm_id); }
  Result<client::VmInfo> delete_vm(const std::string& vm_id) override {
    return pyro_.delete_vm(vm_id);
  }
  Result<client::VmInfo> status_vm(const std::string& vm_id) override {
    return pyro_.status_vm(vm_id);
  }
  Result<client::NetworkInfo> network_info_vm(const std::string& vm_id) override {
    return pyro_.network_info_vm(vm_id);
  }
  Result<std::vector<std::string>> reap_expired() override { return pyro_.reap_expired(); }
  Result<client::ExecResult> run_in_vm(const client::CreateOptions& create,
                                       const client::ExecOptions& exec,
                                       const client::RunObserver& observer) override {
    return pyro_.run_in_vm(create, exec, observer);
  }
  Result<client::DoctorReport> doctor(bool fresh) override { return pyro_.doctor(fresh); }
  client::Workspaces& workspaces() override { return pyro_.workspaces(); }

 private:
  client::Pyro pyro_;
};

}  // namespace pyro::api
