#include "client/smolfile.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "sys/file.h"

namespace pyro::client {
namespace {

using Words = std::vector<std::string>;

policy::Smolfile file_of(const std::string& text) {
  auto file = policy::parse_smolfile(text);
  EXPECT_TRUE(file) << file.error().message;
  return file.value_or(policy::Smolfile{});
}

TEST(ReadSmolfile, NamesFileAndKey) {
  const std::string path = ::testing::TempDir() + "pyro-Smolfile";
  for (const auto& [text, says] : std::vector<std::pair<const char*, const char*>>{
           {"cpus = 99", "cpus is 99; it can be 1 to 32"},
           {"memory = 1", "memory is 1"},
           {"gpu = true", "pyro-Smolfile\": line 1, column 1: \"gpu\""}}) {
    ASSERT_TRUE(sys::write_file_atomic(path, text));
    const auto file = read_smolfile(path);
    ASSERT_FALSE(file) << text;
    EXPECT_NE(file.error().message.find(says), std::string::npos) << file.error().message;
  }
  std::filesystem::remove(path);
  EXPECT_EQ(read_smolfile(path).error().code, Errc::kNotFound);
}

TEST(SmolfileNetwork, GoesBehindWhatIsGiven) {
  struct Row {
    NetworkOptions given;
    const char *file, *text;
  };
  for (const Row& row : std::vector<Row>{
           {{}, "", "preset off\n"},
           {{}, "net = false", "preset off\n"},
           {{}, "net = true", "preset egress\n"},
           {{}, "[network]\nallow_cidrs = ['10.0.0.0/8']", "preset egress\nallow 10.0.0.0/8:*\n"},
           {{}, "net = true\nports = ['1:2']", "preset egress+published-ports\n"},
           {{.allow = {"a.b:1"}},
            "[network]\nallow_hosts = ['c.d']",
            "preset egress\nallow a.b:1\nallow c.d:*\n"},
           {{.allow = {"a.b:1"}}, "net = false", "preset egress\nallow a.b:1\n"},
           {{.policy = "off"}, "net = true", "preset off\n"},
           {{.policy = "egress"}, "net = true\nports = ['1:2']", "preset egress\n"},
       }) {
    NetworkOptions options = row.given;
    ASSERT_TRUE(add_network(options, file_of(row.file))) << row.file;
    const auto policy = policy_of(options);
    ASSERT_TRUE(policy) << row.file << policy.error().message;
    EXPECT_EQ(policy->text(), row.text) << row.file;
  }
  NetworkOptions file{.policy_file = "x"};
  EXPECT_TRUE(add_network(file, file_of("cpus = 1")));
  EXPECT_EQ(add_network(file, file_of("net = true")).error().code, Errc::kInvalid);
  NetworkOptions off{.policy = "off"};
  ASSERT_TRUE(add_network(off, file_of("[network]\nallow_hosts = ['a.b']")));
  EXPECT_FALSE(policy_of(off));
}

TEST(WordsOfRun, AreEntrypointThenWhatIsGivenOrCmd) {
  const policy::Smolfile plain = file_of("entrypoint = ['git']\ncmd = ['status']");
  EXPECT_EQ(words_of_run(plain, {}).value_or(Words{}), (Words{"git", "status"}));
  EXPECT_EQ(words_of_run(plain, {"log", "-1"}).value_or(Words{}), (Words{"git", "log", "-1"}));
  EXPECT_EQ(words_of_run(file_of(""), {"a=b"}).value_or(Words{}), (Words{"a=b"}));
  EXPECT_EQ(words_of_run(file_of("init = ['true']"), {}).error().code, Errc::kInvalid);
  const auto ports = words_of_run(file_of("net = true\nports = ['1:2']\ncmd = ['a']"), {});
  ASSERT_FALSE(ports);
  EXPECT_TRUE(ports.error().message.starts_with("ports: "));
}

TEST(WordsOfRun, HaveVariablesFolderAndInitBeforeThem) {
  const auto words = words_of_run(
      file_of("cmd = ['a=b', 'c d']\nenv = ['B=2', 'A=1']\nworkdir = '/srv'\ninit = ['x', 'y']"),
      {});
  EXPECT_EQ(words.value_or(Words{}),
            (Words{"/usr/bin/env", "-C", "/srv", "A=1", "B=2", "/bin/sh", "-c",
                   "(x\n) || exit\n(y\n) || exit\nexec \"$@\"", "sh", "a=b", "c d"}));
}

TEST(RenderSmolfile, SaysWhatAWorkspaceIs) {
  WorkspaceInfo info;
  info.environment = "debian:12";
  info.vcpu_count = 2;
  info.mem_mib = 512;
  info.env = {{"CI", "1"}};
  info.network = {.policy = "egress", .allow = {"github.com:*"}};
  const auto text = render_smolfile(info);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text,
            "image = \"debian:12\"\nenv = [\"CI=1\"]\ncpus = 2\nmemory = 512\nnet = true\n\n"
            "[network]\nallow_hosts = [\"github.com\"]\n");
  EXPECT_EQ(file_of(*text).text(), *text);
  info.network.allow = {"github.com:443"};
  EXPECT_EQ(render_smolfile(info).error().code, Errc::kInvalid);
}

}  // namespace
}  // namespace pyro::client
