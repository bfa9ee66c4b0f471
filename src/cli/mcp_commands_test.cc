#include "cli/mcp_commands.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "cli/testing.h"
#include "sys/file.h"

namespace pyro::cli {
namespace {

using testing::Call;

struct TokenFile {
  std::string folder = [] {
    std::string name = std::filesystem::temp_directory_path() / "pyro-token-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    return name;
  }();
  std::string path = folder + "/token";
  ~TokenFile() { (void)sys::remove_tree(folder); }
  Result<std::string> with(std::string_view text, mode_t mode = 0600) const {
    EXPECT_TRUE(sys::write_file_atomic(path, text, mode));
    return read_token(path);
  }
};

TEST(ReadToken, TakesOnlyATokenThatNobodyElseCanRead) {
  const TokenFile file;
  EXPECT_EQ(*file.with("0123456789abcdef\n"), "0123456789abcdef");
  for (const mode_t mode : {0644U, 0640U, 0604U, 0660U}) {
    const auto token = file.with("0123456789abcdef", mode);
    ASSERT_FALSE(token) << mode;
    EXPECT_EQ(token.error().code, Errc::kDenied);
  }
  for (const char* text :
       {"", "\n", "short", "0123456789 abcdef", "0123456789abcde\xff", "0123456789abc\tdef"}) {
    const auto token = file.with(text);
    ASSERT_FALSE(token) << text;
    EXPECT_EQ(token.error().code, Errc::kInvalid);
    EXPECT_FALSE(token.error().message.contains("0123456789")) << "it is not repeated";
  }
  EXPECT_FALSE(file.with(std::string(10'000, 'a')));
  EXPECT_FALSE(read_token(file.folder + "/nothing"));
}

TEST(McpServe, RefusesWhatDoesNotFitTogether) {
  struct Row {
    std::vector<std::string> words;
    const char* said;
  };
  const std::vector<Row> rows{
      {{"mcp", "serve", "--profile", "everything"}, "vm-run"},
      {{"mcp", "serve", "--token-file", "t"}, "needs --http"},
      {{"mcp", "serve", "--allow-remote"}, "needs --http"},
      {{"mcp", "serve", "--http", "127.0.0.1"}, "not an address and a port"},
      {{"mcp", "serve", "--http", "localhost:80"}, "not an address and a port"},
      {{"mcp", "serve", "--http", "127.0.0.1:70000"}, "not an address and a port"},
      {{"mcp", "serve", "--http", "0.0.0.0:0", "--allow-remote"}, "needs --token-file"},
      {{"mcp", "serve", "--http", "0.0.0.0:0"}, "reached from other machines"},
      {{"mcp", "serve", "--project-path", "/nowhere/at/all"}, "there is no folder"},
      {{"mcp", "serve", "--host-path", "/nowhere/at/all"}, "name a folder with --host-path"},
      {{"mcp", "install", "notepad"}, "claude-code"},
      {{"mcp", "install", "codex", "--name", "a b"}, "letters, digits"},
      {{"mcp", "install", "codex", "--print", "--dry-run"}, "cannot both be given"},
  };
  for (const Row& row : rows) {
    Call call;
    EXPECT_NE(call.run(row.words), 0) << row.said;
    EXPECT_TRUE(call.err.text.contains(row.said)) << row.said << "\n" << call.err.text;
    EXPECT_TRUE(call.out.text.empty()) << call.out.text;
  }
}

TEST(McpServe, EndsWithItsInput) {
  Call call;
  call.stdin_fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(call.run({"mcp", "serve"}), 0) << call.err.text;
  ::close(*call.stdin_fd);
}

TEST(McpInstall, PrintsDryRunsAndWrites) {
  const TokenFile folder;
  const std::string config = folder.folder + "/mcp.json";
  Call print;
  EXPECT_EQ(print.run({"mcp", "install", "cursor", "--print", "--profile", "workspace-core"}), 0);
  EXPECT_TRUE(print.out.text.contains(R"("args": ["mcp","serve","--profile","workspace-core"])"))
      << print.out.text;
  Call folders;
  EXPECT_EQ(folders.run({"mcp", "install", "cursor", "--print", "--host-path", "/usr/lib/..",
                         "--host-path", "/etc"}),
            0);
  EXPECT_TRUE(folders.out.text.contains(R"("serve","--host-path","/usr","--host-path","/etc")"))
      << folders.out.text;
  Call dry;
  EXPECT_EQ(dry.run({"mcp", "install", "cursor", "--config", config, "--dry-run"}), 0);
  EXPECT_TRUE(dry.out.text.contains("would get this entry"));
  EXPECT_FALSE(sys::exists(config));
  Call real;
  EXPECT_EQ(real.run({"mcp", "install", "cursor", "--config", config}), 0) << real.err.text;
  EXPECT_TRUE(sys::read_file(config)->contains("\"pyro\""));
  Call again;
  EXPECT_EQ(again.run({"mcp", "install", "cursor", "--config", config}), 0);
  EXPECT_TRUE(again.out.text.contains("already"));
}

}  // namespace
}  // namespace pyro::cli
