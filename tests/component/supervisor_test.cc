// A supervisor in a process of its own over fake machines, and the library's calls on its sandbox.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <optional>

#include "base/stopwatch.h"
#include "client/client.h"
#include "client/connection.h"
#include "core/sandbox_folder.h"
#include "rpc/session.h"
#include "supervisor/supervisor.h"
#include "support/host.h"
#include "sys/file.h"
#include "sys/process.h"
#include "vmm/host_facts.h"

namespace pyro::testing {
namespace {

using namespace std::chrono_literals;
using io::asio::awaitable;
constexpr const char* kId = "vm-0123456789";

const std::string kHello =
    wire::encode_hello(R"({"version_min":1,"version_max":1,"nonce":"n","software":"x"})");

// What accept(2) does in this program and in the supervisors it forks.
struct AcceptFaults {
  std::atomic<int> error = 0;  // 0: the real thing
  std::atomic<int> times = 0;  // how often still
  std::atomic<int> calls = 0;
};
AcceptFaults& faults() {
  static auto* shared = new (::mmap(nullptr, sizeof(AcceptFaults), PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_ANONYMOUS, -1, 0)) AcceptFaults;
  return *shared;
}

// One end of a connection to a supervisor, driven by blocking calls.
class Peer {
 public:
  explicit Peer(sys::UniqueFd fd)
      : session_(std::make_unique<rpc::Session>(loop_.get_executor(), std::move(fd),
                                                sys::UniqueFd(), rpc::SessionOptions{})) {
    run(greet(session_.get()));
  }
  ~Peer() { run(session_->close()); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  Result<boost::json::object> call(std::string method, boost::json::object params = {}) {
    Result<boost::json::object> answer = fail(Errc::kInternal, "none");
    run(ask(session_.get(), std::move(method), std::move(params), &answer));
    return answer;
  }
  // Waits for the end of the session and says why it ended.
  std::string closed() {
    std::string why;
    run(wait_closed(session_.get(), &why));
    return why;
  }

 private:
  static awaitable<void> greet(rpc::Session* s) {
    const auto hello = co_await s->handshake_as_initiator(10s);
    EXPECT_TRUE(hello) << hello.error().message;
  }
  static awaitable<void> ask(rpc::Session* s, std::string method, boost::json::object params,
                             Result<boost::json::object>* answer) {
    *answer = co_await s->call(std::move(method), std::move(params), 30s);
  }
  static awaitable<void> wait_closed(rpc::Session* s, std::string* why) {
    const Error error = co_await s->closed();
    *why = error.message;
  }
  void run(awaitable<void> task) {
    boost::asio::co_spawn(loop_, std::move(task), [this](std::exception_ptr) { loop_.stop(); });
    loop_.restart();
    loop_.run();
  }
  boost::asio::io_context loop_{1};
  std::unique_ptr<rpc::Session> session_;
};

class SupervisorTest : public ::testing::Test {
 protected:
  // A supervisor process; returns our end of its first connection.
  sys::UniqueFd fork_supervisor() {
    auto pair = sys::make_socket_pair();
    const pid_t pid = ::fork();
    if (pid == 0) {
      pair->ours = sys::UniqueFd();
      supervisor::SupervisorOptions options;
      options.first_client = std::move(pair->theirs);
      options.make_monitor = [this](const proto::HostSettings&) -> Result<supervisor::Monitor> {
        auto vmm = std::make_unique<FakeVmm>(host_.log(), fresh_);
        vmm->clone = clone_;
        vmm->under_kvm = under_kvm_;
        const bool kvm = under_kvm_ != nullptr;
        return supervisor::Monitor{
            .vmm = std::move(vmm),
            .accelerator = kvm ? vmm::Accelerator::kKvm : vmm::Accelerator::kTcg};
      };
      ::_exit(supervisor::run_supervisor(std::move(options)) ? 0 : 1);
    }
    auto pidfd = sys::retrying("pidfd_open", [pid] { return ::syscall(SYS_pidfd_open, pid, 0); });
    supervisor_ = std::make_unique<sys::ChildProcess>(sys::UniqueFd(*pidfd), pid);
    return std::move(pair->ours);
  }
  [[nodiscard]] proto::CreateVm request(bool lease, int ttl = 600) const {
    return {.vm_id = kId,
            .environment = "debian:12-base",
            .mem_mib = 128,
            .ttl_seconds = ttl,
            .lease = lease,
            .host = {.cache_dir = host_.dirs().cache,
                     .state_dir = host_.dirs().state,
                     .runtime_dir = host_.dirs().runtime,
                     .libexec_dir = host_.dirs().libexec,
                     .search_path = "/usr/bin",
                     .accelerator = forced_,
                     .boot_limit_ms = boot_limit_ms_}};
  }
  std::unique_ptr<Peer> create(bool lease, int ttl = 600) {
    auto peer = std::make_unique<Peer>(fork_supervisor());
    const auto made = peer->call("create", proto::encode(request(lease, ttl)));
    EXPECT_TRUE(made) << made.error().message;
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
  [[nodiscard]] sys::UniqueFd raw_connection() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = core::socket_of(host_.dirs(), kId);
    std::memcpy(address.sun_path, path.data(), path.size());
    sys::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // The sockets API takes every address as a sockaddr*.
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  void expect_all_gone() {
    const auto status = supervisor_->wait();
    ASSERT_TRUE(status);
    EXPECT_EQ(status->shell_code(), 0);
    expect_no_trace();
  }
  void expect_no_trace() {
    EXPECT_TRUE(Host::names(host_.dirs().sandboxes()).empty());
    EXPECT_FALSE(sys::exists(core::socket_of(host_.dirs(), kId)));
  }

  Host host_;
  [[nodiscard]] int launches(const char* kind) const { return FakeVmm(host_.log()).launches(kind); }

  Agent fresh_ = real_agent(), clone_ = real_agent();
  Agent under_kvm_;     // when set, the host's KVM counts as usable and guests under it do this
  std::string forced_;  // PYRO_ACCELERATOR
  int boot_limit_ms_ = 20'000;
  std::unique_ptr<sys::ChildProcess> supervisor_;
};

TEST_F(SupervisorTest, CreateStartExecDeletesEverything) {
  auto first = create(/*lease=*/false);
  auto pyro = library();
  EXPECT_EQ(pyro.status_vm(kId)->state, "created");
  EXPECT_EQ(pyro.exec_vm(kId, {.argv = {"true"}}, {}).error().code, Errc::kConflict);
  first.reset();  // a sandbox without a lease outlives its creator
  const auto started = pyro.start_vm(kId);
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_EQ(started->state, "started");
  EXPECT_EQ(pyro.start_vm(kId).error().code, Errc::kConflict);
  std::string out;
  client::RunObserver observer;
  observer.on_stdout = [&out](std::string_view bytes) -> Result<void> {
    out += bytes;
    return {};
  };
  const auto result = pyro.exec_vm(kId, {.argv = {"/bin/echo", "a b", "c"}}, observer);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(out, "a b c\n");
  EXPECT_TRUE(result->cleanup.deleted);
  expect_all_gone();
  EXPECT_EQ(pyro.status_vm(kId).error().code, Errc::kNotFound);
}

TEST_F(SupervisorTest, StopStartAndDelete) {
  const auto first = create(false);
  auto pyro = library();
  ASSERT_TRUE(pyro.start_vm(kId));
  EXPECT_EQ(pyro.stop_vm(kId)->state, "stopped");
  ASSERT_TRUE(pyro.start_vm(kId));
  EXPECT_EQ(pyro.delete_vm(kId)->state, "deleted");
  expect_all_gone();
  EXPECT_EQ(pyro.delete_vm(kId).error().code, Errc::kNotFound);
}

TEST_F(SupervisorTest, ALeasedSandboxGoesWithItsClient) {
  auto first = create(/*lease=*/true);
  EXPECT_TRUE(first->call("start"));
  first.reset();
  expect_all_gone();
}

TEST_F(SupervisorTest, ItEndsAtItsTtlAndOnSigterm) {
  fresh_ = silent_agent();  // in the middle of a start
  {
    const auto first = create(true, /*ttl=*/1);
    const auto started = first->call("start");
    EXPECT_FALSE(started);
    expect_all_gone();
  }
  const auto first = create(false);
  EXPECT_TRUE(supervisor_->signal(SIGTERM));
  EXPECT_EQ(first->closed(), "the sandbox has ended");
  expect_all_gone();
}

TEST_F(SupervisorTest, AClientThatNeverCreatesLeavesNothing) {
  {
    const Peer peer(fork_supervisor());
  }
  expect_all_gone();
  (void)fork_supervisor();  // not even a hello
  expect_all_gone();
}

TEST_F(SupervisorTest, ASecondCreateIsRefusedAndTheSandboxStays) {
  const auto first = create(false);
  Peer second(raw_connection());
  const auto again = second.call("create", proto::encode(request(true)));
  EXPECT_EQ(again.error().code, Errc::kConflict);
  EXPECT_EQ(second.call("create").error().code, Errc::kConflict);
  EXPECT_EQ(second.call("no-such-method").error().code, Errc::kInvalid);
  EXPECT_EQ(library().status_vm(kId)->state, "created");
  EXPECT_TRUE(library().delete_vm(kId));
  expect_all_gone();
}

TEST_F(SupervisorTest, BadRequestsOfTheFirstClientEndIt) {
  auto bad = request(true);
  bad.vm_id = "../../etc";
  for (int round = 0; round < 3; ++round) {
    if (round == 1) bad = request(true), bad.ttl_seconds = -1;
    if (round == 2) bad = request(true), bad.mem_mib = 0;
    Peer peer(fork_supervisor());
    EXPECT_EQ(peer.call("create", proto::encode(bad)).error().code, Errc::kInvalid);
    expect_all_gone();
  }
}

TEST_F(SupervisorTest, GarbageOnTheSocketHurtsNobodyElse) {
  const auto first = create(false);
  const auto garbage = raw_connection();
  EXPECT_TRUE(sys::write_all(garbage.get(), std::string(100'000, '\xee')));
  const auto broken = raw_connection();
  EXPECT_TRUE(sys::write_all(broken.get(), kHello + std::string(64, '\xff')));
  char byte = 0;
  while (::read(broken.get(), &byte, 1) > 0) {
  }  // until the supervisor has closed it
  EXPECT_EQ(library().status_vm(kId)->state, "created");
  EXPECT_TRUE(library().delete_vm(kId));
  expect_all_gone();
}

TEST_F(SupervisorTest, AnotherProtocolVersionIsToldSo) {
  const auto first = create(false);
  const auto fd = raw_connection();
  EXPECT_TRUE(sys::write_all(
      fd.get(),
      wire::encode_hello(R"({"version_min":7,"version_max":9,"nonce":"n","software":"pyro 9"})")));
  std::string got;
  char chunk[512];
  for (ssize_t n = 0; (n = ::read(fd.get(), chunk, sizeof chunk)) > 0;)
    got.append(chunk, static_cast<std::size_t>(n));
  EXPECT_NE(got.find("\"version_max\":1"), std::string::npos) << got;
  EXPECT_TRUE(library().delete_vm(kId));
  expect_all_gone();
}

TEST_F(SupervisorTest, WhatAKilledSupervisorLeavesIsSeenAndRemoved) {
  const auto first = create(false);
  EXPECT_TRUE(first->call("start"));
  EXPECT_TRUE(supervisor_->signal(SIGKILL));
  EXPECT_TRUE(supervisor_->wait());
  auto pyro = library();
  const auto status = pyro.status_vm(kId);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->state, "failed");
  EXPECT_NE(status->last_error.find("its supervisor is gone"), std::string::npos);
  EXPECT_EQ(pyro.exec_vm(kId, {.argv = {"true"}}, {}).error().code, Errc::kNotFound);
  EXPECT_EQ(*pyro.reap_expired(), std::vector<std::string>{kId});
  expect_no_trace();
}

TEST_F(SupervisorTest, AMachineThatEndsByItselfShowsInTheStatus) {
  clone_ = real_agent([](const Ports&, std::string_view) { ::alarm(10); });  // SIGALRM ends it
  const auto first = create(false);
  auto pyro = library();
  ASSERT_TRUE(pyro.start_vm(kId));
  while (pyro.status_vm(kId)->state == "started") {
  }
  EXPECT_EQ(pyro.status_vm(kId)->state, "failed");
  EXPECT_NE(pyro.status_vm(kId)->last_error, "");
  const auto result = pyro.exec_vm(kId, {.argv = {"true"}}, {});
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("could not be started"), std::string::npos)
      << result.error().message;
  expect_all_gone();
}

TEST_F(SupervisorTest, TwoDeletesAndAStopAtOnce) {
  const auto first = create(false);
  ASSERT_TRUE(library().start_vm(kId));
  std::vector<sys::ChildProcess> callers;
  for (int i = 0; i < 3; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      auto pyro = library();
      (void)(i == 0 ? pyro.stop_vm(kId) : pyro.delete_vm(kId));
      ::_exit(0);
    }
    auto pidfd = sys::retrying("pidfd_open", [pid] { return ::syscall(SYS_pidfd_open, pid, 0); });
    callers.emplace_back(sys::UniqueFd(*pidfd), pid);
  }
  for (auto& caller : callers) EXPECT_EQ(caller.wait()->shell_code(), 0);
  expect_all_gone();
}

TEST_F(SupervisorTest, TheLibraryRefusesBadOptions) {
  auto pyro = library();
  const auto create_with = [&pyro](auto change) {
    client::CreateOptions options{.environment = "debian:12-base"};
    change(options);
    return pyro.create_vm(options).error();
  };
  EXPECT_EQ(create_with([](auto& o) { o.mem_mib = 0; }).code, Errc::kInvalid);
  EXPECT_EQ(create_with([](auto& o) { o.vcpu_count = 33; }).code, Errc::kInvalid);
  EXPECT_EQ(create_with([](auto& o) { o.ttl_seconds = 0; }).code, Errc::kInvalid);
  EXPECT_EQ(create_with([](auto& o) { o.network.policy = "on"; }).code, Errc::kInvalid);
  EXPECT_EQ(create_with([](auto& o) { o.environment = "debian:13"; }).code, Errc::kNotFound);
  const client::CreateOptions options{.environment = "debian:12-base"};
  const auto nul = pyro.run_in_vm(options, {.argv = {"echo", std::string("a\0b", 3)}}, {});
  EXPECT_EQ(nul.error().code, Errc::kInvalid);
  EXPECT_NE(nul.error().message.find("NUL"), std::string::npos);
  EXPECT_EQ(pyro.run_in_vm(options, {.argv = {}}, {}).error().code, Errc::kInvalid);
  EXPECT_EQ(pyro.status_vm("vm-ffffffffff").error().code, Errc::kNotFound);
  EXPECT_EQ(pyro.status_vm("../x").error().code, Errc::kNotFound);
  expect_no_trace();
}

TEST_F(SupervisorTest, DoctorNamesWhatIsMissing) {
  const sys::Dirs dirs = host_.dirs();
  auto pyro = *client::Pyro::open([dirs](const std::string& name) -> std::optional<std::string> {
    if (name == "PYRO_CACHE_DIR") return dirs.cache;
    if (name == "PYRO_HOME") return dirs.state;
    if (name == "PYRO_RUNTIME_DIR") return dirs.runtime;
    if (name == "PYRO_LIBEXEC") return dirs.libexec;
    if (name == "PYRO_QEMU") return "/nonexistent/qemu";
    if (name == "PYRO_ACCELERATOR") return "tcg";
    return std::nullopt;
  });
  const auto report = pyro.doctor(false);
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->runtime_ok || report->qemu.supported);
  EXPECT_EQ(report->accelerator.in_force, "tcg");
  std::string issues;
  for (const auto& issue : report->issues) issues += issue + "\n";
  EXPECT_NE(issues.find("/nonexistent/qemu"), std::string::npos) << issues;
  EXPECT_NE(issues.find("pyro-supervisor is missing"), std::string::npos) << issues;
  const sys::UniqueFd ping(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP));
  EXPECT_EQ(issues.contains("net.ipv4.ping_group_range"), !ping && errno == EACCES) << issues;
}

// Starts the sandbox and collects what is said meanwhile.
Result<client::VmInfo> start_saying(client::Pyro& pyro, std::string* said) {
  client::RunObserver observer;
  observer.on_phase = [said](std::string_view, std::string_view, std::string_view detail) {
    (*said += detail) += "\n";
  };
  return pyro.start_vm(kId, observer);
}
constexpr const char* kFallback = "did not come up under KVM; trying emulation";

TEST_F(SupervisorTest, AGuestThatFailsUnderKvmIsStartedUnderEmulation) {
  const Agent panics = [](const Ports& p) { die(p, kPanics, "Kernel panic - not syncing\n"); };
  for (const bool hangs : {false, true}) {
    under_kvm_ = hangs ? silent_agent() : panics;
    boot_limit_ms_ = hangs ? 2'000 : 20'000;
    const auto first = create(false);
    auto pyro = library();
    std::string said;
    const auto started = start_saying(pyro, &said);
    ASSERT_TRUE(started) << started.error().message;
    EXPECT_NE(said.find(kFallback), std::string::npos) << said;
    const auto result = pyro.exec_vm(kId, {.argv = {"true"}}, {});
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->exit_code, 0);
    expect_all_gone();
    // The next start does not try again, and doctor can say why.
    const auto facts = vmm::host_facts(host_.dirs().cache, false, "");
    ASSERT_TRUE(facts);
    EXPECT_EQ(facts->accelerator, vmm::Accelerator::kTcg);
    EXPECT_NE(facts->accelerator_reason.find("a guest did not come up"), std::string::npos)
        << facts->accelerator_reason;
  }
}

TEST_F(SupervisorTest, ANoteThatKvmFailedWhichCannotBeWrittenDoesNoHarm) {
  under_kvm_ = [](const Ports& p) { die(p, kPanics, ""); };
  ASSERT_TRUE(sys::make_dirs(host_.dirs().cache + "/host.json/in the way"));
  const auto first = create(true);
  const auto started = first->call("start");
  EXPECT_TRUE(started) << started.error().message;
  EXPECT_TRUE(first->call("delete"));
  expect_all_gone();
}

TEST_F(SupervisorTest, ForcedKvmIsNotReplacedAndTheErrorSaysSo) {
  under_kvm_ = [](const Ports& p) { die(p, kPanics, "Kernel panic - not syncing\n"); };
  forced_ = "kvm";
  const auto first = create(false);
  auto pyro = library();
  std::string said;
  const auto started = start_saying(pyro, &said);
  ASSERT_FALSE(started);
  EXPECT_EQ(said.find("emulation"), std::string::npos) << said;
  EXPECT_EQ(started.error().code, Errc::kUnavailable);
  EXPECT_NE(started.error().message.find("KVM is forced by PYRO_ACCELERATOR"), std::string::npos)
      << started.error().message;
  EXPECT_NE(started.error().message.find("panicked"), std::string::npos) << started.error().message;
  EXPECT_NE(started.error().hint.find("unset PYRO_ACCELERATOR"), std::string::npos);
  EXPECT_EQ(launches("fresh"), 1);
  EXPECT_FALSE(sys::exists(host_.dirs().cache + "/host.json"));
  EXPECT_TRUE(pyro.delete_vm(kId));
  expect_all_gone();
}

TEST_F(SupervisorTest, AMachineThatTheHostKillsIsNotKvmsFault) {
  under_kvm_ = [](const Ports&) { ::raise(SIGKILL); };
  const auto first = create(true);
  EXPECT_EQ(first->call("start").error().code, Errc::kUnavailable);
  EXPECT_EQ(launches("fresh"), 1);
  EXPECT_FALSE(sys::exists(host_.dirs().cache + "/host.json"));
  EXPECT_TRUE(first->call("delete"));
  expect_all_gone();
}

TEST_F(SupervisorTest, AGuestThatFailsUnderEmulationTooIsNotKvmsFault) {
  fresh_ = under_kvm_ = [](const Ports& p) { die(p, kPanics, "Kernel panic - not syncing\n"); };
  const auto first = create(true);
  const auto started = first->call("start");
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("panicked"), std::string::npos) << started.error().message;
  EXPECT_EQ(launches("fresh"), 2);
  EXPECT_FALSE(sys::exists(host_.dirs().cache + "/host.json"));
  EXPECT_TRUE(first->call("delete"));
  expect_all_gone();
}

// What a command of one sandbox makes of `input` as its stdin; the caller keeps the descriptor.
struct Fed {
  std::string out;
  Result<client::ExecResult> result = fail(Errc::kInternal, "none");
};
Fed feed(client::Pyro pyro, int input, std::vector<std::string> argv) {
  Fed fed;
  EXPECT_TRUE(pyro.start_vm(kId));
  client::RunObserver observer;
  observer.on_stdout = [&fed](std::string_view bytes) -> Result<void> {
    fed.out += bytes;
    return {};
  };
  fed.result = pyro.exec_vm(
      kId, {.argv = std::move(argv), .timeout_seconds = 15, .stdin_fd = input}, observer);
  return fed;
}

TEST_F(SupervisorTest, StdinOfEveryKindReachesItsEnd) {
  const std::string path = host_.dirs().cache + "/text";
  ASSERT_TRUE(sys::write_file_atomic(path, "text"));
  std::vector<sys::UniqueFd> inputs;
  inputs.push_back(*sys::open_file("/dev/null", O_RDONLY));  // epoll takes neither this
  inputs.push_back(*sys::open_file(path, O_RDONLY));         // nor this
  inputs.push_back(std::move(sys::make_pipe()->read));       // empty, and its writer is gone
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto first = create(false);
    const Fed fed = feed(library(), inputs[i].get(), {"/bin/cat"});
    ASSERT_TRUE(fed.result) << fed.result.error().message;
    EXPECT_FALSE(fed.result->timed_out);
    EXPECT_EQ(fed.result->exit_code, 0);
    EXPECT_EQ(fed.out, i == 1 ? "text" : "");
    expect_all_gone();
  }
}

TEST_F(SupervisorTest, OfInputThatNobodyReadsLittleIsTaken) {
  const std::string path = host_.dirs().cache + "/large";
  const auto large = sys::open_file(path, O_RDWR | O_CREAT);
  ASSERT_EQ(::ftruncate(large->get(), off_t{1} << 30), 0);
  const auto first = create(false);
  const Fed fed = feed(library(), large->get(), {"/bin/sh", "-c", "sleep 0.5; exit 3"});
  ASSERT_TRUE(fed.result) << fed.result.error().message;
  EXPECT_EQ(fed.result->exit_code, 3);
  EXPECT_GT(::lseek(large->get(), 0, SEEK_CUR), 0);
  EXPECT_LT(::lseek(large->get(), 0, SEEK_CUR), 4 << 20);
  expect_all_gone();
}

class AcceptErrors : public SupervisorTest, public ::testing::WithParamInterface<int> {
 protected:
  void SetUp() override { faults().error = faults().times = faults().calls = 0; }
  void TearDown() override { faults().error = 0; }
};

TEST_P(AcceptErrors, NeitherEndTheSupervisorNorMakeItSpin) {
  const auto first = create(false);
  faults().times = 1'000'000'000;
  faults().error = GetParam();
  const auto waiting = raw_connection();
  EXPECT_TRUE(sys::write_all(waiting.get(), kHello));
  pollfd answered{.fd = waiting.get(), .events = POLLIN, .revents = 0};
  const Stopwatch watch;  // nobody answers meanwhile, and it tries again every 100 ms
  while (faults().calls < 3 && watch.ms() < 20'000) EXPECT_EQ(::poll(&answered, 1, 1000), 0);
  const int calls = faults().calls;
  EXPECT_TRUE(calls >= 3 && calls <= 10 + watch.ms() / 50) << calls;
  EXPECT_TRUE(first->call("status"));  // who is connected already notices nothing
  faults().error = 0;
  EXPECT_EQ(::poll(&answered, 1, 20'000), 1) << "a client that waited is forgotten";
  EXPECT_EQ(library().delete_vm(kId)->state, "deleted");
  expect_all_gone();
}

TEST_P(AcceptErrors, OnceDoNotCostTheNextClientItsTurn) {
  const auto first = create(false);
  faults().times = 1;
  faults().error = GetParam();
  EXPECT_EQ(library().status_vm(kId)->state, "created");
  EXPECT_GE(faults().calls, 2);
  EXPECT_TRUE(library().delete_vm(kId));
  expect_all_gone();
}
INSTANTIATE_TEST_SUITE_P(Errno, AcceptErrors,
                         ::testing::Values(EMFILE, ENFILE, ENOBUFS, ECONNABORTED, EPROTO),
                         [](const auto& info) {
                           return std::string(::strerrorname_np(info.param));
                         });

TEST(SandboxFolder, LeftoversOfAKilledCreationGoOnceTheyAreOld) {
  const Host host;
  const std::string fresh = host.dirs().sandboxes() + "/.new-vm-0000000000";
  ASSERT_TRUE(sys::make_dirs(fresh));
  EXPECT_TRUE(core::remove_abandoned(host.dirs())->empty());
  EXPECT_TRUE(sys::exists(fresh));  // somebody may be at it
  {
    const auto folder = core::SandboxFolder::create(host.dirs(), kId);
    ASSERT_TRUE(folder);
    EXPECT_EQ(core::SandboxFolder::create(host.dirs(), kId).error().code, Errc::kConflict);
    EXPECT_FALSE(*core::remove_if_abandoned(host.dirs(), kId));
  }
  EXPECT_TRUE(*core::remove_if_abandoned(host.dirs(), kId));
  EXPECT_FALSE(*core::remove_if_abandoned(host.dirs(), kId));
}

}  // namespace
}  // namespace pyro::testing

// In front of libc's.
extern "C" int accept(int fd, sockaddr* address, socklen_t* size) {
  auto& faults = pyro::testing::faults();
  ++faults.calls;
  if (const int error = faults.error; error != 0 && faults.times-- > 0) {
    errno = error;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_accept4, fd, address, size, 0));
}
