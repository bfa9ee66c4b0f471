// Machines without a VM: each is a forked process that plays the guest's agent over the two ports
// and the console. The agent is blocking code of the test's choice, or the real agent's service.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "rpc/stream.h"
#include "vmm/vmm.h"

namespace pyro::testing {

// The guest's ends.
struct Ports {
  int control = -1, data = -1, console = -1;
};
// Runs in the machine's process; returning powers it off.
using Agent = std::function<void(Ports ports)>;

// Exit codes of a machine's process that stand for the guest's own ways to end.
inline constexpr int kPowersOff = 0, kPanics = 10, kReboots = 11;
// What the first boot of a machine leaves on its scratch disk, and where.
inline constexpr std::string_view kScratchMark = "written by the template's guest";
inline constexpr std::int64_t kScratchMarkAt = 5LL << 30;
// Prints `text` on the console and ends the machine.
[[noreturn]] void die(const Ports& ports, int how, std::string_view text);

// The real agent, except that its machine calls `on_call` ("prepare", "rejuvenate", "set_clock",
// "sync_disks") instead of mounting and seeding anything.
Agent real_agent(std::function<void(const Ports& ports, std::string_view method)> on_call = {});
// The same with a workspace of plain folders in `top`: "tree" is what would be /workspace, and
// "secrets" what would be /run/pyro-secrets. Each step ("mount", "freeze", "thaw", "secrets" and
// those of the machine) adds a line to the file "calls"; a file "refuse-STEP" has the step fail,
// "hang-STEP" never end, and "die-STEP" end the machine. With a folder "rests" its agent can tell
// that nothing runs, and run nothing.
Agent workspace_agent(std::string top);
// Never answers; prints `console`.
Agent silent_agent(std::string console = {});
// Answers one request.
using Script = std::function<boost::asio::awaitable<void>(std::shared_ptr<rpc::Stream>)>;
// Speaks the protocol and says yes to everything but what a script answers, by method.
Agent scripted_agent(std::map<std::string, Script> scripts);
// The same, except that it never answers `method`.
Agent mute_agent(std::string method);

class FakeVmm final : public vmm::Vmm {
 public:
  // Every launch adds a line to `log_path` (also from other processes): "fresh" or "restore"; every
  // layer that a running machine takes "layer".
  explicit FakeVmm(std::string log_path, Agent agent = real_agent())
      : fresh(agent), clone(std::move(agent)), log_path_(std::move(log_path)) {}
  io::Task<std::unique_ptr<vmm::Vm>> launch(vmm::LaunchSpec spec) override;
  [[nodiscard]] std::string machine_id(const vmm::Shape& shape,
                                       const std::string& command_line) const override;
  // How many lines of `kind` the log has.
  [[nodiscard]] int launches(std::string_view kind) const;

  Agent fresh, clone;              // what boots, and what is restored
  Agent under_kvm;                 // instead of both, where set
  std::string build = "one";       // of the imaginary VMM
  bool refuses_layers = false;     // its machines stay on their old layer
  bool loses_layers = false;       // they write to the new one, and do not say so
  std::function<void()> on_layer;  // called once a machine writes to a new one

 private:
  std::string log_path_;
};

}  // namespace pyro::testing
