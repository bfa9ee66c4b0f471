#include "cli/client_config.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "sys/file.h"

namespace pyro::cli {
namespace {

ServerEntry entry_of(std::string client) {
  return {.client = std::move(client),
          .name = "pyro",
          .command = {"/usr/bin/pyro", "mcp", "serve", "--project-path", "/a \"b\"\\c"}};
}

std::string toml_with(std::string_view text) {
  const auto out = with_entry(entry_of("codex"), text);
  return out ? *out : "(" + out.error().message + ")";
}

class Folder {
 public:
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "pyro-config-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { (void)sys::remove_tree(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string at(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

TEST(ClientConfig, EveryClientGetsTheEntryThatItReads) {
  EXPECT_EQ(entry_text(entry_of("codex")),
            "[mcp_servers.pyro]\ncommand = \"/usr/bin/pyro\"\n"
            "args = [\"mcp\",\"serve\",\"--project-path\",\"/a \\\"b\\\"\\\\c\"]\n");
  EXPECT_TRUE(entry_text(entry_of("claude-code")).contains("\"mcpServers\""));
  EXPECT_TRUE(entry_text(entry_of("claude-code")).contains("\"type\": \"stdio\""));
  EXPECT_TRUE(entry_text(entry_of("vscode")).contains("\"servers\""));
  EXPECT_TRUE(entry_text(entry_of("opencode")).contains("\"type\": \"local\""));
  EXPECT_FALSE(entry_text(entry_of("cursor")).contains("\"type\""));
  for (const char* client : {"claude-code", "codex", "opencode", "vscode", "cursor"}) {
    const auto once = with_entry(entry_of(client), "");
    ASSERT_TRUE(once) << client;
    EXPECT_EQ(*with_entry(entry_of(client), *once), *once) << client;
  }
}

TEST(ClientConfig, FilesAreWhereTheClientsLook) {
  std::map<std::string, std::string> variables{{"HOME", "/home/u"}};
  const sys::Environment env = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  EXPECT_EQ(*config_file("claude-code", env), "/home/u/.claude.json");
  EXPECT_EQ(*config_file("codex", env), "/home/u/.codex/config.toml");
  EXPECT_EQ(*config_file("opencode", env), "/home/u/.config/opencode/opencode.json");
  EXPECT_EQ(*config_file("vscode", env), "/home/u/.config/Code/User/mcp.json");
  EXPECT_EQ(*config_file("cursor", env), "/home/u/.cursor/mcp.json");
  variables["CODEX_HOME"] = "/c";
  EXPECT_EQ(*config_file("codex", env), "/c/config.toml");
  variables["CODEX_HOME"] = "";
  EXPECT_EQ(*config_file("codex", env), "/home/u/.codex/config.toml");
  variables["CLAUDE_CONFIG_DIR"] = "/d";
  EXPECT_EQ(*config_file("claude-code", env), "/d/.claude.json");
  variables["XDG_CONFIG_HOME"] = "/x";
  EXPECT_EQ(*config_file("opencode", env), "/x/opencode/opencode.json");
  variables.clear();
  EXPECT_FALSE(config_file("codex", env));
}

TEST(ClientConfig, OtherTablesOfTomlStayAsTheyAre) {
  const std::string before =
      "# mine\nmodel = \"x\" # yes\n\n[mcp_servers.other]\ncommand = 'o'\n\n[tools]\nweb = true\n";
  const std::string after = toml_with(before);
  EXPECT_EQ(after, before + "\n" + entry_text(entry_of("codex")));
  EXPECT_EQ(toml_with(after), after);
  // An older entry gives way, with the tables within it, where it stood.
  EXPECT_EQ(toml_with("a = 1\n[mcp_servers.pyro]\ncommand = \"old\"\n[mcp_servers.pyro.env]\nX = "
                      "\"1\"\n[b]\nc = 2\n"),
            "a = 1\n" + entry_text(entry_of("codex")) + "\n[b]\nc = 2\n");
}

TEST(ClientConfig, TomlThatCannotBeEditedIsRefused) {
  for (const char* text :
       {"a = ", "[mcp_servers]\npyro = { command = \"x\" }\n", "mcp_servers.pyro.command = \"x\"\n",
        "mcp_servers = 7\n", "x = \"\"\"\n[mcp_servers.pyro]\n\"\"\"\n"}) {
    EXPECT_TRUE(toml_with(text).starts_with("(")) << text << toml_with(text);
  }
}

TEST(Install, KeepsTheOldFileItsModeAndALinkToIt) {
  const Folder folder;
  const std::string path = folder.at("real.json"), link = folder.at("link.json");
  ASSERT_TRUE(sys::write_file_atomic(path, "{\"keep\": 1}\n", 0640));
  ASSERT_EQ(::symlink(path.c_str(), link.c_str()), 0);
  const auto written = install(entry_of("cursor"), link);
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_TRUE(*written);
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(*sys::read_file(path + ".pyro-backup"), "{\"keep\": 1}\n");
  EXPECT_TRUE(sys::read_file(path)->contains("\"keep\": 1,"));
  EXPECT_EQ(sys::stamp(path)->mode & 0777U, 0640U);
  EXPECT_FALSE(*install(entry_of("cursor"), link)) << "it is there already";
}

TEST(Install, MakesAFileAndItsFolders) {
  const Folder folder;
  const std::string path = folder.at("a/b/config.toml");
  ASSERT_TRUE(install(entry_of("codex"), path));
  EXPECT_EQ(*sys::read_file(path), entry_text(entry_of("codex")));
  EXPECT_FALSE(sys::exists(path + ".pyro-backup"));
}

TEST(Install, LeavesWhatItCannotUnderstandAlone) {
  const Folder folder;
  const std::string path = folder.at("mcp.json");
  const std::string text = "{\n  // with a comment\n  \"servers\": {}\n}\n";
  ASSERT_TRUE(sys::write_file_atomic(path, text));
  const auto written = install(entry_of("vscode"), path);
  ASSERT_FALSE(written);
  EXPECT_TRUE(written.error().hint.contains("--print"));
  EXPECT_EQ(*sys::read_file(path), text);
  EXPECT_FALSE(sys::exists(path + ".pyro-backup"));
}

}  // namespace
}  // namespace pyro::cli
