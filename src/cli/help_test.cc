#include "cli/help.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "cli/completion.h"
#include "cli/testing.h"
#include "sys/process.h"

namespace pyro::cli {
namespace {

using testing::Call;
using testing::expect_golden;

std::string file_name(const proto::Operation& op) {
  std::string name(op.name);
  for (char& c : name) {
    if (c == '.') c = '_';
  }
  return name;
}

std::vector<std::string> path_of(const proto::Operation& op) {
  return {op.cli_path.begin(), op.cli_path.end()};
}

TEST(Help, EveryLevelMatchesItsGolden) {
  expect_golden("help.txt", help_text({}));
  for (const proto::Group& group : proto::groups()) {
    std::string name = "help";
    for (const std::string_view word : group.path) name += "_" + std::string(word);
    expect_golden(name + ".txt", help_text({group.path.begin(), group.path.end()}));
  }
  for (const proto::Operation& op : proto::operations()) {
    if (!op.cli_path.empty())
      expect_golden("help_" + file_name(op) + ".txt", help_text(path_of(op)));
  }
}

TEST(Help, FitsIn80Columns) {
  for (const proto::Operation& op : proto::operations()) {
    if (op.cli_path.empty()) continue;
    std::istringstream lines(help_text(path_of(op)));
    for (std::string line; std::getline(lines, line);) {
      // Examples are commands: they are not broken.
      if (!line.starts_with("  pyro")) EXPECT_LE(line.size(), 80U) << line;
    }
  }
}

TEST(Help, EverySpellingGivesTheSameText) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"env", "pull", "--help"},
                                             {"env", "pull", "-h"},
                                             {"env", "pull", "debian:12", "--help"},
                                             {"help", "env", "pull"},
                                             {"env", "help", "pull"}}) {
    Call call;
    EXPECT_EQ(call.run(words), 0);
    EXPECT_EQ(call.out.text, help_text({"env", "pull"}));
    EXPECT_EQ(call.err.text, "");
    EXPECT_EQ(call.opened, 0);
  }
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--help"}, {"-h"}, {"help"}}) {
    Call call;
    EXPECT_EQ(call.run(words), 0);
    EXPECT_EQ(call.out.text, help_text({}));
  }
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"env", "--help"}, {"env", "-h"}, {"env", "help"}, {"help", "env"}}) {
    Call call;
    EXPECT_EQ(call.run(words), 0);
    EXPECT_EQ(call.out.text, help_text({"env"}));
  }
}

TEST(Help, WithoutWordsGoesToStderrAsAUsageError) {
  Call call;
  EXPECT_EQ(call.run({}), 2);
  EXPECT_EQ(call.out.text, "");
  EXPECT_EQ(call.err.text, help_text({}));
}

TEST(Help, VersionNeedsNoLibrary) {
  for (const char* word : {"--version", "-V"}) {
    Call call;
    EXPECT_EQ(call.run({word}), 0);
    EXPECT_EQ(call.out.text, std::string("pyro ") + kVersion + "\n");
    EXPECT_EQ(call.opened, 0);
  }
}

TEST(Help, ReferencePageIsTheOneInDocs) {
  Call call;
  EXPECT_EQ(call.run({"help", "--markdown"}), 0);
  testing::expect_file(std::string(PYRO_SOURCE_DIR) + "/docs/reference/cli.md", call.out.text);
}

// ---- through the programs that read them

// Writes `text` to a file of its own and gives its name to `command` as the last word.
struct Checked {
  int status = -1;
  std::string output;
};
std::optional<Checked> check_with(std::vector<std::string> command, const std::string& text) {
  if (::access(command[0].c_str(), X_OK) != 0) return std::nullopt;
  const std::string path = ::testing::TempDir() + "pyro-page-" + std::to_string(::getpid());
  std::ofstream(path, std::ios::binary) << text;
  command.push_back(path);
  auto captured = sys::run_captured({.program = command[0],
                                     .argv = command,
                                     .env = {"LC_ALL=C.UTF-8", "MANWIDTH=80", "PATH=/usr/bin:/bin"},
                                     .cwd = {},
                                     .fds = {}});
  ::unlink(path.c_str());
  if (!captured) return Checked{.output = captured.error().message};
  return Checked{.status = captured->status.shell_code(), .output = captured->out + captured->err};
}

// Bold is printed as X, backspace, X.
std::string without_overstrike(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\b' && !out.empty()) {
      out.pop_back();
    } else {
      out += c;
    }
  }
  return out;
}

TEST(ManPage, MatchesItsGoldenAndManReadsItWithoutAWarning) {
  Call call;
  EXPECT_EQ(call.run({"help", "--man"}), 0);
  expect_golden("pyro.1", call.out.text);
  const auto man = check_with({"/usr/bin/man", "--warnings", "-Tutf8", "-l"}, call.out.text);
  if (!man) GTEST_SKIP() << "man is not installed";
  EXPECT_EQ(man->status, 0);
  EXPECT_EQ(man->output.find("warning"), std::string::npos) << man->output;
  EXPECT_NE(without_overstrike(man->output).find("--vcpu-count"), std::string::npos);
}

TEST(Completion, ScriptsMatchTheirGoldens) {
  for (const auto& [shell, text] :
       {std::pair{"bash", bash_completion()}, std::pair{"zsh", zsh_completion()},
        std::pair{"fish", fish_completion()}}) {
    Call call;
    EXPECT_EQ(call.run({"completion", shell}), 0);
    EXPECT_EQ(call.out.text, text);
    EXPECT_EQ(call.opened, 0);
    expect_golden(std::string("completion.") + shell, text);
  }
}

TEST(Completion, BashAcceptsTheScript) {
  const auto checked = check_with({"/bin/bash", "-n"}, bash_completion());
  if (!checked) FAIL() << "bash is not installed";
  EXPECT_EQ(checked->status, 0) << checked->output;
}

TEST(Completion, ZshAcceptsTheScript) {
  const auto checked = check_with({"/bin/zsh", "-n"}, zsh_completion());
  if (!checked) GTEST_SKIP() << "zsh is not installed";
  EXPECT_EQ(checked->status, 0) << checked->output;
}

TEST(Completion, FishAcceptsTheScript) {
  const auto checked = check_with({"/usr/bin/fish", "-n"}, fish_completion());
  if (!checked) GTEST_SKIP() << "fish is not installed";
  EXPECT_EQ(checked->status, 0) << checked->output;
}

TEST(Completion, FishOffersWhatFits) {
  const std::string script =
      fish_completion() +
      "function pyro\n  switch $argv[2]\n    case --environments\n"
      "      printf 'debian:12\\ndebian:12-base\\n'\n    case --workspaces\n"
      "      printf 'ws-1\\nfix\\n'\n    case --shells\n      echo shell-of-$argv[3]\n"
      "  end\nend\n"
      "for line in 'pyro d' 'pyro env p' 'pyro env pull debian:' 'pyro run --ne' 'pyro workspace "
      "s' "
      "'pyro workspace snapshot ' 'pyro workspace snapshot delete f' 'pyro workspace delete fix w' "
      "'pyro workspace snapshot delete fix w' 'pyro workspace create --name x deb' "
      "'pyro workspace exec fix -- w' 'pyro workspace shell read --cursor 9 fix s'\n"
      "  complete -C $line | string replace -r '\\t.*' ''\nend\n";
  const auto checked = check_with({"/usr/bin/fish", "--no-config"}, script);
  if (!checked) GTEST_SKIP() << "fish is not installed";
  EXPECT_EQ(checked->output,
            "demo\ndoctor\nprune\npull\ndebian:12\ndebian:12-base\n--network\n--network-policy\n--"
            "net-allow\n"
            "--net-deny\n"
            "service\nshell\nsnapshot\nstart\nstatus\nstop\nsummary\nsync\n"
            "create\ndelete\nlist\nfix\nws-1\ndebian:12\ndebian:12-base\nshell-of-fix\n");
}

// What bash offers at the end of `line`, one word after the other.
std::string bash_offers(const std::string& line) {
  const std::string script =
      bash_completion() +
      "pyro() { case $2 in --workspaces) printf 'ws-1\\nfix\\n' ;; --environments) "
      "printf 'debian:12\\ndebian:12-base\\n' ;; *) printf '%s-of-%s\\n' \"$2\" \"$3\" ;; esac; }\n"
      "compopt() { COMPREPLY=(\"$*\"); }\n"
      "COMP_LINE='" +
      line + "'\nCOMP_POINT=${#COMP_LINE}\n_pyro\nprintf '%s ' \"${COMPREPLY[@]}\"\n";
  const auto checked = check_with({"/bin/bash"}, script);
  return checked ? checked->output : "";
}

TEST(Completion, BashOffersWhatFits) {
  EXPECT_EQ(bash_offers("pyro "),
            "env network workspace mcp policy smolfile selftest run doctor demo completion help ");
  EXPECT_EQ(bash_offers("pyro d"), "doctor demo ");
  EXPECT_EQ(bash_offers("pyro demo "), "ollama --network --json --help ");
  EXPECT_EQ(bash_offers("pyro demo ollama --m"), "--model ");
  EXPECT_EQ(bash_offers("pyro env "), "list pull inspect prune --help ");
  EXPECT_EQ(bash_offers("pyro env pull "), "debian:12 debian:12-base ");
  EXPECT_EQ(bash_offers("pyro env pull debian:"), "12 12-base ");  // bash splits at ':'
  EXPECT_EQ(bash_offers("pyro run --ne"), "--network --network-policy --net-allow --net-deny ");
  EXPECT_EQ(bash_offers("pyro policy explain "), "ws-1 fix ");
  EXPECT_EQ(bash_offers("pyro run --policy "), "-o default ");
  EXPECT_EQ(bash_offers("pyro workspace network set fix --network-policy e"),
            "egress egress+published-ports ");
  EXPECT_EQ(bash_offers("pyro run --mem-mib 2048 --boot "), "template cold ");
  EXPECT_EQ(bash_offers("pyro completion z"), "zsh ");
  EXPECT_EQ(bash_offers("pyro run debian:12 -- --j"), "-o default ");  // files
  EXPECT_EQ(bash_offers("pyro workspace snapshot "), "create list delete --help ");
  EXPECT_EQ(bash_offers("pyro workspace snapshot delete "), "ws-1 fix ");
  EXPECT_EQ(bash_offers("pyro workspace snapshot delete fix "), " ");
  EXPECT_EQ(bash_offers("pyro workspace delete fix w"), "ws-1 ");
  EXPECT_EQ(bash_offers("pyro workspace sync push fix "), "-o default ");
  EXPECT_EQ(bash_offers("pyro workspace export fix src --output "), "-o default ");
  EXPECT_EQ(bash_offers("pyro workspace create --name x --secret A=b deb"),
            "debian:12 debian:12-base ");
  EXPECT_EQ(bash_offers("pyro workspace update fix --remove"), "--remove-label ");
  EXPECT_EQ(bash_offers("pyro workspace shell read "), "ws-1 fix ");
  EXPECT_EQ(bash_offers("pyro workspace shell read --cursor 9 fix "), "--shells-of-fix ");
  EXPECT_EQ(bash_offers("pyro workspace service stop fix "), "--services-of-fix ");
  EXPECT_EQ(bash_offers("pyro workspace shell signal fix shell-1 --signal "),
            "HUP INT TERM KILL QUIT TSTP CONT ");
  EXPECT_EQ(bash_offers("pyro workspace service start fix web --restart on"), "on-failure ");
  EXPECT_EQ(bash_offers("pyro workspace service start fix "), " ");
  // The same name, another kind of value.
  EXPECT_EQ(bash_offers("pyro workspace file write fix a --input "), "-o default ");
  EXPECT_EQ(bash_offers("pyro workspace shell write fix shell-1 --input "), " ");
}

TEST(Completion, EnvironmentNamesComeFromTheCatalogue) {
  Call call;
  EXPECT_EQ(call.run({"help", "--environments"}), 0);
  EXPECT_EQ(call.out.text, "debian:12\ndebian:12-base\n");
  EXPECT_EQ(call.opened, 0);
}

TEST(Completion, ShellsAndServicesAreThoseOfTheWorkspace) {
  Call shells;
  EXPECT_EQ(shells.run({"help", "--shells", "fix"}), 0);
  EXPECT_EQ(shells.out.text, "shell-1\nshell-of-fix\n");
  Call services;
  EXPECT_EQ(services.run({"help", "--services", "fix"}), 0);
  EXPECT_EQ(services.out.text, "web\nservice-of-fix\n");
  Call alone;
  EXPECT_EQ(alone.run({"help", "--shells"}), 2);
}

}  // namespace
}  // namespace pyro::cli
