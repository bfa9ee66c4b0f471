#include "client/client.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "base/stopwatch.h"
#include "base/text.h"
#include "base/version.h"
#include "client/connection.h"
#include "client/doctor.h"
#include "client/host_side.h"
#include "client/workspaces.h"
#include "core/sandbox_folder.h"
#include "core/templates.h"
#include "image/debian_mirror.h"
#include "proto/limits.h"
#include "store/sandbox_record.h"
#include "sys/fault.h"

namespace pyro::client {

namespace json = boost::json;

namespace {

// What the user is told of it goes to `observer`.
Result<policy::Policy> check(const CreateOptions& o, const RunObserver& observer) {
  PYRO_CHECK(image::find_entry(o.environment));
  PYRO_CHECK(proto::in_range("vcpu_count", o.vcpu_count, proto::kVcpuCountRange));
  PYRO_CHECK(proto::in_range("mem_mib", o.mem_mib, proto::kMemMibRange));
  PYRO_CHECK(proto::in_range("ttl_seconds", o.ttl_seconds, proto::kTtlSecondsRange));
  return usable_policy(o.network, observer.on_warning);
}

VmInfo info_of(const proto::VmStatus& s) {
  return {.vm_id = s.vm_id,
          .environment = s.environment,
          .state = s.state,
          .execution_mode = s.execution_mode,
          .vcpu_count = s.vcpu_count,
          .mem_mib = s.mem_mib,
          .ttl_seconds = s.ttl_seconds,
          .network_enabled = s.network_enabled,
          .allow_host_compat = s.allow_host_compat,
          .created_at = s.created_at,
          .expires_at = s.expires_at,
          .last_error = s.last_error};
}

void append(Timing& timing, const std::vector<proto::Stage>& stages) {
  for (const proto::Stage& s : stages) timing.emplace_back(s.name, s.ms);
}

Error no_such_vm(const std::string& id) {
  return {.code = Errc::kNotFound,
          .message = "there is no VM " + id,
          .hint = "it may have expired or been deleted"};
}

}  // namespace
}  // namespace pyro::client

namespace pyro {

// The public class is one level up from what it is made of.
using namespace client;  // NOLINT(google-build-using-namespace)

struct Pyro::Impl : HostSide {
  Impl(Variables variables, sys::Dirs folders)
      : HostSide(std::move(variables), std::move(folders)), workspaces(make_workspaces(*this)) {}

  proto::CreateVm create_request(const CreateOptions& o, const policy::Policy& network,
                                 std::string vm_id, bool lease) const {
    return {.vm_id = std::move(vm_id),
            .environment = o.environment,
            .vcpu_count = o.vcpu_count,
            .mem_mib = o.mem_mib,
            .ttl_seconds = o.ttl_seconds,
            .cold = o.boot == Boot::kCold,
            .lease = lease,
            .network = network.text(),
            .allow_host_compat = o.allow_host_compat,
            .host = settings()};
  }

  const std::unique_ptr<Workspaces> workspaces;

  struct Created {
    Connection connection;
    proto::VmStatus status;
  };
  Result<Created> create(const CreateOptions& o, bool lease, const RunObserver& observer) {
    PYRO_TRY(const policy::Policy network, check(o, observer));
    static_cast<void>(core::remove_abandoned(dirs));  // in nobody's way if it fails
    PYRO_CHECK(ensure_environment(o.environment, observer));
    PYRO_TRY(auto reservation, reserve(o.mem_mib, o.vcpu_count, observer));
    if (observer.on_phase) observer.on_phase("create", "", o.environment);
    PYRO_TRY(std::string id, core::new_vm_id());
    PYRO_TRY(auto connection, Connection::spawn(dirs, std::move(reservation)));
    PYRO_TRY(const json::object answer,
             connection.call(proto::CreateVm::kName,
                             proto::encode(create_request(o, network, std::move(id), lease)),
                             {.on_phase = {}, .limit = kQuickAnswer}));
    PYRO_TRY(auto status, proto::decode<proto::VmStatus>(answer));
    return Created{.connection = std::move(connection), .status = std::move(status)};
  }

  static Result<proto::StartVmResult> start(Connection& connection, const std::string& vm_id,
                                            const RunObserver& observer) {
    if (observer.on_phase) observer.on_phase("start", vm_id, "");
    const Connection::CallOptions options{.on_phase =
                                              [&](const proto::Phase& p) {
                                                if (observer.on_phase)
                                                  observer.on_phase(p.phase, vm_id, p.detail);
                                              },
                                          .interrupt_fd = observer.interrupt_fd};
    PYRO_TRY(const json::object answer, connection.call(proto::StartVm::kName, {}, options));
    return proto::decode<proto::StartVmResult>(answer);
  }

  static Result<ExecResult> exec(Connection& connection, const proto::VmStatus& vm,
                                 const ExecOptions& o, const RunObserver& observer) {
    PYRO_CHECK(proto::in_range("timeout_seconds", o.timeout_seconds, proto::kTimeoutSecondsRange));
    PYRO_TRY(auto argv, argv_of(o.argv, o.command));
    if (observer.on_phase) observer.on_phase("execute", vm.vm_id, "");
    ExecResult result{.vm_id = vm.vm_id,
                      .environment = vm.environment,
                      .command = o.command.empty() ? shell_join(argv) : o.command,
                      .execution_mode = vm.execution_mode,
                      .signal = {},
                      .cleanup = {},
                      .timing = {},
                      .warnings = {},
                      .refused = {}};
    const Stopwatch watch;
    proto::ExecVm request{.argv = proto::to_bytes(std::move(argv)),
                          .stdin_open = o.stdin_fd.has_value(),
                          .timeout_ms = std::int64_t{o.timeout_seconds} * 1000};
    PYRO_TRY(auto done, connection.exec(request, o.stdin_fd, observer));
    result.exit_code = done.exit_code;
    result.signal = done.signal;
    result.timed_out = done.timed_out;
    result.duration_ms = (done.duration_us + 500) / 1000;
    result.cleanup = {.deleted = done.deleted, .reason = done.cleanup_reason};
    double teardown = 0;
    for (const proto::Stage& s : done.timing) teardown += s.name == "teardown" ? s.ms : 0;
    result.timing.emplace_back("exec", watch.ms() - teardown);
    append(result.timing, done.timing);
    for (proto::Refusal& r : done.refused) {
      result.refused.push_back({.protocol = std::move(r.protocol),
                                .name = std::move(r.name),
                                .address = std::move(r.address),
                                .port = r.port,
                                .rule = std::move(r.rule),
                                .reason = std::move(r.reason),
                                .count = r.count});
    }
    return result;
  }

  // The supervisor of a VM that was created by whichever process.
  Result<Connection> connect(const std::string& vm_id) {
    if (!core::is_vm_id(vm_id)) return std::unexpected(no_such_vm(vm_id));
    auto connection = Connection::connect(dirs, vm_id);
    if (connection) return connection;
    // It may have ended between the connection and its answer.
    const bool gone = !sys::exists(core::folder_of(dirs, vm_id));
    if (!gone && connection.error().code != Errc::kNotFound) return connection;
    return std::unexpected(no_such_vm(vm_id));
  }

  Result<VmInfo> ask(const std::string& vm_id, const char* method) {
    PYRO_TRY(auto connection, connect(vm_id));
    PYRO_TRY(const json::object answer,
             connection.call(method, {}, {.on_phase = {}, .limit = kQuickAnswer}));
    PYRO_TRY(const auto status, proto::decode<proto::VmStatus>(answer));
    return info_of(status);
  }

  // What the record says of a VM whose supervisor was killed.
  Result<VmInfo> abandoned(const std::string& vm_id) {
    if (!core::is_vm_id(vm_id)) return std::unexpected(no_such_vm(vm_id));
    const auto record = store::read_record(core::folder_of(dirs, vm_id));
    if (!record) return std::unexpected(no_such_vm(vm_id));
    return VmInfo{.vm_id = record->vm_id,
                  .environment = record->environment,
                  .state = "failed",
                  .execution_mode = record->execution_mode,
                  .vcpu_count = static_cast<int>(record->vcpu_count),
                  .mem_mib = static_cast<int>(record->mem_mib),
                  .ttl_seconds = static_cast<int>(record->ttl_seconds),
                  .created_at = record->created_at,
                  .expires_at = record->expires_at,
                  .last_error = "its supervisor is gone; it was " + record->state + " before"};
  }
};

std::string_view version() {
  return kVersion;
}

Pyro::Pyro(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Pyro::Pyro(Pyro&&) noexcept = default;
Pyro& Pyro::operator=(Pyro&&) noexcept = default;
Pyro::~Pyro() = default;

Result<Pyro> Pyro::open() {
  return open(sys::process_environment());
}

Result<Pyro> Pyro::open(const Variables& env) {
  PYRO_TRY(auto dirs, sys::resolve_dirs(env));
  // Of the process; not touched otherwise, because other threads may be in calls.
  if (const auto fault = env("PYRO_FAULT")) sys::arm_fault(*fault);
  return Pyro(std::make_unique<Impl>(env, std::move(dirs)));
}

Result<std::vector<EnvironmentInfo>> Pyro::list_environments() {
  return impl_->environments.list();
}

Result<EnvironmentInfo> Pyro::pull_environment(const std::string& name,
                                               const PullObserver& observer) {
  return impl_->environments.pull(name, observer);
}

Result<EnvironmentInfo> Pyro::inspect_environment(const std::string& name) {
  return impl_->environments.inspect(name, /*deep=*/true);
}

Result<PruneReport> Pyro::prune_environments() {
  PYRO_TRY(auto environments, impl_->environments.prune());
  PYRO_TRY(auto templates, core::Templates::prune(impl_->dirs.templates(), 0));
  PruneReport report{.deleted_environment_dirs = std::move(environments.deleted),
                     .deleted_templates = std::move(templates.deleted),
                     .kept_in_use = std::move(environments.kept_in_use),
                     .freed_bytes = environments.freed_bytes + templates.freed_bytes};
  for (std::string& key : templates.kept_in_use) report.kept_in_use.push_back("template " + key);
  return report;
}

Result<VmInfo> Pyro::create_vm(const CreateOptions& options, const RunObserver& observer) {
  PYRO_TRY(auto created, impl_->create(options, /*lease=*/false, observer));
  return info_of(created.status);
}

Result<VmInfo> Pyro::start_vm(const std::string& vm_id, const RunObserver& observer) {
  PYRO_TRY(auto connection, impl_->connect(vm_id));
  PYRO_TRY(const auto started, Impl::start(connection, vm_id, observer));
  return info_of(started.status);
}

Result<ExecResult> Pyro::exec_vm(const std::string& vm_id, const ExecOptions& options,
                                 const RunObserver& observer) {
  PYRO_TRY(auto connection, impl_->connect(vm_id));
  PYRO_TRY(const json::object answer,
           connection.call(proto::StatusVm::kName, {}, {.on_phase = {}, .limit = kQuickAnswer}));
  PYRO_TRY(const auto status, proto::decode<proto::VmStatus>(answer));
  return Impl::exec(connection, status, options, observer);
}

Result<VmInfo> Pyro::stop_vm(const std::string& vm_id) {
  return impl_->ask(vm_id, proto::StopVm::kName);
}

Result<VmInfo> Pyro::delete_vm(const std::string& vm_id) {
  auto asked = impl_->ask(vm_id, proto::DeleteVm::kName);
  if (asked || asked.error().code != Errc::kNotFound) return asked;
  PYRO_TRY(VmInfo info, impl_->abandoned(vm_id));
  PYRO_CHECK(core::remove_if_abandoned(impl_->dirs, vm_id));
  info.state = "deleted";
  return info;
}

Result<VmInfo> Pyro::status_vm(const std::string& vm_id) {
  auto asked = impl_->ask(vm_id, proto::StatusVm::kName);
  if (asked || asked.error().code != Errc::kNotFound) return asked;
  return impl_->abandoned(vm_id);
}

Result<NetworkInfo> Pyro::network_info_vm(const std::string& vm_id) {
  PYRO_TRY(const VmInfo vm, status_vm(vm_id));
  NetworkInfo info{.vm_id = vm.vm_id, .network_enabled = vm.network_enabled, .network = {}};
  PYRO_TRY(auto connection, Connection::connect(impl_->dirs, vm_id));
  PYRO_TRY(const json::object answer,
           connection.call(proto::AskNetwork::kName, {}, {.on_phase = {}, .limit = kQuickAnswer}));
  PYRO_TRY(const auto state, proto::decode<proto::NetworkState>(answer));
  PYRO_TRY(info.network, live_network(state));
  return info;
}

Result<std::vector<std::string>> Pyro::reap_expired() {
  return core::remove_abandoned(impl_->dirs);
}

Workspaces& Pyro::workspaces() {
  return *impl_->workspaces;
}

Result<DoctorReport> Pyro::doctor(bool fresh) {
  const DoctorInputs inputs{.dirs = impl_->dirs,
                            .qemu_override = impl_->env("PYRO_QEMU").value_or(""),
                            .search_path = impl_->env("PATH").value_or(kDefaultPath),
                            .accelerator = impl_->env("PYRO_ACCELERATOR").value_or("")};
  return examine(inputs, impl_->environments, fresh);
}

Result<ExecResult> Pyro::run_in_vm(const CreateOptions& create, const ExecOptions& exec,
                                   const RunObserver& observer) {
  // Before anything is started for it.
  PYRO_CHECK(proto::in_range("timeout_seconds", exec.timeout_seconds, proto::kTimeoutSecondsRange));
  PYRO_CHECK(argv_of(exec.argv, exec.command));
  const Stopwatch total;
  std::vector<std::string> warnings;
  RunObserver noting = observer;
  noting.on_warning = [&](std::string_view warning) {
    warnings.emplace_back(warning);
    if (observer.on_warning) observer.on_warning(warning);
  };
  PYRO_TRY(auto created, impl_->create(create, /*lease=*/true, noting));
  const double create_ms = total.ms();
  const std::string vm_id = created.status.vm_id;
  const Stopwatch start_watch;
  auto started = Impl::start(created.connection, vm_id, observer);
  const double start_ms = start_watch.ms();
  auto result = started ? Impl::exec(created.connection, created.status, exec, observer)
                        : Result<ExecResult>(std::unexpected(started.error()));
  if (!result) {
    // Without this a killed supervisor would leave its folder to the next command.
    (void)core::remove_if_abandoned(impl_->dirs, vm_id);
    return result;
  }
  Timing timing{{"create", create_ms}, {"start", start_ms}};
  append(timing, started->timing);
  timing.insert(timing.end(), result->timing.begin(), result->timing.end());
  timing.emplace_back("total", total.ms());
  result->timing = std::move(timing);
  result->warnings = std::move(warnings);
  return result;
}

}  // namespace pyro
