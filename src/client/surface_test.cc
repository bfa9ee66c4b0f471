// The C++ library has every operation of the table.
#include <gtest/gtest.h>

#include <map>
#include <string_view>

#include "proto/operations.h"
#include "pyro/pyro.hpp"

namespace pyro {
namespace {

// Anything that is there; that it can be named is the test.
struct There {
  template <class T>
  There(T operation) {  // NOLINT(google-explicit-constructor): the table below stays readable
    static_cast<void>(operation);
  }
};

const std::map<std::string_view, There>& surface() {
  static const std::map<std::string_view, There> operations{
      {"run", &Pyro::run_in_vm},
      {"env.list", &Pyro::list_environments},
      {"env.pull", &Pyro::pull_environment},
      {"env.inspect", &Pyro::inspect_environment},
      {"env.prune", &Pyro::prune_environments},
      {"doctor", &Pyro::doctor},
      {"create_vm", &Pyro::create_vm},
      {"start_vm", &Pyro::start_vm},
      {"exec_vm", &Pyro::exec_vm},
      {"stop_vm", &Pyro::stop_vm},
      {"delete_vm", &Pyro::delete_vm},
      {"status_vm", &Pyro::status_vm},
      {"network_info_vm", &Pyro::network_info_vm},
      {"reap_expired", &Pyro::reap_expired},
      {"policy.check", &check_policy},
      {"policy.explain", &explain_policy},
      {"smolfile.render", &render_smolfile},
      {"workspace.create", &Workspaces::create},
      {"workspace.list", &Workspaces::list},
      {"workspace.status", &Workspaces::status},
      {"workspace.update", &Workspaces::update},
      {"workspace.delete", &Workspaces::remove},
      {"workspace.stop", &Workspaces::stop},
      {"workspace.start", &Workspaces::start},
      {"workspace.logs", &Workspaces::logs},
      {"workspace.exec", &Workspaces::exec},
      {"workspace.sync.push", &Workspaces::push_sync},
      {"workspace.export", &Workspaces::export_path},
      {"workspace.diff", &Workspaces::diff},
      {"workspace.snapshot.create", &Workspaces::create_snapshot},
      {"workspace.snapshot.list", &Workspaces::list_snapshots},
      {"workspace.snapshot.delete", &Workspaces::delete_snapshot},
      {"workspace.reset", &Workspaces::reset},
      {"workspace.file.list", &Workspaces::list_files},
      {"workspace.file.read", &Workspaces::read_file},
      {"workspace.file.write", &Workspaces::write_file},
      {"workspace.patch.apply", &Workspaces::apply_patch},
      {"workspace.network.show", &Workspaces::network},
      {"workspace.network.set", &Workspaces::set_network},
      {"workspace.network.events", &Workspaces::network_events},
      {"workspace.disk.export", &Workspaces::disk_export},
      {"workspace.disk.list", &Workspaces::disk_list},
      {"workspace.disk.read", &Workspaces::disk_read},
      {"workspace.summary", &Workspaces::summary},
      {"workspace.shell.open", &Shells::open},
      {"workspace.shell.read", &Shells::read},
      {"workspace.shell.write", &Shells::write},
      {"workspace.shell.signal", &Shells::signal},
      {"workspace.shell.resize", &Shells::resize},
      {"workspace.shell.list", &Shells::list},
      {"workspace.shell.close", &Shells::close},
      {"workspace.shell.attach", &Shells::attach},
      {"workspace.service.start", &Services::start},
      {"workspace.service.list", &Services::list},
      {"workspace.service.status", &Services::status},
      {"workspace.service.logs", &Services::logs},
      {"workspace.service.stop", &Services::stop},
      {"workspace.service.restart", &Services::restart}};
  return operations;
}

TEST(Surface, EveryOperationOfTheTableIsInTheLibrary) {
  for (const proto::Operation& operation : proto::operations()) {
    if (operation.method.empty()) continue;  // of the command line only
    EXPECT_TRUE(surface().contains(operation.name)) << operation.name;
  }
  for (const auto& [name, there] : surface())
    EXPECT_NE(proto::find_operation(name), nullptr) << name;
}

TEST(Surface, DefaultsAreThoseOfTheTable) {
  const auto default_of = [](std::string_view operation, std::string_view param) {
    const proto::Operation* found = proto::find_operation(operation);
    const proto::Param* p = found != nullptr ? proto::find_param(*found, param) : nullptr;
    return p != nullptr ? std::string(p->default_text) : "?";
  };
  const auto expect = [&](std::string_view operation, std::string_view param, std::string value) {
    EXPECT_EQ(default_of(operation, param), value) << operation << ' ' << param;
  };
  for (const std::string_view name : {"run", "create_vm"}) {
    expect(name, "vcpu_count", std::to_string(CreateOptions{}.vcpu_count));
    expect(name, "mem_mib", std::to_string(CreateOptions{}.mem_mib));
    expect(name, "ttl_seconds", std::to_string(CreateOptions{}.ttl_seconds));
  }
  for (const std::string_view name : {"run", "exec_vm"})
    expect(name, "timeout_seconds", std::to_string(ExecOptions{}.timeout_seconds));
  expect("workspace.create", "vcpu_count", std::to_string(WorkspaceOptions{}.vcpu_count));
  expect("workspace.create", "mem_mib", std::to_string(WorkspaceOptions{}.mem_mib));
  expect("workspace.create", "ttl_seconds", "");
  expect("workspace.create", "ttl_action", WorkspaceOptions{}.ttl_action);
  expect("workspace.exec", "timeout_seconds",
         std::to_string(WorkspaceExecOptions{}.timeout_seconds));
  expect("workspace.exec", "cwd", WorkspaceExecOptions{}.cwd);
  expect("workspace.sync.push", "dest", SyncOptions{}.dest);
  expect("workspace.network.events", "tail", std::to_string(NetworkEventOptions{}.tail));
  expect("workspace.shell.open", "cwd", ShellOptions{}.cwd);
  expect("workspace.shell.open", "cols", std::to_string(ShellOptions{}.cols));
  expect("workspace.shell.open", "rows", std::to_string(ShellOptions{}.rows));
  expect("workspace.shell.read", "cursor", std::to_string(ShellReadOptions{}.cursor));
  expect("workspace.shell.read", "max_chars", std::to_string(ShellReadOptions{}.max_chars));
  expect("workspace.shell.read", "wait_timeout_ms",
         std::to_string(ShellReadOptions{}.wait_timeout_ms));
  expect("workspace.service.start", "cwd", ServiceOptions{}.cwd);
  expect("workspace.service.start", "ready_timeout_seconds",
         std::to_string(ServiceOptions{}.ready_timeout_seconds));
  expect("workspace.service.start", "ready_interval_ms",
         std::to_string(ServiceOptions{}.ready_interval_ms));
  expect("workspace.service.start", "restart", ServiceOptions{}.restart);
  expect("workspace.service.logs", "tail_lines", std::to_string(ServiceLogOptions{}.tail_lines));
}

}  // namespace
}  // namespace pyro
