#include "support/fake_vmm.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fstream>

#include "agent/service.h"
#include "agent/workspace_mounts.h"
#include "proto/agent_messages.h"
#include "proto/workspace_messages.h"
#include "rpc/session.h"
#include "rpc/stream.h"
#include "sys/file.h"
#include "sys/process.h"
#include "vmm/qcow2.h"
#include "vmm/work_disk.h"

namespace pyro::testing {

namespace asio = boost::asio;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::string_view kState = "device state of a fake machine";

class FakeMachine final : public agent::Machine {
 public:
  FakeMachine(Ports ports, std::function<void(const Ports&, std::string_view)> on_call)
      : ports_(ports), on_call_(std::move(on_call)) {}
  Result<std::unique_ptr<agent::CgroupPool>> prepare(const proto::Prepare&) override {
    if (on_call_) on_call_(ports_, "prepare");
    return std::unique_ptr<agent::CgroupPool>();
  }
  Result<void> rejuvenate(const proto::Rejuvenate&) override {
    if (on_call_) on_call_(ports_, "rejuvenate");
    return {};
  }
  Result<void> set_clock(std::int64_t) override {
    if (on_call_) on_call_(ports_, "set_clock");
    return {};
  }
  void sync_disks() override {
    if (on_call_) on_call_(ports_, "sync_disks");
  }
  void power_off() override { ::_exit(kPowersOff); }

 private:
  Ports ports_;
  std::function<void(const Ports&, std::string_view)> on_call_;
};

// In the new process: only the three ports stay open, as 3, 4 and 5.
[[noreturn]] void machine_main(const Agent& agent, std::array<int, 3> ends) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGTERM, SIG_DFL);
  ::signal(SIGPIPE, SIG_IGN);
  for (int& fd : ends) fd = ::fcntl(fd, F_DUPFD, 100);
  for (int i = 0; i < 3; ++i) ::dup2(ends[static_cast<std::size_t>(i)], 3 + i);
  ::syscall(SYS_close_range, 6U, ~0U, 0);
  agent({.control = 3, .data = 4, .console = 5});
  ::_exit(kPowersOff);
}

struct LayerOptions {
  std::size_t count = 0;
  bool refused = false, unanswered = false;
  std::function<void()> on_layer;
  std::string log_path;
};

class FakeVm final : public vmm::Vm {
 public:
  FakeVm(asio::any_io_executor ex, sys::ChildProcess process, sys::UniqueFd control,
         sys::UniqueFd data, sys::UniqueFd console, sys::UniqueFd state, LayerOptions layers)
      : process_(std::move(process)),
        pid_(process_.pid()),
        control_(std::move(control)),
        data_(std::move(data)),
        state_(std::move(state)),
        layers_(layers.count),
        refuses_layers_(layers.refused),
        loses_layers_(layers.unanswered),
        on_layer_(std::move(layers.on_layer)),
        log_path_(std::move(layers.log_path)),
        console_(ex, console.release()),
        ended_(ex),
        scope_(ex) {
    scope_.spawn(watch());
  }
  sys::UniqueFd take_control_port() override { return std::move(control_); }
  sys::UniqueFd take_data_port() override { return std::move(data_); }
  io::Event& ended() override { return ended_; }
  [[nodiscard]] vmm::VmEnd end() const override { return end_; }
  [[nodiscard]] std::string console_tail() const override { return text_; }
  [[nodiscard]] StartTimes start_times() const override { return {}; }
  [[nodiscard]] int host_pid() const override { return pid_; }

  io::Task<void> save() override {
    PYRO_CO_CHECK(sys::write_all(state_.get(), kState));
    co_return Result<void>{};
  }
  io::Task<void> add_work_layer(sys::UniqueFd layer) override {
    if (ended_.is_set()) co_return fail(Errc::kUnavailable, end_.detail);
    if (layers_ == 0) co_return fail(Errc::kConflict, "this machine has no work disk");
    PYRO_CO_CHECK(vmm::check_room(layers_));
    PYRO_CO_CHECK(vmm::check_layer(layer.get()));
    if (refuses_layers_) co_return fail(Errc::kUnavailable, "QMP blockdev-snapshot: refused");
    ++layers_;
    std::ofstream(log_path_, std::ios::app) << "layer" << std::endl;
    if (on_layer_) on_layer_();
    must_end_ = loses_layers_;
    if (must_end_) co_return fail(Errc::kDeadline, "QMP blockdev-snapshot: timed out");
    co_return Result<void>{};
  }
  [[nodiscard]] bool must_end() const override { return must_end_; }
  io::Task<void> pause() override {
    std::ofstream(log_path_, std::ios::app) << "pause" << std::endl;
    co_return process_.signal(SIGSTOP);
  }
  io::Task<void> resume() override { co_return process_.signal(SIGCONT); }
  io::Task<void> kill() override {
    if (!ended_.is_set()) {
      (void)process_.signal(SIGKILL);
      (void)process_.wait();
      finish({.kind = vmm::VmEnd::Kind::kKilled, .detail = "the virtual machine was stopped"});
    }
    const auto failure = co_await scope_.close();
    if (failure) co_return fail(Errc::kInternal, "a task of the fake machine failed");
    co_return Result<void>{};
  }

 private:
  // The console ends with the process, so reading it to its end is waiting for that.
  asio::awaitable<void> watch() {
    for (;;) {
      char chunk[4096];
      const auto got = co_await console_.async_read_some(asio::buffer(chunk), kTuple);
      const auto& [ec, n] = got;
      if (ec == asio::error::operation_aborted) co_return;
      if (ec) break;
      text_.append(chunk, n);
    }
    if (ended_.is_set()) co_return;
    const auto status = process_.wait();
    using Kind = vmm::VmEnd::Kind;
    if (!status || status->signaled) {
      finish({.kind = Kind::kCrashed,
              .detail = "QEMU was killed by a signal",
              .killed_by_host = status && status->value == SIGKILL});
    } else if (status->value == kPanics) {
      finish({.kind = Kind::kPanic, .detail = "the guest's kernel panicked"});
    } else if (status->value == kReboots) {
      finish({.kind = Kind::kReset, .detail = "the guest rebooted"});
    } else {
      finish({.kind = Kind::kPowerOff, .detail = "the guest powered off"});
    }
  }
  void finish(vmm::VmEnd end) {
    end_ = std::move(end);
    ended_.set();
  }

  sys::ChildProcess process_;
  int pid_;
  sys::UniqueFd control_, data_, state_;
  std::size_t layers_;  // of the work disk; 0 without one
  bool refuses_layers_, loses_layers_;
  bool must_end_ = false;
  std::function<void()> on_layer_;
  std::string log_path_;
  asio::posix::stream_descriptor console_;
  std::string text_;
  vmm::VmEnd end_;
  io::Event ended_;
  io::TaskScope scope_;
};

}  // namespace

void die(const Ports& ports, int how, std::string_view text) {
  (void)sys::write_all(ports.console, text);
  ::_exit(how);
}

Agent silent_agent(std::string console) {
  return [text = std::move(console)](const Ports& ports) {
    (void)sys::write_all(ports.console, text);
    for (;;) ::pause();
  };
}

namespace {

using OnCall = std::function<void(const Ports&, std::string_view)>;

void run_agent(const Ports& ports, OnCall on_call, agent::WorkspaceMounts& mounts,
               std::unique_ptr<agent::CgroupPool> groups = nullptr) {
  agent::Reaper::block_child_signals();
  asio::io_context loop(1);
  FakeMachine machine(ports, std::move(on_call));
  agent::Reaper reaper(loop.get_executor(), *agent::Reaper::make_signal_fd());
  agent::ExecService exec(reaper, std::move(groups));
  agent::WorkspaceService workspace(loop.get_executor(), mounts);
  agent::Service service(loop.get_executor(), machine, exec, workspace, [](const std::string&) {});
  io::TaskScope scope(loop.get_executor());
  scope.spawn(reaper.run());
  scope.spawn(service.serve(sys::UniqueFd(ports.control), sys::UniqueFd(ports.data)));
  loop.run();
}

class FakeMounts final : public agent::WorkspaceMounts {
 public:
  FakeMounts(std::string top, Ports ports) : top_(std::move(top)), ports_(ports) {}

  Result<void> step(std::string_view name) {
    std::ofstream(top_ + "/calls", std::ios::app) << name << std::endl;
    const auto wanted = [&](const char* what) {
      return sys::exists(fmt::format("{}/{}-{}", top_, what, name));
    };
    if (wanted("die")) die(ports_, kPanics, "Kernel panic - not syncing\n");
    while (wanted("hang")) ::pause();
    if (wanted("refuse")) return fail(Errc::kUnavailable, fmt::format("{} is refused", name));
    return {};
  }
  Result<agent::WorkspaceDirs> mount(const proto::WorkspaceMount&) override {
    PYRO_CHECK(step("mount"));
    agent::WorkspaceDirs dirs;
    PYRO_TRY(dirs.work, folder(""));
    PYRO_TRY(dirs.intent, folder("/intent"));
    PYRO_TRY(dirs.upper, folder("/tree"));
    PYRO_TRY(dirs.baseline, folder("/baseline"));
    PYRO_TRY(dirs.tree, folder("/tree"));
    PYRO_TRY(dirs.stage, folder("/stage"));
    return dirs;
  }
  Result<void> show() override { return {}; }
  Result<void> freeze(int /*work*/) override { return step("freeze"); }
  Result<void> thaw(int /*work*/) override { return step("thaw"); }
  Result<void> set_secrets(const std::map<std::string, proto::Bytes>& secrets) override {
    PYRO_CHECK(step("secrets"));
    PYRO_CHECK(sys::remove_tree(top_ + "/secrets"));
    PYRO_TRY(const sys::UniqueFd dir, folder("/secrets"));
    return agent::write_secrets(dir.get(), secrets);
  }

 private:
  [[nodiscard]] Result<sys::UniqueFd> folder(const std::string& name) const {
    PYRO_CHECK(sys::make_dirs(top_ + name, 0755));
    return sys::open_file(top_ + name, O_RDONLY | O_DIRECTORY);
  }
  std::string top_;
  Ports ports_;
};

}  // namespace

Agent real_agent(OnCall on_call) {
  return [on_call = std::move(on_call)](const Ports& ports) {
    agent::GuestWorkspaceMounts mounts;
    run_agent(ports, on_call, mounts);
  };
}

Agent workspace_agent(std::string top) {
  return [top = std::move(top)](const Ports& ports) {
    FakeMounts mounts(top, ports);
    std::unique_ptr<agent::CgroupPool> groups;
    if (auto dir = sys::open_file(top + "/rests", O_RDONLY | O_DIRECTORY))
      groups = std::make_unique<agent::CgroupPool>(*std::move(dir), "none");
    run_agent(
        ports,
        [&mounts](const Ports&, std::string_view name) { static_cast<void>(mounts.step(name)); },
        mounts, std::move(groups));
  };
}

namespace {
asio::awaitable<void> say_nothing(std::shared_ptr<rpc::Stream> stream) {
  for (;;) {
    const auto item = co_await stream->next();
    if (!item) co_return;
  }
}

asio::awaitable<void> say_yes(std::shared_ptr<rpc::Stream> stream) {
  boost::json::object answer;
  if (stream->method() == proto::Prepare::kName) answer = proto::encode(proto::PrepareResult{});
  if (stream->method() == proto::Exec::kName)
    answer = proto::encode(proto::ExecResult{.exit_code = 0, .signal = {}});
  if (stream->method() == proto::WorkspaceMount::kName)
    answer = proto::encode(proto::WorkspaceMountResult{});
  (void)stream->respond(std::move(answer));
  co_return;
}
asio::awaitable<void> greet_and_stay(rpc::Session* session) {
  const auto hello = co_await session->handshake_as_acceptor();
  if (hello) static_cast<void>(co_await session->closed());
  co_await session->close();
}
}  // namespace

Agent scripted_agent(std::map<std::string, Script> scripts) {
  return [scripts = std::move(scripts)](const Ports& ports) {
    asio::io_context loop(1);
    rpc::Session session(
        loop.get_executor(), sys::UniqueFd(ports.control), sys::UniqueFd(ports.data),
        {.handler =
             [&scripts](std::shared_ptr<rpc::Stream> stream) {
               const auto script = scripts.find(stream->method());
               return script == scripts.end() ? say_yes(stream) : script->second(stream);
             },
         .software = "scripted"});
    asio::co_spawn(loop, greet_and_stay(&session), [](std::exception_ptr) {});
    loop.run();
  };
}

Agent mute_agent(std::string method) {
  return scripted_agent({{std::move(method), say_nothing}});
}

std::string FakeVmm::machine_id(const vmm::Shape& shape, const std::string& command_line) const {
  return fmt::format("{} {} {} {} {} {} {}", build, vmm::accelerator_name(shape.accelerator),
                     shape.mem_mib, shape.vcpus, command_line,
                     shape.disks == vmm::Disks::kWorkspace ? "disks" : "",
                     shape.mac ? "network" : "");
}

int FakeVmm::launches(std::string_view kind) const {
  std::ifstream log(log_path_);
  int count = 0;
  for (std::string line; std::getline(log, line);) count += line == kind ? 1 : 0;
  return count;
}

io::Task<std::unique_ptr<vmm::Vm>> FakeVmm::launch(vmm::LaunchSpec spec) {
  const bool restores = std::holds_alternative<vmm::Restore>(spec.start);
  if (spec.disks.has_value() != (spec.shape.disks == vmm::Disks::kWorkspace))
    co_return fail(Errc::kInternal, "the machine's disks are not those of its shape");
  if (static_cast<bool>(spec.link) != spec.shape.mac.has_value())
    co_return fail(Errc::kInternal, "the machine's link is not that of its shape");
  if (spec.disks) PYRO_CO_CHECK(vmm::check_disks(*spec.disks));
  std::ofstream(log_path_, std::ios::app) << (restores ? "restore" : "fresh") << std::endl;
  if (restores && spec.link) std::ofstream(log_path_, std::ios::app) << "link" << std::endl;
  sys::UniqueFd state;
  if (restores) {
    std::string text(kState.size() + 1, '\0');
    const auto& from = std::get<vmm::Restore>(spec.start).state;
    const ssize_t n = ::pread(from.get(), text.data(), text.size(), 0);
    if (n != static_cast<ssize_t>(kState.size())) co_return fail(Errc::kUnavailable, "no state");
  } else {
    state = std::move(std::get<vmm::FreshBoot>(spec.start).state_out);
    PYRO_CO_CHECK(sys::write_all(spec.memory.get(), "memory of a fake machine"));
    // As a guest does that mounts it.
    if (spec.disks && ::pwrite(spec.disks->scratch.get(), kScratchMark.data(), kScratchMark.size(),
                               kScratchMarkAt) < 0)
      co_return sys::fail_errno("scratch", errno);
  }
  PYRO_CO_TRY(auto control, sys::make_socket_pair());
  PYRO_CO_TRY(auto data, sys::make_socket_pair());
  PYRO_CO_TRY(auto console, sys::make_socket_pair());
  const pid_t pid = ::fork();
  if (pid < 0) co_return sys::fail_errno("fork", errno);
  if (pid == 0) {
    const bool kvm = under_kvm && spec.shape.accelerator == vmm::Accelerator::kKvm;
    machine_main(kvm ? under_kvm : (restores ? clone : fresh),
                 {control.theirs.get(), data.theirs.get(), console.theirs.get()});
  }
  PYRO_CO_TRY(const int pidfd,
              sys::retrying("pidfd_open", [pid] { return ::syscall(SYS_pidfd_open, pid, 0); }));
  LayerOptions layers{.count = spec.disks ? spec.disks->work_layers.size() : 0,
                      .refused = refuses_layers,
                      .unanswered = loses_layers,
                      .on_layer = on_layer,
                      .log_path = log_path_};
  const auto executor = co_await asio::this_coro::executor;
  co_return std::make_unique<FakeVm>(executor, sys::ChildProcess(sys::UniqueFd(pidfd), pid),
                                     std::move(control.ours), std::move(data.ours),
                                     std::move(console.ours), std::move(state), std::move(layers));
}

}  // namespace pyro::testing
