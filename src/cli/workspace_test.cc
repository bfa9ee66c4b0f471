#include <gtest/gtest.h>
#include <signal.h>

#include <boost/json/parse.hpp>

#include "cli/exit_code.h"
#include "cli/testing.h"

namespace pyro::cli {
namespace {

namespace json = boost::json;
using testing::Call;
using testing::expect_golden;
using testing::FakeWorkspaces;
using Words = std::vector<std::string>;
using Mode = Interrupts::Mode;

json::value run_json(Call& call, Words words) {
  words.insert(std::ranges::find(words, "--"), "--json");
  EXPECT_EQ(call.run(words), 0) << call.out.text;
  EXPECT_EQ(call.err.text, "");
  return json::parse(call.out.text);
}

// ---- what every command prints

TEST(Workspace, OutputMatchesItsGolden) {
  std::string all;
  for (const Words& words :
       std::vector<Words>{{"workspace", "create", "debian:12"},
                          {"workspace", "create", "debian:12", "--id-only"},
                          {"workspace", "create", "debian:12", "--json"},
                          {"workspace", "list"},
                          {"workspace", "status", "ws-1"},
                          {"workspace", "update", "ws-1", "--name", "fix"},
                          {"workspace", "delete", "fix"},
                          {"workspace", "delete", "fix", "--json"},
                          {"workspace", "delete", "ws-7", "ws-8", "ws-7"},
                          {"workspace", "delete", "--all", "--json"},
                          {"workspace", "stop", "ws-1"},
                          {"workspace", "start", "ws-1"},
                          {"workspace", "logs", "ws-1"},
                          {"workspace", "logs", "ws-1", "--json"},
                          {"workspace", "exec", "ws-1", "--", "cat", "note.txt"},
                          {"workspace", "exec", "ws-1", "--json", "--", "cat", "note.txt"},
                          {"workspace", "sync", "push", "ws-1", "./changes", "--dest", "src"},
                          {"workspace", "export", "ws-1", "src", "--output", "/tmp/out dir"},
                          {"workspace", "export", "ws-1", "src", "--output", "x", "--json"},
                          {"workspace", "diff", "ws-1"},
                          {"workspace", "diff", "ws-1", "--json"},
                          {"workspace", "snapshot", "create", "ws-1", "checkpoint"},
                          {"workspace", "snapshot", "create", "ws-1", "checkpoint", "--json"},
                          {"workspace", "snapshot", "list", "ws-1"},
                          {"workspace", "snapshot", "delete", "ws-1", "checkpoint"},
                          {"workspace", "snapshot", "delete", "ws-1", "checkpoint", "--json"},
                          {"workspace", "reset", "ws-1", "--snapshot", "checkpoint"},
                          {"workspace", "file", "list", "ws-1", "src"},
                          {"workspace", "file", "list", "ws-1", "src", "--json"},
                          {"workspace", "file", "read", "ws-1", "src/note.txt"},
                          {"workspace", "file", "read", "ws-1", "src/note.txt", "--json"},
                          {"workspace", "disk", "list", "ws-1"},
                          {"workspace", "disk", "read", "ws-1", "src/note.txt"},
                          {"workspace", "disk", "export", "ws-1", ".", "--output", "out"},
                          {"workspace", "summary", "ws-1"}}) {
    Call call;
    call.backend.kept.difference.patch = "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-a\n+b\n";
    all += call.transcript(words);
  }
  all += "With everything set:\n\n";
  for (const Words& words : std::vector<Words>{{"workspace", "create", "debian:12"},
                                               {"workspace", "status", "fix"},
                                               {"workspace", "status", "fix", "--json"},
                                               {"workspace", "list"},
                                               {"workspace", "reset", "fix", "--json"}}) {
    Call call;
    call.backend.kept.info = FakeWorkspaces::full();
    call.backend.kept.workspaces = {FakeWorkspaces::started(), FakeWorkspaces::full()};
    call.backend.kept.workspaces[1].last_activity_at += 60;
    all += call.transcript(words);
  }
  expect_golden("workspace_commands.txt", all);
}

TEST(Workspace, AnEmptyListSaysSo) {
  Call text;
  text.backend.kept.workspaces.clear();
  EXPECT_EQ(text.run({"workspace", "list"}), 0);
  EXPECT_EQ(text.out.text, "There is no workspace: pyro workspace create makes one.\n");
  Call machine;
  machine.backend.kept.workspaces.clear();
  EXPECT_EQ(run_json(machine, {"workspace", "list"}),
            (json::value{{"count", 0}, {"workspaces", json::array()}}));
}

TEST(Workspace, NothingThatAGuestNamedDrivesTheTerminal) {
  const std::string bad = "x\033[2J\n";
  Call call;
  FakeWorkspaces& kept = call.backend.kept;
  kept.info.name = kept.info.environment = kept.info.state = kept.info.last_error = bad;
  kept.info.labels = kept.info.env = {{bad, bad}};
  kept.info.last_command = {.command = bad};
  kept.workspaces = {kept.info};
  for (auto& entry : kept.journal.entries) entry = {.command = bad, .cwd = bad};
  for (auto& entry : kept.difference.entries) entry = {.path = bad, .status = bad, .kind = bad};
  kept.difference.patch.clear();
  for (auto& entry : kept.files.entries) entry = {.path = bad, .kind = bad, .target = bad};
  for (auto& entry : kept.snapshots.snapshots) entry = {.snapshot_name = bad, .kind = bad};
  kept.events = {{.kind = bad, .detail = bad}};
  kept.exported.workspace_path = kept.exported.artifact_type = bad;
  kept.phases = {{"seed", bad}};
  for (const Words& words : std::vector<Words>{{"status", "ws-1"},
                                               {"list"},
                                               {"create", "debian:12"},
                                               {"logs", "ws-1"},
                                               {"diff", "ws-1"},
                                               {"file", "list", "ws-1"},
                                               {"snapshot", "list", "ws-1"},
                                               {"export", "ws-1", "x", "--output", "y"},
                                               {"summary", "ws-1"}}) {
    Words all{"workspace"};
    all.insert(all.end(), words.begin(), words.end());
    call.out.text.clear();
    call.err.text.clear();
    EXPECT_EQ(call.run(all), 0) << words[0];
    EXPECT_EQ((call.out.text + call.err.text).find('\033'), std::string::npos) << words[0];
    EXPECT_NE((call.out.text + call.err.text).find("x\\x1b[2J\\x0a"), std::string::npos)
        << words[0] << call.out.text << call.err.text;
  }
}

TEST(Workspace, ErrorsHaveTheShapeAndCodeOfEveryCommand) {
  for (const Words& words : std::vector<Words>{{"create", "debian:12"},
                                               {"list"},
                                               {"status", "x"},
                                               {"update", "x", "--no-ttl"},
                                               {"delete", "x"},
                                               {"stop", "x"},
                                               {"start", "x"},
                                               {"logs", "x"},
                                               {"exec", "x", "--", "true"},
                                               {"sync", "push", "x", "."},
                                               {"export", "x", ".", "--output", "o"},
                                               {"diff", "x"},
                                               {"snapshot", "create", "x", "n"},
                                               {"snapshot", "list", "x"},
                                               {"snapshot", "delete", "x", "n"},
                                               {"reset", "x"},
                                               {"file", "list", "x"},
                                               {"file", "read", "x", "p"},
                                               {"disk", "export", "x", ".", "--output", "o"},
                                               {"disk", "list", "x"},
                                               {"disk", "read", "x", "p"},
                                               {"summary", "x"}}) {
    Words all{"workspace"};
    all.insert(all.end(), words.begin(), words.end());
    const int code = words[0] == "exec" ? 125 : 4;
    Call text;
    text.backend.kept.fails =
        Error{.code = Errc::kUnavailable, .message = "it broke", .hint = "mend it"};
    EXPECT_EQ(text.run(all), code) << words[0];
    EXPECT_EQ(text.err.text, "pyro: it broke\nhint: mend it\n") << words[0];
    EXPECT_EQ(text.out.text, "");
    Call machine;
    machine.backend.kept.fails = text.backend.kept.fails;
    all.insert(std::ranges::find(all, "--"), "--json");
    EXPECT_EQ(machine.run(all), code) << words[0];
    EXPECT_EQ(machine.err.text, "");
    EXPECT_EQ(json::parse(machine.out.text).at("error").at("code"), "unavailable");
  }
}

// ---- options reach the call

TEST(WorkspaceCreate, EveryOptionReachesTheLibrary) {
  Call call;
  EXPECT_EQ(call.run({"workspace",
                      "create",
                      "debian:12-build",
                      "--vcpu-count=2",
                      "--mem-mib=2048",
                      "--ttl-seconds=60",
                      "--ttl-action",
                      "delete",
                      "--network-policy",
                      "egress",
                      "--allow-host-compat",
                      "--seed-path",
                      "./repo",
                      "--git-tracked",
                      "--secret",
                      "A=x=y",
                      "--secret",
                      "EMPTY=",
                      "--secret-file",
                      "B=./b",
                      "--name",
                      "fix",
                      "--label",
                      "team=core",
                      "--label",
                      "a b=",
                      "--env",
                      "CI=1"}),
            0)
      << call.err.text;
  const client::WorkspaceOptions& o = call.backend.kept.created;
  EXPECT_EQ(o.environment, "debian:12-build");
  EXPECT_EQ(o.vcpu_count, 2);
  EXPECT_EQ(o.mem_mib, 2048);
  EXPECT_EQ(o.ttl_seconds, 60);
  EXPECT_EQ(o.ttl_action, "delete");
  EXPECT_EQ(o.network.policy, "egress");
  EXPECT_TRUE(o.allow_host_compat);
  EXPECT_EQ(o.seed_path, "./repo");
  EXPECT_TRUE(o.git_tracked);
  ASSERT_EQ(o.secrets.size(), 3U);
  EXPECT_EQ(o.secrets[0].name, "A");
  EXPECT_EQ(o.secrets[0].value, "x=y");
  EXPECT_EQ(o.secrets[1].value, "");
  EXPECT_EQ(o.secrets[2].name, "B");
  EXPECT_EQ(o.secrets[2].file_path, "./b");
  EXPECT_FALSE(o.secrets[2].value.has_value());
  EXPECT_EQ(o.name, "fix");
  EXPECT_EQ(o.labels, (std::map<std::string, std::string>{{"team", "core"}, {"a b", ""}}));
  EXPECT_EQ(o.env, (std::map<std::string, std::string>{{"CI", "1"}}));
}

TEST(WorkspaceCreate, DefaultsAreThoseOfTheLibrary) {
  Call call;
  EXPECT_EQ(call.run({"workspace", "create", "debian:12"}), 0);
  const client::WorkspaceOptions& o = call.backend.kept.created;
  const client::WorkspaceOptions defaults;
  EXPECT_EQ(o.vcpu_count, defaults.vcpu_count);
  EXPECT_EQ(o.mem_mib, defaults.mem_mib);
  EXPECT_EQ(o.ttl_seconds, defaults.ttl_seconds);
  EXPECT_EQ(o.ttl_action, defaults.ttl_action);
  EXPECT_FALSE(o.network.given());
  EXPECT_EQ(o.seed_path, std::nullopt);
  EXPECT_FALSE(o.git_tracked);
}

TEST(WorkspaceUpdate, SaysWhatChangesAndNothingElse) {
  Call call;
  EXPECT_EQ(call.run({"workspace", "update", "fix", "--name", "new", "--label", "a=1",
                      "--remove-label", "b", "--ttl-seconds", "9", "--ttl-action", "delete"}),
            0);
  EXPECT_EQ(call.backend.kept.calls, Words{"update fix"});
  const client::WorkspaceUpdate& update = call.backend.kept.update_asked;
  EXPECT_EQ(update.name, "new");
  EXPECT_EQ(update.labels.at("a"), "1");
  EXPECT_EQ(update.labels.at("b"), std::nullopt);
  EXPECT_EQ(update.ttl_seconds, 9);
  EXPECT_EQ(update.ttl_action, "delete");

  Call clear;
  EXPECT_EQ(clear.run({"workspace", "update", "fix", "--clear-name", "--no-ttl"}), 0);
  EXPECT_EQ(clear.backend.kept.update_asked.name, "");
  EXPECT_EQ(clear.backend.kept.update_asked.ttl_seconds, 0);
  EXPECT_EQ(clear.backend.kept.update_asked.ttl_action, std::nullopt);
  EXPECT_TRUE(clear.backend.kept.update_asked.labels.empty());
}

TEST(WorkspaceLogs, MoreThanOneCommandIsTheDefault) {
  Call call;
  const client::JournalOptions& asked = call.backend.kept.logs_asked;
  EXPECT_EQ(call.run({"workspace", "logs", "fix"}), 0);
  EXPECT_FALSE(asked.tail || asked.sequence);
  EXPECT_EQ(call.run({"workspace", "logs", "fix", "--tail", "2"}), 0);
  EXPECT_EQ(asked.tail, 2);
  EXPECT_EQ(call.run({"workspace", "logs", "fix", "--sequence", "7"}), 0);
  EXPECT_EQ(asked.sequence, 7);
  for (const char* option : {"--tail", "--sequence"}) {
    EXPECT_EQ(call.run({"workspace", "logs", "fix", option, "0"}), kExitUsage) << option;
  }
}

TEST(WorkspaceReset, GoesToTheBaselineUnlessTold) {
  Call call;
  EXPECT_EQ(call.run({"workspace", "reset", "fix"}), 0);
  EXPECT_EQ(call.run({"workspace", "reset", "fix", "--snapshot", "one"}), 0);
  EXPECT_EQ(call.backend.kept.calls, (Words{"reset fix baseline", "reset fix one"}));
}

// ---- refusals

TEST(Workspace, RefusalsMatchTheirGolden) {
  const std::vector<Words> calls{
      {"workspace"},
      {"workspace", "snapshot"},
      {"workspace", "snapshot", "crate"},
      {"workspace", "snapshot", "--json"},
      {"workspace", "lst"},
      {"workspace", "create"},
      {"workspace", "create", "debian:12", "--ttl-seconds"},
      {"workspace", "create", "debian:12", "--ttl-seconds", "0"},
      {"workspace", "create", "debian:12", "--ttl-action", "stop"},
      {"workspace", "create", "debian:12", "--network-policy", "on"},
      {"workspace", "create", "debian:12", "--git-tracked"},
      {"workspace", "create", "debian:12", "--seed-path", ""},
      {"workspace", "create", "debian:12", "--id-only", "--json"},
      {"workspace", "create", "debian:12", "--label", "team"},
      {"workspace", "create", "debian:12", "--label", "=core"},
      {"workspace", "create", "debian:12", "--label", "a=1", "--label", "a=2"},
      {"workspace", "create", "debian:12", "--env", "1A=2"},
      {"workspace", "create", "debian:12", "--secret-file", "A=b", "--secret-file", "A=c"},
      {"workspace", "create", "debian:12", "--secret-file", "A="},
      {"workspace", "create", "debian:12", "--secret", "A=b", "--secret-file", "A=c"},
      {"workspace", "status"},
      {"workspace", "status", ""},
      {"workspace", "status", "a", "b"},
      {"workspace", "update", "fix"},
      {"workspace", "update", "fix", "--name", ""},
      {"workspace", "update", "fix", "--name", "a", "--clear-name"},
      {"workspace", "update", "fix", "--ttl-seconds", "1", "--no-ttl"},
      {"workspace", "update", "fix", "--label", "a=1", "--remove-label", "a"},
      {"workspace", "delete"},
      {"workspace", "delete", "fix", "--all"},
      {"workspace", "exec", "fix"},
      {"workspace", "exec", "fix", "true"},
      {"workspace", "exec", "--", "true"},
      {"workspace", "exec", "fix", "--secret-env", "A=1", "--", "true"},
      {"workspace", "exec", "fix", "--secret-env", "A-B", "--", "true"},
      {"workspace", "exec", "fix", "--secret-env", "A", "--secret-env", "A=B", "--", "true"},
      {"workspace", "exec", "fix", "--secret-env", "A", "--secret-env", "B=A", "--", "true"},
      {"workspace", "exec", "fix", "--secret-env", "A", "--env", "A=1", "--", "true"},
      {"workspace", "sync", "push", "fix"},
      {"workspace", "sync", "push", "fix", ""},
      {"workspace", "export", "fix", "a"},
      {"workspace", "export", "fix", "--output", "o"},
      {"workspace", "file", "read", "fix", "a", "--max-bytes", "0"},
      {"workspace", "file", "write", "fix", "a"},
      {"workspace", "file", "write", "fix", "a", "--mode", "888"},
      {"workspace", "file", "write", "fix", "a", "--mode", "1777"},
      {"workspace", "file", "write", "fix", "a", "--mode", "-1"},
      {"workspace", "patch", "apply", "fix"},
      {"workspace", "patch", "apply", "fix", "a", "b"},
  };
  std::string all;
  for (const Words& words : calls) {
    Call call;
    all += call.transcript(words);
    EXPECT_TRUE(call.backend.kept.calls.empty()) << all;
  }
  expect_golden("workspace_refusals.txt", all);
}

TEST(WorkspaceCreate, NoMessageRepeatsASecret) {
  const Words create{"workspace", "create", "debian:12"};
  for (const Words& words : std::vector<Words>{{"--secret", "hunter2"},
                                               {"--secret", "=hunter2"},
                                               {"--secret", "hunter2/+=="},
                                               {"--secret=2hunter2=x"},
                                               {"--secret", "A=hunter2", "--secret", "A=hunter2x"},
                                               {"--secret", "A=hunter2", "--secret-file", "A=x"},
                                               {"--secret", "A=my", "hunter2"},
                                               {"--secret", "A=my", "--hunter2"},
                                               {"--secret", "A=my", "--hunter2=x"},
                                               {"--secret-file", "hunter2"},
                                               {"--secret-file", "A.b=hunter2"},
                                               {"--secret", "A=hunter2", "--mem-mib", "1"}}) {
    for (const char* form : {"", "--json"}) {
      Words all = create;
      if (*form != '\0') all.emplace_back(form);
      all.insert(all.end(), words.begin(), words.end());
      Call call;
      EXPECT_EQ(call.run(all), 2);
      EXPECT_TRUE(call.backend.kept.calls.empty());
      const std::string said = call.out.text + call.err.text;
      EXPECT_FALSE(said.empty());
      EXPECT_EQ(said.find("hunter2"), std::string::npos) << said;
    }
  }
}

// ---- delete

TEST(WorkspaceDelete, EveryOneIsTriedAndEachFailureTold) {
  for (const bool machine : {false, true}) {
    Call call;
    call.backend.kept.fails =
        Error{.code = Errc::kNotFound, .message = "there is no such workspace", .hint = "look"};
    call.backend.kept.fail_at = "remove b";
    Words words{"workspace", "delete", "a", "b", "c"};
    if (machine) words.emplace_back("--json");
    EXPECT_EQ(call.run(words), 1);
    EXPECT_EQ(call.backend.kept.calls, (Words{"remove a", "remove b", "remove c"}));
    if (!machine) {
      EXPECT_EQ(call.out.text, "Deleted workspace: a\nDeleted workspace: c\n");
      EXPECT_EQ(call.err.text, "pyro: b: there is no such workspace\nhint: look\n");
      continue;
    }
    EXPECT_EQ(call.err.text, "");
    const json::value wanted{
        {"count", 2},
        {"deleted", false},
        {"workspaces",
         {{{"deleted", true}, {"error", nullptr}, {"workspace_id", "a"}},
          {{"deleted", false},
           {"error",
            {{"code", "not_found"}, {"hint", "look"}, {"message", "there is no such workspace"}}},
           {"workspace_id", "b"}},
          {{"deleted", true}, {"error", nullptr}, {"workspace_id", "c"}}}}};
    EXPECT_EQ(json::parse(call.out.text), wanted);
  }
}

TEST(WorkspaceDelete, AllMeansThoseThereAre) {
  Call call;
  call.backend.kept.workspaces = {FakeWorkspaces::started(), FakeWorkspaces::started()};
  call.backend.kept.workspaces[1].workspace_id = "ws-2";
  EXPECT_EQ(call.run({"workspace", "delete", "--all"}), 0);
  EXPECT_EQ(call.backend.kept.calls, (Words{"list", "remove ws-1", "remove ws-2"}));
  Call none;
  none.backend.kept.workspaces.clear();
  EXPECT_EQ(none.run({"workspace", "delete", "--all"}), 0);
  EXPECT_EQ(none.out.text, "There is no workspace.\n");
}

// ---- phases, progress, Ctrl-C

TEST(Workspace, PhasesOfCreateStartAndResetAreTold) {
  for (const Words& words : std::vector<Words>{{"workspace", "create", "debian:12"},
                                               {"workspace", "start", "fix"},
                                               {"workspace", "reset", "fix"}}) {
    Call call;
    call.backend.kept.phases = {{"queue", "1 ahead"}, {"seed", ""}, {"cleanup", ""}};
    EXPECT_EQ(call.run(words), 0);
    const std::string tag = "[workspace-" + words[1] + "]";
    EXPECT_EQ(call.err.text, tag + " phase=queue detail='1 ahead'\n" + tag + " phase=seed\n");
  }
  Call quiet;
  quiet.backend.kept.phases = {{"queue", "1 ahead"}, {"seed", ""}};
  EXPECT_EQ(quiet.run({"workspace", "sync", "push", "fix", "."}), 0);
  EXPECT_EQ(quiet.err.text, "[workspace-sync] phase=queue detail='1 ahead'\n");
}

TEST(Workspace, ProgressIsOneRedrawnLineOnATerminalAndNothingElsewhere) {
  Call call;
  call.tty = true;
  call.tick = std::chrono::milliseconds(60);
  call.backend.kept.phases = {{"seed", ""}};
  call.backend.kept.progress = {{1, 10}, {2, 1536}, {3, 4096}};
  EXPECT_EQ(call.run({"workspace", "create", "debian:12"}), 0);
  EXPECT_EQ(call.err.text,
            "[workspace-create] phase=seed\n"
            "\r[workspace-create] 1 entry, 10 B\033[K"
            // The second came 60 ms later: too soon to redraw.
            "\r[workspace-create] 3 entries, 4.0 KiB\033[K"
            "\r\033[K");
  Call plain;
  plain.backend.kept.progress = call.backend.kept.progress;
  EXPECT_EQ(plain.run({"workspace", "create", "debian:12"}), 0);
  EXPECT_EQ(plain.err.text, "");
  Call machine;
  machine.tty = true;
  machine.backend.kept.progress = call.backend.kept.progress;
  EXPECT_EQ(run_json(machine, {"workspace", "create", "debian:12"}).at("workspace_id"), "ws-1");
}

TEST(Workspace, APullShowsItselfAndMayBeEndedAtOnce) {
  Call call;
  call.backend.kept.pull_steps = {{.phase = "download", .detail = "", .fraction = 0.5}};
  call.backend.kept.phases = {{"create", ""}};
  EXPECT_EQ(call.run({"workspace", "create", "debian:12"}), 0);
  EXPECT_EQ(call.err.text,
            "[pull] phase=download environment=debian:12\n[workspace-create] phase=create\n");
  EXPECT_EQ(call.interrupts.modes, (std::vector{Mode::kForward, Mode::kEnd, Mode::kForward}));
}

TEST(Workspace, AnInterruptedCallEndsWithTheSignalsCode) {
  for (const Words& words : std::vector<Words>{{"workspace", "create", "debian:12"},
                                               {"workspace", "start", "fix"},
                                               {"workspace", "reset", "fix"},
                                               {"workspace", "exec", "fix", "--", "true"},
                                               {"workspace", "sync", "push", "fix", "."},
                                               {"workspace", "disk", "list", "fix"}}) {
    Call call;
    call.interrupts.received = SIGINT;
    call.backend.kept.fails = Error{.code = Errc::kUnavailable, .message = "interrupted"};
    EXPECT_EQ(call.run(words), 130);
    EXPECT_EQ(call.err.text, "");
    EXPECT_EQ(call.backend.kept.interrupt_fd, 77);
    EXPECT_EQ(call.interrupts.modes.front(), Mode::kForward);
  }
}

TEST(Workspace, NamesForCompletionComeFromTheLibrary) {
  Call call;
  EXPECT_EQ(call.run({"help", "--workspaces"}), 0);
  EXPECT_EQ(call.out.text, "fix\nws-1\n");
  EXPECT_EQ(call.opened, 0);
}

}  // namespace
}  // namespace pyro::cli
