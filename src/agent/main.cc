#include "agent/main.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <thread>

#include "agent/machine.h"
#include "agent/service.h"
#include "sys/file.h"

namespace pyro::agent {
namespace {

using std::chrono::milliseconds;

// The console is where the host looks when the agent is silent.
void log_line(const std::string& text) {
  static sys::UniqueFd console;
  if (!console) console = sys::UniqueFd(::open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC));
  const std::string line = "pyro-agent: " + text + "\n";
  if (console) (void)sys::write_all(console.get(), line);
}

Result<sys::UniqueFd> open_port(const std::string& wanted) {
  const std::string folder = "/sys/class/virtio-ports";
  PYRO_TRY(const auto ports, sys::list_dir(folder));
  for (const std::string& port : ports) {
    const auto name = sys::read_file(folder + "/" + port + "/name", 4096);
    if (name && name->substr(0, name->find('\n')) == wanted) {
      return sys::open_file("/dev/" + port, O_RDWR | O_NONBLOCK);
    }
  }
  return fail(Errc::kNotFound, "no port is called " + wanted);
}

// The ports appear one by one, shortly after their driver.
sys::UniqueFd wait_for_port(const std::string& name, milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  for (;;) {
    auto port = open_port(name);
    if (port) return *std::move(port);
    if (std::chrono::steady_clock::now() >= end) {
      log_line(port.error().message);
      return {};
    }
    std::this_thread::sleep_for(milliseconds(2));
  }
}

// Workloads may eat all processor time and memory: the agent still answers. The OOM killer never
// chooses the initial namespace's PID 1 (Linux, mm/oom_kill.c, oom_unkillable_task).
void protect_ourselves() {
  const sched_param param{.sched_priority = 1};
  if (::sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &param) != 0) {
    log_line("no real-time priority");
  }
  // A handler and not SIG_IGN, so that programs start with the default (execve(2)).
  ::signal(SIGPIPE, [](int) {});
}

void serve_forever() {
  boost::asio::io_context loop(1);
  auto signals = Reaper::make_signal_fd();
  if (!signals) return log_line(signals.error().message);
  Reaper reaper(loop.get_executor(), *std::move(signals));
  ExecService exec(reaper, nullptr);
  GuestMachine machine;
  GuestWorkspaceMounts mounts;
  WorkspaceService workspace(loop.get_executor(), mounts);
  Service service(loop.get_executor(), machine, exec, workspace, log_line);
  sys::UniqueFd control = wait_for_port(proto::kControlPort, std::chrono::seconds(30));
  sys::UniqueFd data = wait_for_port(proto::kDataPort, std::chrono::seconds(2));
  if (!control) return;
  const auto report = [](std::exception_ptr e) {
    if (!e) return;
    try {
      std::rethrow_exception(e);
    } catch (const std::exception& what) {
      log_line(what.what());
    }
  };
  boost::asio::co_spawn(loop, reaper.run(), report);
  boost::asio::co_spawn(loop, service.serve(std::move(control), std::move(data)), report);
  for (;;) {  // a handler that throws must not end PID 1, and with it the machine
    try {
      loop.run();
      return;
    } catch (const std::exception& e) {
      log_line(e.what());
    }
  }
}

}  // namespace

int run_as_init() {
  Reaper::block_child_signals();
  boot_machine(log_line);
  protect_ourselves();
  serve_forever();
  log_line("cannot go on");
  GuestMachine().power_off();
  for (;;) ::pause();
}

}  // namespace pyro::agent
