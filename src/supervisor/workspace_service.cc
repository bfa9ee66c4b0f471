#include "supervisor/workspace_service.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/workspace_names.h"
#include "proto/limits.h"
#include "proto/workspace_messages.h"
#include "supervisor/start.h"
#include "sys/fault.h"

namespace pyro::supervisor {

namespace asio = io::asio;
using boost::json::object;

namespace {

constexpr std::chrono::milliseconds kShortestNap{10};
// What failed may fail again at once: a disk that is full stays so for a while.
constexpr std::chrono::milliseconds kRetry{1000};

Result<void> check(const proto::CreateWorkspace& r) {
  if (!core::is_workspace_id(r.id)) return fail(Errc::kInvalid, "not the id of a workspace");
  PYRO_CHECK(proto::in_range("vcpu_count", r.vcpu_count, proto::kVcpuCountRange));
  PYRO_CHECK(proto::in_range("mem_mib", r.mem_mib, proto::kMemMibRange));
  if (r.ttl_seconds)
    PYRO_CHECK(proto::in_range("ttl_seconds", *r.ttl_seconds, proto::kTtlSecondsRange));
  if (r.ttl_action != "stop" && r.ttl_action != "delete")
    return fail(Errc::kInvalid, "ttl_action is stop or delete");
  return {};
}

Result<void> check(const proto::UpdateWorkspace& r) {
  if (r.ttl_seconds && *r.ttl_seconds != 0)
    PYRO_CHECK(proto::in_range("ttl_seconds", *r.ttl_seconds, proto::kTtlSecondsRange));
  if (r.ttl_action && *r.ttl_action != "stop" && *r.ttl_action != "delete")
    return fail(Errc::kInvalid, "ttl_action is stop or delete");
  return {};
}

Result<core::NewWorkspace> new_workspace(const proto::CreateWorkspace& r) {
  PYRO_TRY(policy::Policy network, policy::parse_policy_text(r.network));
  core::NewWorkspace made{.record = {.id = r.id,
                                     .name = r.name,
                                     .environment = r.environment,
                                     .execution_mode = kExecutionMode,
                                     .network = std::move(network),
                                     .allow_host_compat = r.allow_host_compat,
                                     .vcpu_count = r.vcpu_count,
                                     .mem_mib = r.mem_mib,
                                     .seed = {.mode = r.seed_mode,
                                              .source = r.seed_source,
                                              .entry_count = r.seed_entries,
                                              .bytes_written = r.seed_bytes},
                                     .labels = r.labels,
                                     .env = r.env,
                                     .secrets = {},
                                     .last_error = "",
                                     .created_at = core::now_seconds(),
                                     .ttl_seconds = r.ttl_seconds,
                                     .ttl_action = r.ttl_action,
                                     .expires_at = {},
                                     .last_reset_at = {},
                                     .work_base = "",
                                     .baseline = {}},
                          .secrets = {},
                          .baseline = r.baseline};
  made.record.last_activity_at = made.record.created_at;
  if (r.ttl_seconds)
    made.record.expires_at = made.record.created_at + static_cast<double>(*r.ttl_seconds);
  for (const proto::NewSecret& s : r.secrets) {
    made.record.secrets.push_back({.name = s.name, .source_kind = s.source_kind});
    made.secrets[s.name] = s.value.value;
  }
  return made;
}

object started(std::vector<proto::Stage> stages) {
  return proto::encode(proto::StartedWorkspace{.timing = std::move(stages)});
}

}  // namespace

WorkspaceService::WorkspaceService(std::unique_ptr<Host> host, io::Event& end,
                                   std::function<void()> recheck, asio::any_io_executor ex)
    : host_(std::move(host)), end_(end), recheck_(std::move(recheck)), new_time_(ex) {}

core::WorkspaceDeps WorkspaceService::deps() {
  return {.dirs = host_->dirs,
          .vmm = *host_->monitor.vmm,
          .templates = host_->templates,
          .environments = host_->environments,
          .disks = host_->disks,
          .boot = host_->boot(),
          .accelerator = host_->monitor.accelerator,
          .network = host_->network(),
          .sessions = host_->monitor.sessions,
          .start = [this](core::Sandbox& sandbox, core::OnPhase on_phase) {
            return start_sandbox(sandbox, *host_, end_, std::move(on_phase));
          }};
}

Result<std::unique_ptr<WorkspaceService>> WorkspaceService::create(
    const proto::CreateWorkspace& request, const MakeMonitor& make_monitor, io::Event& end,
    std::function<void()> recheck, asio::any_io_executor ex) {
  PYRO_CHECK(check(request));
  sys::arm_fault(request.host.fault);
  PYRO_TRY(auto host, make_host(request.host, make_monitor));
  std::unique_ptr<WorkspaceService> service(
      new WorkspaceService(std::move(host), end, std::move(recheck), ex));
  PYRO_TRY(core::NewWorkspace made, new_workspace(request));
  PYRO_TRY(service->workspace_, core::Workspace::create(std::move(made), service->deps(), ex));
  service->created_ = false;
  service->has_time_ = request.ttl_seconds.has_value();
  return service;
}

Result<std::unique_ptr<WorkspaceService>> WorkspaceService::open(
    const proto::OpenWorkspace& request, const MakeMonitor& make_monitor, io::Event& end,
    std::function<void()> recheck, asio::any_io_executor ex) {
  sys::arm_fault(request.host.fault);
  PYRO_TRY(auto host, make_host(request.host, make_monitor));
  std::unique_ptr<WorkspaceService> service(
      new WorkspaceService(std::move(host), end, std::move(recheck), ex));
  PYRO_TRY(service->workspace_, core::Workspace::open(request.id, service->deps(), ex));
  PYRO_CHECK(service->settings_changed());
  return service;
}

std::string WorkspaceService::socket_path() const {
  return core::socket_of(host_->dirs, workspace_->id());
}

Result<void> WorkspaceService::settings_changed() {
  PYRO_TRY(const auto record, workspace_->record());
  has_time_ = record.expires_at.has_value();
  new_time_.set();
  return {};
}

bool WorkspaceService::done(bool has_clients) const {
  if (workspace_->removed()) return true;
  return created_ && !has_clients && !has_time_ && !workspace_->has_machine();
}

asio::awaitable<void> WorkspaceService::watch_machine() {
  for (;;) {
    const auto woken = co_await workspace_->changed().wait();
    if (!woken) co_return;
    workspace_->changed().clear();
    recheck_();
  }
}

io::Task<void> WorkspaceService::act_at_expiry(const store::WorkspaceRecord& record) {
  if (core::deleted_at(record) <= host_->monitor.now()) {
    PYRO_CO_CHECK(co_await workspace_->remove());
  } else if (workspace_->has_machine()) {
    PYRO_CO_CHECK(co_await workspace_->stop());
  }
  recheck_();
  co_return Result<void>{};
}

asio::awaitable<void> WorkspaceService::keep_time() {
  for (;;) {
    new_time_.clear();
    const auto record = workspace_->record();
    std::chrono::milliseconds nap = host_->monitor.longest_nap;
    if (record && record->expires_at && created_) {
      const double now = host_->monitor.now();
      Result<void> acted;
      if (*record->expires_at <= now) acted = co_await act_at_expiry(*record);
      const double next =
          *record->expires_at > now ? *record->expires_at : core::deleted_at(*record);
      const std::chrono::milliseconds rest(std::llround(std::ceil((next - now) * 1e3)));
      nap = acted ? std::clamp(rest, kShortestNap, nap) : kRetry;
    }
    const auto woken = co_await new_time_.wait_for(nap);
    if (!woken && woken.error().code != Errc::kDeadline) co_return;
  }
}

io::Task<object> WorkspaceService::first_start(StreamPtr stream) {
  auto stages = co_await workspace_->start(phases_to(stream));
  if (!stages) {
    static_cast<void>(co_await workspace_->remove());
    co_return std::unexpected(std::move(stages.error()));
  }
  created_ = true;
  new_time_.set();
  sys::fault_point("create.started");
  co_return started(*std::move(stages));
}

// What changes the workspace as a whole.
io::Task<object> WorkspaceService::change(StreamPtr stream) {
  const std::string& method = stream->method();
  if (method == proto::StartWorkspace::kName) {
    PYRO_CO_TRY(auto stages, co_await workspace_->start(phases_to(stream)));
    co_return started(std::move(stages));
  }
  if (method == proto::StopWorkspace::kName) {
    PYRO_CO_CHECK(co_await workspace_->stop());
    co_return object{};
  }
  if (method == proto::DeleteWorkspace::kName) {
    PYRO_CO_CHECK(co_await workspace_->remove());
    co_return object{};
  }
  if (method == proto::ResetWorkspace::kName) {
    PYRO_CO_TRY(auto request, proto::decode<proto::ResetWorkspace>(stream->params()));
    PYRO_CO_TRY(auto stages, co_await workspace_->reset(request.snapshot, phases_to(stream)));
    co_return started(std::move(stages));
  }
  if (method == proto::SnapshotWorkspace::kName) {
    PYRO_CO_TRY(auto request, proto::decode<proto::SnapshotWorkspace>(stream->params()));
    PYRO_CO_TRY(auto taken, co_await workspace_->take_snapshot(request.name, stream));
    co_return proto::encode(std::move(taken));
  }
  if (method == proto::DropSnapshot::kName) {
    PYRO_CO_TRY(auto request, proto::decode<proto::DropSnapshot>(stream->params()));
    PYRO_CO_CHECK(co_await workspace_->drop_snapshot(request.name));
    co_return object{};
  }
  if (method == proto::UpdateWorkspace::kName) {
    PYRO_CO_TRY(const auto request, proto::decode<proto::UpdateWorkspace>(stream->params()));
    PYRO_CO_CHECK(check(request));
    PYRO_CO_CHECK(workspace_->update(request, core::now_seconds()));
    PYRO_CO_CHECK(settings_changed());
    co_return object{};
  }
  co_return fail(Errc::kInvalid, "unknown request " + method);
}

io::Task<object> WorkspaceService::answer(StreamPtr stream) {
  const std::string& method = stream->method();
  if (workspace_->removed()) co_return fail(Errc::kNotFound, "the workspace was deleted");
  if (!created_) co_return fail(Errc::kConflict, "the workspace is being created");
  if (method == proto::ExecWorkspace::kName) {
    PYRO_CO_TRY(auto request, proto::decode<proto::ExecWorkspace>(stream->params()));
    PYRO_CO_CHECK(check_command(request.argv, request.timeout_ms));
    PYRO_CO_TRY(auto done, co_await workspace_->exec(std::move(request), stream));
    co_return proto::encode(std::move(done));
  }
  if (method == proto::SignalWorkspace::kName) {
    PYRO_CO_TRY(const auto request, proto::decode<proto::SignalWorkspace>(stream->params()));
    PYRO_CO_CHECK(workspace_->signal(request.sequence, request.signo));
    co_return object{};
  }
  if (method == proto::ForwardWorkspace::kName) {
    PYRO_CO_TRY(auto request, proto::decode<proto::ForwardWorkspace>(stream->params()));
    co_return co_await workspace_->forward(std::move(request), stream, phases_to(stream));
  }
  if (method == proto::NoteWorkspace::kName) {
    PYRO_CO_TRY(const auto request, proto::decode<proto::NoteWorkspace>(stream->params()));
    PYRO_CO_CHECK(workspace_->note(request));
    co_return object{};
  }
  if (method.starts_with("shell.")) co_return co_await about_shells(std::move(stream));
  if (method.starts_with("service.")) co_return co_await about_services(std::move(stream));
  if (method.starts_with("network.")) co_return co_await about_network(std::move(stream));
  co_return co_await change(std::move(stream));
}

asio::awaitable<void> WorkspaceService::tear_down() {
  if (!created_) static_cast<void>(co_await workspace_->remove());
  co_await workspace_->close();
  // Whoever comes next finds nobody here, instead of somebody who does not answer.
  if (!workspace_->removed()) static_cast<void>(::unlink(socket_path().c_str()));
}

}  // namespace pyro::supervisor
