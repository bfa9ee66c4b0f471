// A workspace's supervisor in a process of its own over fake machines, with several clients.
#include "support/workspace_supervisor.h"

#include <sys/stat.h>

#include <fstream>

#include "core/clock.h"
#include "proto/workspace_messages.h"

namespace pyro::testing {
namespace {

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

TEST_F(WorkspaceSupervisor, ASyncThatTheGuestHasDoneIsDoneAlsoWhenTheSummaryCannotSaySo) {
  agent_ = scripted_agent({});
  auto peer = create(request());
  {
    auto db = store::Database::open(core::folder_of(host_.dirs(), kId) + "/workspace.db",
                                    store::Database::Mode::kReadWrite,
                                    std::array<const char*, store::kWorkspaceSchemas>{});
    ASSERT_TRUE(db && db->execute("DROP TABLE event"));  // as when it cannot be written
  }
  const auto done = peer->call(proto::ForwardWorkspace::kName,
                               proto::encode(proto::ForwardWorkspace{
                                   .method = proto::WorkspaceSync::kName, .event = "sync"}));
  EXPECT_TRUE(done) << done.error().message;
}

TEST_F(WorkspaceSupervisor, AFullChainOfLayersCanBeReadAndMadeShorter) {
  auto peer = create(request());
  auto pyro = library();
  auto& workspaces = pyro.workspaces();
  for (std::size_t n = 1; n < vmm::kMostWorkLayers; ++n)
    ASSERT_TRUE(workspaces.create_snapshot(kId, "s" + std::to_string(n))) << n;
  const auto refused = workspaces.create_snapshot(kId, "more");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kLimit);
  EXPECT_NE(refused.error().hint.find("pyro workspace reset"), std::string::npos);
  ASSERT_TRUE(peer->call(proto::StopWorkspace::kName));
  const auto read = peer->call(proto::ForwardWorkspace::kName,
                               proto::encode(proto::ForwardWorkspace{
                                   .method = proto::WorkspaceDiff::kName, .offline = true}));
  // A guest of this test has no tree to read: that it was asked is enough.
  EXPECT_TRUE(read || read.error().code != Errc::kLimit) << read.error().message;
  ASSERT_TRUE(peer->call(proto::StartWorkspace::kName));
  ASSERT_TRUE(workspaces.reset(kId, "s62", {}));
  EXPECT_TRUE(workspaces.create_snapshot(kId, "more"));
}

// As when pyro was updated while the workspace was open.
TEST_F(WorkspaceSupervisor, OneThatAnOlderPyroHasOpenIsNotDamagedAndCanBeStopped) {
  auto wanted = request();
  wanted.ttl_seconds = 3600;  // its supervisor stays after the stop
  auto peer = create(wanted);
  peer.reset();
  {
    auto db = store::Database::open(core::folder_of(host_.dirs(), kId) + "/workspace.db",
                                    store::Database::Mode::kReadWrite,
                                    std::array<const char*, store::kWorkspaceSchemas>{});
    ASSERT_TRUE(db && db->execute("UPDATE workspace SET network_policy = 'off';"
                                  " ALTER TABLE workspace DROP COLUMN allow_host_compat;"
                                  " ALTER TABLE workspace DROP COLUMN folder;"
                                  " PRAGMA user_version = 2"));
  }
  auto pyro = library();
  auto& workspaces = pyro.workspaces();
  const auto all = workspaces.list();
  ASSERT_TRUE(all && all->size() == 1);
  EXPECT_EQ(all->front().state, "unknown");
  const std::string hint = "pyro workspace stop " + std::string(kId);
  EXPECT_NE(all->front().last_error.find(hint), std::string::npos) << all->front().last_error;
  const auto status = workspaces.status("project");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Errc::kConflict);
  EXPECT_NE(status.error().hint.find(hint), std::string::npos) << status.error().hint;
  const auto stopped = workspaces.stop("project");
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_EQ(stopped->state, "stopped");
  EXPECT_EQ(stopped->last_error, "");
  EXPECT_TRUE(supervisor_->wait());
  EXPECT_EQ(record().network, policy::Policy{});  // brought up to date
}

TEST_F(WorkspaceSupervisor, OneThatAnOlderPyroHasOpenCanBeDeleted) {
  auto peer = create(request());
  peer.reset();
  {
    auto db = store::Database::open(core::folder_of(host_.dirs(), kId) + "/workspace.db",
                                    store::Database::Mode::kReadWrite,
                                    std::array<const char*, store::kWorkspaceSchemas>{});
    ASSERT_TRUE(db && db->execute("ALTER TABLE workspace DROP COLUMN allow_host_compat;"
                                  " ALTER TABLE workspace DROP COLUMN folder;"
                                  " PRAGMA user_version = 2"));
  }
  auto pyro = library();
  const auto removed = pyro.workspaces().remove("project");
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_EQ(removed->state, "deleted");
  expect_ended();
  expect_no_trace();
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

TEST_F(WorkspaceSupervisor, TheJournalHasNoSecretThatWasQuoted) {
  auto wanted = request();
  wanted.secrets.front().value.value = "it's a \"secret\"";
  const auto creator = create(wanted);
  const auto words = exec({.argv = {"echo", "it's a \"secret\""}, .cwd = "/tmp"});
  ASSERT_TRUE(words) << words.error().message;
  EXPECT_EQ(words->command, "echo '[redacted:TOKEN]'");
  const auto line = exec(shell("true \"it's a \"secret\"\""));
  ASSERT_TRUE(line) << line.error().message;
  EXPECT_EQ(line->command, "true \"[redacted:TOKEN]\"");
  const auto entries = journal().entries;
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].command, words->command);
  EXPECT_EQ(entries[1].command, line->command);
}

TEST_F(WorkspaceSupervisor, TheSummaryHasNoSecretAndIsWhole) {
  auto wanted = request();
  wanted.secrets = {{.name = "QUOTED", .source_kind = "literal", .value = {"a\"b\\c"}},
                    {.name = "NUMBER", .source_kind = "literal", .value = {"1024"}}};
  const auto creator = create(wanted);
  const proto::NoteWorkspace note{.event = "export",
                                  .detail = {{"path", "/a\"b\\c"}, {"bytes", 1024}}};
  ASSERT_TRUE(creator->call(proto::NoteWorkspace::kName, proto::encode(note)));
  auto pyro = library();
  const auto summary = pyro.workspaces().summary(kId, -1);
  ASSERT_TRUE(summary) << summary.error().message;
  ASSERT_FALSE(summary->events.empty());
  EXPECT_EQ(summary->events.back().detail, R"({"path":"/[redacted:QUOTED]","bytes":1024})");
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
  wanted.ttl_seconds = 1000;
  const auto creator = create(wanted);
  ASSERT_TRUE(creator->call(proto::UpdateWorkspace::kName,
                            proto::encode(proto::UpdateWorkspace{.ttl_seconds = 1})));
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

TEST_F(WorkspaceSupervisor, ADayAfterTheEndOfItsTimeItsOwnSupervisorDeletesIt) {
  clock_ = SharedClock::make();
  ASSERT_NE(clock_, nullptr);
  auto wanted = request();
  wanted.ttl_seconds = 3600;
  create(wanted).reset();
  Driver driver;
  clock_->ahead = 3601;
  EXPECT_TRUE(driver.until([&] { return record().state == store::WorkspaceState::kStopped; }));
  constexpr double kDay = 86'400;
  clock_->ahead = 3600 + kDay - 60;
  const int before = clock_->looks;
  EXPECT_TRUE(driver.until([&] { return clock_->looks > before + 4; }));
  EXPECT_EQ(record().state, store::WorkspaceState::kStopped);
  clock_->ahead = 3601 + kDay;
  expect_ended();
  expect_no_trace();
}

TEST_F(WorkspaceSupervisor, TakingItsTimeAwayKeepsIt) {
  clock_ = SharedClock::make();
  ASSERT_NE(clock_, nullptr);
  auto wanted = request();
  wanted.ttl_seconds = 1000;
  wanted.ttl_action = "delete";
  const auto creator = create(wanted);
  ASSERT_TRUE(creator->call(proto::UpdateWorkspace::kName,
                            proto::encode(proto::UpdateWorkspace{.ttl_seconds = 0})));
  EXPECT_FALSE(record().expires_at);
  clock_->ahead = 2000;
  EXPECT_TRUE(creator->call(proto::UpdateWorkspace::kName,  // it looks at the time at each call
                            proto::encode(proto::UpdateWorkspace{})));
  EXPECT_EQ(record().state, store::WorkspaceState::kStarted);
  EXPECT_TRUE(creator->call(proto::StopWorkspace::kName));
}

}  // namespace
}  // namespace pyro::testing
