#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <thread>

#include "base/text.h"
#include "cli/call_view.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/testing.h"
#include "sys/fd.h"

namespace pyro::cli {
namespace {

namespace json = boost::json;
using testing::Call;
using Words = std::vector<std::string>;
using Mode = Interrupts::Mode;

const Words kTrue{"run", "debian:12", "--", "true"};

TEST(Run, PrintsTheFourLinesOfTheContract) {
  Call call;
  EXPECT_EQ(call.run({"run", "debian:12", "--", "git", "--version"}), 0);
  EXPECT_EQ(call.out.text, "git version 2.39.5\n");
  EXPECT_EQ(call.err.text,
            "[run] phase=create environment=debian:12\n"
            "[run] phase=start vm_id=vm-1\n"
            "[run] phase=execute vm_id=vm-1\n"
            "[run] environment=debian:12 execution_mode=guest_serial exit_code=0 duration_ms=41\n");
}

TEST(Run, SaysWhatItWaitsFor) {
  Call call;
  call.backend.phases = {{"queue", "3 ahead, 2.0 GiB wanted"},
                         {"pull", ""},
                         {"template", "booting once"},
                         {"create", "ignored"},
                         {"cleanup", ""}};
  EXPECT_EQ(call.run(kTrue), 0);
  EXPECT_TRUE(call.err.text.starts_with(
      "[run] phase=queue environment=debian:12 detail='3 ahead, 2.0 GiB wanted'\n"
      "[run] phase=pull environment=debian:12\n"
      "[run] phase=template environment=debian:12 detail='booting once'\n"
      "[run] phase=create environment=debian:12\n"
      "[run] environment="))
      << call.err.text;
}

TEST(Run, PassesEveryOptionOn) {
  Call call;
  EXPECT_EQ(
      call.run({"run", "debian:12-build", "--vcpu-count", "4", "--mem-mib", "4096",
                "--timeout-seconds", "60", "--ttl-seconds", "120", "--network",
                "--allow-host-compat", "--boot", "cold", "--", "sh", "-c", "echo 'a  b'", ""}),
      0);
  EXPECT_EQ(call.backend.create.environment, "debian:12-build");
  EXPECT_EQ(call.backend.create.vcpu_count, 4);
  EXPECT_EQ(call.backend.create.mem_mib, 4096);
  EXPECT_EQ(call.backend.create.ttl_seconds, 120);
  EXPECT_EQ(call.backend.create.network.policy, "egress");
  EXPECT_TRUE(call.backend.create.allow_host_compat);
  EXPECT_EQ(call.backend.create.boot, client::Boot::kCold);
  EXPECT_EQ(call.backend.exec.timeout_seconds, 60);
  EXPECT_EQ(call.backend.exec.argv, (Words{"sh", "-c", "echo 'a  b'", ""}));
  EXPECT_EQ(call.backend.interrupt_fd, 77);
}

// The library refuses a NUL; the command line must not cut the word there before it can.
TEST(Run, ANulReachesTheLibrary) {
  const std::string word("a\0b", 3);
  Call call;
  EXPECT_EQ(call.run({"run", "debian:12", "--", "echo", word}), 0);
  EXPECT_EQ(call.backend.exec.argv, (Words{"echo", word}));
}

TEST(Run, StandardInputIsPassedOnlyWhenThereIsSome) {
  Call none;
  EXPECT_EQ(none.run(kTrue), 0);
  EXPECT_FALSE(none.backend.exec.stdin_fd);
  Call some;
  some.stdin_fd = 0;
  EXPECT_EQ(some.run(kTrue), 0);
  EXPECT_EQ(some.backend.exec.stdin_fd, 0);
}

TEST(Run, OutputIsByteExact) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  Call call;
  call.backend.stdout_bytes = bytes;
  call.backend.stderr_bytes = bytes;
  EXPECT_EQ(call.run(kTrue), 0);
  EXPECT_EQ(call.out.text, bytes);
  EXPECT_NE(call.err.text.find(bytes), std::string::npos);
}

TEST(Run, TheExitCodeIsTheCommands) {
  for (const int code : {0, 1, 2, 42, 126, 127, 137, 255}) {
    for (const bool with_json : {false, true}) {
      Call call;
      call.backend.result.exit_code = code;
      EXPECT_EQ(call.run(with_json ? Words{"run", "debian:12", "--json", "--", "true"} : kTrue),
                code);
    }
  }
}

TEST(Run, ATimeoutIs124AndSaysSo) {
  Call call;
  call.backend.result.timed_out = true;
  call.backend.result.exit_code = 124;
  EXPECT_EQ(call.run({"run", "debian:12", "--timeout-seconds", "7", "--", "sleep", "9"}), 124);
  EXPECT_NE(call.err.text.find("pyro: the command was stopped after 7 s (--timeout-seconds)\n"),
            std::string::npos);
}

TEST(Run, JsonHoldsBothStreamsAndTheExactBytesOnlyWhenNeeded) {
  Call call;
  call.backend.stdout_bytes = "ok\n";
  call.backend.stderr_bytes =
      "a\xFF"
      "b";
  EXPECT_EQ(call.run({"run", "debian:12", "--json", "--", "x"}), 0);
  EXPECT_EQ(call.err.text, "");
  const json::object result = json::parse(call.out.text).as_object();
  EXPECT_EQ(result.at("stdout"), "ok\n");
  EXPECT_FALSE(result.contains("stdout_base64"));
  EXPECT_EQ(result.at("stderr"),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(result.at("stderr_base64"), json::value(base64("a\xFF"
                                                           "b")));
  EXPECT_TRUE(result.at("signal").is_null());
  EXPECT_EQ(result.at("timing").at("spawn_ms"), 12.5);
  EXPECT_EQ(result.at("cleanup").at("reason"), "post_exec_cleanup");
}

TEST(Run, AMultibyteCharacterSplitBetweenChunksIsNotLost) {
  Call call;
  call.backend.stdout_chunks = {"\xC3", "\xA9"};
  EXPECT_EQ(call.run({"run", "debian:12", "--json", "--", "x"}), 0);
  const json::object result = json::parse(call.out.text).as_object();
  EXPECT_EQ(result.at("stdout"), "\xC3\xA9");
  EXPECT_FALSE(result.contains("stdout_base64"));
}

TEST(Run, CollectedOutputIsBoundedAndTheRestIsDrained) {
  Call call;
  call.backend.stdout_bytes = std::string(1U << 20, 'x');
  call.backend.stderr_bytes = "e";
  call.backend.repeat_output = 65;  // one MiB too much
  EXPECT_EQ(call.run({"run", "debian:12", "--json", "--", "yes"}), 0);
  const json::object result = json::parse(call.out.text).as_object();
  EXPECT_EQ(result.at("stdout").as_string().size(), kMaxCollected);
  EXPECT_TRUE(result.at("stdout_truncated").as_bool());
  EXPECT_EQ(result.at("stderr").as_string().size(), 65U);
  EXPECT_FALSE(result.at("stderr_truncated").as_bool());
}

TEST(Run, ExactlyTheBoundIsNotTruncated) {
  Collected collected;
  collected.add(std::string(kMaxCollected, 'x'));
  EXPECT_FALSE(collected.truncated);
  collected.add("");
  EXPECT_FALSE(collected.truncated);
  collected.add("y");
  EXPECT_TRUE(collected.truncated);
  EXPECT_EQ(collected.bytes.size(), kMaxCollected);
}

TEST(Run, AnInterruptedRunEndsWithTheSignalsCode) {
  Call text;
  text.interrupts.received = SIGINT;
  text.backend.fails = Error{.code = Errc::kUnavailable, .message = "gone"};
  EXPECT_EQ(text.run(kTrue), 130);
  EXPECT_EQ(text.err.text, "");
  Call machine;
  machine.interrupts.received = SIGTERM;
  machine.backend.fails = text.backend.fails;
  EXPECT_EQ(machine.run({"run", "debian:12", "--json", "--", "x"}), 143);
  EXPECT_EQ(json::parse(machine.out.text).at("error").at("message"), "gone");
}

TEST(Run, OnlyPullsMayBeEndedAtOnce) {
  Call call;
  call.backend.phases = {
      {"pull", ""}, {"template", ""}, {"create", ""}, {"start", "v"}, {"execute", "v"}};
  EXPECT_EQ(call.run(kTrue), 0);
  EXPECT_EQ(call.interrupts.modes, (std::vector{Mode::kEnd, Mode::kForward, Mode::kForward,
                                                Mode::kForward, Mode::kForward}));
}

// ---- pulls

const std::vector<image::PullProgress> kSteps{
    {.phase = "resolve", .detail = "80 packages", .fraction = -1},
    {.phase = "download", .detail = "12 of 80", .fraction = 0.25},
    {.phase = "download", .detail = "40 of 80", .fraction = 0.5},
    {.phase = "verify", .detail = "", .fraction = 0.99},
    {.phase = "ready", .detail = "", .fraction = 1}};

TEST(Pull, WithoutATerminalEveryPhaseIsOneLine) {
  Call call;
  call.backend.pull_steps = kSteps;
  EXPECT_EQ(call.run({"env", "pull", "debian:12"}), 0);
  EXPECT_EQ(call.err.text,
            "[pull] phase=install environment=debian:12\n"
            "[pull] phase=resolve environment=debian:12\n"
            "[pull] phase=download environment=debian:12\n"
            "[pull] phase=verify environment=debian:12\n"
            "[pull] phase=ready environment=debian:12\n");
}

TEST(Pull, OnATerminalOneLineIsRedrawnAndClearedAtTheEnd) {
  Call call;
  call.tty = true;
  call.tick = std::chrono::milliseconds(30);
  call.backend.pull_steps = kSteps;
  EXPECT_EQ(call.run({"env", "pull", "debian:12"}), 0);
  EXPECT_EQ(call.err.text,
            "[pull] phase=install environment=debian:12\n"
            "\r[pull] debian:12 [....................]      resolve: 80 packages\033[K"
            "\r[pull] debian:12 [#####---------------]  25% download: 12 of 80\033[K"
            // 40 of 80 came 30 ms later: too soon to redraw
            "\r[pull] debian:12 [###################-]  99% verify\033[K"
            "\r\033[K[pull] phase=ready environment=debian:12\n");
}

TEST(Pull, TheBarMakesWayForTheLinesOfRun) {
  Call call;
  call.tty = true;
  call.backend.pull_steps = {kSteps[1]};
  EXPECT_EQ(call.run(kTrue), 0);
  EXPECT_NE(call.err.text.find("25% download: 12 of 80\033[K\r\033[K[run] phase=create"),
            std::string::npos)
      << call.err.text;
}

TEST(Pull, AFailureClearsTheBarBeforeTheError) {
  Call call;
  call.tty = true;
  call.backend.pull_steps = kSteps;
  call.backend.fails = Error{.code = Errc::kUnavailable, .message = "no mirror"};
  EXPECT_EQ(call.run({"env", "pull", "debian:12"}), 4);
  EXPECT_TRUE(call.err.text.ends_with("pyro: no mirror\n")) << call.err.text;
}

TEST(Pull, JsonHasNoLines) {
  Call call;
  call.backend.pull_steps = kSteps;
  EXPECT_EQ(call.run({"env", "pull", "debian:12", "--json"}), 0);
  EXPECT_EQ(call.err.text, "");
}

TEST(ProgressLine, FitsTheTerminalAndShowsNoControlCharacters) {
  const image::PullProgress step{
      .phase = "download", .detail = "caf\xC3\xA9 \033[31m\nred", .fraction = 7};
  EXPECT_EQ(progress_line("debian:12", step, 200),
            "[pull] debian:12 [####################] 100% download: caf\xC3\xA9 \\x1b[31m red");
  EXPECT_EQ(progress_line("debian:12", step, 61),
            "[pull] debian:12 [####################] 100% download: caf\xC3\xA9 ");
  EXPECT_EQ(progress_line("debian:12", step, 59),
            "[pull] debian:12 [####################] 100% download: caf");
  EXPECT_EQ(progress_line("debian:12", step, 0), "[");
}

// ---- the real sink and the real signals

TEST(FdSink, WaitsForAFullNonBlockingPipe) {
  auto pipe = sys::make_pipe();
  ASSERT_TRUE(pipe);
  ASSERT_TRUE(sys::set_nonblocking(pipe->write.get(), true));
  const std::string bytes(1U << 20, 'x');  // more than a pipe holds
  std::size_t got = 0;
  std::thread reader([&] {
    char buffer[65536];
    for (ssize_t n = 0; (n = ::read(pipe->read.get(), buffer, sizeof buffer)) > 0;) {
      got += static_cast<std::size_t>(n);
    }
  });
  FdSink sink(pipe->write.get(), "a pipe");
  EXPECT_TRUE(sink.write(bytes));
  pipe->write = sys::UniqueFd();
  reader.join();
  EXPECT_EQ(got, bytes.size());
}

TEST(ProcessIoDeathTest, AClosedStandardStreamDoesNotBecomeSomeFile) {
  EXPECT_EXIT(
      {
        ::close(1);
        ProcessIo process;
        const int next = ::open("/dev/null", O_WRONLY);
        const Result<void> written = process.io().out.write("x");
        ::_exit(next != 1 && !written && written.error().os_errno == EBADF ? 7 : 1);
      },
      ::testing::ExitedWithCode(7), "");
}

TEST(Interrupts, ForwardsTheFirstTwoAndRemembersTheFirst) {
  auto watch = watch_interrupts();
  ASSERT_TRUE(watch);
  (*watch)->set_mode(Mode::kForward);
  EXPECT_EQ((*watch)->received(), 0);
  ASSERT_EQ(::raise(SIGTERM), 0);
  ASSERT_EQ(::raise(SIGINT), 0);
  char bytes[8];
  EXPECT_EQ(::read((*watch)->fd(), bytes, sizeof bytes), 2);
  EXPECT_EQ((*watch)->received(), SIGTERM);
}

TEST(InterruptsDeathTest, EndsAtOnceDuringAPullAndAtTheThirdPress) {
  EXPECT_EXIT(
      {
        auto watch = watch_interrupts();
        ::raise(SIGINT);
      },
      ::testing::ExitedWithCode(130), "");
  EXPECT_EXIT(
      {
        auto watch = watch_interrupts();
        (*watch)->set_mode(Mode::kForward);
        for (int i = 0; i < 3; ++i) ::raise(SIGTERM);
      },
      ::testing::ExitedWithCode(143), "");
}

TEST(Interrupts, PutsTheOldHandlingBack) {
  struct sigaction before{}, after{};
  ::sigaction(SIGINT, nullptr, &before);
  {
    auto watch = watch_interrupts();
  }
  ::sigaction(SIGINT, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

}  // namespace
}  // namespace pyro::cli
