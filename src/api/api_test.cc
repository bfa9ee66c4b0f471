#include "api/api.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "api/json.h"
#include "api/schema_testing.h"
#include "api/testing.h"
#include "sys/file.h"

namespace pyro::api {
namespace {

namespace json = boost::json;
using testing::FakeWorkspaces;
using testing::SchemaChecker;
using Fake = testing::FakeBackend<Backend>;

struct Surface {
  std::shared_ptr<Fake> backend = std::make_shared<Fake>();
  std::unique_ptr<Api> api = over(backend);
  Observer observer;

  Result<json::object> call(const std::string& operation, const std::string& arguments) {
    return api->call(*proto::find_operation(operation), json::parse(arguments).as_object(),
                     observer);
  }
  json::object result(const std::string& operation, const std::string& arguments) {
    auto answer = call(operation, arguments);
    EXPECT_TRUE(answer) << operation << ": " << answer.error().message;
    return answer ? *answer : json::object();
  }
  std::string refusal(const std::string& operation, const std::string& arguments) {
    const auto answer = call(operation, arguments);
    if (answer) return "";
    EXPECT_EQ(answer.error().code, Errc::kInvalid) << operation;
    EXPECT_TRUE(backend->calls.empty() && kept().calls.empty()) << operation;
    return answer.error().message;
  }
  FakeWorkspaces& kept() { return backend->kept; }
};

// Arguments with which each can be called.
const std::map<std::string, std::string> kArguments{
    {"run", R"({"environment":"debian:12","command":["git","--version"]})"},
    {"env.list", "{}"},
    {"env.pull", R"({"environment":"debian:12"})"},
    {"env.inspect", R"({"environment":"debian:12"})"},
    {"env.prune", "{}"},
    {"doctor", R"({"fresh":true})"},
    {"create_vm", R"({"environment":"debian:12"})"},
    {"start_vm", R"({"vm_id":"vm-1"})"},
    {"exec_vm", R"({"vm_id":"vm-1","command":"ls"})"},
    {"stop_vm", R"({"vm_id":"vm-1"})"},
    {"delete_vm", R"({"vm_id":"vm-1"})"},
    {"status_vm", R"({"vm_id":"vm-1"})"},
    {"network_info_vm", R"({"vm_id":"vm-1"})"},
    {"reap_expired", "{}"},
    {"workspace.create", R"({"environment":"debian:12"})"},
    {"workspace.list", "{}"},
    {"workspace.update", R"({"workspace_id":"fix","name":"other"})"},
    {"workspace.exec", R"({"workspace_id":"fix","command":["make"]})"},
    {"workspace.sync.push", R"({"workspace_id":"fix","source_path":"./src"})"},
    {"workspace.export", R"({"workspace_id":"fix","path":"a","output_path":"./a"})"},
    {"workspace.snapshot.create", R"({"workspace_id":"fix","snapshot_name":"one"})"},
    {"workspace.snapshot.delete", R"({"workspace_id":"fix","snapshot_name":"one"})"},
    {"workspace.file.read", R"({"workspace_id":"fix","path":"a"})"},
    {"workspace.file.write", R"({"workspace_id":"fix","path":"a","text":"b"})"},
    {"workspace.patch.apply", R"({"workspace_id":"fix","patch":"--- a"})"},
    {"workspace.network.set", R"({"workspace_id":"fix","net_allow":["github.com:443"]})"},
    {"workspace.disk.export", R"({"workspace_id":"fix","path":"a","output_path":"./a"})"},
    {"workspace.disk.read", R"({"workspace_id":"fix","path":"a"})"},
    {"workspace.shell.read", R"({"workspace_id":"fix","shell_id":"shell-1"})"},
    {"workspace.shell.write", R"({"workspace_id":"fix","shell_id":"shell-1","input":"ls"})"},
    {"workspace.shell.signal", R"({"workspace_id":"fix","shell_id":"shell-1"})"},
    {"workspace.shell.resize", R"({"workspace_id":"fix","shell_id":"shell-1"})"},
    {"workspace.shell.close", R"({"workspace_id":"fix","shell_id":"shell-1"})"},
    {"workspace.service.start",
     R"({"workspace_id":"fix","service_name":"web","command":"./serve",
         "readiness":{"type":"tcp","address":"8080"}})"},
    {"workspace.service.status", R"({"workspace_id":"fix","service_name":"web"})"},
    {"workspace.service.logs", R"({"workspace_id":"fix","service_name":"web"})"},
    {"workspace.service.stop", R"({"workspace_id":"fix","service_name":"web"})"},
    {"workspace.service.restart", R"({"workspace_id":"fix","service_name":"web"})"},
    {"policy.check", R"({"policy_file":")" + std::string(PYRO_SOURCE_DIR) +
                         R"(/docs/reference/policy-example.toml"})"},
    {"policy.explain", R"({"net_allow":["github.com:443"],"endpoints":["tcp://github.com:443"]})"},
};

std::string arguments_of(const proto::Operation& op) {
  const auto row = kArguments.find(std::string(op.name));
  return row == kArguments.end() ? R"({"workspace_id":"fix"})" : row->second;
}

TEST(Api, EveryMethodButThoseThatNeedATerminalCanBeCalled) {
  for (const proto::Operation& op : proto::operations()) {
    EXPECT_EQ(is_callable(op), !op.method.empty() && op.name != "workspace.shell.attach")
        << op.name;
    if (is_callable(op)) EXPECT_FALSE(op.tool.empty()) << op.name;
  }
  Surface surface;
  const auto answer = surface.call("completion", "{}");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "completion is for the command line alone");
}

// Everything that can be null or missing once is so, and once is not.
TEST(Api, EveryResultIsAsItsSchemaSays) {
  for (const bool full : {false, true}) {
    Surface surface;
    FakeWorkspaces& kept = surface.kept();
    if (full) {
      surface.backend->result.signal = 9;
      surface.backend->result.refused = {{.protocol = "tcp", .address = "10.0.0.1", .port = 22}};
      surface.backend->result.warnings = {"a denied name is no boundary"};
      surface.backend->stdout_bytes = "\xFF";
      surface.backend->live.addresses = {{.guest = "10.1.0.2", .gateway = "10.1.0.1"}};
      surface.backend->live.counters = {{"flows", 3}};
      kept.info = FakeWorkspaces::full();
      kept.info.network = {.policy = "egress", .hash = std::string(64, 'a')};
      kept.workspaces = {kept.info, FakeWorkspaces::started()};
      kept.live = surface.backend->live;
      kept.network_log = {{.kind = "decision", .protocol = "tcp", .allow = true}};
      kept.chunks = {"\xFE"};
      kept.kept_services.info = testing::FakeServices::full();
      kept.kept_shells.info = kept.kept_shells.ended();
      kept.kept_shells.output = "\xFF";
    }
    for (const proto::Operation& op : proto::operations()) {
      if (!is_callable(op)) continue;
      const json::object result = surface.result(std::string(op.name), arguments_of(op));
      EXPECT_EQ(SchemaChecker::check(output_schema(op), result), "")
          << op.name << " " << pretty(result);
      // What a client that checks by the schema lets through is taken.
      EXPECT_EQ(SchemaChecker::check(input_schema(op), json::parse(arguments_of(op))), "")
          << op.name;
    }
  }
}

TEST(Api, AnErrorOfTheLibraryIsTheErrorOfTheCall) {
  for (const proto::Operation& op : proto::operations()) {
    if (!is_callable(op) || op.name.starts_with("policy.")) continue;
    Surface surface;
    const Error error{.code = Errc::kConflict, .message = "busy", .hint = "wait"};
    surface.backend->fails = error;
    surface.kept().fails = error;
    surface.kept().kept_shells.fails = error;
    surface.kept().kept_services.fails = error;
    const auto answer = surface.call(std::string(op.name), arguments_of(op));
    if (op.name == "delete_vm") continue;  // the fake's never fails
    ASSERT_FALSE(answer) << op.name;
    EXPECT_EQ(answer.error().message, "busy") << op.name;
  }
  EXPECT_EQ(
      error_object({.code = Errc::kConflict, .message = "busy", .hint = "wait"}),
      (json::object{{"error", {{"code", "conflict"}, {"message", "busy"}, {"hint", "wait"}}}}));
}

TEST(Api, ARunTellsItsPhasesAndStreamsItsOutput) {
  Surface surface;
  surface.backend->pull_steps = {{.phase = "download", .detail = "12 of 80", .fraction = 0.5},
                                 {.phase = "ready"}};
  surface.backend->result.warnings = {"mind the gap"};
  surface.backend->stderr_bytes = "hm";
  std::vector<std::string> seen;
  std::string out, err;
  surface.observer = {.on_progress =
                          [&](const Progress& p) {
                            seen.push_back(std::string(p.phase) + "|" + std::string(p.detail) +
                                           (p.of ? "|" + std::to_string(*p.of).substr(0, 3) : ""));
                          },
                      .on_warning = [&](std::string_view text) { seen.emplace_back(text); },
                      .on_stdout = [&](std::string_view bytes) -> Result<void> {
                        out += bytes;
                        return {};
                      },
                      .on_stderr = [&](std::string_view bytes) -> Result<void> {
                        err += bytes;
                        return {};
                      },
                      .interrupt_fd = 7,
                      .stdin_fd = 5};
  const json::object result =
      surface.result("run", R"({"environment":"debian:12","command":"git --version","network":true,
                 "timeout_seconds":5,"boot":"cold"})");
  EXPECT_EQ(seen, (std::vector<std::string>{"mind the gap", "pull|download: 12 of 80|0.5",
                                            "pull|ready", "create|", "start|", "execute|"}));
  EXPECT_EQ(out, "git version 2.39.5\n");
  EXPECT_EQ(err, "hm");
  EXPECT_EQ(result.at("stdout"), json::value(out));
  EXPECT_EQ(result.at("stderr"), json::value(err));
  EXPECT_EQ(surface.backend->interrupt_fd, 7);
  EXPECT_EQ(surface.backend->exec.command, "git --version");
  EXPECT_EQ(surface.backend->exec.timeout_seconds, 5);
  EXPECT_EQ(surface.backend->exec.stdin_fd, 5);
  EXPECT_EQ(surface.backend->create.network.policy, "egress");
  EXPECT_EQ(surface.backend->create.boot, client::Boot::kCold);
}

TEST(Api, AnOutputThatFailsEndsTheCall) {
  Surface surface;
  surface.observer.on_stdout = [](std::string_view) -> Result<void> {
    return fail(Errc::kUnavailable, "nobody listens");
  };
  const auto answer = surface.call("run", arguments_of(*proto::find_operation("run")));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "nobody listens");
}

TEST(Api, CreateTakesEverythingThatAWorkspaceCanHave) {
  Surface surface;
  surface.kept().phases = {{"seed", "./repo"}};
  surface.kept().progress = {{1, 1024}, {12, 2048}};
  std::vector<std::string> seen;
  surface.observer.on_progress = [&](const Progress& p) {
    seen.push_back(std::string(p.phase) + "|" + std::string(p.detail));
  };
  surface.result("workspace.create", R"({"environment":"debian:12","vcpu_count":2,"mem_mib":2048,
      "ttl_seconds":60,"ttl_action":"delete","network_policy":"egress","net_allow":["a:1"],
      "net_deny":["b:*"],"allow_udp":true,"allow_icmp":true,"seed_path":"./repo",
      "git_tracked":true,"secrets":[{"name":"A","value":"hunter22"},{"name":"B","file_path":"./b"}],
      "name":"fix","labels":{"team":"core"},"env":{"CI":"1"}})");
  EXPECT_EQ(seen, (std::vector<std::string>{"seed|./repo", "seed|1 entry, 1.0 KiB",
                                            "seed|12 entries, 2.0 KiB"}));
  const client::WorkspaceOptions& asked = surface.kept().created;
  EXPECT_EQ(asked.vcpu_count, 2);
  EXPECT_EQ(asked.mem_mib, 2048);
  EXPECT_EQ(asked.ttl_seconds, 60);
  EXPECT_EQ(asked.ttl_action, "delete");
  EXPECT_EQ(asked.network.policy, "egress");
  EXPECT_EQ(asked.network.allow, std::vector<std::string>{"a:1"});
  EXPECT_EQ(asked.network.deny, std::vector<std::string>{"b:*"});
  EXPECT_TRUE(asked.network.allow_udp && asked.network.allow_icmp);
  EXPECT_EQ(asked.seed_path, "./repo");
  EXPECT_TRUE(asked.git_tracked);
  ASSERT_EQ(asked.secrets.size(), 2U);
  EXPECT_EQ(asked.secrets[0].value, "hunter22");
  EXPECT_EQ(asked.secrets[1].file_path, "./b");
  EXPECT_EQ(asked.name, "fix");
  EXPECT_EQ(asked.labels, (std::map<std::string, std::string>{{"team", "core"}}));
  EXPECT_EQ(asked.env, (std::map<std::string, std::string>{{"CI", "1"}}));
}

TEST(Api, WhatDoesNotFitTogetherIsRefusedBeforeAnythingIsAsked) {
  const auto refusal = [](const char* operation, const char* arguments) {
    return Surface().refusal(operation, arguments);
  };
  const auto create = [&](const std::string& rest) {
    return refusal("workspace.create", (R"({"environment":"debian:12",)" + rest + "}").c_str());
  };
  EXPECT_EQ(create(R"("git_tracked":true)"),
            "git_tracked says what to take of a seed: seed_path is missing");
  EXPECT_EQ(create(R"("ttl_action":"delete")"),
            "ttl_action says what happens after a TTL: ttl_seconds is missing");
  EXPECT_EQ(create(R"("secrets":[{"name":"A"}])"), "the secret A needs either value or file_path");
  EXPECT_EQ(create(R"("secrets":[{"name":"A","value":"hunter22","file_path":"b"}])"),
            "the secret A needs either value or file_path");
  EXPECT_EQ(create(R"("secrets":[{"name":"A","value":"hunter22"},{"name":"A","file_path":"b"}])"),
            "the secret A is given twice");
  EXPECT_EQ(create(R"("policy_file":"p.toml","net_allow":["a:1"])"),
            "policy_file is the whole policy: no other argument about the network goes with it");
  EXPECT_EQ(refusal("run", R"({"environment":"e","command":"c","network":true,
                               "network_policy":"off"})"),
            "network is the short form of network_policy egress: leave it out");
  EXPECT_EQ(create(R"("network_policy":"egress","net_allow":[])"),
            "net_allow is empty: leave it out, and network_policy reaches what it does");
  EXPECT_EQ(create(R"("net_deny":["a"],"net_allow":[])"),
            "net_allow is empty: leave it out, and network_policy reaches what it does");
  EXPECT_EQ(refusal("policy.explain", R"({"endpoints":["tcp://a:1"],"network_policy":"egress",
                                          "net_allow":[]})"),
            "net_allow is empty: leave it out, and network_policy reaches what it does");
  EXPECT_EQ(refusal("workspace.update", R"({"workspace_id":"w"})"), "there is nothing to change");
  EXPECT_EQ(refusal("workspace.update", R"({"workspace_id":"w","name":"a","clear_name":true})"),
            "name and clear_name cannot both be given");
  EXPECT_EQ(refusal("workspace.update", R"({"workspace_id":"w","name":""})"),
            "the new name is empty");
  EXPECT_EQ(refusal("workspace.update", R"({"workspace_id":"w","ttl_seconds":1,"no_ttl":true})"),
            "ttl_seconds and no_ttl cannot both be given");
  EXPECT_EQ(refusal("workspace.update",
                    R"({"workspace_id":"w","labels":{"a":"b"},"remove_labels":["a"]})"),
            "the label \"a\" is given twice");
  EXPECT_EQ(refusal("workspace.network.set", R"({"workspace_id":"w"})"),
            "there is nothing to change: network_policy, a rule or policy_file is missing");
  EXPECT_EQ(refusal("workspace.file.write", R"({"workspace_id":"w","path":"a"})"),
            "either text or content_base64 must be given");
  EXPECT_EQ(
      refusal("workspace.file.write", R"({"workspace_id":"w","path":"a","content_base64":"!"})"),
      "content_base64 is not base64 (RFC 4648, with its padding)");
  EXPECT_EQ(
      refusal("workspace.file.write", R"({"workspace_id":"w","path":"a","text":"","mode":"0999"})"),
      "mode must be octal permission bits from 0 to 777");
  EXPECT_EQ(refusal("policy.explain", R"({"endpoints":["tcp://a:1"]})"),
            "a policy is needed: either workspace_id, or arguments that say one");
  const auto ready = [&](const std::string& readiness) {
    return refusal(
        "workspace.service.start",
        (R"({"workspace_id":"w","service_name":"s","command":"c","readiness":)" + readiness + "}")
            .c_str());
  };
  EXPECT_EQ(ready(R"({"type":"tcp"})"), "readiness.address is missing: type tcp needs it");
  EXPECT_EQ(ready(R"({"type":"file","path":"a","url":"b"})"),
            "readiness.url does not go with type file");
}

TEST(Api, UpdateSaysWhatToChange) {
  Surface surface;
  surface.result("workspace.update", R"({"workspace_id":"w","clear_name":true,"no_ttl":true,
      "labels":{"a":"b"},"remove_labels":["c"],"ttl_action":"stop"})");
  const client::WorkspaceUpdate& asked = surface.kept().update_asked;
  EXPECT_EQ(asked.name, "");
  EXPECT_EQ(asked.ttl_seconds, 0);
  EXPECT_EQ(asked.ttl_action, "stop");
  EXPECT_EQ(asked.labels,
            (std::map<std::string, std::optional<std::string>>{{"a", "b"}, {"c", std::nullopt}}));
}

TEST(Api, ShellsGetTheirArguments) {
  Surface surface;
  surface.result("workspace.shell.write",
                 R"({"workspace_id":"w","shell_id":"shell-1","input":"ls"})");
  testing::FakeShells& shells = surface.kept().kept_shells;
  EXPECT_TRUE(shells.newline_asked);
  const json::object written = surface.result(
      "workspace.shell.write",
      R"({"workspace_id":"w","shell_id":"shell-1","input":"\u0003","append_newline":false})");
  EXPECT_FALSE(shells.newline_asked);
  EXPECT_EQ(shells.written, "\x03");
  EXPECT_EQ(written.at("input_length"), json::value(1));
  EXPECT_EQ(surface.result("workspace.shell.signal", R"({"workspace_id":"w","shell_id":"shell-1"})")
                .at("signal"),
            json::value("INT"));
  surface.result("workspace.shell.read", R"({"workspace_id":"w","shell_id":"shell-1","cursor":4096,
      "max_chars":10,"plain":true,"wait_for_idle_ms":300})");
  EXPECT_EQ(shells.read_asked.cursor, 4096);
  EXPECT_EQ(shells.read_asked.max_chars, 10);
  EXPECT_TRUE(shells.read_asked.plain);
  EXPECT_EQ(shells.read_asked.wait_for_idle_ms, 300);
  EXPECT_EQ(shells.read_asked.wait_timeout_ms, 30'000);
  surface.result("workspace.shell.open",
                 R"({"workspace_id":"w","cols":80,"secret_env":["TOKEN"]})");
  EXPECT_EQ(shells.opened.cols, 80);
  EXPECT_EQ(shells.opened.rows, 30);
  EXPECT_EQ(shells.opened.secret_env, (std::map<std::string, std::string>{{"TOKEN", "TOKEN"}}));
}

TEST(Api, ServicesGetTheirArguments) {
  Surface surface;
  surface.observer.interrupt_fd = 9;
  surface.result("workspace.service.start", R"({"workspace_id":"w","service_name":"web",
      "command":["./serve","--port","8080"],"cwd":"app","env":{"A":"1"},"secret_env":{"T":"TOKEN"},
      "readiness":{"type":"http","url":"http://127.0.0.1:8080/"},"ready_timeout_seconds":5,
      "restart":"always","published_ports":[{"guest_port":8080,"host_port":18080},
      {"guest_port":9090}]})");
  const testing::FakeServices& services = surface.kept().kept_services;
  const client::ServiceOptions& asked = services.started;
  EXPECT_EQ(asked.argv, (std::vector<std::string>{"./serve", "--port", "8080"}));
  EXPECT_EQ(asked.cwd, "app");
  EXPECT_EQ(asked.env, (std::map<std::string, std::string>{{"A", "1"}}));
  EXPECT_EQ(asked.secret_env, (std::map<std::string, std::string>{{"T", "TOKEN"}}));
  const client::ServiceReadiness readiness = asked.readiness.value_or(client::ServiceReadiness());
  EXPECT_EQ(readiness.type, "http");
  EXPECT_EQ(readiness.url, "http://127.0.0.1:8080/");
  EXPECT_EQ(asked.ready_timeout_seconds, 5);
  EXPECT_EQ(asked.ready_interval_ms, 500);
  EXPECT_EQ(asked.restart, "always");
  ASSERT_EQ(asked.published_ports.size(), 2U);
  EXPECT_EQ(asked.published_ports[0].host_port, 18080);
  EXPECT_EQ(asked.published_ports[1].guest_port, 9090);
  EXPECT_EQ(asked.published_ports[1].host_port, std::nullopt);
  EXPECT_EQ(services.interrupt_fd, 9);
  surface.result("workspace.service.logs",
                 R"({"workspace_id":"w","service_name":"web","all":true,"tail_lines":200})");
  EXPECT_TRUE(services.logs_asked.all);
}

TEST(Api, WhatAGuestCanHoldUpHasTheInterrupt) {
  Surface surface;
  surface.observer.interrupt_fd = 9;
  testing::FakeWorkspaces& kept = surface.kept();
  for (const auto& [operation, arguments] : std::vector<std::pair<const char*, const char*>>{
           {"workspace.diff", R"({"workspace_id":"w"})"},
           {"workspace.summary", R"({"workspace_id":"w"})"},
           {"workspace.file.list", R"({"workspace_id":"w"})"},
           {"workspace.file.read", R"({"workspace_id":"w","path":"a"})"},
           {"workspace.file.write", R"({"workspace_id":"w","path":"a","text":"b"})"},
           {"workspace.patch.apply", R"({"workspace_id":"w","patch":"p"})"}}) {
    kept.interrupt_fd = -1;
    surface.result(operation, arguments);
    EXPECT_EQ(kept.interrupt_fd, 9) << operation;
  }
  for (const auto& [operation, arguments] : std::vector<std::pair<const char*, const char*>>{
           {"workspace.shell.open", R"({"workspace_id":"w"})"},
           {"workspace.shell.read", R"({"workspace_id":"w","shell_id":"s"})"},
           {"workspace.shell.write", R"({"workspace_id":"w","shell_id":"s","input":"i"})"},
           {"workspace.shell.close", R"({"workspace_id":"w","shell_id":"s"})"}}) {
    kept.kept_shells.interrupt_fd = -1;
    surface.result(operation, arguments);
    EXPECT_EQ(kept.kept_shells.interrupt_fd, 9) << operation;
  }
  surface.result("workspace.service.stop", R"({"workspace_id":"w","service_name":"web"})");
  EXPECT_EQ(kept.kept_services.interrupt_fd, 9);
}

TEST(Api, FilesAreReadAndWritten) {
  Surface surface;
  surface.result("workspace.file.read", R"({"workspace_id":"w","path":"a"})");
  EXPECT_EQ(surface.kept().max_bytes_asked, static_cast<std::int64_t>(kMaxCollected));
  surface.result("workspace.disk.read", R"({"workspace_id":"w","path":"a","max_bytes":10})");
  EXPECT_EQ(surface.kept().max_bytes_asked, 10);
  surface.result("workspace.file.write",
                 R"({"workspace_id":"w","path":"a","content_base64":"/wA=","mode":"0755"})");
  EXPECT_EQ(surface.kept().write_asked.content, std::string("\xFF\0", 2));
  EXPECT_EQ(surface.kept().write_asked.mode, 0755);
  surface.result("workspace.patch.apply", R"({"workspace_id":"w","patch":"--- a\n"})");
  EXPECT_EQ(surface.kept().patch_asked, "--- a\n");
  surface.result("workspace.export", R"({"workspace_id":"w","path":"a","output_path":"./out"})");
  EXPECT_EQ(surface.kept().output_asked, "./out");
}

TEST(Api, PoliciesAreExplained) {
  Surface surface;
  const json::object by_rules = surface.result("policy.explain", R"({"net_allow":["github.com:443"],
                            "endpoints":["tcp://github.com:443","tcp://example.com:443"]})");
  EXPECT_EQ(by_rules.at("allow"), json::value(false));
  EXPECT_EQ(by_rules.at("endpoints").as_array().size(), 2U);
  const json::object of_workspace =
      surface.result("policy.explain", R"({"workspace_id":"fix","endpoints":["tcp://a.com:1"]})");
  EXPECT_EQ(of_workspace.at("allow"), json::value(false));
  surface.result("workspace.network.events", R"({"workspace_id":"fix","tail":5})");
  EXPECT_EQ(surface.kept().events_asked.tail, 5);
  EXPECT_FALSE(surface.kept().events_asked.follow);
}

// Nothing of it needs a guest.
TEST(Api, TheRealOneAnswersSeveralThreadsAtOnce) {
  const std::string root = ::testing::TempDir() + "pyro-api-" + std::to_string(::getpid());
  const auto opened = open([&root](const std::string& name) -> std::optional<std::string> {
    if (name == "PYRO_CACHE_DIR") return root + "/cache";
    if (name == "PYRO_HOME") return root + "/state";
    if (name == "PYRO_RUNTIME_DIR") return root + "/run";
    if (name == "PYRO_LIBEXEC") return root;
    return std::nullopt;
  });
  ASSERT_TRUE(opened) << opened.error().message;
  Api& api = **opened;
  constexpr int kThreads = 8, kCalls = 50;
  std::vector<int> right(kThreads);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&api, &right, t] {
      for (int i = 0; i < kCalls; ++i) {
        const auto list = api.call(*proto::find_operation("workspace.list"), {}, {});
        const auto environments = api.call(*proto::find_operation("env.list"), {}, {});
        const auto status =
            api.call(*proto::find_operation("workspace.status"), {{"workspace_id", "nobody"}}, {});
        right[static_cast<std::size_t>(t)] += list && list->at("count") == json::value(0) &&
                                                      environments && !status &&
                                                      status.error().code == Errc::kNotFound
                                                  ? 1
                                                  : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, std::vector<int>(kThreads, kCalls));
  EXPECT_TRUE(sys::remove_tree(root));
}

}  // namespace
}  // namespace pyro::api
