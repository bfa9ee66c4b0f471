// A workspace's supervisor in a process of its own over fake machines, and its clients.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <memory>

#include "client/client.h"
#include "client/workspaces.h"
#include "core/clock.h"
#include "core/sandbox_folder.h"
#include "proto/workspace_requests.h"
#include "rpc/session.h"
#include "store/workspace_record.h"
#include "supervisor/supervisor.h"
#include "support/driver.h"
#include "support/host.h"
#include "sys/file.h"
#include "sys/process.h"

namespace pyro::testing {

using namespace std::chrono_literals;
inline constexpr const char* kId = "ws-abcdefgh";

// One end of the connection that a supervisor was started with.
class Peer {
 public:
  explicit Peer(sys::UniqueFd fd)
      : session_(std::make_unique<rpc::Session>(driver_.executor(), std::move(fd), sys::UniqueFd(),
                                                rpc::SessionOptions{})) {
    const auto hello = driver_.run(session_->handshake_as_initiator(10s));
    EXPECT_TRUE(hello) << hello.error().message;
  }
  ~Peer() { driver_.run(session_->close()); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  Result<boost::json::object> call(std::string method, boost::json::object params = {}) {
    return driver_.run(session_->call(std::move(method), std::move(params), 30s));
  }
  // Lives as long as this: no stream may outlive its loop.
  rpc::Stream& open(std::string method, boost::json::object params = {}) {
    streams_.push_back(*session_->open(std::move(method), std::move(params)));
    return *streams_.back();
  }
  // The next of its items that is a T.
  template <class T>
  Result<T> next(rpc::Stream& stream) {
    for (;;) {
      PYRO_TRY(auto item, driver_.run(stream.next()));
      if (auto* wanted = std::get_if<T>(&item)) return std::move(*wanted);
    }
  }

 private:
  Driver driver_;
  std::unique_ptr<rpc::Session> session_;
  std::vector<std::shared_ptr<rpc::Stream>> streams_;
};

// Of a supervisor, set by the test: in memory that both have.
struct SharedClock {
  std::atomic<double> ahead = 0;  // seconds
  std::atomic<int> looks = 0;     // how often it was read

  static SharedClock* make() {
    void* page = ::mmap(nullptr, sizeof(SharedClock), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? nullptr : std::construct_at(static_cast<SharedClock*>(page));
  }
};

class WorkspaceSupervisor : public ::testing::Test {
 protected:
  WorkspaceSupervisor() { EXPECT_TRUE(sys::make_dirs(guest_)); }
  std::unique_ptr<Peer> fork_supervisor() {
    auto pair = sys::make_socket_pair();
    const pid_t pid = ::fork();
    if (pid == 0) {
      pair->ours = sys::UniqueFd();
      ::signal(SIGXFSZ, SIG_IGN);  // a limit stands for a full disk
      supervisor::SupervisorOptions options;
      options.first_client = std::move(pair->theirs);
      options.make_monitor = [this](const proto::HostSettings&) -> Result<supervisor::Monitor> {
        auto vmm = std::make_unique<FakeVmm>(host_.log());
        vmm->clone = agent_ ? agent_ : workspace_agent(guest_);
        supervisor::Monitor monitor{.vmm = std::move(vmm), .sessions = limits_};
        if (clock_ != nullptr) {
          monitor.now = [this] {
            ++clock_->looks;
            return core::now_seconds() + clock_->ahead;
          };
          monitor.longest_nap = 20ms;
        }
        return monitor;
      };
      ::_exit(supervisor::run_supervisor(std::move(options)) ? 0 : 1);
    }
    auto pidfd = sys::retrying("pidfd_open", [pid] { return ::syscall(SYS_pidfd_open, pid, 0); });
    supervisor_ = std::make_unique<sys::ChildProcess>(sys::UniqueFd(*pidfd), pid);
    return std::make_unique<Peer>(std::move(pair->ours));
  }
  [[nodiscard]] proto::HostSettings settings() const {
    return {.cache_dir = host_.dirs().cache,
            .state_dir = host_.dirs().state,
            .runtime_dir = host_.dirs().runtime,
            .libexec_dir = host_.dirs().libexec,
            .search_path = "/usr/bin",
            .boot_limit_ms = 20'000};
  }
  [[nodiscard]] proto::CreateWorkspace request() const {
    proto::CreateWorkspace r{
        .id = kId,
        .name = "project",
        .environment = "debian:12-base",
        .mem_mib = 128,
        .ttl_seconds = {},
        .secrets = {{.name = "TOKEN", .source_kind = "literal", .value = {"hunter2hunter2"}}},
        .baseline = host_.dirs().state + "/baseline",
        .seed_mode = "empty",
        .host = settings()};
    EXPECT_TRUE(sys::write_file_atomic(r.baseline, ""));
    EXPECT_EQ(::truncate(r.baseline.c_str(), static_cast<off_t>(vmm::kBaselineBytes)), 0);
    return r;
  }
  // Created and started.
  std::unique_ptr<Peer> create(const proto::CreateWorkspace& wanted) {
    auto peer = fork_supervisor();
    const auto made = peer->call(proto::CreateWorkspace::kName, proto::encode(wanted));
    EXPECT_TRUE(made) << made.error().message;
    return peer;
  }
  std::unique_ptr<Peer> reopen() {
    auto peer = fork_supervisor();
    const auto opened =
        peer->call(proto::OpenWorkspace::kName,
                   proto::encode(proto::OpenWorkspace{.id = kId, .host = settings()}));
    EXPECT_TRUE(opened) << opened.error().message;
    return peer;
  }
  client::Pyro library() {
    const sys::Dirs dirs = host_.dirs();
    return *client::Pyro::open([dirs](const std::string& name) -> std::optional<std::string> {
      if (name == "PYRO_CACHE_DIR") return dirs.cache;
      if (name == "PYRO_HOME") return dirs.state;
      if (name == "PYRO_RUNTIME_DIR") return dirs.runtime;
      if (name == "PYRO_LIBEXEC") return dirs.libexec;
      if (name == "PATH") return "/usr/bin:/bin";
      if (name == "HOME") return dirs.state;
      return std::nullopt;
    });
  }
  static client::WorkspaceExecOptions shell(const std::string& command) {
    return {.argv = {}, .command = command, .cwd = "/tmp"};
  }
  // The output of a command; on stdout.
  Result<client::WorkspaceExecResult> exec(const client::WorkspaceExecOptions& options,
                                           std::string* out = nullptr) {
    auto pyro = library();
    client::WorkspaceObserver observer;
    observer.run.on_stdout = [out](std::string_view bytes) -> Result<void> {
      if (out != nullptr) *out += bytes;
      return {};
    };
    return pyro.workspaces().exec(kId, options, observer);
  }
  [[nodiscard]] client::Journal journal() {
    auto pyro = library();
    auto logs = pyro.workspaces().logs(kId, {});
    EXPECT_TRUE(logs) << logs.error().message;
    return logs.value_or(client::Journal{});
  }
  [[nodiscard]] store::WorkspaceRecord record() const {
    auto store = store::WorkspaceStore::open(core::folder_of(host_.dirs(), kId),
                                             store::Database::Mode::kReadOnly);
    auto r = store ? store->record() : Result<store::WorkspaceRecord>(fail(Errc::kNotFound, ""));
    return r.value_or(store::WorkspaceRecord{});
  }
  void tell_guest(const std::string& what) {
    EXPECT_TRUE(sys::write_file_atomic(guest_ + "/" + what, ""));
  }
  void expect_ended() {
    const auto status = supervisor_->wait();
    ASSERT_TRUE(status);
    EXPECT_EQ(status->shell_code(), 0);
    EXPECT_FALSE(sys::exists(core::socket_of(host_.dirs(), kId)));
  }
  void expect_no_trace() {
    EXPECT_TRUE(Host::names(host_.dirs().sandboxes()).empty());
    EXPECT_TRUE(Host::names(host_.dirs().state + "/names").empty());
  }

  Host host_;
  std::string guest_ = host_.dirs().cache + "/guest";
  Agent agent_;  // of its machines; empty: workspace_agent()
  SharedClock* clock_ = nullptr;
  core::SessionLimits limits_;
  std::unique_ptr<sys::ChildProcess> supervisor_;
};

}  // namespace pyro::testing
