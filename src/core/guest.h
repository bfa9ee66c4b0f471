// A machine with a living agent in it.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "image/environments.h"
#include "io/task.h"
#include "proto/agent_messages.h"
#include "rpc/session.h"
#include "vmm/vmm.h"

namespace pyro::core {

// Everything a boot needs besides the environment.
inline constexpr std::uint64_t kMostAgent = 16U << 20;  // bytes

struct BootConfig {
  std::string agent_path;  // pyro-agent on the host
  long tsc_khz = 0;
  std::chrono::milliseconds boot_limit{60'000};     // until a booting agent answers
  std::chrono::milliseconds answer_limit{20'000};   // until a restored agent answers
  std::chrono::milliseconds call_limit{30'000};     // for each other request to the agent
  std::chrono::milliseconds warm_up_limit{60'000};  // for each command that warms a template up
  // Beyond a command's timeout and its grace, before a silent agent counts as dead.
  std::chrono::milliseconds silence_limit{10'000};
  // How long the end of a machine is waited for once its agent was given up: it may be why the
  // agent was silent. QEMU closes its ports before it clears up its memory, on a busy host for
  // seconds.
  std::chrono::milliseconds end_limit{500}, closed_limit{10'000};
  // Between SIGTERM and SIGKILL to a service that was not ready in time.
  std::chrono::milliseconds failed_grace{5'000};
};

// What makes one clone different from every other.
struct Identity {
  std::string hostname;
};

// Owner: Sandbox or the template builder. end() must have been awaited before it is destroyed.
class Guest {
 public:
  Guest(std::unique_ptr<vmm::Vm> vm, io::asio::any_io_executor ex, BootConfig limits);
  ~Guest();

  // Waits for the agent's answer. When the guest ends or stays silent, the error carries the reason
  // and the last lines of its console.
  io::Task<void> greet(std::chrono::milliseconds limit);
  // Mounts the root and moves into it (a fresh boot only), over the scratch disk where `shape` has
  // one, and sets up the network device where it has one.
  io::Task<void> prepare(vmm::Shape shape);
  // Fresh entropy, clock, hostname, machine id: before anything of the user's runs.
  io::Task<void> rejuvenate(Identity identity);
  // Runs a command and throws its output and result away; for warming the template up.
  io::Task<void> warm_up(std::vector<std::string> argv);
  // Makes the agent forget this session, then saves the device state.
  io::Task<void> freeze_and_save();

  [[nodiscard]] rpc::Session& session() { return *session_; }
  [[nodiscard]] vmm::Vm& vm() { return *vm_; }
  [[nodiscard]] const BootConfig& limits() const { return limits_; }
  // The reason a call on the session failed, when that is the end of the machine; waits up to a
  // moment for the machine to end, because its sockets close before its process does. Else `error`.
  io::Task<Error> explain(Error error);
  // A request without data; its error says what was tried, and how the machine ended when it did.
  io::Task<boost::json::object> call(std::string what, std::string method,
                                     boost::json::object params);
  // Has the guest write everything to its disks and power itself off. Ok: it said that all is
  // written. Waits for the power to go, up to a moment; end() is still needed.
  io::Task<void> shut_down();
  // Kills the machine and ends the session.
  io::asio::awaitable<void> end();

 private:
  io::Task<Error> failed(std::string what, Error error);

  BootConfig limits_;
  std::unique_ptr<vmm::Vm> vm_;
  // The guest sees its ports connected as long as the machine runs. A frozen agent thus waits for
  // its next session, instead of trying to open one again and again, and so does every clone of it.
  std::vector<sys::UniqueFd> held_ports_;
  std::unique_ptr<rpc::Session> session_;
};

// A command line for the kernel and the initramfs (the environment's modules and the agent), ready
// to be booted.
Result<vmm::FreshBoot> make_fresh_boot(const image::InstalledEnvironment& environment,
                                       const BootConfig& config, vmm::Accelerator accelerator);

}  // namespace pyro::core
