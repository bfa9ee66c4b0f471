// Shells and services of a workspace whose guest is hostile, broken, or only unlucky.
#include <sys/resource.h>

#include <semaphore>

#include "proto/limits.h"
#include "proto/shell_requests.h"
#include "support/workspace_supervisor.h"

namespace pyro::testing {
namespace {

using boost::asio::awaitable;
using boost::json::object;
using client::ServiceOptions;
using StreamPtr = std::shared_ptr<rpc::Stream>;
constexpr std::int64_t kRing = 1 << 20;  // bytes kept of a shell, and up to a quarter more

// ---- what the guest's agent does about a program

void started(const StreamPtr& stream, object params = {{"pid", 7}}) {
  static_cast<void>(stream->send_event(proto::Started::kName, std::move(params)));
}
void ended(const StreamPtr& stream, object answer = {{"exit_code", 0}}) {
  static_cast<void>(stream->respond(std::move(answer)));
}
// Keys, a signal, or the wish that it ends.
awaitable<void> until_input(StreamPtr stream) {
  static_cast<void>(co_await stream->next());
}

// What it prints is there before the event that says it runs.
awaitable<void> speaks_first(StreamPtr stream) {
  static_cast<void>(co_await stream->send(wire::kStdout, "early "));
  co_await until_input(stream);
  started(stream);
  static_cast<void>(co_await stream->send(wire::kStdout, "late"));
  co_await until_input(stream);
  ended(stream, {{"exit_code", 4}});
}
awaitable<void> ends_unstarted(StreamPtr stream) {
  ended(stream, {{"exit_code", 5}});
  co_return;
}
awaitable<void> lies(StreamPtr stream) {
  started(stream, {{"pid", -5}});
  started(stream, {{"pid", 1LL << 40}});
  started(stream, {{"pid", "seven"}});
  static_cast<void>(stream->send_event("no such event", {}));
  static_cast<void>(co_await stream->send(wire::kStdin, "on a channel that is not its own"));
  co_await until_input(stream);
  ended(stream, {{"exit_code", 100'000}, {"duration_us", -1}});
}
awaitable<void> ends_in_nonsense(StreamPtr stream) {
  started(stream);
  co_await until_input(stream);
  ended(stream, {{"exit_code", "many"}});
}
awaitable<void> ends_twice(StreamPtr stream) {
  started(stream);
  co_await until_input(stream);
  ended(stream, {{"exit_code", 1}, {"signal", 99}});
}
awaitable<void> floods(StreamPtr stream) {
  started(stream);
  for (std::int64_t sent = 0; sent < 3 * kRing; sent += 64 << 10) {
    const auto ok = co_await stream->send(wire::kStdout, std::string(64U << 10, 'x'));
    if (!ok) break;
  }
  static_cast<void>(co_await stream->send(wire::kStdout, "the end"));
  co_await until_input(stream);
  ended(stream);
}
awaitable<void> sends_events(StreamPtr stream) {
  for (int i = 0; i < 20'000; ++i) started(stream);
  co_await until_input(stream);
  ended(stream, {{"exit_code", 3}});
}
awaitable<void> stays_until_a_key(StreamPtr stream) {
  started(stream);
  static_cast<void>(co_await stream->send(wire::kStdout, "here"));
  co_await until_input(stream);
  ended(stream);
}
awaitable<void> asks(StreamPtr stream) {
  started(stream);
  static_cast<void>(
      co_await stream->send(wire::kStdout, "\x1b[?2004h\x1b[?1h\x1b[6n\x1b[>ctext\x1b]11;?\a $ "));
  co_await until_input(stream);
  static_cast<void>(co_await stream->send(wire::kStdout, "\x1b[6n"));
  co_await until_input(stream);
  ended(stream);
}
// Neither a signal nor the end of the call moves it.
awaitable<void> stays(StreamPtr stream) {
  started(stream);
  for (;;) {
    const auto item = co_await stream->next();
    if (!item) co_return;
  }
}
awaitable<void> never_starts(StreamPtr stream) {
  co_await until_input(stream);
}
// Takes no key.
awaitable<void> is_deaf(StreamPtr stream) {
  stream->manual_credit();
  co_await stays(stream);
}

const std::map<std::string, Script>& programs() {
  static const std::map<std::string, Script> all{{"speaks-first", speaks_first},
                                                 {"ends-unstarted", ends_unstarted},
                                                 {"lies", lies},
                                                 {"ends-in-nonsense", ends_in_nonsense},
                                                 {"ends-twice", ends_twice},
                                                 {"floods", floods},
                                                 {"sends-events", sends_events},
                                                 {"stays", stays},
                                                 {"never-starts", never_starts},
                                                 {"stays-until-a-key", stays_until_a_key},
                                                 {"asks", asks},
                                                 {"is-deaf", is_deaf}};
  return all;
}

// A service is its program's name; a shell runs the one that its folder is called.
awaitable<void> exec_script(StreamPtr stream) {
  const auto exec = proto::decode<proto::Exec>(stream->params());
  const std::string name = exec->tty ? exec->cwd.value.substr(1) : exec->argv.front().value;
  const auto program = programs().find(name);
  if (program != programs().end()) {
    co_await program->second(stream);
  } else {
    static_cast<void>(stream->respond(Error{.code = Errc::kNotFound, .message = name, .hint = {}}));
  }
}
awaitable<void> probe_script(StreamPtr stream) {
  const auto probe = proto::decode<proto::Probe>(stream->params());
  const std::string path = probe->path.value;
  if (path == "/mute") co_await stays(stream);
  if (path == "/wrong") ended(stream, {{"ready", "perhaps"}});
  if (path == "/long")
    ended(stream, {{"ready", false}, {"detail", std::string(100'000, 'd')}, {"clock_ns", -1}});
  ended(stream, proto::encode(proto::ProbeResult{.ready = true, .detail = {}}));
}

class OneWorkspace : public WorkspaceSupervisor {
 protected:
  client::Services& services() { return pyro_.workspaces().services(); }
  void TearDown() override {
    EXPECT_TRUE(pyro_.workspaces().remove(kId));
    peer_.reset();
  }

  client::Pyro pyro_ = library();
  std::unique_ptr<Peer> peer_;
};

class HostileSessions : public OneWorkspace {
 protected:
  explicit HostileSessions(core::SessionLimits limits = {}) {
    limits_ = limits;
    agent_ =
        scripted_agent({{proto::Exec::kName, exec_script}, {proto::Probe::kName, probe_script}});
    peer_ = create(request());
  }
  std::string open(const std::string& program) {
    const auto opened = shells().open(kId, {.cwd = "/" + program});
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? opened->shell_id : "";
  }
  client::ShellReadResult read(const std::string& shell, std::int64_t cursor = 0,
                               std::int64_t max_chars = 1 << 20) {
    const auto got = shells().read(kId, shell, {.cursor = cursor, .max_chars = max_chars});
    EXPECT_TRUE(got) << got.error().message;
    return got.value_or(client::ShellReadResult{});
  }
  struct Seen {
    std::string output;
    std::int64_t missed = 0;
  };
  // Until it has printed so much.
  Seen read_to(const std::string& shell, std::int64_t end) {
    Seen seen;
    std::int64_t cursor = 0;
    while (cursor < end && !HasFailure()) {
      const auto got = read(shell, cursor);
      seen.output += got.output;
      seen.missed += got.missed_bytes;
      cursor = got.next_cursor;
    }
    return seen;
  }
  client::ShellInfo end_of(const std::string& shell) {
    static_cast<void>(shells().write(kId, shell, "x", false, -1));
    const auto info = shells().follow(kId, shell, 0, {}, -1);
    EXPECT_TRUE(info) << info.error().message;
    return info.value_or(client::ShellInfo{});
  }
  Result<client::ServiceInfo> start(const std::string& program, ServiceOptions options = {}) {
    options.argv = {program};
    return services().start(kId, program, options, -1);
  }
  // The next connection.
  client::Shells& shells() { return pyro_.workspaces().shells(); }
  // A guest that lies ends nobody but its programs.
  void expect_the_workspace_lives() {
    EXPECT_EQ(pyro_.workspaces().status(kId)->state, "started");
    EXPECT_EQ(end_of(open("ends-unstarted")).exit_code, 5);
  }
};

// Of those that wait for a limit.
class ImpatientSessions : public HostileSessions {
 protected:
  ImpatientSessions() : HostileSessions({.write = 1s, .close = 200ms, .gone = 200ms}) {}
};

// ---- shells

TEST_F(HostileSessions, OutputMayOvertakeTheStart) {
  const std::string shell = open("speaks-first");
  EXPECT_EQ(read(shell).output, "early ");
  ASSERT_TRUE(shells().write(kId, shell, "go", false, -1));
  EXPECT_EQ(read_to(shell, 10).output, "early late");
  const auto info = end_of(shell);
  EXPECT_EQ(info.exit_code, 4);
  EXPECT_EQ(info.end_reason, "exited");
}

TEST_F(HostileSessions, AShellThatIsOverAtOnce) {
  const std::string shell = open("ends-unstarted");
  const auto info = end_of(shell);
  EXPECT_EQ(info.state, "stopped");
  EXPECT_EQ(info.exit_code, 5);
  EXPECT_EQ(read(shell).output, "");
}

TEST_F(HostileSessions, WhatAShellEndedWithIsWithinBounds) {
  EXPECT_EQ(end_of(open("lies")).exit_code, 255);
  const auto nonsense = end_of(open("ends-in-nonsense"));
  EXPECT_EQ(nonsense.exit_code, std::nullopt);
  EXPECT_EQ(nonsense.end_reason, "exited");
  const auto twice = end_of(open("ends-twice"));
  EXPECT_GE(twice.exit_code.value_or(0), 0);
  EXPECT_LE(twice.exit_code.value_or(0), 255);
  EXPECT_EQ(end_of(open("sends-events")).exit_code, 3);
  expect_the_workspace_lives();
}

TEST_F(HostileSessions, OfAFloodTheLastMegabyteIsKept) {
  const std::string shell = open("floods");
  constexpr std::int64_t kAll = (3 << 20) + 7;
  const auto seen = read_to(shell, kAll);
  EXPECT_EQ(seen.missed + static_cast<std::int64_t>(seen.output.size()), kAll);
  EXPECT_TRUE(seen.output.ends_with("xthe end"));
  const auto late = read(shell);
  EXPECT_GE(late.missed_bytes, kAll - (kRing + kRing / 4));
  EXPECT_LE(late.missed_bytes, kAll - kRing);
}

TEST_F(HostileSessions, AProgramThatIsNotThereIsNoShell) {
  const auto missing = shells().open(kId, {.cwd = "/no-such-program"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::kNotFound);
  EXPECT_TRUE(shells().list(kId)->shells.empty());
}

TEST_F(ImpatientSessions, AShellThatDoesNotEndIsNotSaidToHaveEnded) {
  const std::string shell = open("stays");
  const auto closed = shells().close(kId, shell, -1);
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, Errc::kDeadline);
  EXPECT_EQ(shells().list(kId)->shells.front().state, "running");
}

// Two at once, so that one of them waits for the other as well.
TEST_F(ImpatientSessions, WhoWritesToAProgramThatDoesNotReadIsToldWhatWasTaken) {
  const std::string shell = open("is-deaf");
  const auto write = [&] {
    return shells().write(kId, shell, std::string(200'000, 'k'), false, -1);
  };
  Result<client::ShellWriteResult> one = fail(Errc::kInternal, "not done");
  std::thread writer([&] { one = write(); });
  const auto other = write();
  writer.join();
  ASSERT_FALSE(one);
  ASSERT_FALSE(other);
  EXPECT_EQ(one.error().code, Errc::kDeadline);
  EXPECT_EQ(other.error().code, Errc::kDeadline);
  const auto took = [](const Error& e) { return e.message.find("65536") != std::string::npos; };
  const Error& first = took(one.error()) ? one.error() : other.error();
  const Error& second = took(one.error()) ? other.error() : one.error();
  EXPECT_NE(first.message.find(": 65536 of 200000 bytes were taken"), std::string::npos)
      << first.message;
  EXPECT_NE(first.hint.find("only the rest"), std::string::npos) << first.hint;
  EXPECT_NE(second.message.find(": 0 of 200000 bytes were taken"), std::string::npos)
      << second.message;
  EXPECT_NE(second.hint.find("try again"), std::string::npos) << second.hint;
  expect_the_workspace_lives();
}

TEST_F(HostileSessions, AWriteAndAnEndCanBeGivenUp) {
  std::array<int, 2> interrupt{};
  ASSERT_EQ(::pipe2(interrupt.data(), O_CLOEXEC), 0);
  ASSERT_TRUE(sys::write_all(interrupt[1], "x"));
  const auto opened = shells().open(kId, {.cwd = "/never-starts", .interrupt_fd = interrupt[0]});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kUnavailable) << opened.error().message;
  const auto written =
      shells().write(kId, open("is-deaf"), std::string(200'000, 'k'), false, interrupt[0]);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Errc::kUnavailable) << written.error().message;
  const auto closed = shells().close(kId, open("stays"), interrupt[0]);
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, Errc::kUnavailable) << closed.error().message;
  for (const int fd : interrupt) ::close(fd);
}

TEST_F(HostileSessions, OfShellsThatHaveEndedTheLastOutputsAreKept) {
  const std::string first = open("stays-until-a-key");
  std::vector<std::string> others;
  for (int i = 0; i < 16; ++i) {
    others.push_back(open("stays-until-a-key"));
    end_of(others.back());
  }
  end_of(first);
  // The first one ended last: what is forgotten is the one that ended before all others.
  EXPECT_EQ(read(first).output, "here");
  EXPECT_EQ(read(others.at(1)).output, "here");
  const auto forgotten = shells().read(kId, others.front(), {});
  ASSERT_FALSE(forgotten);
  EXPECT_EQ(forgotten.error().code, Errc::kConflict) << forgotten.error().message;
}

TEST_F(HostileSessions, SoManyShellsAndNoMore) {
  std::vector<std::string> all;
  for (std::int64_t i = 0; i < proto::kMostShells; ++i) all.push_back(open("stays-until-a-key"));
  const auto more = shells().open(kId, {.cwd = "/stays-until-a-key"});
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Errc::kLimit);
  EXPECT_NE(more.error().message.find("32 shells run"), std::string::npos) << more.error().message;
  end_of(all.front());
  EXPECT_TRUE(shells().open(kId, {.cwd = "/stays-until-a-key"}));
}

TEST_F(HostileSessions, ASideThatIsNotGivenStaysAsItIs) {
  const auto opened = shells().open(kId, {.cwd = "/stays", .cols = 100, .rows = 40});
  ASSERT_TRUE(opened);
  const auto wider = shells().resize(kId, opened->shell_id, 200, {});
  ASSERT_TRUE(wider) << wider.error().message;
  EXPECT_EQ(std::pair(wider->cols, wider->rows), std::pair(200, 40));
  const auto higher = shells().resize(kId, opened->shell_id, {}, 50);
  ASSERT_TRUE(higher) << higher.error().message;
  EXPECT_EQ(std::pair(higher->cols, higher->rows), std::pair(200, 50));
  EXPECT_FALSE(shells().resize(kId, opened->shell_id, {}, {}));
  EXPECT_FALSE(shells().resize(kId, opened->shell_id, 0, {}));
}

// A terminal that takes no output keeps its call, which outlives the machine; when the call has
// ended, nothing that began in it may be left.
TEST_F(HostileSessions, ASizeThatComesWhileTheWorkspaceStopsBeginsNothing) {
  const std::string shell = open("floods");
  read_to(shell, 3 * kRing + 7);
  rpc::Stream& stream =
      peer_->open(proto::AttachShell::kName,
                  proto::encode(proto::AttachShell{.shell = 1, .cursor = 0, .input = true}));
  stream.manual_credit();
  ASSERT_TRUE(peer_->next<rpc::Event>(stream));
  const auto stopped = pyro_.workspaces().stop(kId);
  ASSERT_TRUE(stopped) << stopped.error().message;
  ASSERT_TRUE(stream.send_event(proto::Terminal::kName, proto::encode(proto::Terminal{})));
  peer_.reset();
  expect_ended();
}

// What a terminal is shown once more asks it for nothing; what comes then does.
TEST_F(HostileSessions, WhoAttachesIsNotAskedWhatAnotherTerminalWasAsked) {
  const std::string shell = open("asks");
  read_to(shell, 1);
  rpc::Stream& stream =
      peer_->open(proto::AttachShell::kName,
                  proto::encode(proto::AttachShell{.shell = 1, .cursor = -1, .input = true}));
  const auto at = peer_->next<rpc::Event>(stream);
  ASSERT_TRUE(at);
  const auto place = proto::decode<proto::ShellAt>(at->params);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->cursor, 0);
  EXPECT_EQ(place->terminal.dec, (std::vector<std::uint16_t>{1, 7, 25, 2004}));
  EXPECT_EQ(peer_->next<rpc::Data>(stream)->bytes, "text $ ");
  const auto then = peer_->next<rpc::Event>(stream);
  ASSERT_TRUE(then);
  EXPECT_EQ(proto::decode<proto::ShellAt>(then->params)->missed, 0);
  ASSERT_TRUE(shells().write(kId, shell, "k", false, -1));
  EXPECT_EQ(peer_->next<rpc::Data>(stream)->bytes, "\x1b[6n");
}

// ---- attached

// One end of a terminal's input, and what attach() said in the end. Attached when it is made.
class Attached {
 public:
  Attached(client::Shells& shells, const std::string& shell) {
    EXPECT_EQ(::pipe2(input_.data(), O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(stop_.data(), O_CLOEXEC), 0);
    thread_ = std::thread([this, &shells, shell] {
      const auto answered = [this](const client::ShellPosition&) { answered_.release(); };
      result_ = shells.attach(kId, shell, {.on_output = {}, .on_position = answered},
                              {.input_fd = input_[0], .stop_fd = stop_[0], .size = {}});
      answered_.release();  // by an error
    });
    answered_.acquire();
  }
  ~Attached() {
    if (thread_.joinable()) static_cast<void>(end());
    for (const int fd : {input_[0], input_[1], stop_[0], stop_[1]}) ::close(fd);
  }
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;
  void type(std::string_view keys) { EXPECT_TRUE(sys::write_all(input_[1], keys)); }
  void stop() { EXPECT_TRUE(sys::write_all(stop_[1], "x")); }
  Result<client::ShellAttachResult> end() {
    thread_.join();
    return std::move(result_);
  }

 private:
  std::array<int, 2> input_{}, stop_{};
  std::counting_semaphore<> answered_{0};
  Result<client::ShellAttachResult> result_ = fail(Errc::kInternal, "not done");
  std::thread thread_;
};

TEST_F(HostileSessions, OneCanLeaveAProgramThatTakesNoKeys) {
  const std::string shell = open("is-deaf");
  {
    Attached attached(shells(), shell);
    for (int i = 0; i < 4; ++i) attached.type(std::string(100'000, 'k'));
    attached.type("\x1d");
    const auto result = attached.end();
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_TRUE(result->detached);
    EXPECT_EQ(result->shell.state, "running");
  }
  Attached attached(shells(), shell);
  for (int i = 0; i < 4; ++i) attached.type(std::string(100'000, 'k'));
  attached.stop();
  const auto result = attached.end();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(result->detached);
}

// In the form that a program has asked for, and read in two parts.
TEST_F(HostileSessions, TheDetachKeyMayBeASequence) {
  const std::string shell = open("stays");
  Attached attached(shells(), shell);
  attached.type(std::string(4090, 'k') + "\x1b[27;5;93~");
  const auto result = attached.end();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(result->detached);
}

TEST_F(HostileSessions, AKeyThatBeginsLikeItIsNotKept) {
  const std::string shell = open("ends-in-nonsense");  // at the first key
  Attached attached(shells(), shell);
  attached.type("\x1b");
  const auto result = attached.end();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_FALSE(result->detached);
}

TEST_F(HostileSessions, TheKeysBeforeTheLastOneArrive) {
  const std::string shell = open("ends-in-nonsense");  // at the first key
  Attached attached(shells(), shell);
  attached.type("k\x1d");
  ASSERT_TRUE(attached.end());
  EXPECT_EQ(shells().follow(kId, shell, 0, {}, -1)->state, "stopped");
}

TEST_F(HostileSessions, WhoeverIsAttachedIsToldThatTheWorkspaceWasStopped) {
  const std::string shell = open("stays");
  Attached attached(shells(), shell);
  attached.type("k");
  const auto stopped = pyro_.workspaces().stop(kId);
  ASSERT_TRUE(stopped) << stopped.error().message;
  const auto result = attached.end();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_FALSE(result->detached);
  EXPECT_EQ(result->shell.state, "stopped");
  EXPECT_EQ(result->shell.end_reason, "workspace_stopped");
  EXPECT_EQ(result->shell.exit_code, std::nullopt);
}

// ---- services

TEST_F(HostileSessions, AServiceMayPrintBeforeItsStart) {
  const auto info = start("speaks-first");
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->state, "running");
  EXPECT_EQ(info->pid, std::nullopt);
  const auto logs = services().logs(kId, "speaks-first", {});
  ASSERT_FALSE(logs->entries.empty());
  EXPECT_EQ(logs->entries.front().text, "early ");
  // At SIGTERM it says that it has started, at SIGCONT that it has ended.
  const auto stopped = services().stop(kId, "speaks-first", 5, -1);
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_EQ(stopped->stop_reason, "sigterm");
  EXPECT_EQ(stopped->exit_code, 4);
}

TEST_F(HostileSessions, WhatAServiceSaysOfItselfIsChecked) {
  const auto info = start("lies");
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->pid, std::nullopt);
  const auto over = start("ends-unstarted");
  ASSERT_TRUE(over) << over.error().message;
  const auto now = services().status(kId, "ends-unstarted");
  EXPECT_EQ(now->state, "exited");
  EXPECT_EQ(now->exit_code, 5);
  const auto many = start("sends-events");
  ASSERT_TRUE(many) << many.error().message;
  EXPECT_EQ(many->pid, 7);
  expect_the_workspace_lives();
}

TEST_F(HostileSessions, ProbesThatAreNotAnsweredAsTheyShouldBe) {
  const auto options = [](const std::string& url) {
    return ServiceOptions{.readiness = client::ServiceReadiness{.type = "http", .url = url},
                          .ready_timeout_seconds = 1,
                          .ready_interval_ms = 100};
  };
  const std::vector<std::pair<std::string, std::string>> cases{
      {"http://127.0.0.1:80/mute", "the guest does not answer"},
      {"http://127.0.0.1:80/wrong", "probe result"},
      {"http://127.0.0.1:80/long", "dddd"}};
  for (const auto& [url, why] : cases) {
    const auto info = start("ends-in-nonsense", options(url));  // at the signal that stops it
    ASSERT_FALSE(info);
    EXPECT_EQ(info.error().code, Errc::kDeadline) << info.error().message;
    EXPECT_NE(info.error().message.find(why), std::string::npos) << info.error().message;
    EXPECT_LT(info.error().message.size(), 1000U);
    const auto now = services().status(kId, "ends-in-nonsense");
    EXPECT_EQ(now->state, "failed");
    EXPECT_EQ(now->stop_reason, "readiness_timeout");
  }
  expect_the_workspace_lives();
}

TEST_F(ImpatientSessions, AServiceThatDoesNotEndIsNotSaidToHaveEnded) {
  ASSERT_TRUE(start("stays"));
  const auto stopped = services().stop(kId, "stays", 0, -1);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Errc::kDeadline) << stopped.error().message;
  const auto now = services().status(kId, "stays");
  EXPECT_EQ(now->state, "failed");
  EXPECT_EQ(now->stop_reason, "not_ended");
  EXPECT_EQ(now->exit_code, std::nullopt);
}

// ---- a machine with nothing in it that runs

awaitable<void> is_idle(StreamPtr stream) {
  ended(stream, proto::encode(proto::RestResult{.idle = true}));
  co_return;
}

class IdleSessions : public OneWorkspace {
 protected:
  IdleSessions() {
    agent_ = scripted_agent({{proto::Exec::kName, exec_script}, {proto::Rest::kName, is_idle}});
    peer_ = create(request());
  }
  [[nodiscard]] int pauses() const { return FakeVmm(host_.log()).launches("pause"); }
};

TEST_F(IdleSessions, WhileAServiceWaitsToBeStartedAgainItsMachineIsNotPaused) {
  constexpr const char* kName = "ends-unstarted";
  ASSERT_TRUE(services().start(kId, kName, {.argv = {kName}, .restart = "always"}, -1));
  // After pauses of 0.5, 1 and 2 s; the last is longer than a machine waits for its rest.
  const auto until = std::chrono::steady_clock::now() + Driver::kPatience;
  std::int64_t restarts = 0;
  while (restarts < 4 && std::chrono::steady_clock::now() < until) {
    const auto now = services().status(kId, kName);
    ASSERT_TRUE(now) << now.error().message;
    ASSERT_EQ(now->last_error, "");
    restarts = now->restart_count;
    ::usleep(20'000);  // lint: sleep, a restart has no event
  }
  EXPECT_GE(restarts, 4);
  EXPECT_EQ(pauses(), 0);
  ASSERT_TRUE(services().stop(kId, kName, 5, -1));
  while (pauses() == 0 && std::chrono::steady_clock::now() < until + Driver::kPatience)
    ::usleep(20'000);  // lint: sleep, a pause has no event
  EXPECT_EQ(pauses(), 1);
}

// ---- a guest that means well

class Sessions : public OneWorkspace {
 protected:
  explicit Sessions(core::SessionLimits limits = {}) {
    limits_ = limits;
    peer_ = create(request());
  }
  void limit_file_size(rlim_t bytes) {
    const rlimit limit{.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    EXPECT_EQ(::prlimit(supervisor_->pid(), RLIMIT_FSIZE, &limit, nullptr), 0);
  }
};

TEST_F(Sessions, AnEndThatCannotBeRecordedIsRecordedLater) {
  ASSERT_TRUE(services().start(kId, "web", {.command = "exec sleep 1000", .cwd = "/tmp"}, -1));
  limit_file_size(1);
  const auto failed = services().stop(kId, "web", 5, -1);
  ASSERT_FALSE(failed);
  EXPECT_EQ(services().status(kId, "web")->state, "running");  // as far as anybody can read
  limit_file_size(RLIM_INFINITY);
  const auto stopped = services().stop(kId, "web", 5, -1);
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_EQ(stopped->state, "stopped");
  EXPECT_EQ(stopped->stop_reason, "sigterm");
}

// Of those that pause for longer than their test takes.
class PausingSessions : public Sessions {
 protected:
  PausingSessions() : Sessions({.first_pause = 1000s}) {}
};

TEST_F(PausingSessions, OneThatWaitsToBeStartedAgainCanBeStopped) {
  ASSERT_TRUE(
      services().start(kId, "web", {.command = "exit 3", .cwd = "/tmp", .restart = "always"}, -1));
  const auto until = std::chrono::steady_clock::now() + Driver::kPatience;
  for (bool waits = false; !waits;) {
    ASSERT_LT(std::chrono::steady_clock::now(), until);
    const auto now = services().status(kId, "web");
    ASSERT_TRUE(now) << now.error().message;
    waits = now->state == "starting" && now->exit_code == 3;
    ::usleep(5'000);  // lint: sleep, a pause has no event
  }
  const auto stopped = services().stop(kId, "web", 5, -1);
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_EQ(stopped->state, "stopped");
  EXPECT_EQ(stopped->stop_reason, "stopped");
}

TEST_F(Sessions, ARestartEndsWithItsClient) {
  ASSERT_TRUE(services().start(
      kId, "web", {.command = "trap '' TERM; echo set; while :; do sleep 1; done", .cwd = "/tmp"},
      -1));
  const auto heard = services().follow(
      kId, "web", {},
      [](const client::LogEntry& entry) -> Result<void> {
        if (entry.text.find("set") == std::string::npos) return {};
        return fail(Errc::kConflict, "heard");
      },
      -1);
  ASSERT_FALSE(heard);
  ASSERT_EQ(heard.error().message, "heard");
  std::array<int, 2> interrupt{};
  ASSERT_EQ(::pipe2(interrupt.data(), O_CLOEXEC), 0);
  ASSERT_TRUE(sys::write_all(interrupt[1], "x"));
  const auto before = std::chrono::steady_clock::now();
  const auto given_up = services().restart(kId, "web", 20, interrupt[0]);
  EXPECT_FALSE(given_up);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 10s);
  for (const int fd : interrupt) ::close(fd);
  // Who asks for an earlier end gets it; nobody has started it again.
  const auto stopped = services().stop(kId, "web", 0, -1);
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_EQ(stopped->stop_reason, "sigkill");
}

}  // namespace
}  // namespace pyro::testing
