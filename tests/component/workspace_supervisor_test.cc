// A workspace's supervisor in a process of its own over fake machines, with several clients.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>

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
namespace {

using namespace std::chrono_literals;
constexpr const char* kId = "ws-abcdefgh";

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

class WorkspaceSupervisor : public ::testing::Test {
 protected:
  WorkspaceSupervisor() { EXPECT_TRUE(sys::make_dirs(guest_)); }
  std::unique_ptr<Peer> fork_supervisor() {
    auto pair = sys::make_socket_pair();
    const pid_t pid = ::fork();
    if (pid == 0) {
      pair->ours = sys::UniqueFd();
      supervisor::SupervisorOptions options;
      options.first_client = std::move(pair->theirs);
      options.make_monitor = [this](const proto::HostSettings&) -> Result<supervisor::Monitor> {
        auto vmm = std::make_unique<FakeVmm>(host_.log());
        vmm->clone = workspace_agent(guest_);
        return supervisor::Monitor{.vmm = std::move(vmm)};
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
    auto logs = pyro.workspaces().logs(kId);
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
  std::unique_ptr<sys::ChildProcess> supervisor_;
};

TEST_F(WorkspaceSupervisor, OutlivesItsCreatorAndEndsWhenItIsStopped) {
  auto creator = create(request());
  creator.reset();
  auto pyro = library();
  EXPECT_EQ(pyro.workspaces().status("project")->state, "started");
  const auto stopped = pyro.workspaces().stop("project");
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_EQ(stopped->state, "stopped");
  EXPECT_EQ(stopped->last_error, "");
  expect_ended();
}

TEST_F(WorkspaceSupervisor, OfAFirstStartThatFailsNothingIsLeft) {
  tell_guest("refuse-mount");
  auto peer = fork_supervisor();
  const auto made = peer->call(proto::CreateWorkspace::kName, proto::encode(request()));
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("mount is refused"), std::string::npos);
  expect_ended();
  expect_no_trace();
}

TEST_F(WorkspaceSupervisor, ACreatorThatVanishesLeavesNothing) {
  tell_guest("hang-mount");
  auto peer = fork_supervisor();
  rpc::Stream& stream = peer->open(proto::CreateWorkspace::kName, proto::encode(request()));
  ASSERT_TRUE(peer->next<rpc::Event>(stream));  // a phase: it is at it
  peer.reset();
  expect_ended();
  expect_no_trace();
}

TEST_F(WorkspaceSupervisor, BadRequestsAreRefused) {
  std::vector<proto::CreateWorkspace> bad(5, request());
  bad[0].id = "../../etc/passwd";
  bad[1].mem_mib = 0;
  bad[2].ttl_seconds = -1;
  bad[3].ttl_action = "explode";
  bad[4].secrets[0].value.value = "abc";
  for (const auto& wanted : bad) {
    auto peer = fork_supervisor();
    const auto refused = peer->call(proto::CreateWorkspace::kName, proto::encode(wanted));
    EXPECT_EQ(refused.error().code, Errc::kInvalid);
    EXPECT_EQ(refused.error().message.find("abc\""), std::string::npos);
    expect_ended();
    expect_no_trace();
  }
  auto peer = create(request());
  EXPECT_EQ(peer->call(proto::CreateWorkspace::kName, proto::encode(request())).error().code,
            Errc::kConflict);
  EXPECT_EQ(peer->call("workspace.no-such-thing").error().code, Errc::kInvalid);
  EXPECT_EQ(peer->call(proto::ForwardWorkspace::kName,
                       proto::encode(proto::ForwardWorkspace{.method = "shutdown"}))
                .error()
                .code,
            Errc::kInvalid);
  EXPECT_EQ(peer->call(proto::SignalWorkspace::kName,
                       proto::encode(proto::SignalWorkspace{.sequence = 7, .signo = 9}))
                .error()
                .code,
            Errc::kConflict);
  EXPECT_EQ(record().state, store::WorkspaceState::kStarted);
}

TEST_F(WorkspaceSupervisor, TheJournalKeepsWhatWasShown) {
  const auto creator = create(request());
  std::string out;
  client::WorkspaceExecOptions options = shell("echo $T; echo hunter2hunter2 is it >&2; exit 3");
  options.secret_env = {{"TOKEN", "T"}};
  const auto done = exec(options, &out);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->exit_code, 3);
  EXPECT_EQ(done->sequence, 1);
  EXPECT_EQ(out, "[redacted:TOKEN]\n");
  EXPECT_EQ(done->command.find("hunter2"), std::string::npos) << done->command;
  const auto entries = journal().entries;
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].out, "[redacted:TOKEN]\n");
  EXPECT_EQ(entries[0].err, "[redacted:TOKEN] is it\n");
  EXPECT_EQ(entries[0].exit_code, 3);
  EXPECT_EQ(entries[0].cwd, "/tmp");
  EXPECT_EQ(entries[0].command.find("hunter2"), std::string::npos) << entries[0].command;
  options.secret_env = {{"OTHER", "T"}};
  EXPECT_EQ(exec(options).error().code, Errc::kNotFound);
  EXPECT_EQ(journal().entries.size(), 1U);
}

TEST_F(WorkspaceSupervisor, SeveralCommandsAtOnceHaveJournalsOfTheirOwn) {
  const auto creator = create(request());
  constexpr int kMany = 4;
  const auto fifo = [this](int i) { return host_.dirs().cache + "/fifo" + std::to_string(i); };
  std::vector<sys::ChildProcess> callers;
  for (int i = 0; i < kMany; ++i) {
    ASSERT_EQ(::mkfifo(fifo(i).c_str(), 0600), 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
      const std::string me = std::to_string(i);
      std::string out;
      const auto done = exec(shell("echo in " + me + "; cat " + fifo(i) + "; exit " + me), &out);
      ::_exit(done && done->exit_code == i && out == "in " + me + "\n" ? 0 : 1);
    }
    auto pidfd = sys::retrying("pidfd_open", [pid] { return ::syscall(SYS_pidfd_open, pid, 0); });
    callers.emplace_back(sys::UniqueFd(*pidfd), pid);
  }
  {
    std::vector<std::ofstream> all;  // each opens when its command reads: then all of them run
    all.reserve(kMany);
    for (int i = 0; i < kMany; ++i) all.emplace_back(fifo(i));
  }
  for (auto& caller : callers) EXPECT_EQ(caller.wait()->shell_code(), 0);
  const auto entries = journal().entries;
  ASSERT_EQ(entries.size(), std::size_t{kMany});
  for (const auto& e : entries) {
    EXPECT_EQ(e.out, "in " + std::to_string(e.exit_code.value_or(-1)) + "\n");
  }
}

TEST_F(WorkspaceSupervisor, ACommandWhoseClientVanishedEndsAndIsJournaled) {
  const auto creator = create(request());
  auto pair = sys::make_pipe();
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int ready = pair->write.get();
    auto pyro = library();
    client::WorkspaceObserver observer;
    observer.run.on_stdout = [ready](std::string_view) -> Result<void> {
      return sys::write_all(ready, "x");
    };
    (void)pyro.workspaces().exec(kId, shell("echo here; exec sleep 1000"), observer);
    ::_exit(1);
  }
  char byte = 0;
  ASSERT_EQ(::read(pair->read.get(), &byte, 1), 1);
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  auto pidfd = sys::retrying("pidfd_open", [pid] { return ::syscall(SYS_pidfd_open, pid, 0); });
  EXPECT_TRUE(sys::ChildProcess(sys::UniqueFd(*pidfd), pid).wait());
  Driver driver;
  EXPECT_TRUE(driver.until([&] { return journal().entries[0].ended_at.has_value(); }));
  EXPECT_EQ(journal().entries[0].out, "here\n");
  EXPECT_EQ(record().state, store::WorkspaceState::kStarted);
  EXPECT_TRUE(exec(shell("true")));
}

TEST_F(WorkspaceSupervisor, EndsWithItsMachineWhenNobodyIsLeft) {
  auto creator = create(request());
  creator.reset();
  tell_guest("die-freeze");
  auto pyro = library();
  EXPECT_FALSE(pyro.workspaces().create_snapshot(kId, "s"));
  expect_ended();
  EXPECT_EQ(record().state, store::WorkspaceState::kStopped);
  EXPECT_NE(record().last_error.find("panicked"), std::string::npos) << record().last_error;
}

TEST_F(WorkspaceSupervisor, SigtermStopsTheWorkspaceFirst) {
  const auto creator = create(request());
  EXPECT_TRUE(supervisor_->signal(SIGTERM));
  expect_ended();
  EXPECT_EQ(record().state, store::WorkspaceState::kStopped);
  EXPECT_EQ(record().last_error, "");
}

TEST_F(WorkspaceSupervisor, AKilledOneIsFoundOutByWhoeverComesNext) {
  auto creator = create(request());
  EXPECT_TRUE(supervisor_->signal(SIGKILL));
  EXPECT_TRUE(supervisor_->wait());
  creator.reset();
  auto pyro = library();
  const auto status = pyro.workspaces().status(kId);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->state, "stopped");
  EXPECT_NE(status->last_error.find("its supervisor was ended"), std::string::npos);
  auto next = reopen();
  EXPECT_TRUE(next->call(proto::StartWorkspace::kName));
  EXPECT_EQ(pyro.workspaces().status(kId)->last_error, "");
  EXPECT_TRUE(next->call(proto::DeleteWorkspace::kName));
  expect_ended();
  expect_no_trace();
}

TEST_F(WorkspaceSupervisor, TwoClientsStopAndDeleteAtOnce) {
  const auto creator = create(request());
  creator->open(proto::StopWorkspace::kName);
  creator->open(proto::DeleteWorkspace::kName);
  const auto removed = library().workspaces().remove(kId);
  EXPECT_TRUE(removed || removed.error().code == Errc::kNotFound) << removed.error().message;
  expect_ended();
  expect_no_trace();
}

TEST_F(WorkspaceSupervisor, TheEndOfItsTimeStopsIt) {
  auto wanted = request();
  wanted.ttl_seconds = 1;
  const auto creator = create(wanted);
  Driver driver;
  EXPECT_TRUE(driver.until([&] { return record().state == store::WorkspaceState::kStopped; }));
  EXPECT_GE(core::now_seconds(), record().expires_at.value_or(1e18));
  EXPECT_EQ(creator->call(proto::StartWorkspace::kName).error().code, Errc::kConflict);
  // With more time it can be started, and with another end it goes at it.
  EXPECT_TRUE(creator->call(proto::UpdateWorkspace::kName,
                            proto::encode(proto::UpdateWorkspace{.ttl_seconds = 600})));
  EXPECT_TRUE(creator->call(proto::StartWorkspace::kName));
  EXPECT_TRUE(creator->call(
      proto::UpdateWorkspace::kName,
      proto::encode(proto::UpdateWorkspace{.ttl_seconds = 1, .ttl_action = "delete"})));
  expect_ended();
  expect_no_trace();
}

TEST_F(WorkspaceSupervisor, TakingItsTimeAwayKeepsIt) {
  auto wanted = request();
  wanted.ttl_seconds = 2;
  wanted.ttl_action = "delete";
  const auto creator = create(wanted);
  ASSERT_TRUE(creator->call(proto::UpdateWorkspace::kName,
                            proto::encode(proto::UpdateWorkspace{.ttl_seconds = 0})));
  EXPECT_FALSE(record().expires_at);
  const double over = record().created_at + 2.2;
  Driver driver;
  EXPECT_TRUE(driver.until([&] { return core::now_seconds() > over; }));
  EXPECT_EQ(record().state, store::WorkspaceState::kStarted);
  EXPECT_TRUE(creator->call(proto::StopWorkspace::kName));
}

}  // namespace
}  // namespace pyro::testing
