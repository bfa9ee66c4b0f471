#include "cli/policy_commands.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <filesystem>

#include "cli/testing.h"
#include "sys/file.h"

namespace pyro::cli {
namespace {

namespace json = boost::json;
using testing::Call;
using testing::expect_golden;
using testing::FakeWorkspaces;
using Words = std::vector<std::string>;

const std::string kExample = PYRO_SOURCE_DIR "/docs/reference/policy-example.toml";

// A file of the host for as long as the object lives.
class TempFile {
 public:
  TempFile(const std::string& name, const std::string& text)
      : path_(::testing::TempDir() + "pyro-cli-" + name) {
    EXPECT_TRUE(sys::write_file_atomic(path_, text));
  }
  ~TempFile() { std::filesystem::remove(path_); }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(Policy, OutputMatchesItsGolden) {
  std::string all;
  for (const Words& words : std::vector<Words>{
           {"policy", "explain", "fix", "tcp://github.com:443"},
           {"policy", "explain", "fix", "tcp://10.1.2.3:22", "udp://github.com:443", "icmp://a.b.c",
            "tcp://169.254.169.254:80"},
           {"policy", "explain", "fix", "tcp://github.com:443", "tcp://a.b:1", "--json"},
           {"policy", "explain", "--net-allow", "host.pyro.internal:80", "tcp://10.255.255.1:80",
            "tcp://host.pyro.internal:81"},
           {"policy", "explain", "--network-policy", "off", "tcp://a.b:1"},
           {"policy", "explain", "--network-policy", "egress", "udp://192.0.2.53:53",
            "tcp://[2606:4700::1111]:443"},
           {"workspace", "network", "show", "fix"},
           {"workspace", "network", "show", "fix", "--json"},
           {"workspace", "network", "set", "fix", "--net-allow", "a.b:1"},
           {"network", "info", "vm-1"},
           {"network", "info", "vm-1", "--json"}}) {
    Call call;
    call.backend.kept.info = FakeWorkspaces::full();
    all += call.transcript(words);
  }
  expect_golden("policy_commands.txt", all);
}

TEST(Policy, RefusalsMatchTheirGolden) {
  std::string all;
  for (const Words& words : std::vector<Words>{
           {"policy"},
           {"policy", "check"},
           {"policy", "explain"},
           {"policy", "explain", "fix"},
           {"policy", "explain", "tcp://a.b:1"},
           {"policy", "explain", "fix", "a.b:443"},
           {"policy", "explain", "fix", "tcp://a.b"},
           {"policy", "explain", "--allow-udp", "tcp://a.b:1"},
           {"policy", "explain", "--net-allow", "a.b", "tcp://a.b:1", "--json"},
           {"workspace", "network", "set", "fix"},
           {"workspace", "network", "set", "fix", "--policy", "x", "--net-deny", "a.b"},
           {"run", "debian:12", "--network", "--network-policy", "egress", "--", "true"},
           {"run", "debian:12", "--network", "--policy", "x", "--", "true"}}) {
    Call call;
    all += call.transcript(words);
    EXPECT_TRUE(call.backend.calls.empty()) << all;
  }
  expect_golden("policy_refusals.txt", all);
}

TEST(Policy, CheckPrintsTheCanonicalPolicyOrTheLine) {
  Call call;
  EXPECT_EQ(call.run({"policy", "check", kExample}), 0);
  EXPECT_TRUE(call.out.text.starts_with(
      "preset egress\nallow-icmp\ndeny gist.githubusercontent.com:*\nallow github.com:443\n"))
      << call.out.text;
  EXPECT_EQ(call.err.text, "");
  const TempFile open("open.toml", "[network]\ndeny = ['a.b']\n");
  Call warned;
  EXPECT_EQ(warned.run({"policy", "check", open.path()}), 0);
  EXPECT_TRUE(warned.err.text.starts_with("pyro: warning: a denied name")) << warned.err.text;
  Call machine;
  EXPECT_EQ(machine.run({"policy", "check", open.path(), "--json"}), 0);
  EXPECT_EQ(machine.err.text, "");
  EXPECT_EQ(json::parse(machine.out.text).at("network").at("warnings").as_array().size(), 1U);
  const TempFile wrong("wrong.toml", "[network]\nalow = []\n");
  Call refused;
  EXPECT_EQ(refused.run({"policy", "check", wrong.path()}), 2);
  EXPECT_NE(refused.err.text.find("line 2, column 1: \"alow\" is no key of a policy"),
            std::string::npos)
      << refused.err.text;
  EXPECT_NE(refused.err.text.find("did you mean allow?"), std::string::npos);
  Call missing;
  EXPECT_EQ(missing.run({"policy", "check", wrong.path() + ".none"}), 1);
}

TEST(Policy, ExplainReadsAFileAsWell) {
  Call call;
  EXPECT_EQ(call.run({"policy", "explain", "--policy", kExample, "tcp://pypi.org:443",
                      "tcp://10.20.0.7:5432"}),
            0)
      << call.out.text;
  EXPECT_EQ(call.run({"policy", "explain", "--policy", kExample, "tcp://pypi.org:80"}), 6);
  EXPECT_TRUE(call.backend.kept.calls.empty());
}

// ---- options of run and workspace create

const Words kFlags{"--network-policy", "egress+published-ports",
                   "--net-allow",      "a.b:1",
                   "--net-allow",      "c.d:2",
                   "--net-deny",       "10.0.0.0/8",
                   "--allow-udp",      "--allow-icmp"};

void expect_flags(const client::NetworkOptions& o) {
  EXPECT_EQ(o.policy, "egress+published-ports");
  EXPECT_EQ(o.allow, (Words{"a.b:1", "c.d:2"}));
  EXPECT_EQ(o.deny, Words{"10.0.0.0/8"});
  EXPECT_TRUE(o.allow_udp && o.allow_icmp);
  EXPECT_FALSE(o.policy_file);
}

TEST(NetworkOptions, ReachTheLibraryFromEveryCommand) {
  Words run{"run", "debian:12"};
  run.insert(run.end(), kFlags.begin(), kFlags.end());
  run.insert(run.end(), {"--", "true"});
  Call running;
  EXPECT_EQ(running.run(run), 0) << running.err.text;
  expect_flags(running.backend.create.network);
  Words create{"workspace", "create", "debian:12"};
  create.insert(create.end(), kFlags.begin(), kFlags.end());
  Call creating;
  EXPECT_EQ(creating.run(create), 0) << creating.err.text;
  expect_flags(creating.backend.kept.created.network);
  Words set{"workspace", "network", "set", "fix"};
  set.insert(set.end(), kFlags.begin(), kFlags.end());
  Call setting;
  EXPECT_EQ(setting.run(set), 0) << setting.err.text;
  expect_flags(setting.backend.kept.network_asked);
  Call file;
  EXPECT_EQ(file.run({"run", "debian:12", "--policy", "./p.toml", "--", "true"}), 0);
  EXPECT_EQ(file.backend.create.network.policy_file, "./p.toml");
  EXPECT_FALSE(file.backend.create.network.policy);
  Call plain;
  EXPECT_EQ(plain.run({"run", "debian:12", "--", "true"}), 0);
  EXPECT_FALSE(plain.backend.create.network.given());
}

TEST(NetworkOptions, WarningsAreShownOrListed) {
  Call text;
  text.backend.result.warnings = {"mind the\ngap"};
  EXPECT_EQ(text.run({"run", "debian:12", "--", "true"}), 0);
  EXPECT_TRUE(text.err.text.starts_with("pyro: warning: mind the\\x0agap\n")) << text.err.text;
  Call machine;
  machine.backend.result.warnings = {"mind the gap"};
  EXPECT_EQ(machine.run({"run", "debian:12", "--json", "--", "true"}), 0);
  EXPECT_EQ(machine.err.text, "");
  EXPECT_EQ(json::parse(machine.out.text).at("warnings"), (json::value{"mind the gap"}));
}

// ---- Smolfiles

constexpr const char* kSmolfile =
    "image = 'debian:12-build'\nentrypoint = ['python3']\ncmd = ['app.py']\nenv = ['A=1', 'B=2']\n"
    "workdir = '/workspace/src'\ncpus = 2\nmemory = 512\nports = ['8080:80']\n"
    "init = ['make deps']\n[network]\nallow_cidrs = ['10.0.0.0/8']\n";

TEST(Smolfile, IsWhatIsNotGiven) {
  const TempFile file("Smolfile", kSmolfile);
  Call call;
  EXPECT_EQ(call.run({"workspace", "create", "--smolfile", file.path(), "--mem-mib", "1024",
                      "--env", "A=9", "--id-only"}),
            0)
      << call.err.text;
  const client::WorkspaceOptions& o = call.backend.kept.created;
  EXPECT_EQ(o.environment, "debian:12-build");
  EXPECT_EQ(o.vcpu_count, 2);
  EXPECT_EQ(o.mem_mib, 1024);
  EXPECT_EQ(o.env, (std::map<std::string, std::string>{{"A", "9"}, {"B", "2"}}));
  EXPECT_EQ(o.network.policy, "egress+published-ports");
  EXPECT_EQ(o.network.allow, Words{"10.0.0.0/8:*"});
  EXPECT_EQ(call.backend.kept.calls, (Words{"create debian:12-build", "exec ws-1", "status ws-1"}));
  EXPECT_EQ(call.backend.kept.exec_asked.command, "make deps");
  EXPECT_EQ(call.backend.kept.exec_asked.cwd, "/workspace/src");
  EXPECT_EQ(call.backend.kept.kept_services.calls, Words{"start ws-1 main"});
  const client::ServiceOptions& service = call.backend.kept.kept_services.started;
  EXPECT_EQ(service.argv, (Words{"python3", "app.py"}));
  EXPECT_EQ(service.cwd, "/workspace/src");
  ASSERT_EQ(service.published_ports.size(), 1U);
  EXPECT_EQ(service.published_ports[0].host_port, 8080);
  EXPECT_EQ(service.published_ports[0].guest_port, 80);
  EXPECT_EQ(call.out.text, "ws-1\n");  // what init prints goes to standard error
  EXPECT_NE(call.err.text.find("hello"), std::string::npos) << call.err.text;
  Call other;
  EXPECT_EQ(other.run({"workspace", "create", "debian:12", "--smolfile", file.path()}), 0);
  EXPECT_EQ(other.backend.kept.created.environment, "debian:12");
}

TEST(Smolfile, AWorkspaceWhoseInitFailsDoesNotStay) {
  const TempFile file("Smolfile", kSmolfile);
  Call call;
  call.backend.kept.executed.exit_code = 3;
  EXPECT_EQ(call.run({"workspace", "create", "--smolfile", file.path()}), 4);
  EXPECT_NE(call.err.text.find("init: \"make deps\" ended with exit code 3"), std::string::npos)
      << call.err.text;
  EXPECT_EQ(call.backend.kept.calls, (Words{"create debian:12-build", "exec ws-1", "remove ws-1"}));
  Call service;
  service.backend.kept.kept_services.fails = Error{.code = Errc::kUnavailable, .message = "no"};
  EXPECT_EQ(service.run({"workspace", "create", "--smolfile", file.path()}), 4);
  EXPECT_EQ(service.backend.kept.calls.back(), "remove ws-1");
}

TEST(Smolfile, RunTakesItsWords) {
  const TempFile file("Smolfile", "image = 'debian:12'\ncmd = ['git', '--version']\ncpus = 3\n");
  Call call;
  EXPECT_EQ(call.run({"run", "--smolfile", file.path()}), 0) << call.err.text;
  EXPECT_EQ(call.backend.create.environment, "debian:12");
  EXPECT_EQ(call.backend.create.vcpu_count, 3);
  EXPECT_EQ(call.backend.create.mem_mib, 1024);
  EXPECT_EQ(call.backend.exec.argv, (Words{"git", "--version"}));
  Call own;
  EXPECT_EQ(own.run({"run", "debian:12-base", "--smolfile", file.path(), "--", "ls"}), 0);
  EXPECT_EQ(own.backend.create.environment, "debian:12-base");
  EXPECT_EQ(own.backend.exec.argv, Words{"ls"});
}

TEST(Smolfile, WhatIsWrongIsSaidBeforeAnythingStarts) {
  const TempFile empty("Smolfile", "cpus = 1\n");
  const TempFile ports("Smolfile-ports", "image = 'debian:12'\nnet = true\nports = ['1:2']\n");
  const TempFile other("Smolfile-gpu", "image = 'debian:12'\ngpu = true\n");
  struct Row {
    Words words;
    int code;
    const char* says;
  };
  for (const Row& row : std::vector<Row>{
           {{"run", "--smolfile", empty.path()}, 125, "the Smolfile has no image"},
           {{"run", "debian:12", "--smolfile", empty.path()}, 125, "neither entrypoint nor cmd"},
           {{"run", "--smolfile", ports.path(), "--", "true"}, 125, "ports: a run publishes none"},
           {{"run", "--smolfile", other.path(), "--", "true"}, 125, "\"gpu\" has no meaning"},
           {{"workspace", "create", "--smolfile", ports.path()}, 2, "no entrypoint and no cmd"},
           {{"workspace", "create", "--smolfile", other.path()}, 2, "line 2, column 1"},
           {{"workspace", "create", "--smolfile", other.path() + "x"}, 1, "Smolfile-gpux"}}) {
    Call call;
    EXPECT_EQ(call.run(row.words), row.code) << row.says;
    EXPECT_NE(call.err.text.find(row.says), std::string::npos) << call.err.text;
    EXPECT_TRUE(call.backend.calls.empty() && call.backend.kept.calls.empty()) << row.says;
  }
}

TEST(Smolfile, RenderPrintsOneThatIsReadBack) {
  Call call;
  call.backend.kept.info.network = {.policy = "egress", .allow = {"github.com:*"}};
  EXPECT_EQ(call.run({"smolfile", "render", "ws-1"}), 0) << call.err.text;
  EXPECT_EQ(call.out.text,
            "image = \"debian:12\"\ncpus = 1\nmemory = 1024\nnet = true\n\n[network]\n"
            "allow_hosts = [\"github.com\"]\n");
  const TempFile file("Smolfile", call.out.text);
  Call again;
  EXPECT_EQ(again.run({"workspace", "create", "--smolfile", file.path()}), 0);
  EXPECT_EQ(again.backend.kept.created.network.allow, Words{"github.com:*"});
  Call refused;
  refused.backend.kept.info.network = {.policy = "egress", .deny = {"a.b:*"}};
  EXPECT_EQ(refused.run({"smolfile", "render", "ws-1"}), 2);
  EXPECT_NE(refused.err.text.find("no words for the rule deny a.b:*"), std::string::npos);
}

}  // namespace
}  // namespace pyro::cli
