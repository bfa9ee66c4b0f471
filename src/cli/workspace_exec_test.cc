#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "cli/commands.h"
#include "cli/json.h"
#include "cli/testing.h"

namespace pyro::cli {
namespace {

namespace json = boost::json;
using testing::Call;
using Words = std::vector<std::string>;

const Words kTrue{"workspace", "exec", "fix", "--", "true"};

TEST(WorkspaceExec, EveryOptionReachesTheLibrary) {
  Call call;
  call.stdin_fd = 9;
  EXPECT_EQ(call.run({"workspace", "exec", "fix", "--timeout-seconds", "7", "--cwd", "src", "--env",
                      "A=1", "--env", "B=x=y", "--secret-env", "TOKEN", "--secret-env", "OTHER=VAR",
                      "--", "sh", "-c", "echo --json"}),
            0);
  EXPECT_EQ(call.backend.kept.calls, Words{"exec fix"});
  const client::WorkspaceExecOptions& o = call.backend.kept.exec_asked;
  EXPECT_EQ(o.argv, (Words{"sh", "-c", "echo --json"}));
  EXPECT_EQ(o.command, "");
  EXPECT_EQ(o.timeout_seconds, 7);
  EXPECT_EQ(o.cwd, "src");
  EXPECT_EQ(o.env, (std::map<std::string, std::string>{{"A", "1"}, {"B", "x=y"}}));
  EXPECT_EQ(o.secret_env,
            (std::map<std::string, std::string>{{"TOKEN", "TOKEN"}, {"OTHER", "VAR"}}));
  EXPECT_EQ(o.stdin_fd, 9);
}

TEST(WorkspaceExec, DefaultsAreThoseOfTheLibrary) {
  Call call;
  EXPECT_EQ(call.run(kTrue), 0);
  const client::WorkspaceExecOptions& o = call.backend.kept.exec_asked;
  EXPECT_EQ(o.timeout_seconds, client::WorkspaceExecOptions().timeout_seconds);
  EXPECT_EQ(o.cwd, "/workspace");
  EXPECT_EQ(o.stdin_fd, std::nullopt);
}

TEST(WorkspaceExec, StreamsEveryByteAndSumsUpOnStandardError) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  Call call;
  call.backend.kept.chunks = {bytes, bytes};
  call.backend.kept.stderr_bytes = bytes;
  EXPECT_EQ(call.run(kTrue), 0);
  EXPECT_EQ(call.out.text, bytes + bytes);
  EXPECT_EQ(call.err.text, bytes +
                               "[workspace-exec] workspace_id=ws-1 sequence=3 cwd=/workspace "
                               "execution_mode=guest_serial exit_code=0 duration_ms=41\n");
}

TEST(WorkspaceExec, TheExitCodeIsTheCommands) {
  for (const int code : {0, 1, 2, 42, 126, 127, 137, 255}) {
    for (const bool with_json : {false, true}) {
      Call call;
      call.backend.kept.executed.exit_code = code;
      Words words = kTrue;
      if (with_json) words.insert(words.begin() + 3, "--json");
      EXPECT_EQ(call.run(words), code);
    }
  }
}

TEST(WorkspaceExec, ATimeoutIs124AndSaysSo) {
  Call call;
  call.backend.kept.executed.timed_out = true;
  call.backend.kept.executed.exit_code = 137;
  EXPECT_EQ(call.run({"workspace", "exec", "fix", "--timeout-seconds", "7", "--", "sleep", "9"}),
            124);
  EXPECT_TRUE(call.err.text.starts_with(
      "pyro: the command was stopped after 7 s (--timeout-seconds)\n[workspace-exec] "))
      << call.err.text;
}

TEST(WorkspaceExec, WrongUsageHasACodeThatNoCommandHas) {
  Call call;
  EXPECT_EQ(call.run({"workspace", "exec", "fix", "true"}), 125);
  EXPECT_NE(call.err.text.find("hint: pyro workspace exec fix -- true\n"), std::string::npos)
      << call.err.text;
}

TEST(WorkspaceExec, NoMessageRepeatsASecretThatWasGivenToTheWrongOption) {
  for (const Words& words : std::vector<Words>{{"--secret-env", "A=hunter2!"},
                                               {"--secret-env", "hunter2!"},
                                               {"--secret-env=A=hunter2", "--secret-env=B=hunter2"},
                                               {"--secret-env", "A=my", "--hunter2"},
                                               {"--secret-env", "A=hunter2", "true"}}) {
    Words all{"workspace", "exec", "fix"};
    all.insert(all.end(), words.begin(), words.end());
    all.insert(all.end(), {"--", "true"});
    Call call;
    EXPECT_EQ(call.run(all), 125);
    EXPECT_TRUE(call.backend.kept.calls.empty());
    EXPECT_FALSE(call.err.text.empty());
    EXPECT_EQ(call.err.text.find("hunter2"), std::string::npos) << call.err.text;
  }
}

TEST(WorkspaceExec, JsonHoldsBothStreamsAndTheExactBytesOnlyWhenNeeded) {
  Call call;
  call.backend.kept.chunks = {"\xC3", "\xA9"};
  call.backend.kept.stderr_bytes = "a\xFF";
  call.backend.kept.executed.signal = 9;
  EXPECT_EQ(call.run({"workspace", "exec", "fix", "--json", "--", "x"}), 0);
  EXPECT_EQ(call.err.text, "");
  const json::object result = json::parse(call.out.text).as_object();
  EXPECT_EQ(result.at("stdout"), "\xC3\xA9");
  EXPECT_FALSE(result.contains("stdout_base64"));
  EXPECT_EQ(result.at("stderr"), "a\xEF\xBF\xBD");
  EXPECT_EQ(result.at("stderr_base64"), "Yf8=");
  EXPECT_EQ(result.at("signal"), 9);
  EXPECT_EQ(result.at("sequence"), 3);
  EXPECT_EQ(result.at("timing").at("exec_ms"), 41.0);
}

TEST(WorkspaceExec, CollectedOutputIsBoundedAndTheRestIsDrained) {
  Call call;
  call.backend.kept.chunks.assign(65, std::string(1U << 20, 'x'));  // one MiB too much
  EXPECT_EQ(call.run({"workspace", "exec", "fix", "--json", "--", "yes"}), 0);
  const json::object result = json::parse(call.out.text).as_object();
  EXPECT_EQ(result.at("stdout").as_string().size(), kMaxCollected);
  EXPECT_TRUE(result.at("stdout_truncated").as_bool());
}

}  // namespace
}  // namespace pyro::cli
