// What the agent does with programs, and its other methods.
#include "agent/exec.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/exec_testing.h"

namespace pyro::agent {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using namespace std::chrono_literals;

TEST_F(AgentTest, ExitCodesSignalsAndStreams) {
  run([](rpc::Session& host) -> awaitable<void> {
    const Output a = co_await run_exec(host, shell("printf out; printf err >&2; exit 7"));
    EXPECT_EQ(a.result->exit_code, 7);
    EXPECT_EQ(a.out, "out");
    EXPECT_EQ(a.err, "err");
    EXPECT_GT(a.result->spawn_us, 0);
    const Output b = co_await run_exec(host, shell("kill -9 $$"));
    EXPECT_EQ(b.result->signal, 9);
    EXPECT_EQ(b.result->shell_code(), 137);
    EXPECT_FALSE(b.result->killed);
    const Output c = co_await run_exec(host, exec_of({"/bin/printf", std::string("\xff\xfe\n")}));
    EXPECT_EQ(c.out, "\xff\xfe\n");
  });
}

TEST_F(AgentTest, EnvironmentAndFolder) {
  run([](rpc::Session& host) -> awaitable<void> {
    auto request =
        shell("echo $PATH:$HOME:$LANG:$EXTRA:$TERM; pwd; cat; ls -l /proc/self/fd | wc -l");
    request.env = {{"EXTRA", "x"}, {"LANG", "C"}};
    request.cwd = "/usr";
    const Output a = co_await run_exec(host, request);
    EXPECT_EQ(a.out,
              "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/root:C:x:\n/usr\n5\n");
    // A session of its own, no signal blocked, SIGPIPE as programs expect it.
    const Output b = co_await run_exec(
        host, shell("grep -E '^Sig(Blk|Ign)' /proc/self/status; ps -o sid= -p $$; echo $$"));
    EXPECT_TRUE(b.out.starts_with("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"));
    std::istringstream ids(b.out.substr(b.out.find('\n', b.out.find("SigIgn"))));
    int sid = 0;
    int pid = -1;
    ids >> sid >> pid;
    EXPECT_EQ(sid, pid);
  });
}

TEST_F(AgentTest, WhatCannotBeRun) {
  run([](rpc::Session& host) -> awaitable<void> {
    const Output a = co_await run_exec(host, exec_of({"no-such-program"}));
    EXPECT_EQ(a.error->code, Errc::kNotFound);
    EXPECT_EQ(a.error->os_errno, ENOENT);
    const Output b = co_await run_exec(host, exec_of({"/etc/passwd"}));
    EXPECT_EQ(b.error->code, Errc::kDenied);
    EXPECT_EQ(b.error->os_errno, EACCES);
    auto lost = shell("true");
    lost.cwd = "/no/such/folder";
    const Output c = co_await run_exec(host, lost);
    EXPECT_EQ(c.error->code, Errc::kInvalid);
    for (const auto& bad : {exec_of({}), exec_of({""}), exec_of({std::string("a\0b", 3)})}) {
      const Output d = co_await run_exec(host, bad);
      EXPECT_EQ(d.error->code, Errc::kInvalid);
    }
  });
}

TEST_F(AgentTest, CatEchoesFiveMegabytes) {
  run([](rpc::Session& host) -> awaitable<void> {
    std::string sent(5 << 20, '\0');
    for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 7 + (i >> 9));
    auto request = exec_of({"cat"});
    request.stdin_open = true;
    const auto stream = open(host, request);
    asio::co_spawn(co_await asio::this_coro::executor, feed(stream, sent), rethrow);
    const Output o = co_await finish(stream);
    EXPECT_TRUE(o.out == sent);
    EXPECT_EQ(o.result->exit_code, 0);
  });
}

TEST_F(AgentTest, AProgramNeedNotReadItsInput) {
  run([](rpc::Session& host) -> awaitable<void> {
    auto request = shell("exec <&-; echo closed");
    request.stdin_open = true;
    const auto stream = open(host, request);
    asio::co_spawn(co_await asio::this_coro::executor, feed(stream, std::string(1 << 20, 'x')),
                   rethrow);
    const Output o = co_await finish(stream);
    EXPECT_EQ(o.out, "closed\n");
    EXPECT_EQ(o.result->exit_code, 0);
  });
}

TEST_F(AgentTest, TimeoutEndsWhatIgnoresSigterm) {
  run([](rpc::Session& host) -> awaitable<void> {
    auto request = shell("trap '' TERM; echo up; while :; do sleep 100; done");
    request.timeout_ms = 3000;
    request.kill_grace_ms = 100;
    const Output o = co_await run_exec(host, request);
    EXPECT_EQ(o.out, "up\n");
    EXPECT_TRUE(o.result->timed_out && o.result->killed);
    EXPECT_EQ(o.result->signal, SIGKILL);
    EXPECT_GE(o.result->duration_us, 3'100'000);
  });
}

TEST_F(AgentTest, TimeoutReachesWhoLeftTheProcessGroup) {
  if (!cgroup_folder()) GTEST_SKIP() << "this host gives us no control group";
  run([](rpc::Session& host) -> awaitable<void> {
    auto request = shell("setsid sh -c 'trap \"\" TERM; echo $$; exec sleep 100' & wait");
    request.timeout_ms = 3000;
    request.kill_grace_ms = 50;
    const Output o = co_await run_exec(host, request);
    EXPECT_FALSE(o.error) << o.error->message;
    if (!o.result || o.out.empty()) co_return ADD_FAILURE() << "no answer; " << o.err;
    EXPECT_TRUE(o.result->timed_out);
    const int escaped = std::stoi(o.out);
    const sys::UniqueFd gone(static_cast<int>(::syscall(SYS_pidfd_open, escaped, 0)));
    if (!gone) co_return;
    const auto ended = co_await io::wait_readable(gone.get());
    EXPECT_TRUE(ended);
  });
}

TEST_F(AgentTest, DaemonsDoNotHoldTheAnswerBack) {
  run([](rpc::Session& host) -> awaitable<void> {
    const Output o = co_await run_exec(host, shell("sleep 100 & echo done $!"));
    EXPECT_TRUE(o.out.starts_with("done "));
    EXPECT_LT(o.result->duration_us, 50'000'000);
    EXPECT_EQ(::kill(std::stoi(o.out.substr(5)), SIGKILL), 0);
  });
}

TEST_F(AgentTest, OutputWaitsForTheHost) {
  run([](rpc::Session& host) -> awaitable<void> {
    const auto flood = open(host, exec_of({"yes"}));
    for (int i = 0; i < 10; ++i) (void)co_await flood->next();
    // Another program is not held up by it.
    const Output o = co_await run_exec(host, shell("echo hi"));
    EXPECT_EQ(o.out, "hi\n");
    flood->cancel();
    const Output rest = co_await finish(flood);
    EXPECT_TRUE(rest.result->killed);
    EXPECT_FALSE(rest.result->timed_out);
    EXPECT_LE(rest.out.size(), rpc::kInitialCredit * 2);
  });
}

TEST_F(AgentTest, CancelIsSeenWhileInputIsStuck) {
  run([](rpc::Session& host) -> awaitable<void> {
    auto request = shell("echo ready; exec sleep 100");
    request.stdin_open = true;
    const auto stream = open(host, request);
    asio::co_spawn(co_await asio::this_coro::executor, feed(stream, std::string(1 << 20, 'x')),
                   rethrow);
    Output before;
    co_await wait_for(stream, "ready", before);
    stream->cancel();
    const Output o = co_await finish(stream);
    EXPECT_EQ(o.result->signal, SIGTERM);
  });
}

TEST_F(AgentTest, SignalsReachTheProgram) {
  run([](rpc::Session& host) -> awaitable<void> {
    const auto stream =
        open(host, shell("trap 'echo got; exit 3' USR1; echo ready; while :; do sleep 0.01; done"));
    Output o;
    co_await wait_for(stream, "ready", o);
    const auto sent = stream->send_event("signal", proto::encode(proto::Signal{.signo = SIGUSR1}));
    EXPECT_TRUE(sent);
    const Output rest = co_await finish(stream);
    EXPECT_EQ(rest.out, "got\n");
    EXPECT_EQ(rest.result->exit_code, 3);
  });
}

TEST_F(AgentTest, Terminal) {
  run([](rpc::Session& host) -> awaitable<void> {
    auto request = shell("tty -s && stty size && read x && stty size && echo \"$x $TERM\"");
    request.tty = proto::Terminal{.rows = 33, .cols = 101};
    const auto stream = open(host, request);
    Output o;
    co_await wait_for(stream, "33 101\r\n", o);
    (void)stream->send_event("resize", proto::encode(proto::Terminal{.rows = 10, .cols = 20}));
    const auto sent = co_await stream->send(wire::kStdin, "hello\n");
    EXPECT_TRUE(sent);
    const Output rest = co_await finish(stream);
    EXPECT_NE(rest.out.find("10 20\r\nhello xterm-256color\r\n"), std::string::npos) << rest.out;
    EXPECT_EQ(rest.result->exit_code, 0);
  });
}

TEST_F(AgentTest, TwentyAtOnce) {
  run([](rpc::Session& host) -> awaitable<void> {
    std::vector<std::shared_ptr<rpc::Stream>> streams;
    streams.reserve(20);
    for (int i = 0; i < 20; ++i) {
      streams.push_back(open(
          host, shell("sleep 0.05; echo " + std::to_string(i) + "; exit " + std::to_string(i))));
    }
    for (int i = 0; i < 20; ++i) {
      const Output o = co_await finish(streams[static_cast<std::size_t>(i)]);
      EXPECT_EQ(o.result->exit_code, i);
      EXPECT_EQ(o.out, std::to_string(i) + "\n");
    }
  });
}

TEST_F(AgentTest, AHostThatGoesAwayTakesItsProgramsWithIt) {
  run([](rpc::Session& host) -> awaitable<void> {
    const auto stream = open(host, shell("trap '' TERM; echo up; sleep 100"));
    Output o;
    co_await wait_for(stream, "up", o);
    EXPECT_FALSE(o.error);
    // run() closes the session now and expects that nothing is left.
  });
}

TEST_F(AgentTest, OtherMethods) {
  run([](rpc::Session& host) -> awaitable<void> {
    const auto ping = co_await host.call("ping", {}, 5s);
    EXPECT_TRUE(ping);
    const auto prepare = co_await host.call("prepare", {{"root", "vda"}}, 5s);
    EXPECT_TRUE(prepare);
    const auto twice = co_await host.call("prepare", {{"root", "vda"}}, 5s);
    EXPECT_EQ(twice.error().code, Errc::kConflict);
    const auto unknown = co_await host.call("format-disk", {}, 5s);
    EXPECT_EQ(unknown.error().code, Errc::kInvalid);
    const auto bad = co_await host.call("rejuvenate", {}, 5s);
    EXPECT_EQ(bad.error().code, Errc::kInvalid);
    const auto frozen = co_await host.call("freeze", {}, 5s);
    EXPECT_TRUE(frozen);
    const Error why = co_await host.closed();
    EXPECT_EQ(why.message, "frozen");
  });
  EXPECT_EQ(machine_.calls, (std::vector<std::string>{"prepare vda", "sync", "sync", "off"}));
}

}  // namespace
}  // namespace pyro::agent
