#include "supervisor/vm_service.h"

#include <algorithm>
#include <chrono>

#include "base/stopwatch.h"
#include "net/link_addresses.h"
#include "proto/limits.h"
#include "supervisor/start.h"

namespace pyro::supervisor {

namespace asio = io::asio;

namespace {

Result<void> check(const proto::CreateVm& r) {
  if (!core::is_vm_id(r.vm_id)) return fail(Errc::kInvalid, "not a VM id");
  PYRO_CHECK(proto::in_range("vcpu_count", r.vcpu_count, proto::kVcpuCountRange));
  PYRO_CHECK(proto::in_range("mem_mib", r.mem_mib, proto::kMemMibRange));
  return proto::in_range("ttl_seconds", r.ttl_seconds, proto::kTtlSecondsRange);
}

}  // namespace

Result<std::unique_ptr<VmService>> VmService::create(const proto::CreateVm& request,
                                                     const MakeMonitor& make_monitor,
                                                     io::Event& end, asio::any_io_executor ex) {
  PYRO_CHECK(check(request));
  PYRO_TRY(auto policy, policy::parse_policy_text(request.network));
  PYRO_TRY(auto host, make_host(request.host, make_monitor));
  PYRO_TRY(auto folder, core::SandboxFolder::create(host->dirs, request.vm_id));
  std::unique_ptr<VmService> service(
      new VmService(request, std::move(policy), std::move(host), std::move(folder), end, ex));
  PYRO_CHECK(service->record());
  return service;
}

VmService::VmService(proto::CreateVm spec, policy::Policy policy, std::unique_ptr<Host> host,
                     core::SandboxFolder folder, io::Event& end, asio::any_io_executor ex)
    : spec_(std::move(spec)),
      policy_(std::move(policy)),
      ex_(ex),
      host_(std::move(host)),
      folder_(std::move(folder)),
      sandbox_(sandbox_spec(),
               {.vmm = *host_->monitor.vmm,
                .templates = host_->templates,
                .environments = host_->environments},
               ex),
      turns_(ex),
      end_(end),
      created_at_(core::now_seconds()) {}

core::SandboxSpec VmService::sandbox_spec() {
  core::SandboxSpec out{.vm_id = spec_.vm_id,
                        .environment = spec_.environment,
                        .shape = {.accelerator = host_->monitor.accelerator,
                                  .mem_mib = spec_.mem_mib,
                                  .vcpus = spec_.vcpu_count,
                                  .mac = {}},
                        .cold = spec_.cold,
                        .boot = host_->boot(),
                        .make_disks = {},
                        .settle_in = {},
                        .make_link = {}};
  if (policy_.has_network()) {
    out.shape.mac = net::kGuestMac;
    out.make_link = [this] { return network_->guest_end(); };
  }
  return out;
}

// Before the machine: there is no moment in which it has a network without this policy.
io::Task<void> VmService::begin_network() {
  if (!policy_.has_network() || network_) co_return Result<void>{};
  PYRO_CO_TRY(network_, core::Network::make(
                            host_->network(),
                            [this](const proto::NetEvents& news) { note_refusals(news); }, ex_));
  co_return co_await network_->start(policy_);
}

// Each endpoint once, and how often.
void VmService::note_refusals(const proto::NetEvents& news) {
  constexpr std::size_t kMost = 32;
  for (const proto::NetEvent& e : news.events) {
    if (e.allow) continue;
    const auto known = std::ranges::find_if(refusals_, [&e](const proto::Refusal& r) {
      return r.protocol == e.protocol && r.name == e.name && r.address == e.address &&
             r.port == e.port;
    });
    if (known != refusals_.end()) {
      ++known->count;
    } else if (refusals_.size() < kMost) {
      refusals_.push_back({.protocol = e.protocol,
                           .name = e.name,
                           .address = e.address,
                           .port = e.port,
                           .rule = e.rule,
                           .reason = e.reason,
                           .count = 1});
    }
  }
}

// A start may be waiting for the very network.
io::Task<void> VmService::end_network_in_turn() {
  PYRO_CO_TRY(const auto turn, co_await turns_.take());
  co_await end_network();
  co_return Result<void>{};
}

asio::awaitable<void> VmService::end_network() {
  const auto network = std::exchange(network_, nullptr);
  if (network) co_await network->close();
}

asio::awaitable<void> VmService::stop() {
  ++stopping_;
  co_await sandbox_.stop();
  // Also for a client that has gone meanwhile.
  static_cast<void>(co_await io::to_the_end(end_network_in_turn()));
  --stopping_;
}

io::Task<proto::NetworkState> VmService::network_state() {
  const auto network = network_;
  if (!network) co_return proto::NetworkState{};
  co_return co_await network->state();
}

std::string VmService::socket_path() const {
  return spec_.lease ? "" : core::socket_of(host_->dirs, spec_.vm_id);
}

proto::VmStatus VmService::status() const {
  return {.vm_id = spec_.vm_id,
          .environment = spec_.environment,
          .state = removed_ ? "deleted" : core::state_name(sandbox_.state()),
          .execution_mode = kExecutionMode,
          .vcpu_count = spec_.vcpu_count,
          .mem_mib = spec_.mem_mib,
          .ttl_seconds = spec_.ttl_seconds,
          .network_enabled = policy_.has_network(),
          .allow_host_compat = spec_.allow_host_compat,
          .created_at = created_at_,
          .expires_at = created_at_ + spec_.ttl_seconds,
          .last_error = sandbox_.last_error()};
}

Result<void> VmService::record() const {
  if (spec_.lease || removed_) return {};
  const proto::VmStatus s = status();
  return folder_.write({.vm_id = s.vm_id,
                        .environment = s.environment,
                        .state = s.state,
                        .execution_mode = s.execution_mode,
                        .last_error = s.last_error,
                        .vcpu_count = s.vcpu_count,
                        .mem_mib = s.mem_mib,
                        .ttl_seconds = s.ttl_seconds,
                        .created_at = s.created_at,
                        .expires_at = s.expires_at});
}

io::Task<boost::json::object> VmService::answer(StreamPtr stream) {
  const std::string& method = stream->method();
  if (removed_) co_return fail(Errc::kNotFound, "there is no sandbox");
  if (method == proto::StatusVm::kName) co_return proto::encode(status());
  if (method == proto::StartVm::kName) {
    PYRO_CO_TRY(auto started, co_await start(stream));
    co_return proto::encode(std::move(started));
  }
  if (method == proto::ExecVm::kName) {
    PYRO_CO_TRY(auto request, proto::decode<proto::ExecVm>(stream->params()));
    PYRO_CO_TRY(auto done, co_await exec(std::move(request), stream));
    co_return proto::encode(std::move(done));
  }
  if (method == proto::SignalVm::kName) {
    PYRO_CO_TRY(const auto request, proto::decode<proto::SignalVm>(stream->params()));
    PYRO_CO_CHECK(sandbox_.signal(request.signo));
    co_return boost::json::object{};
  }
  if (method == proto::AskNetwork::kName) {
    PYRO_CO_TRY(const auto state, co_await network_state());
    co_return proto::encode(state);
  }
  if (method == proto::StopVm::kName) {
    co_await stop();
    PYRO_CO_CHECK(record());
    co_return proto::encode(status());
  }
  if (method == proto::DeleteVm::kName) {
    PYRO_CO_TRY(auto deleted, co_await remove());
    co_return proto::encode(std::move(deleted));
  }
  co_return fail(Errc::kInvalid, "unknown request " + method);
}

io::Task<proto::StartVmResult> VmService::start(StreamPtr stream) {
  PYRO_CO_TRY(const auto turn, co_await turns_.take());
  if (removed_) co_return fail(Errc::kNotFound, "there is no sandbox");
  if (stopping_ > 0) co_return fail(Errc::kConflict, spec_.vm_id + " is being stopped");
  const bool had_network = network_ != nullptr;
  auto networked = co_await begin_network();
  // The sandbox itself was stopped before it had anything to stop.
  if (networked && stopping_ > 0)
    networked = fail(Errc::kUnavailable, spec_.vm_id + " was stopped while it started");
  if (!networked) {
    if (!had_network) co_await end_network();
    co_return std::unexpected(std::move(networked.error()));
  }
  auto stages = co_await start_sandbox(sandbox_, *host_, end_, phases_to(stream));
  if (!stages && !had_network) co_await end_network();
  PYRO_CO_CHECK(record());
  PYRO_CO_CHECK(stages);
  co_return proto::StartVmResult{.status = status(), .timing = std::move(*stages)};
}

io::Task<proto::ExecVmResult> VmService::exec(proto::ExecVm request, StreamPtr stream) {
  PYRO_CO_CHECK(check_command(request.argv, request.timeout_ms));
  PYRO_CO_CHECK(sandbox_.check_exec());  // nothing ran: the sandbox stays
  auto result = co_await sandbox_.exec(std::move(request), stream);
  if (const auto network = network_) co_await network->hear_out();
  const Stopwatch watch;
  auto deleted = co_await remove();
  const double ms = watch.ms();
  PYRO_CO_CHECK(result);
  result->refused = std::move(refusals_);
  result->deleted = deleted.has_value();
  result->cleanup_reason = deleted ? "post_exec_cleanup" : deleted.error().message;
  result->timing.push_back({.name = "teardown", .ms = ms});
  co_return result;
}

io::Task<proto::VmStatus> VmService::remove() {
  co_await stop();
  const proto::VmStatus before = status();
  PYRO_CO_CHECK(folder_.remove());
  removed_ = true;
  proto::VmStatus after = before;
  after.state = "deleted";
  co_return after;
}

asio::awaitable<void> VmService::end_at_expiry() {
  const auto slept = co_await io::sleep_for(std::chrono::seconds(spec_.ttl_seconds));
  if (slept) end_.set();
}

bool VmService::done(bool /*has_clients*/) const {
  return removed_;
}

asio::awaitable<void> VmService::tear_down() {
  co_await stop();
  if (!removed_) static_cast<void>(folder_.remove());
  removed_ = true;
}

}  // namespace pyro::supervisor
