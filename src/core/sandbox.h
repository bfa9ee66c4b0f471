// The life of one disposable VM: created, started, one command, gone.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/guest.h"
#include "core/templates.h"
#include "image/environments.h"
#include "proto/supervisor_messages.h"
#include "rpc/stream.h"
#include "vmm/vmm.h"

namespace pyro::core {

enum class SandboxState : std::uint8_t { kCreated, kStarting, kStarted, kStopped, kFailed };
const char* state_name(SandboxState state);

using MakeLink = std::function<Result<sys::UniqueFd>()>;

struct SandboxSpec {
  std::string vm_id;
  std::string environment;
  vmm::Shape shape;
  bool cold = false;
  BootConfig boot;
  // A workspace's machine: its disks, for a clone of that template, and what is done with the guest
  // before it counts as started. Both there when shape.disks says so, which `cold` excludes.
  std::function<Result<vmm::WorkspaceDisks>(const Template&)> make_disks;
  std::function<io::Task<void>(Guest&)> settle_in;
  // The machine's end of a link (vmm::make_link), asked for before each launch: one that was used
  // may have frames for its last machine. There when shape.mac is.
  MakeLink make_link;
};

// Borrowed; outlive the Sandbox.
struct SandboxDeps {
  vmm::Vmm& vmm;
  Templates& templates;
  image::Environments& environments;
  const Disks* disks = nullptr;  // for a workspace's template
};

using OnPhase = std::function<void(const std::string& phase, const std::string& detail)>;

// One loop. stop() must have been awaited before it is destroyed.
class Sandbox {
 public:
  Sandbox(SandboxSpec spec, SandboxDeps deps, io::asio::any_io_executor ex)
      : ex_(ex), spec_(std::move(spec)), deps_(deps), unused_(ex), stopped_(ex) {}

  // Brings the guest up, from the template or cold. kConflict unless created or stopped. The result
  // names the stages in order. stop() and the cancellation of the task end it early.
  io::Task<std::vector<proto::Stage>> start(OnPhase on_phase);
  // After a failed start: the next one uses another accelerator.
  void retry_with(vmm::Accelerator accelerator);
  // kConflict unless exec() can be called now.
  [[nodiscard]] Result<void> check_exec() const;
  // Runs one command; its stdio and signals travel on `client`, whose end ends the command. When
  // the machine ends first, the error says why.
  io::Task<proto::ExecVmResult> exec(proto::ExecVm request, std::shared_ptr<rpc::Stream> client);
  // Sends a signal to the running command's process group. kConflict when there is none.
  Result<void> signal(int signo);
  // Ends the machine if there is one, and waits for the calls that were using it. Never fails, may
  // be called by several tasks at once, and is complete also when its task is cancelled.
  io::asio::awaitable<void> stop();
  // The same, but first the guest writes everything to its disks. An error says why it could not;
  // the machine has ended all the same.
  io::Task<void> shut_down();

  // Marks the guest as used by a call, so that stop() does not take it away under its feet.
  class Use {
   public:
    explicit Use(Sandbox& s) : sandbox_(s) { ++sandbox_.users_; }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() {
      if (--sandbox_.users_ == 0) sandbox_.unused_.set();
    }

   private:
    Sandbox& sandbox_;
  };

  // kFailed as soon as a started machine has ended by itself.
  [[nodiscard]] SandboxState state() const;
  [[nodiscard]] std::string last_error() const;
  [[nodiscard]] Guest* guest() { return guest_.get(); }

 private:
  // A start under way.
  struct Attempt {
    explicit Attempt(io::asio::any_io_executor ex) : scope(ex) {}
    OnPhase on_phase;
    std::vector<proto::Stage> stages;
    Result<void> result;
    bool stopped = false;  // by stop()
    io::TaskScope scope;
  };
  [[nodiscard]] bool ended_by_itself() const;
  io::asio::awaitable<void> attempt(Attempt* attempt);
  io::Task<std::unique_ptr<vmm::Vm>> launch(const image::InstalledEnvironment& environment,
                                            const OnPhase& on_phase,
                                            std::vector<proto::Stage>& stages);
  io::Task<void> bring_up(const OnPhase& on_phase, std::vector<proto::Stage>& stages);
  io::asio::awaitable<void> end_machine();

  io::asio::any_io_executor ex_;
  SandboxSpec spec_;
  SandboxDeps deps_;
  SandboxState state_ = SandboxState::kCreated;
  std::string last_error_;
  std::unique_ptr<Guest> guest_;
  Attempt* attempt_ = nullptr;
  bool executing_ = false;
  bool stopping_ = false;
  int users_ = 0;
  io::Event unused_, stopped_;
  std::weak_ptr<rpc::Stream> command_;  // the agent's stream of the running command
  std::optional<sys::FileLock> environment_lease_, template_lease_;
};

}  // namespace pyro::core
