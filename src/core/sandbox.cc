#include "core/sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/asio/this_coro.hpp>

#include "base/stopwatch.h"
#include "base/text.h"
#include "core/exec_relay.h"
#include "sys/file.h"

namespace pyro::core {

namespace asio = io::asio;

namespace {

// Memory of a machine that is not a clone: nobody else sees it and it goes with the descriptor.
Result<sys::UniqueFd> anonymous_memory(int mem_mib) {
  sys::UniqueFd fd(::memfd_create("pyro-guest", MFD_CLOEXEC));
  if (!fd) return sys::fail_errno("memfd_create", errno);
  PYRO_CHECK(sys::retrying(
      "ftruncate", [&] { return ::ftruncate(fd.get(), static_cast<off_t>(mem_mib) << 20); }));
  return fd;
}

// An error for people: parts of it may come from the guest or from QEMU.
Error safe(Error error) {
  error.message = printable(error.message);
  error.hint = printable(error.hint);
  return error;
}

}  // namespace

const char* state_name(SandboxState state) {
  switch (state) {
    case SandboxState::kCreated:
      return "created";
    case SandboxState::kStarting:
      return "starting";
    case SandboxState::kStarted:
      return "started";
    case SandboxState::kStopped:
      return "stopped";
    case SandboxState::kFailed:
      return "failed";
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
    PYRO_CO_TRY(spec.start, make_fresh_boot(environment, spec_.boot, spec_.shape.accelerator));
  } else {
    TemplateRequest request{.environment = environment,
                            .shape = spec_.shape,
                            .boot = spec_.boot,
                            .disks = deps_.disks,
                            .on_phase = {}};
    if (on_phase) {
      request.on_phase = [&on_phase](const std::string& detail) { on_phase("template", detail); };
    }
    PYRO_CO_TRY(Template found, co_await deps_.templates.ensure(std::move(request)));
    if (spec_.make_disks) {
      PYRO_CO_TRY(spec.disks, spec_.make_disks(found));
    }
    spec.memory = std::move(found.memory);
    spec.start = vmm::Restore{.state = std::move(found.state)};
    template_lease_ = std::move(found.lease);
  }
  if (spec_.make_link) {
    PYRO_CO_TRY(spec.link, spec_.make_link());
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
  guest_ = std::make_unique<Guest>(std::move(vm), ex_, spec_.boot);
  Stopwatch watch;
  const auto limit = spec_.cold ? spec_.boot.boot_limit : spec_.boot.answer_limit;
  PYRO_CO_CHECK(co_await guest_->greet(limit));
  if (spec_.cold) PYRO_CO_CHECK(co_await guest_->prepare(spec_.shape));
  stages.push_back({.name = "first_reply", .ms = watch.lap()});
  PYRO_CO_CHECK(co_await guest_->rejuvenate({.hostname = spec_.vm_id}));
  stages.push_back({.name = "rejuvenate", .ms = watch.lap()});
  if (spec_.settle_in) {
    PYRO_CO_CHECK(co_await spec_.settle_in(*guest_));
    stages.push_back({.name = "settle_in", .ms = watch.lap()});
  }
  co_return Result<void>{};
}

asio::awaitable<void> Sandbox::attempt(Attempt* attempt) {
  attempt->result = co_await bring_up(attempt->on_phase, attempt->stages);
}

io::Task<std::vector<proto::Stage>> Sandbox::start(OnPhase on_phase) {
  if (stopping_) co_return fail(Errc::kConflict, spec_.vm_id + " is being stopped");
  if (state_ != SandboxState::kCreated && state_ != SandboxState::kStopped) {
    co_return fail_hint(Errc::kConflict,
                        fmt::format("{} is {}; only a created or stopped VM can be started",
                                    spec_.vm_id, state_name(state())),
                        state() == SandboxState::kFailed ? "delete it and create another" : "");
  }
  state_ = SandboxState::kStarting;
  Attempt current(ex_);
  current.on_phase = std::move(on_phase);
  attempt_ = &current;
  current.scope.spawn(attempt(&current));
  co_await current.scope.join_or_cancel();
  const std::exception_ptr failure = co_await current.scope.close();
  if (failure) current.result = fail(Errc::kInternal, "starting the VM failed");
  if (!current.result && !current.stopped) {
    current.result = std::unexpected(safe(std::move(current.result.error())));
    last_error_ = current.result.error().message;
    co_await end_machine();  // a stop() that comes meanwhile is one of this start
  }
  attempt_ = nullptr;
  if (current.stopped)
    co_return fail(Errc::kUnavailable, spec_.vm_id + " was stopped while it started");
  state_ = current.result ? SandboxState::kStarted : SandboxState::kFailed;
  PYRO_CO_CHECK(current.result);
  co_return std::move(current.stages);
}

void Sandbox::retry_with(vmm::Accelerator accelerator) {
  if (state_ != SandboxState::kFailed) return;
  spec_.shape.accelerator = accelerator;
  state_ = SandboxState::kCreated;
}

bool Sandbox::ended_by_itself() const {
  return state_ == SandboxState::kStarted && guest_ && guest_->vm().ended().is_set();
}

SandboxState Sandbox::state() const {
  return ended_by_itself() ? SandboxState::kFailed : state_;
}

std::string Sandbox::last_error() const {
  return ended_by_itself() && last_error_.empty() ? guest_->vm().end().detail : last_error_;
}

Result<void> Sandbox::check_exec() const {
  if (state_ != SandboxState::kStarted || stopping_) {
    const bool can_start = state_ == SandboxState::kCreated || state_ == SandboxState::kStopped;
    return fail_hint(Errc::kConflict,
                     fmt::format("{} is {}, not started", spec_.vm_id, state_name(state_)),
                     can_start ? "start it first" : "");
  }
  if (executing_) {
    return fail_hint(Errc::kConflict, spec_.vm_id + " runs a command already",
                     "a VM runs one command and is deleted after it: create another");
  }
  return {};
}

io::Task<proto::ExecVmResult> Sandbox::exec(proto::ExecVm request,
                                            std::shared_ptr<rpc::Stream> client) {
  PYRO_CO_CHECK(check_exec());
  const Use use(*this);
  executing_ = true;
  proto::Exec exec{.argv = std::move(request.argv),
                   .env = {},
                   .cwd = {"/root"},
                   .stdin_open = request.stdin_open,
                   .tty = {},
                   .timeout_ms = request.timeout_ms};
  auto result =
      co_await relay_exec(*guest_, std::move(exec), std::move(client),
                          {.on_open = [this](std::shared_ptr<rpc::Stream> s) { command_ = s; }});
  executing_ = false;
  if (result) co_return result;
  Error error = safe(std::move(result.error()));
  last_error_ = error.message;
  if (state_ == SandboxState::kStarted) state_ = SandboxState::kFailed;
  co_return std::unexpected(std::move(error));
}

Result<void> Sandbox::signal(int signo) {
  constexpr int kLastSignal = 64;
  if (signo < 1 || signo > kLastSignal)
    return fail(Errc::kInvalid, fmt::format("{} is no signal", signo));
  const auto command = command_.lock();
  if (!command) return fail(Errc::kConflict, spec_.vm_id + " runs no command");
  return command->send_event(proto::Signal::kName, proto::encode(proto::Signal{.signo = signo}));
}

io::Task<void> Sandbox::shut_down() {
  Result<void> flushed;
  if (state_ == SandboxState::kStarted && !stopping_) {
    const Use use(*this);
    flushed = co_await guest_->shut_down();
  }
  co_await stop();
  co_return flushed;
}

asio::awaitable<void> Sandbox::stop() {
  if (attempt_ != nullptr) {
    attempt_->stopped = true;
    attempt_->scope.cancel();
  }
  co_await end_machine();
}

asio::awaitable<void> Sandbox::end_machine() {
  if (stopping_) {
    co_await stopped_.wait_regardless();
    co_return;
  }
  stopping_ = true;
  stopped_.clear();
  state_ = SandboxState::kStopped;
  if (guest_) co_await guest_->end();
  while (users_ > 0) {
    unused_.clear();
    co_await unused_.wait_regardless();
  }
  if (guest_) co_await guest_->end();  // one that came up meanwhile
  guest_.reset();
  template_lease_.reset();
  environment_lease_.reset();
  stopping_ = false;
  stopped_.set();
}

}  // namespace pyro::core
