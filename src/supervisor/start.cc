#include "supervisor/start.h"

#include <boost/asio/this_coro.hpp>
#include <cerrno>

#include "proto/limits.h"
#include "vmm/host_facts.h"

namespace pyro::supervisor {

namespace asio = io::asio;

namespace {

// Of errors of a start: the ones that another accelerator may not have. A machine that the host
// killed says nothing about its accelerator.
bool is_of_the_machine(const Error& error) {
  return error.code == Errc::kDeadline ||
         (error.code == Errc::kUnavailable && error.os_errno != ENOMEM);
}

bool may_blame_kvm(const core::Sandbox& sandbox, const Host& host, const Error& error) {
  const bool chosen = host.settings.accelerator.empty();  // by us, and not asked for
  return host.monitor.accelerator == vmm::Accelerator::kKvm && chosen &&
         sandbox.state() == core::SandboxState::kFailed && is_of_the_machine(error);
}

}  // namespace

core::OnPhase phases_to(StreamPtr stream) {
  return [stream](const std::string& phase, const std::string& detail) {
    static_cast<void>(stream->send_event(
        proto::Phase::kName, proto::encode(proto::Phase{.phase = phase, .detail = detail})));
  };
}

io::Task<std::vector<proto::Stage>> start_sandbox(core::Sandbox& sandbox, const Host& host,
                                                  const io::Event& end, core::OnPhase on_phase) {
  auto stages = co_await sandbox.start(on_phase);
  const auto cancelled = co_await asio::this_coro::cancellation_state;
  const bool wanted = cancelled.cancelled() == asio::cancellation_type::none && !end.is_set();
  if (!stages && wanted && may_blame_kvm(sandbox, host, stages.error())) {
    // The probe was satisfied, a whole guest was not. Emulation works everywhere.
    on_phase("template", "the guest did not come up under KVM; trying emulation (see pyro doctor)");
    const std::string why = stages.error().message.substr(0, stages.error().message.find('\n'));
    sandbox.retry_with(vmm::Accelerator::kTcg);
    stages = co_await sandbox.start(on_phase);
    // Where emulation fails as well it is not KVM's fault. A note that cannot be written costs the
    // next start the same detour, and this one nothing.
    if (stages) {
      static_cast<void>(vmm::distrust_kvm(host.dirs.cache, "a guest did not come up: " + why));
    }
  }
  if (!stages && host.settings.accelerator == vmm::accelerator_name(vmm::Accelerator::kKvm) &&
      is_of_the_machine(stages.error())) {
    stages = std::unexpected(
        std::move(stages.error())
            .context("KVM is forced by PYRO_ACCELERATOR")
            .with_hint("unset PYRO_ACCELERATOR: pyro then uses emulation where KVM does not work"));
  }
  co_return stages;
}

Result<void> check_command(const std::vector<proto::Bytes>& argv, std::int64_t timeout_ms) {
  constexpr proto::Range kTimeoutMs{.low = 1, .high = proto::kTimeoutSecondsRange.high * 1000};
  PYRO_CHECK(proto::in_range("timeout_ms", timeout_ms, kTimeoutMs));
  if (argv.empty()) return fail(Errc::kInvalid, "there is no command to run");
  return {};
}

}  // namespace pyro::supervisor
