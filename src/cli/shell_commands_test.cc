#include <gtest/gtest.h>
#include <signal.h>

#include <boost/json/parse.hpp>

#include "cli/testing.h"

namespace pyro::cli {
namespace {

namespace json = boost::json;
using testing::Call;
using testing::expect_golden;
using testing::FakeShells;
using Words = std::vector<std::string>;

Words shell(std::initializer_list<std::string> words) {
  Words all{"workspace", "shell"};
  all.insert(all.end(), words);
  return all;
}

FakeShells& fake(Call& call) {
  return call.backend.kept.kept_shells;
}

TEST(Shell, OutputMatchesItsGolden) {
  std::string all;
  for (const Words& words : std::vector<Words>{
           shell({"open", "fix"}), shell({"open", "fix", "--id-only"}),
           shell({"open", "fix", "--json"}), shell({"read", "fix", "shell-1"}),
           shell({"read", "fix", "shell-1", "--json"}),
           shell({"write", "fix", "shell-1", "--input", "make"}),
           shell({"write", "fix", "shell-1", "--input", "make", "--json"}),
           shell({"signal", "fix", "shell-1"}), shell({"signal", "fix", "shell-1", "--json"}),
           shell({"resize", "fix", "shell-1", "--cols", "200"}), shell({"list", "fix"}),
           shell({"list", "fix", "--json"}), shell({"close", "fix", "shell-1"}),
           shell({"close", "fix", "shell-1", "--json"})}) {
    Call call;
    all += call.transcript(words);
  }
  all += "With something missed, more to come, and the shell at its end:\n\n";
  Call call;
  fake(call).info = fake(call).ended();
  fake(call).missed_bytes = 17;
  fake(call).truncated = fake(call).idle = true;
  all += call.transcript(shell({"read", "fix", "shell-1"}));
  expect_golden("shell_commands.txt", all);
}

TEST(Shell, RefusalsMatchTheirGolden) {
  std::string all;
  for (const Words& words : std::vector<Words>{
           shell({}),
           shell({"opn"}),
           shell({"open"}),
           shell({"open", "fix", "--cols", "0"}),
           shell({"open", "fix", "--rows", "5000"}),
           shell({"open", "fix", "--id-only", "--json"}),
           shell({"open", "fix", "--secret-env", "A", "--secret-env", "B=A"}),
           shell({"read", "fix"}),
           shell({"read", "fix", ""}),
           shell({"read", "fix", "shell-1", "--max-chars", "0"}),
           shell({"read", "fix", "shell-1", "--cursor", "-1"}),
           shell({"read", "fix", "shell-1", "--follow", "--plain"}),
           shell({"read", "fix", "shell-1", "--follow", "--wait-for-idle-ms", "1"}),
           shell({"write", "fix", "shell-1"}),
           shell({"signal", "fix", "shell-1", "--signal", "STOP"}),
           shell({"attach", "fix"}),
           shell({"attach", "fix", "shell-1", "shell-2"}),
       }) {
    Call call;
    all += call.transcript(words);
    EXPECT_TRUE(fake(call).calls.empty()) << all;
  }
  expect_golden("shell_refusals.txt", all);
}

TEST(Shell, EveryOptionReachesTheLibrary) {
  Call open;
  EXPECT_EQ(open.run(shell({"open", "fix", "--cwd", "src", "--cols", "200", "--rows", "50",
                            "--secret-env", "TOKEN", "--secret-env", "B=VAR"})),
            0);
  EXPECT_EQ(fake(open).calls, Words{"open fix"});
  EXPECT_EQ(fake(open).opened.cwd, "src");
  EXPECT_EQ(fake(open).opened.cols, 200);
  EXPECT_EQ(fake(open).opened.rows, 50);
  EXPECT_EQ(fake(open).opened.secret_env,
            (std::map<std::string, std::string>{{"TOKEN", "TOKEN"}, {"B", "VAR"}}));

  Call read;
  EXPECT_EQ(
      read.run(shell({"read", "fix", "shell-7", "--cursor", "9007199254740992", "--max-chars", "10",
                      "--plain", "--wait-for-idle-ms", "200", "--wait-timeout-ms", "900"})),
      0);
  EXPECT_EQ(fake(read).calls, Words{"read fix shell-7"});
  EXPECT_EQ(fake(read).read_asked.cursor, std::int64_t{1} << 53);
  EXPECT_EQ(fake(read).read_asked.max_chars, 10);
  EXPECT_TRUE(fake(read).read_asked.plain);
  EXPECT_EQ(fake(read).read_asked.wait_for_idle_ms, 200);
  EXPECT_EQ(fake(read).read_asked.wait_timeout_ms, 900);

  Call write;
  EXPECT_EQ(write.run(shell({"write", "fix", "shell-1", "--input", "--no-newline"})), 0);
  EXPECT_EQ(fake(write).written, "--no-newline");
  EXPECT_TRUE(fake(write).newline_asked);
  EXPECT_EQ(write.run(shell({"write", "fix", "shell-1", "--no-newline", "--input="})), 0);
  EXPECT_EQ(fake(write).written, "");
  EXPECT_FALSE(fake(write).newline_asked);

  Call signal;
  for (const char* name : {"HUP", "INT", "TERM", "KILL", "QUIT", "TSTP", "CONT"}) {
    EXPECT_EQ(signal.run(shell({"signal", "fix", "shell-1", "--signal", name})), 0);
    EXPECT_EQ(fake(signal).signal_asked, name);
  }
}

TEST(Shell, DefaultsAreThoseOfTheLibrary) {
  Call call;
  EXPECT_EQ(call.run(shell({"open", "fix"})), 0);
  EXPECT_EQ(fake(call).opened.cwd, client::ShellOptions().cwd);
  EXPECT_EQ(fake(call).opened.cols, client::ShellOptions().cols);
  EXPECT_EQ(fake(call).opened.rows, client::ShellOptions().rows);
  EXPECT_EQ(call.run(shell({"read", "fix", "shell-1"})), 0);
  const client::ShellReadOptions defaults;
  EXPECT_EQ(fake(call).read_asked.cursor, defaults.cursor);
  EXPECT_EQ(fake(call).read_asked.max_chars, defaults.max_chars);
  EXPECT_EQ(fake(call).read_asked.plain, defaults.plain);
  EXPECT_EQ(fake(call).read_asked.wait_for_idle_ms, defaults.wait_for_idle_ms);
  EXPECT_EQ(fake(call).read_asked.wait_timeout_ms, defaults.wait_timeout_ms);
  EXPECT_EQ(call.run(shell({"signal", "fix", "shell-1"})), 0);
  EXPECT_EQ(fake(call).signal_asked, "INT");
}

TEST(ShellRead, EveryByteGoesToStandardOutput) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  Call call;
  fake(call).output = bytes;
  EXPECT_EQ(call.run(shell({"read", "fix", "shell-1"})), 0);
  EXPECT_EQ(call.out.text, bytes);
  EXPECT_TRUE(call.err.text.starts_with("[workspace-shell-read] ")) << call.err.text;
}

TEST(Shell, NothingThatAGuestNamedDrivesTheTerminal) {
  Call call;
  fake(call).info.cwd = fake(call).info.end_reason = "x\033[2J\n";
  for (const Words& words :
       {shell({"open", "fix", "--cwd", "x\033[2J\n"}), shell({"list", "fix"}),
        shell({"read", "fix", "shell-1"}), shell({"close", "fix", "shell-1"})}) {
    call.out.text.clear();
    call.err.text.clear();
    EXPECT_EQ(call.run(words), 0);
    EXPECT_EQ((call.out.text + call.err.text).find('\033'), std::string::npos);
  }
}

TEST(Shell, ErrorsHaveTheCodeOfEveryCommand) {
  for (const Words& words :
       {shell({"open", "x"}), shell({"read", "x", "s"}), shell({"read", "x", "s", "--follow"}),
        shell({"write", "x", "s", "--input", "y"}), shell({"signal", "x", "s"}),
        shell({"resize", "x", "s"}), shell({"list", "x"}), shell({"close", "x", "s"})}) {
    Call call;
    fake(call).fails = Error{.code = Errc::kUnavailable, .message = "it broke", .hint = "mend it"};
    EXPECT_EQ(call.run(words), 4) << words[2];
    EXPECT_EQ(call.err.text, "pyro: it broke\nhint: mend it\n");
    EXPECT_EQ(call.out.text, "");
  }
}

// ---- follow

TEST(ShellFollow, GivesTheBytesAsTheyComeAndTheStateAtTheEnd) {
  Call call;
  fake(call).on_follow = [](const client::ShellSink& sink) -> Result<void> {
    sink.on_position({.cursor = 40, .missed_bytes = 0, .modes = ""});
    PYRO_CHECK(sink.on_output("one\xc3"));
    PYRO_CHECK(sink.on_output("\xa4"));
    sink.on_position({.cursor = 100, .missed_bytes = 55, .modes = ""});
    return sink.on_output("two");
  };
  EXPECT_EQ(call.run(shell({"read", "fix", "shell-1", "--follow", "--cursor", "40"})), 0);
  EXPECT_EQ(fake(call).cursor_asked, 40);
  EXPECT_EQ(fake(call).interrupt_fd, 77);
  EXPECT_EQ(call.interrupts.modes, std::vector{Interrupts::Mode::kForward});
  EXPECT_EQ(call.out.text, "one\xc3\xa4two");
  EXPECT_EQ(call.err.text,
            "[pyro] 55 bytes were missed here\n"
            "[workspace-shell-read] workspace_id=ws-1 shell_id=shell-1 state=stopped cursor=40 "
            "next_cursor=103 truncated=False execution_mode=guest_serial missed_bytes=55 "
            "exit_code=3 reason=exited\n");
}

TEST(ShellFollow, JsonIsOneObjectALineWithWholeCharacters) {
  Call call;
  fake(call).on_follow = [](const client::ShellSink& sink) -> Result<void> {
    sink.on_position({.cursor = 10, .missed_bytes = 0, .modes = ""});
    PYRO_CHECK(sink.on_output("a\xc3"));
    PYRO_CHECK(sink.on_output("\xa4"));
    PYRO_CHECK(sink.on_output("\xe2\x82"));  // never becomes one
    sink.on_position(
        {.cursor = 50, .missed_bytes = 5, .full_screen = true, .modes = "\x1b[?1049h"});
    return sink.on_output("b\xff\xc3");
  };
  EXPECT_EQ(call.run(shell({"read", "fix", "shell-1", "--follow", "--json"})), 0);
  EXPECT_EQ(call.err.text, "");
  const std::string parts = R"({"cursor":10,"missed_bytes":0,"next_cursor":11,"output":"a"})"
                            "\n"
                            R"({"cursor":11,"missed_bytes":0,"next_cursor":13,"output":")"
                            "\xc3\xa4"
                            R"("})"
                            "\n"
                            R"({"cursor":13,"missed_bytes":0,"next_cursor":15,"output":")"
                            "\xef\xbf\xbd"
                            R"(","output_base64":"4oI="})"
                            "\n"
                            R"({"cursor":50,"missed_bytes":5,"next_cursor":52,"output":"b)"
                            "\xef\xbf\xbd"
                            R"(","output_base64":"Yv8="})"
                            "\n"
                            R"({"cursor":52,"missed_bytes":0,"next_cursor":53,"output":")"
                            "\xef\xbf\xbd"
                            R"(","output_base64":"ww=="})"
                            "\n";
  ASSERT_TRUE(call.out.text.starts_with(parts)) << call.out.text;
  const json::value last = json::parse(call.out.text.substr(parts.size()));
  EXPECT_EQ(last.at("state"), "stopped");
  EXPECT_EQ(last.at("exit_code"), 3);
}

TEST(ShellFollow, CtrlCIsNoErrorAndSigtermHasItsCode) {
  for (const auto& [signal, code] : {std::pair{SIGINT, 0}, std::pair{SIGTERM, 128 + SIGTERM}}) {
    for (const bool library_fails : {false, true}) {
      Call call;
      fake(call).on_follow = [&](const client::ShellSink& sink) -> Result<void> {
        PYRO_CHECK(sink.on_output("text\n"));
        call.interrupts.received = signal;
        if (library_fails) return fail(Errc::kUnavailable, "cancelled");
        return {};
      };
      EXPECT_EQ(call.run(shell({"read", "fix", "shell-1", "--follow"})), code);
      EXPECT_EQ(call.out.text, "text\n");
      EXPECT_EQ(call.err.text.find("cancelled"), std::string::npos);
    }
  }
}

TEST(ShellFollow, EndsWhenNobodyReads) {
  class Closed final : public Sink {
    Result<void> do_write(std::string_view) override {
      return fail(Errc::kUnavailable, "writing standard output", EPIPE);
    }
  };
  for (const bool as_json : {false, true}) {
    Call call;
    Closed closed;
    int given = 0;
    fake(call).on_follow = [&](const client::ShellSink& sink) -> Result<void> {
      ++given;
      PYRO_CHECK(sink.on_output("text\n"));
      ++given;
      return {};
    };
    Words words = shell({"read", "fix", "shell-1", "--follow"});
    if (as_json) words.emplace_back("--json");
    EXPECT_EQ(call.run_with(words, closed), 141);
    EXPECT_EQ(given, 1);
  }
}

}  // namespace
}  // namespace pyro::cli
