// The terminal is a real one: a pty whose other end the test holds.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cstring>

#include "cli/raw_terminal.h"
#include "cli/testing.h"

namespace pyro::cli {
namespace {

using client::ShellAttachResult;
using client::ShellKeys;
using client::ShellSink;
using testing::Call;
using testing::FakeShells;
using Words = std::vector<std::string>;

struct Pty {
  Pty() {
    int person_fd = -1;
    int pyro_fd = -1;
    winsize size{.ws_row = 40, .ws_col = 100, .ws_xpixel = 0, .ws_ypixel = 0};
    EXPECT_EQ(::openpty(&person_fd, &pyro_fd, nullptr, nullptr, &size), 0);
    person = sys::UniqueFd(person_fd);
    pyro = sys::UniqueFd(pyro_fd);
    before = modes();
  }
  [[nodiscard]] termios modes() const {
    termios now{};
    EXPECT_EQ(::tcgetattr(pyro.get(), &now), 0);
    return now;
  }
  [[nodiscard]] bool is_raw() const {
    const termios now = modes();
    return (now.c_lflag & (ECHO | ICANON | ISIG)) == 0 && (now.c_oflag & OPOST) == 0;
  }
  [[nodiscard]] bool is_as_before() const {
    const termios now = modes();
    return now.c_iflag == before.c_iflag && now.c_oflag == before.c_oflag &&
           now.c_cflag == before.c_cflag && now.c_lflag == before.c_lflag &&
           std::memcmp(&now.c_cc, &before.c_cc, sizeof now.c_cc) == 0;
  }
  [[nodiscard]] TerminalFds fds() const { return {.input = pyro.get(), .output = pyro.get()}; }

  sys::UniqueFd person, pyro;
  termios before{};
};

bool readable(int fd) {
  pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, 0) == 1;
}

std::string read_some(int fd) {
  std::string bytes(64, '\0');
  const ssize_t n = ::read(fd, bytes.data(), bytes.size());
  bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return bytes;
}

Words attach(std::initializer_list<std::string> words) {
  Words all{"workspace", "shell", "attach"};
  all.insert(all.end(), words);
  return all;
}

FakeShells& fake(Call& call) {
  return call.backend.kept.kept_shells;
}

TEST(RawTerminal, IsRawWhileItLivesAndAsBeforeAfterwards) {
  const Pty pty;
  {
    const auto raw = RawTerminal::open(pty.fds());
    ASSERT_TRUE(raw) << raw.error().message;
    EXPECT_TRUE(pty.is_raw());
    // Every key comes at once and as it is.
    ASSERT_EQ(::write(pty.person.get(), "\x03\x1a\r", 3), 3);
    EXPECT_EQ(read_some(pty.pyro.get()), "\x03\x1a\r");
    EXPECT_FALSE(readable((*raw)->stop_fd()));
    EXPECT_EQ((*raw)->stopped_by(), 0);
  }
  EXPECT_TRUE(pty.is_as_before());
}

TEST(RawTerminal, WhatIsNoTerminalIsRefused) {
  const sys::UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const auto raw = RawTerminal::open({.input = null.get(), .output = null.get()});
  ASSERT_FALSE(raw);
  EXPECT_NE(raw.error().message.find("terminal"), std::string::npos);
  EXPECT_EQ(terminal_size(null.get()), std::pair(80, 24));
}

TEST(RawTerminal, SignalsAreTold) {
  for (const int signo : {SIGHUP, SIGINT, SIGQUIT, SIGTERM}) {
    const Pty pty;
    {
      const auto raw = RawTerminal::open(pty.fds());
      ASSERT_TRUE(raw);
      ASSERT_EQ(::raise(signo), 0);
      EXPECT_TRUE(readable((*raw)->stop_fd()));
      EXPECT_EQ((*raw)->stopped_by(), signo);
    }
    EXPECT_TRUE(pty.is_as_before());
    struct sigaction now{};
    ::sigaction(signo, nullptr, &now);
    EXPECT_EQ(now.sa_handler, SIG_DFL);
  }
}

TEST(RawTerminal, ASizeThatChangedIsToldOnce) {
  const Pty pty;
  EXPECT_EQ(terminal_size(pty.pyro.get()), std::pair(100, 40));
  const auto raw = RawTerminal::open(pty.fds());
  ASSERT_TRUE(raw);
  EXPECT_FALSE(readable((*raw)->resized_fd()));
  ASSERT_EQ(::raise(SIGWINCH), 0);
  ASSERT_TRUE(readable((*raw)->resized_fd()));
  (void)read_some((*raw)->resized_fd());
  EXPECT_FALSE(readable((*raw)->resized_fd()));
  const winsize huge{.ws_row = 9999, .ws_col = 9999, .ws_xpixel = 0, .ws_ypixel = 0};
  ASSERT_EQ(::ioctl(pty.pyro.get(), TIOCSWINSZ, &huge), 0);
  EXPECT_EQ(terminal_size(pty.pyro.get()), std::pair(4096, 4096));
}

TEST(RawTerminal, IsRawAgainAfterAStop) {
  const Pty pty;
  const auto raw = RawTerminal::open(pty.fds());
  ASSERT_TRUE(raw);
  ASSERT_EQ(::raise(SIGTSTP), 0);  // does not stop this test
  ASSERT_EQ(::tcsetattr(pty.pyro.get(), TCSANOW, &pty.before), 0);
  ASSERT_EQ(::raise(SIGCONT), 0);
  EXPECT_TRUE(pty.is_raw());
  EXPECT_TRUE(readable((*raw)->resized_fd()));
}

// In a child, which the signals end.
int end_of_child(const Pty& pty, const std::vector<int>& signals) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto raw = RawTerminal::open(pty.fds());
    if (!raw || !pty.is_raw()) ::_exit(1);
    for (const int signo : signals) ::raise(signo);
    ::_exit(2);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

TEST(RawTerminal, IsPutBackBeforeTheProcessDies) {
  const Pty pty;
  const int fault = end_of_child(pty, {SIGABRT});
  EXPECT_TRUE(WIFSIGNALED(fault) && WTERMSIG(fault) == SIGABRT) << fault;
  EXPECT_TRUE(pty.is_as_before());
  const int stops = end_of_child(pty, {SIGTERM, SIGTERM, SIGTERM});
  EXPECT_TRUE(WIFEXITED(stops) && WEXITSTATUS(stops) == 128 + SIGTERM) << stops;
  EXPECT_TRUE(pty.is_as_before());
}

// ---- the command

TEST(ShellAttach, OpensAShellOfTheSizeOfTheTerminal) {
  const Pty pty;
  Call call;
  call.terminal = pty.fds();
  fake(call).on_attach = [&](const ShellSink&, const ShellKeys& keys) -> Result<ShellAttachResult> {
    EXPECT_TRUE(pty.is_raw());
    EXPECT_EQ(keys.input_fd, pty.pyro.get());
    EXPECT_EQ(keys.detach_key, '\x1d');
    EXPECT_EQ(keys.size(), std::pair(100, 40));
    return ShellAttachResult{.shell = fake(call).info, .detached = true};
  };
  EXPECT_EQ(call.run(attach({"fix", "--cwd", "src", "--secret-env", "TOKEN"})), 0) << call.err.text;
  EXPECT_EQ(fake(call).calls, (Words{"open fix", "attach fix shell-1"}));
  EXPECT_EQ(fake(call).opened.cols, 100);
  EXPECT_EQ(fake(call).opened.rows, 40);
  EXPECT_EQ(fake(call).opened.cwd, "src");
  EXPECT_EQ(fake(call).opened.secret_env.at("TOKEN"), "TOKEN");
  EXPECT_TRUE(pty.is_as_before());
  EXPECT_EQ(call.err.text,
            "[attached to shell-1; detach with Ctrl-]]\n"
            "[detached from shell-1; attach again with: pyro workspace shell attach fix "
            "shell-1]\n");
}

TEST(ShellAttach, PassesOutputOnAndCleansUpAfterAFullScreenProgram) {
  const Pty pty;
  Call call;
  call.terminal = pty.fds();
  fake(call).on_attach = [&](const ShellSink& sink, const ShellKeys&) -> Result<ShellAttachResult> {
    sink.on_position({.cursor = 7, .missed_bytes = 0, .full_screen = true, .modes = "\x1b[?1049h"});
    PYRO_CHECK(sink.on_output("a\x1b[?1000h\xff\n"));
    return ShellAttachResult{.shell = fake(call).info, .detached = true};
  };
  EXPECT_EQ(call.run(attach({"fix", "shell-1"})), 0);
  EXPECT_EQ(fake(call).calls, Words{"attach fix shell-1"});
  EXPECT_TRUE(
      call.out.text.starts_with("\x1b[?1049h\x1b[2J\x1b[Ha\x1b[?1000h\xff\n\x1b[=0u"
                                "\x1b[?1049l"))
      << call.out.text;
  EXPECT_TRUE(call.out.text.ends_with("\r\n"));
}

TEST(ShellAttach, AGapIsToldUnlessTheScreenIsDrawnAgain) {
  const Pty pty;
  Call call;
  call.terminal = pty.fds();
  fake(call).on_attach = [&](const ShellSink& sink, const ShellKeys&) -> Result<ShellAttachResult> {
    sink.on_position({.cursor = 7, .missed_bytes = 12, .modes = ""});
    sink.on_position(
        {.cursor = 90, .missed_bytes = 13, .full_screen = true, .modes = "\x1b[?1049h"});
    return ShellAttachResult{.shell = fake(call).info, .detached = true};
  };
  EXPECT_EQ(call.run(attach({"fix", "shell-1"})), 0);
  EXPECT_NE(call.err.text.find("\r\n[pyro] 12 bytes were missed here\r\n"), std::string::npos);
  EXPECT_EQ(call.err.text.find("13 bytes"), std::string::npos);
}

TEST(ShellAttach, TheExitCodeIsThatOfTheShellWhenItHasEnded) {
  const Pty pty;
  Call call;
  call.terminal = pty.fds();
  client::ShellInfo info = fake(call).ended();
  fake(call).on_attach = [&](const ShellSink&, const ShellKeys&) -> Result<ShellAttachResult> {
    return ShellAttachResult{.shell = info, .detached = false};
  };
  EXPECT_EQ(call.run(attach({"fix", "shell-1"})), 3);
  EXPECT_TRUE(call.err.text.ends_with("[shell-1 has ended with exit code 3]\n")) << call.err.text;
  info.exit_code.reset();
  info.end_reason = "machine_lost";
  EXPECT_EQ(call.run(attach({"fix", "shell-1"})), 125);
  EXPECT_TRUE(call.err.text.ends_with("[shell-1 has ended: machine_lost]\n")) << call.err.text;
}

TEST(ShellAttach, ASignalDetachesAndGivesItsCode) {
  for (const bool library_fails : {false, true}) {
    const Pty pty;
    Call call;
    call.terminal = pty.fds();
    fake(call).on_attach = [&](const ShellSink&,
                               const ShellKeys& keys) -> Result<ShellAttachResult> {
      ::raise(SIGHUP);
      EXPECT_TRUE(readable(keys.stop_fd));
      if (library_fails) return fail(Errc::kUnavailable, "cancelled");
      return ShellAttachResult{.shell = fake(call).info, .detached = true};
    };
    EXPECT_EQ(call.run(attach({"fix", "shell-1"})), 128 + SIGHUP);
    EXPECT_TRUE(pty.is_as_before());
    EXPECT_EQ(call.err.text.find("cancelled"), std::string::npos);
  }
}

TEST(ShellAttach, AnErrorLeavesTheTerminalAsItWas) {
  const Pty pty;
  Call call;
  call.terminal = pty.fds();
  fake(call).on_attach = [](const ShellSink& sink, const ShellKeys&) -> Result<ShellAttachResult> {
    sink.on_position({.cursor = 0, .missed_bytes = 0, .full_screen = true, .modes = "\x1b[?1049h"});
    return fail_hint(Errc::kConflict, "shell-1 is closed", "open another");
  };
  EXPECT_EQ(call.run(attach({"fix", "shell-1"})), 125);
  EXPECT_TRUE(pty.is_as_before());
  EXPECT_NE(call.out.text.find("\x1b[?1049l"), std::string::npos);
  EXPECT_TRUE(call.err.text.ends_with("pyro: shell-1 is closed\nhint: open another\n"))
      << call.err.text;
}

TEST(ShellAttach, TheDetachKeyCanBeAnother) {
  const Pty pty;
  for (const auto& [name, key, said] :
       std::vector<std::tuple<std::string, std::optional<char>, std::string>>{
           {"ctrl-]", '\x1d', "detach with Ctrl-]]"},
           {"ctrl-\\", '\x1c', "detach with Ctrl-\\]"},
           {"ctrl-a", '\x01', "detach with Ctrl-a]"},
           {"none", std::nullopt, "no key detaches]"}}) {
    Call call;
    call.terminal = pty.fds();
    fake(call).on_attach = [&](const ShellSink&,
                               const ShellKeys& keys) -> Result<ShellAttachResult> {
      EXPECT_EQ(keys.detach_key, key);
      return ShellAttachResult{.shell = fake(call).info, .detached = true};
    };
    EXPECT_EQ(call.run(attach({"fix", "shell-1", "--detach-key", name})), 0) << call.err.text;
    EXPECT_NE(call.err.text.find(said), std::string::npos) << call.err.text;
  }
  for (const char* wrong : {"", "ctrl-", "ctrl-A", "ctrl-1", "ctrl-ab", "a", "alt-a", "ctrl-\n"}) {
    Call call;
    call.terminal = pty.fds();
    EXPECT_NE(call.run(attach({"fix", "shell-1", "--detach-key", wrong})), 0);
    EXPECT_TRUE(fake(call).calls.empty()) << wrong;
  }
}

TEST(ShellAttach, OptionsOfANewShellDoNotGoWithAnOldOne) {
  const Pty pty;
  for (const Words& words : {attach({"fix", "shell-1", "--cwd", "src"}),
                             attach({"fix", "shell-1", "--secret-env", "A"})}) {
    Call call;
    call.terminal = pty.fds();
    EXPECT_EQ(call.run(words), 125);
    EXPECT_TRUE(fake(call).calls.empty());
    EXPECT_NE(call.err.text.find("is for a new shell"), std::string::npos) << call.err.text;
  }
}

}  // namespace
}  // namespace pyro::cli
