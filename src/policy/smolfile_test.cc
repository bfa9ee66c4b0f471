#include "policy/smolfile.h"

#include <gtest/gtest.h>

namespace pyro::policy {
namespace {

constexpr const char* kWhole = R"(image = "debian:12"
entrypoint = ["python3", "-m"]
cmd = ["http.server", "a \"quoted\" word"]
env = ["A=1", "B=x=y\u000A"]
workdir = "/workspace/src"
cpus = 2
memory = 2048
net = true
ports = ["8080:80"]
init = ["apt-get update"]

[network]
allow_hosts = ["github.com", "*.example.com"]
allow_cidrs = ["10.0.0.0/8", "2001:db8::/32"]
)";

TEST(Smolfile, EveryKeyThatMeansSomethingIsReadAndWrittenBack) {
  const auto file = parse_smolfile(kWhole);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->text(), kWhole);
  EXPECT_EQ(file->image, "debian:12");
  EXPECT_EQ(file->cmd[1], "a \"quoted\" word");
  EXPECT_EQ(file->env.at("B"), "x=y\n");
  EXPECT_EQ(file->memory_mib, 2048);
  EXPECT_EQ(file->ports[0], (SmolfilePort{.host = 8080, .guest = 80}));
  std::vector<std::string> rules;
  for (const Rule& rule : file->allow) rules.push_back(rule.text());
  EXPECT_EQ(rules, (std::vector<std::string>{"github.com:*", "*.example.com:*", "10.0.0.0/8:*",
                                             "[2001:db8::/32]:*"}));
  EXPECT_EQ(parse_smolfile("").value_or(Smolfile{.image = "x"}), Smolfile{});
}

TEST(Smolfile, WhatIsWrongIsNamedWithItsLine) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {"imag = 'x'", "line 1, column 1: \"imag\" is no key"},
      {"\ngpu = true", "line 2, column 1: \"gpu\" has no meaning for pyro"},
      {"[secrets]\n", "\"secrets\" has no meaning"},
      {"image = 1", "line 1, column 9: image is a string"},
      {"image = ''", "image is empty"},
      {"cmd = 'ls'", "cmd is a list"},
      {"cmd = [1]", "line 1, column 8: cmd is a list of strings"},
      {"cmd = [\"\\u00e4\"]", "line 1, column 8"},
      {"cmd = [\"\\u0000\"]", "a NUL"},
      {"env = ['A']", "\"A\" is no variable"},
      {"env = ['=A']", "is no variable"},
      {"env = ['A=1', 'A=2']", "\"A\" is given twice"},
      {"workdir = 'src'", "workdir is an absolute path"},
      {"cpus = 0", "cpus is a whole number above 0"},
      {"memory = '1G'", "memory is a whole number"},
      {"net = 'yes'", "net is true or false"},
      {"net = true\nports = ['80']", "line 2, column 10"},
      {"net = true\nports = ['80:0']", "\"0\" is no port"},
      {"net = true\nports = ['1:2:3']", "\"2:3\" is no port"},
      {"ports = ['1:2']", "ports need a network"},
      {"network = 1", "network is a table"},
      {"[network]\nallow = []", "\"allow\" is no key"},
      {"net = true\n[network]\nallow_hosts = []", "line 3, column 15: allow_hosts is empty"},
      {"net = true\n[network]\nallow_hosts = ['a.b']\nallow_cidrs = []",
       "line 4, column 15: allow_cidrs is empty"},
      {"[network]\nallow_hosts = ['a.b:443']", "line 2, column 16"},
      {"[network]\nallow_hosts = ['*']", "\"*\" is no name"},
      {"[network]\nallow_hosts = ['']", "is no name"},
      {"[network]\nallow_hosts = ['10.0.0.1']", "\"10.0.0.1\" is no name"},
      {"[network]\nallow_hosts = ['udp://a.b']", "is no name"},
      {"[network]\nallow_cidrs = ['a.b']", "\"a.b\" is no block"},
      {"[network]\nallow_cidrs = ['0.0.0.0/0']", "every address"},
      {"[network]\nallow_cidrs = ['10.0.0.1/8']", "bits beyond its length"},
      {"[network]\nallow_cidrs = ['127.0.0.1/32']", "the guest itself"},
      {"net = false\n[network]\nallow_hosts = ['a.b']", "net = false"},
  };
  for (const auto& [text, says] : cases) {
    const auto file = parse_smolfile(text);
    ASSERT_FALSE(file) << text;
    EXPECT_EQ(file.error().code, Errc::kInvalid) << text;
    EXPECT_NE(file.error().message.find(says), std::string::npos)
        << text << ": " << file.error().message;
  }
  EXPECT_EQ(parse_smolfile(std::string(kMostSmolfile + 1, ' ')).error().code, Errc::kLimit);
}

TEST(Smolfile, SaysAPolicyThatItHasWordsFor) {
  const auto policy = parse_policy_text(
      "preset egress\nallow 10.0.0.0/8:*\nallow tcp://github.com:*\nallow *.example.com:*\n");
  ASSERT_TRUE(policy) << policy.error().message;
  const auto file = smolfile_of({.image = "debian:12", .env = {{"A", "1"}}}, *policy);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->text(),
            "image = \"debian:12\"\nenv = [\"A=1\"]\nnet = true\n\n[network]\nallow_hosts = "
            "[\"github.com\", \"*.example.com\"]\nallow_cidrs = [\"10.0.0.0/8\"]\n");
  const auto again = parse_smolfile(file->text());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, *file);
  EXPECT_EQ(smolfile_of({}, {})->text(), "net = false\n");
}

TEST(Smolfile, NeverSaysMoreThanThePolicy) {
  for (const char* rule :
       {"allow a.b:443", "allow udp://a.b:*", "allow icmp://a.b", "allow *:*", "deny a.b:*",
        "allow host.pyro.internal:80", "allow-udp\nallow a.b:*", "allow-icmp\nallow a.b:*"}) {
    const auto policy = parse_policy_text("preset egress\n" + std::string(rule) + "\n");
    ASSERT_TRUE(policy) << policy.error().message;
    const auto file = smolfile_of({}, *policy);
    ASSERT_FALSE(file) << rule;
    EXPECT_NE(file.error().message.find("no words for"), std::string::npos);
  }
  EXPECT_FALSE(smolfile_of({.env = {{"A", "\xc3\xbc"}}}, {}));
}

}  // namespace
}  // namespace pyro::policy
