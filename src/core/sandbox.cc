#include "core/sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/asio/this_coro.hpp>

#include "core/exec_relay.h"
#include "sys/file.h"

namespace pyro::core {

namespace asio = io::asio;

namespace {

class Stopwatch {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const double ms = std::chrono::duration<double, std::milli>(now - last_).count();
    last_ = now;
    return ms;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// Memory of a machine that is not a clone: nobody else sees it and it goes with the descriptor.
Result<sys::UniqueFd> anonymous_memory(int mem_mib) {
  sys::UniqueFd fd(::memfd_create("pyro-guest", MFD_CLOEXEC));
  if (!fd) return sys::fail_errno("memfd_create", errno);
  PYRO_CHECK(sys::retrying("ftruncate", [&] { return ::ftruncate(fd.get(), static_cast<off_t>(mem_mib) << 20); }));
  return fd;
}

}  // namespace

const char* state_name(SandboxState state) {
  switch (state) {
    case SandboxState::kCreated: return "created";
    case SandboxState::kStarting: return "starting";
    case SandboxState::kStarted: return "started";
    case SandboxState::kStopped: return "stopped";
    case SandboxState::kFailed: return "failed";
  }
  return "failed";
}

io::Task<std::unique_ptr<vmm::Vm>> Sandbox::launch(const image::InstalledEnvironment& environment,
                                                   const OnPhase& on_phase,
                                                   std::vector<proto::Stage>& stages) {
  Stopwatch watch;
  vmm::LaunchSpec spec{.shape = spec_.shape};
  PYRO_CO_TRY(spec.root_image, sys::open_file(environment.rootfs, O_RDONLY));
  if (spec_.cold) {
    PYRO_CO_TRY(spec.memory, anonymous_memory(spec_.shape.mem_mib));
    spec.memory_mode = vmm::LaunchSpec::Memory::kShared;
    PYRO_CO_TRY(spec.start, make_fresh_boot(environment, spec_.boot));
  } else {
    TemplateRequest request{.environment = environment, .shape = spec_.shape, .boot = spec_.boot, .on_phase = {}};
    if (on_phase) {
      request.on_phase = [&on_phase](const std::string& detail) { on_phase("template", detail); };
    }
    PYRO_CO_TRY(Template found, co_await deps_.templates.ensure(std::move(request)));
    spec.memory = std::move(found.memory);
    spec.start = vmm::Restore{.state = std::move(found.state)};
    template_lease_ = std::move(found.lease);
  }
  stages.push_back({.name = "template", .ms = watch.lap()});
  PYRO_CO_TRY(auto vm, co_await deps_.vmm.launch(std::move(spec)));
  stages.push_back({.name = "spawn", .ms = vm->start_times().spawn_ms});
  stages.push_back({.name = "restore", .ms = vm->start_times().restore_ms});
  co_return vm;
}

io::Task<void> Sandbox::bring_up(const OnPhase& on_phase, std::vector<proto::Stage>& stages) {
  const Use use(*this);
  PYRO_CO_TRY(image::InstalledEnvironment environment, deps_.environments.open(spec_.environment));
  PYRO_CO_TRY(auto vm, co_await launch(environment, on_phase, stages));
  environment_lease_ = std::move(environment.lease);
  guest_ = std::make_unique<Guest>(std::move(vm), co_await asio::this_coro::executor);
  Stopwatch watch;
  const auto limit = spec_.cold ? spec_.boot.boot_limit : spec_.boot.answer_limit;
  PYRO_CO_CHECK(co_await guest_->greet(limit));
  if (spec_.cold) PYRO_CO_CHECK(co_await guest_->prepare());
  stages.push_back({.name = "first_reply", .ms = watch.lap()});
  PYRO_CO_CHECK(co_await guest_->rejuvenate({.hostname = spec_.vm_id}));
  stages.push_back({.name = "rejuvenate", .ms = watch.lap()});
  co_return Result<void>{};
}

io::Task<std::vector<proto::Stage>> Sandbox::start(OnPhase on_phase) {
  if (state_ != SandboxState::kCreated && state_ != SandboxState::kStopped) {
    co_return fail(Errc::kConflict, fmt::format("{} is {}; only a created or stopped VM can be started",
                                                spec_.vm_id, state_name(state_)));
  }
  state_ = SandboxState::kStarting;
  std::vector<proto::Stage> stages;
  auto up = co_await bring_up(on_phase, stages);
  if (state_ != SandboxState::kStarting) {  // stop() came in between
    co_return fail(Errc::kUnavailable, spec_.vm_id + " was stopped while it started");
  }
  if (!up) {
    last_error_ = up.error().message;
    co_await stop();
    state_ = SandboxState::kFailed;
    co_return std::unexpected(std::move(up.error()));
  }
  state_ = SandboxState::kStarted;
  co_return stages;
}

io::Task<proto::ExecVmResult> Sandbox::exec(proto::ExecVm request, std::shared_ptr<rpc::Stream> client) {
  if (state_ != SandboxState::kStarted) {
    co_return fail_hint(Errc::kConflict, fmt::format("{} is {}, not started", spec_.vm_id, state_name(state_)),
                        "start it first");
  }
  const Use use(*this);
  auto result = co_await relay_exec(*guest_, std::move(request), std::move(client),
                                    [this](std::shared_ptr<rpc::Stream> s) { command_ = std::move(s); });
  if (!result) {
    last_error_ = result.error().message;
    state_ = SandboxState::kFailed;
  }
  co_return result;
}

Result<void> Sandbox::signal(int signo) {
  const auto command = command_.lock();
  if (!command) return fail(Errc::kConflict, spec_.vm_id + " runs no command");
  return command->send_event(proto::Signal::kName, proto::encode(proto::Signal{.signo = signo}));
}

asio::awaitable<void> Sandbox::stop() {
  state_ = SandboxState::kStopped;
  if (guest_) co_await guest_->end();
  while (users_ > 0) {
    unused_.clear();
    static_cast<void>(co_await unused_.wait());
  }
  guest_.reset();
  template_lease_.reset();
  environment_lease_.reset();
}

}  // namespace pyro::core
