// Shells of a workspace whose guest is hostile, broken, or only unlucky.
#include <semaphore>

#include "proto/limits.h"
#include "proto/shell_requests.h"
#include "support/hostile_sessions.h"

namespace pyro::testing {
namespace {

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
  all.reserve(proto::kMostShells);
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

awaitable<void> floods_and_stays(StreamPtr stream) {
  started(stream);
  static_cast<void>(co_await stream->send(wire::kStdout, std::string(512U << 10, 'x')));
  co_await stays(stream);
}

awaitable<void> answers_once_there_is(StreamPtr stream, std::string file) {
  // lint: sleep, the test that makes the file is another process
  while (!sys::exists(file)) static_cast<void>(co_await io::sleep_for(10ms));
  ended(stream);
}

class SlowEnd : public OneWorkspace {
 protected:
  SlowEnd() {
    const auto shut_down = [file = guest_ + "/end"](StreamPtr stream) {
      return answers_once_there_is(std::move(stream), file);
    };
    agent_ = scripted_agent(
        {{proto::Exec::kName, floods_and_stays}, {proto::Shutdown::kName, shut_down}});
    peer_ = create(request());
  }
  client::Shells& shells() { return pyro_.workspaces().shells(); }
};

// A terminal that takes no output keeps its call, which outlives the shells; when the call has
// ended, nothing that began in it may be left.
TEST_F(SlowEnd, ASizeThatComesWhileTheWorkspaceStopsBeginsNothing) {
  const auto opened = shells().open(kId, {.cwd = "/"});
  ASSERT_TRUE(opened) << opened.error().message;
  rpc::Stream& stream =
      peer_->open(proto::AttachShell::kName,
                  proto::encode(proto::AttachShell{.shell = 1, .cursor = 0, .input = true}));
  stream.manual_credit();
  ASSERT_TRUE(peer_->next<rpc::Data>(stream));
  std::thread stopper([&] { EXPECT_TRUE(pyro_.workspaces().stop(kId)); });
  client::Pyro other = library();
  while (other.workspaces().shells().list(kId)->shells.front().state == "running")
    ::usleep(10'000);  // lint: sleep, the end of a shell has no event for whoever is not attached
  EXPECT_TRUE(stream.send_event(proto::Terminal::kName, proto::encode(proto::Terminal{})));
  EXPECT_FALSE(peer_->call("no such call"));  // its answer comes after the size was taken
  peer_.reset();
  tell_guest("end");
  stopper.join();
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

}  // namespace
}  // namespace pyro::testing
