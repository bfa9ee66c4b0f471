// Services and shells: programs that are more than their main process.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include <filesystem>

#include "agent/exec_testing.h"

namespace pyro::agent {
namespace {

namespace fs = std::filesystem;
using boost::asio::awaitable;

// Long enough to fail a test that has to wait for it.
constexpr std::int64_t kPatience = 100'000;

sys::UniqueFd pidfd_of(pid_t pid) {
  return sys::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}
bool is_gone(pid_t pid, int within_ms = 0) {
  const sys::UniqueFd fd = pidfd_of(pid);
  pollfd p{.fd = fd.get(), .events = POLLIN, .revents = 0};
  return !fd || ::poll(&p, 1, within_ms) == 1;
}
// A process leaves its group, which is what the agent waits for, a moment before it has ended.
bool ends(pid_t pid) {
  return is_gone(pid, 10'000);
}
awaitable<void> end_of(pid_t pid) {
  const sys::UniqueFd fd = pidfd_of(pid);
  if (!fd) co_return;
  const auto ended = co_await io::wait_readable(fd.get());
  EXPECT_TRUE(ended);
}
void send_signal(rpc::Stream& stream, int signo) {
  EXPECT_TRUE(stream.send_event("signal", proto::encode(proto::Signal{.signo = signo})));
}
awaitable<void> type(std::shared_ptr<rpc::Stream> stream, std::string keys) {
  const auto sent = co_await stream->send(wire::kStdin, std::move(keys));
  EXPECT_TRUE(sent);
}

class GroupTest : public AgentTest {
 protected:
  void SetUp() override {
    if (!cgroup_folder()) GTEST_SKIP() << "this host gives us no control group";
  }
};

proto::Exec service(std::string script) {
  proto::Exec request = shell(std::move(script));
  request.whole_group = true;
  request.kill_grace_ms = kPatience;
  return request;
}

// --- daemons ------------------------------------------------------------------------------------

// The daemon reads its input once the main process is gone, and says so.
awaitable<void> expect_daemon(rpc::Session& host, std::string script) {
  auto request = service(std::move(script));
  request.stdin_open = true;
  const auto stream = open(host, request);
  Output o;
  co_await wait_for(stream, "up\n", o);
  EXPECT_TRUE(o.started_first);
  co_await end_of(o.started.value_or(-1));
  co_await type(stream, "hello\n");
  const Output rest = co_await finish(stream);
  if (!rest.result) co_return ADD_FAILURE() << "no answer";
  EXPECT_EQ(rest.out, "got hello\n");
  EXPECT_EQ(rest.result->exit_code, 0);
  EXPECT_FALSE(rest.result->killed);
}

TEST_F(GroupTest, ADaemonIsTheProgram) {
  run([](rpc::Session& host) -> awaitable<void> {
    co_await expect_daemon(host, "exec 3<&0; (read x <&3; echo got $x) & echo up");
    EXPECT_FALSE(testing::Test::HasFailure());
  });
}

TEST_F(GroupTest, ADaemonMayHaveLeftItsSession) {
  run([](rpc::Session& host) -> awaitable<void> {
    co_await expect_daemon(host,
                           "exec 3<&0; (setsid sh -c '(read x; echo got $x) <&3 & exit' &); "
                           "echo up");
    EXPECT_FALSE(testing::Test::HasFailure());
  });
}

TEST_F(GroupTest, ProgramsThatLeaveNothingEndAtOnce) {
  run([](rpc::Session& host) -> awaitable<void> {
    const Output a = co_await run_exec(host, service("echo out; exit 0"));
    EXPECT_EQ(a.out, "out\n");
    EXPECT_EQ(a.result->exit_code, 0);
    const Output b = co_await run_exec(host, service("exit 7"));
    EXPECT_EQ(b.result->exit_code, 7);
    EXPECT_FALSE(b.result->killed);
    const Output c = co_await run_exec(host, service("kill -9 $$"));
    EXPECT_EQ(c.result->signal, SIGKILL);
    EXPECT_FALSE(c.result->killed);
  });
}

TEST_F(GroupTest, AFailureTakesTheRestWithIt) {
  run([](rpc::Session& host) -> awaitable<void> {
    for (const std::string end : {"exit 3", "kill -9 $$"}) {
      const Output o =
          co_await run_exec(host, service("trap '' TERM; setsid sleep 100 & echo $!; " + end));
      EXPECT_FALSE(o.out.empty());
      if (o.out.empty()) co_return;
      EXPECT_TRUE(ends(std::stoi(o.out)));
      EXPECT_EQ(o.result->shell_code(), end == "exit 3" ? 3 : 137);
      EXPECT_FALSE(o.result->killed);
    }
  });
}

TEST_F(GroupTest, ATimeoutCountsForDaemonsToo) {
  run([](rpc::Session& host) -> awaitable<void> {
    auto request = service("setsid sleep 100 & echo $!");
    request.timeout_ms = 3000;
    const Output o = co_await run_exec(host, request);
    EXPECT_TRUE(o.result->timed_out && o.result->killed);
    EXPECT_EQ(o.result->exit_code, 0);
    EXPECT_FALSE(o.out.empty());
    if (o.out.empty()) co_return;
    EXPECT_TRUE(ends(std::stoi(o.out)));
  });
}

TEST_F(GroupTest, WithoutGroupsTheMainProcessCounts) {
  run(
      [](rpc::Session& host) -> awaitable<void> {
        const Output o = co_await run_exec(host, service("sleep 100 & echo $!"));
        EXPECT_EQ(o.result->exit_code, 0);
        EXPECT_TRUE(o.started_first);
        EXPECT_EQ(::kill(std::stoi(o.out), SIGKILL), 0);
      },
      false);
}

// A main process and one in another session, each with a trap that runs `does` with "main" or
// "child". The last thing to be ready, a program without traps, prints "up". The child ends at its
// trap; then the main process does, with `code`. What a trap starts may get the signal, too.
std::string two_with_traps(const std::string& signal, const std::string& does,
                           const std::string& code) {
  return "trap '" + does + " main' " + signal + "; setsid sh -c 'trap \"" + does +
         " child; exit\" " + signal +
         "; sh -c \"echo up; exec sleep 100\" & wait' & wait; wait; exit " + code;
}

// --- their end ----------------------------------------------------------------------------------

TEST_F(GroupTest, CancelKillsADaemonThatIgnoresIt) {
  run([](rpc::Session& host) -> awaitable<void> {
    auto request = service("trap '' TERM; setsid sleep 100 & echo $!");
    request.kill_grace_ms = 20;
    const auto stream = open(host, request);
    Output o;
    co_await wait_for(stream, "\n", o);
    co_await end_of(o.started.value_or(-1));
    EXPECT_FALSE(is_gone(std::stoi(o.out)));
    stream->cancel();
    const Output rest = co_await finish(stream);
    EXPECT_TRUE(rest.result->killed);
    EXPECT_FALSE(rest.result->timed_out);
    EXPECT_EQ(rest.result->exit_code, 0);
    EXPECT_TRUE(ends(std::stoi(o.out)));
  });
}

TEST_F(GroupTest, CancelAsksEveryProcess) {
  run([](rpc::Session& host) -> awaitable<void> {
    std::string dir = "/tmp/pyro-group-XXXXXX";
    EXPECT_NE(::mkdtemp(dir.data()), nullptr);
    auto request = service(two_with_traps("TERM", ": >", "5"));
    request.cwd = dir;
    const auto stream = open(host, request);
    Output o;
    co_await wait_for(stream, "up\n", o);
    stream->cancel();
    const Output rest = co_await finish(stream);
    EXPECT_EQ(rest.result->exit_code, 5);
    EXPECT_TRUE(rest.result->killed);
    EXPECT_TRUE(fs::exists(dir + "/main"));
    EXPECT_TRUE(fs::exists(dir + "/child"));
    fs::remove_all(dir);
  });
}

TEST_F(GroupTest, CancelWakesWhatIsStopped) {
  run([](rpc::Session& host) -> awaitable<void> {
    const auto stream = open(host, service("setsid sleep 100 & echo $!"));
    Output o;
    co_await wait_for(stream, "\n", o);
    co_await end_of(o.started.value_or(-1));
    send_signal(*stream, SIGSTOP);
    stream->cancel();
    const Output rest = co_await finish(stream);
    EXPECT_TRUE(rest.result->killed);
    EXPECT_LT(rest.result->duration_us, kPatience * 1000);
    EXPECT_TRUE(ends(std::stoi(o.out)));
  });
}

TEST_F(GroupTest, SignalsReachEveryProcess) {
  run([](rpc::Session& host) -> awaitable<void> {
    const auto stream = open(host, service(two_with_traps("USR1", "echo", "4")));
    Output o;
    co_await wait_for(stream, "up\n", o);
    send_signal(*stream, SIGUSR1);
    const Output rest = co_await finish(stream);
    EXPECT_NE(rest.out.find("child\n"), std::string::npos) << rest.out;
    EXPECT_NE(rest.out.find("main\n"), std::string::npos) << rest.out;
    EXPECT_EQ(rest.result->exit_code, 4);
  });
}

TEST_F(GroupTest, GroupsBelowBelongToIt) {
  static const std::string groups = "/proc/self/fd/" + std::to_string(cgroup_folder().release());
  run([](rpc::Session& host) -> awaitable<void> {
    auto request = service(
        "mine=$(sed -n 's/^0:://p' /proc/self/cgroup); mine=$G/${mine##*/}; "
        "mkdir $mine/below; trap : USR1; "
        "(trap 'echo below; wait; exit' USR1; sh -c 'echo $PPID' > $mine/below/cgroup.procs; "
        "sh -c 'echo up; exec sleep 100' & wait) & wait; wait; rmdir $mine/below");
    request.env["G"] = {fs::read_symlink(groups).string()};
    const auto stream = open(host, request);
    Output o;
    co_await wait_for(stream, "up\n", o);
    send_signal(*stream, SIGUSR1);
    const Output rest = co_await finish(stream);
    EXPECT_EQ(rest.out, "below\n");
    EXPECT_EQ(rest.result->shell_code(), 0) << rest.err;
  });
}

pid_t left_behind = -1;
TEST_F(GroupTest, AHostThatGoesAwayTakesDaemonsWithIt) {
  run([](rpc::Session& host) -> awaitable<void> {
    const auto stream = open(host, service("trap '' TERM; setsid sleep 100 & echo $!"));
    Output o;
    co_await wait_for(stream, "\n", o);
    co_await end_of(o.started.value_or(-1));
    left_behind = std::stoi(o.out);
  });
  EXPECT_TRUE(ends(left_behind));
}

// --- terminals ----------------------------------------------------------------------------------

class ShellTest : public GroupTest {};

proto::Exec bash() {
  proto::Exec request = exec_of({"bash", "--norc", "--noprofile", "-i"});
  request.env = {{"PS1", "prompt> "}};
  request.tty = proto::Terminal{};
  request.kill_grace_ms = kPatience;
  return request;
}

TEST_F(ShellTest, StartedComesFirstAndNotForOthers) {
  run([](rpc::Session& host) -> awaitable<void> {
    auto request = shell("echo $$");
    request.tty = proto::Terminal{};
    const Output a = co_await run_exec(host, request);
    EXPECT_TRUE(a.started_first);
    EXPECT_EQ(a.out, std::to_string(a.started.value_or(-1)) + "\r\n");
    const Output b = co_await run_exec(host, shell("echo out"));
    EXPECT_FALSE(b.started);
    const Output c = co_await run_exec(host, service("exec /no/such/program"));
    EXPECT_TRUE(c.started);
    auto missing = exec_of({"/no/such/program"});
    missing.whole_group = true;
    const Output d = co_await run_exec(host, missing);
    EXPECT_FALSE(d.started);
    EXPECT_EQ(d.error->code, Errc::kNotFound);
  });
}

// What is typed comes back as it is typed: the quotes tell the echo from the output.
TEST_F(ShellTest, SignalsGoToTheForeground) {
  run([](rpc::Session& host) -> awaitable<void> {
    const auto stream = open(host, bash());
    Output o;
    co_await wait_for(stream, "prompt> ", o);
    co_await type(stream, "sh -c 'echo fore\"\"ground; exec sleep 100'\n");
    co_await wait_for(stream, "foreground\r\n", o);
    send_signal(*stream, SIGINT);
    co_await type(stream, "echo code=$?\n");
    co_await wait_for(stream, "code=130", o);
    send_signal(*stream, SIGTERM);  // the shell is in the foreground again, and ignores it
    co_await type(stream, "exit 9\n");
    const Output rest = co_await finish(stream);
    EXPECT_EQ(rest.result->exit_code, 9);
    EXPECT_FALSE(rest.result->killed);
  });
}

TEST_F(ShellTest, HangUpsReachEverything) {
  run([](rpc::Session& host) -> awaitable<void> {
    auto request = shell(two_with_traps("HUP", "echo", "6"));
    request.tty = proto::Terminal{};
    const auto stream = open(host, request);
    Output o;
    co_await wait_for(stream, "up\r\n", o);
    send_signal(*stream, SIGHUP);
    const Output rest = co_await finish(stream);
    EXPECT_NE(rest.out.find("child\r\n"), std::string::npos) << rest.out;
    EXPECT_NE(rest.out.find("main\r\n"), std::string::npos) << rest.out;
    EXPECT_EQ(rest.result->exit_code, 6);
  });
}

awaitable<void> expect_hang_up(rpc::Session& host, std::string typed, std::string until) {
  const auto stream = open(host, bash());
  Output o;
  co_await wait_for(stream, "prompt> ", o);
  if (!typed.empty()) co_await type(stream, typed + "\n");
  co_await wait_for(stream, until, o);
  stream->cancel();
  const Output rest = co_await finish(stream);
  if (!rest.result) co_return ADD_FAILURE() << "no answer";
  EXPECT_TRUE(rest.result->killed);
  EXPECT_NE(rest.result->signal, SIGKILL);
  EXPECT_LT(rest.result->duration_us, kPatience * 1000);
}

TEST_F(ShellTest, CancelHangsUp) {
  run([](rpc::Session& host) -> awaitable<void> {
    co_await expect_hang_up(host, "", "prompt> ");
    co_await expect_hang_up(host, "sh -c 'echo fore\"\"ground; exec sleep 100'", "foreground\r\n");
    co_await expect_hang_up(host, "sh -c 'kill -STOP $$'", "Stopped");
    EXPECT_FALSE(testing::Test::HasFailure());
  });
}

TEST_F(ShellTest, CancelHangsUpWithoutGroupsToo) {
  run(
      [](rpc::Session& host) -> awaitable<void> {
        co_await expect_hang_up(host, "", "prompt> ");
        EXPECT_FALSE(testing::Test::HasFailure());
      },
      false);
}

TEST_F(ShellTest, CancelDoesNotWaitForOutputThatNobodyReads) {
  run([](rpc::Session& host) -> awaitable<void> {
    auto request = exec_of({"yes"});
    request.tty = proto::Terminal{};
    request.kill_grace_ms = kPatience;
    const auto stream = open(host, request);
    Output o;
    co_await wait_for(stream, "y", o);
    stream->cancel();
    const Output rest = co_await finish(stream);
    EXPECT_EQ(rest.result->signal, SIGHUP);
  });
}

}  // namespace
}  // namespace pyro::agent
