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

struct SandboxSpec {
  std::string vm_id;
  std::string environment;
  vmm::Shape shape;
  bool cold = false;
  BootConfig boot;
};

// Borrowed; outlive the Sandbox.
struct SandboxDeps {
  vmm::Vmm& vmm;
  Templates& templates;
  image::Environments& environments;
};

using OnPhase = std::function<void(const std::string& phase, const std::string& detail)>;

// One loop. stop() must have been awaited before it is destroyed.
class Sandbox {
 public:
  Sandbox(SandboxSpec spec, SandboxDeps deps, io::asio::any_io_executor ex)
      : spec_(std::move(spec)), deps_(deps), unused_(ex) {}

  // Brings the guest up, from the template or cold. kConflict unless created or stopped. The result
  // names the stages in order.
  io::Task<std::vector<proto::Stage>> start(OnPhase on_phase);
  // Runs one command; its stdio and signals travel on `client`, whose end ends the command. kConflict
  // unless started. When the machine ends first, the error says why.
  io::Task<proto::ExecVmResult> exec(proto::ExecVm request, std::shared_ptr<rpc::Stream> client);
  // Sends a signal to the running command's process group. kConflict when there is none.
  Result<void> signal(int signo);
  // Ends the machine if there is one, and waits for the calls that were using it. Never fails.
  io::asio::awaitable<void> stop();

  [[nodiscard]] SandboxState state() const { return state_; }
  [[nodiscard]] const std::string& last_error() const { return last_error_; }
  [[nodiscard]] Guest* guest() { return guest_.get(); }

 private:
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
  io::Task<std::unique_ptr<vmm::Vm>> launch(const image::InstalledEnvironment& environment,
                                            const OnPhase& on_phase, std::vector<proto::Stage>& stages);
  io::Task<void> bring_up(const OnPhase& on_phase, std::vector<proto::Stage>& stages);

  SandboxSpec spec_;
  SandboxDeps deps_;
  SandboxState state_ = SandboxState::kCreated;
  std::string last_error_;
  std::unique_ptr<Guest> guest_;
  int users_ = 0;
  io::Event unused_;
  std::weak_ptr<rpc::Stream> command_;  // the agent's stream of the running command
  std::optional<sys::FileLock> environment_lease_, template_lease_;
};

}  // namespace pyro::core
