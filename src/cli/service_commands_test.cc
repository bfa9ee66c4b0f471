#include <gtest/gtest.h>
#include <signal.h>

#include <boost/json/parse.hpp>

#include "cli/testing.h"

namespace pyro::cli {
namespace {

namespace json = boost::json;
using testing::Call;
using testing::expect_golden;
using testing::FakeServices;
using Words = std::vector<std::string>;

Words service(std::initializer_list<std::string> words) {
  Words all{"workspace", "service"};
  all.insert(all.end(), words);
  return all;
}

FakeServices& fake(Call& call) {
  return call.backend.kept.kept_services;
}

TEST(Service, OutputMatchesItsGolden) {
  const std::vector<Words> calls{
      service({"start", "fix", "web", "--", "./serve"}),
      service({"start", "fix", "web", "--ready-file", ".ready", "--", "./serve"}),
      service({"start", "fix", "web", "--json", "--", "./serve"}),
      service({"list", "fix"}),
      service({"list", "fix", "--json"}),
      service({"status", "fix", "web"}),
      service({"status", "fix", "web", "--json"}),
      service({"logs", "fix", "web"}),
      service({"logs", "fix", "web", "--timestamps"}),
      service({"logs", "fix", "web", "--json"}),
      service({"logs", "fix", "web", "--follow"}),
      service({"logs", "fix", "web", "--follow", "--json"}),
      service({"stop", "fix", "web"}),
      service({"stop", "fix", "web", "--json"}),
      service({"restart", "fix", "web"})};
  std::string all;
  for (const Words& words : calls) {
    Call call;
    all += call.transcript(words);
  }
  all += "With everything set:\n\n";
  for (const Words& words :
       {service({"start", "fix", "app", "--", "./serve"}), service({"status", "fix", "app"}),
        service({"status", "fix", "app", "--json"}), service({"stop", "fix", "app"})}) {
    Call call;
    fake(call).info = FakeServices::full();
    all += call.transcript(words);
  }
  expect_golden("service_commands.txt", all);
}

TEST(Service, RefusalsMatchTheirGolden) {
  const auto start = [](std::initializer_list<std::string> options) {
    Words all = service({"start", "fix", "web"});
    all.insert(all.end(), options);
    all.insert(all.end(), {"--", "./serve"});
    return all;
  };
  std::string all;
  for (const Words& words : std::vector<Words>{
           service({}),
           service({"start"}),
           service({"start", "fix"}),
           service({"start", "fix", "web"}),
           service({"start", "fix", "web", "./serve"}),
           service({"start", "fix", "web", "--"}),
           start({"--ready-file", "a", "--ready-tcp", "8080"}),
           start({"--ready-http", "http://localhost/", "--ready-command", "true"}),
           start({"--ready-file", ""}),
           start({"--ready-timeout-seconds", "0"}),
           start({"--ready-interval-ms", "9"}),
           start({"--restart", "sometimes"}),
           start({"--publish", "web"}),
           start({"--publish", "0"}),
           start({"--publish", "65536"}),
           start({"--publish", "18080:0"}),
           start({"--publish", "127.0.0.1:1:2"}),
           start({"--publish", ""}),
           start({"--env", "1A=2"}),
           start({"--secret-env", "A", "--env", "A=1"}),
           service({"status", "fix"}),
           service({"status", "fix", ""}),
           service({"logs", "fix", "web", "--all", "--tail-lines", "3"}),
           service({"logs", "fix", "web", "--json", "--timestamps"}),
           service({"logs", "fix", "web", "--tail-lines", "-1"}),
           service({"stop", "fix", "web", "--timeout-seconds", "3601"}),
       }) {
    Call call;
    all += call.transcript(words);
    EXPECT_TRUE(fake(call).calls.empty()) << all;
  }
  expect_golden("service_refusals.txt", all);
}

TEST(ServiceStart, EveryOptionReachesTheLibrary) {
  Call call;
  EXPECT_EQ(call.run(service({"start",
                              "fix",
                              "web",
                              "--cwd",
                              "src",
                              "--ready-http",
                              "http://localhost:8080/health",
                              "--ready-timeout-seconds",
                              "7",
                              "--ready-interval-ms",
                              "50",
                              "--secret-env",
                              "TOKEN=VAR",
                              "--env",
                              "A=1",
                              "--restart",
                              "on-failure",
                              "--publish",
                              "9090",
                              "--publish",
                              "18080:8080",
                              "--",
                              "sh",
                              "-c",
                              "serve --json"})),
            0)
      << call.err.text;
  EXPECT_EQ(fake(call).calls, Words{"start fix web"});
  EXPECT_EQ(fake(call).interrupt_fd, 77);
  const client::ServiceOptions& o = fake(call).started;
  EXPECT_EQ(o.argv, (Words{"sh", "-c", "serve --json"}));
  EXPECT_EQ(o.command, "");
  EXPECT_EQ(o.cwd, "src");
  EXPECT_EQ(o.env, (std::map<std::string, std::string>{{"A", "1"}}));
  EXPECT_EQ(o.secret_env, (std::map<std::string, std::string>{{"TOKEN", "VAR"}}));
  const client::ServiceReadiness readiness = o.readiness.value_or(client::ServiceReadiness{});
  EXPECT_EQ(readiness.type, "http");
  EXPECT_EQ(readiness.url, "http://localhost:8080/health");
  EXPECT_EQ(o.ready_timeout_seconds, 7);
  EXPECT_EQ(o.ready_interval_ms, 50);
  EXPECT_EQ(o.restart, "on-failure");
  ASSERT_EQ(o.published_ports.size(), 2U);
  EXPECT_EQ(o.published_ports[0].guest_port, 9090);
  EXPECT_EQ(o.published_ports[0].host_port, std::nullopt);
  EXPECT_EQ(o.published_ports[1].guest_port, 8080);
  EXPECT_EQ(o.published_ports[1].host_port, 18080);
}

TEST(ServiceStart, EachKindOfReadinessIsTyped) {
  const auto asked = [](const char* option, const char* value) {
    Call call;
    EXPECT_EQ(call.run(service({"start", "fix", "web", option, value, "--", "./serve"})), 0);
    return fake(call).started.readiness.value();
  };
  const client::ServiceReadiness file = asked("--ready-file", ".ready");
  EXPECT_EQ(file.type, "file");
  EXPECT_EQ(file.path, ".ready");
  const client::ServiceReadiness tcp = asked("--ready-tcp", "8080");
  EXPECT_EQ(tcp.type, "tcp");
  EXPECT_EQ(tcp.address, "8080");
  const client::ServiceReadiness command = asked("--ready-command", "test -e x");
  EXPECT_EQ(command.type, "command");
  EXPECT_EQ(command.command, "test -e x");
}

TEST(ServiceStart, DefaultsAreThoseOfTheLibrary) {
  Call call;
  EXPECT_EQ(call.run(service({"start", "fix", "web", "--", "./serve"})), 0);
  const client::ServiceOptions& o = fake(call).started;
  const client::ServiceOptions defaults;
  EXPECT_EQ(o.cwd, defaults.cwd);
  EXPECT_EQ(o.readiness.has_value(), false);
  EXPECT_EQ(o.ready_timeout_seconds, defaults.ready_timeout_seconds);
  EXPECT_EQ(o.ready_interval_ms, defaults.ready_interval_ms);
  EXPECT_EQ(o.restart, defaults.restart);
  EXPECT_TRUE(o.published_ports.empty());
  EXPECT_EQ(call.run(service({"stop", "fix", "web"})), 0);
  EXPECT_EQ(fake(call).timeout_asked, 10);
  EXPECT_EQ(call.run(service({"restart", "fix", "web", "--timeout-seconds", "0"})), 0);
  EXPECT_EQ(fake(call).timeout_asked, 0);
  EXPECT_EQ(call.run(service({"logs", "fix", "web"})), 0);
  EXPECT_EQ(fake(call).logs_asked.tail_lines, client::ServiceLogOptions().tail_lines);
  EXPECT_FALSE(fake(call).logs_asked.all);
  EXPECT_EQ(call.run(service({"logs", "fix", "web", "--all"})), 0);
  EXPECT_TRUE(fake(call).logs_asked.all);
}

TEST(ServiceStart, CtrlCGivesItUp) {
  Call call;
  fake(call).during_start = [&] { call.interrupts.received = SIGINT; };
  fake(call).fails = Error{.code = Errc::kUnavailable, .message = "interrupted", .hint = {}};
  EXPECT_EQ(call.run(service({"start", "fix", "web", "--", "./serve"})), 128 + SIGINT);
  EXPECT_EQ(call.interrupts.modes, std::vector{Interrupts::Mode::kForward});
}

// It is not the service's exit code that a start gives.
TEST(Service, ErrorsHaveTheCodeOfEveryCommand) {
  for (const Words& words : {service({"start", "x", "s", "--", "true"}), service({"list", "x"}),
                             service({"status", "x", "s"}), service({"logs", "x", "s"}),
                             service({"logs", "x", "s", "--follow"}), service({"stop", "x", "s"}),
                             service({"restart", "x", "s"})}) {
    Call call;
    fake(call).fails = Error{.code = Errc::kDeadline, .message = "not ready", .hint = "its lines"};
    EXPECT_EQ(call.run(words), 5) << words[2];
    EXPECT_EQ(call.err.text, "pyro: not ready\nhint: its lines\n");
    EXPECT_EQ(call.out.text, "");
  }
}

TEST(ServiceLogs, EachStreamKeepsItsBytesAndItsLines) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  Call call;
  fake(call).entries = {{.at = 1, .stream = "stdout", .text = bytes},
                        {.at = 2, .stream = "stderr", .text = bytes},
                        {.at = 3, .stream = "stdout", .text = "\n\nend\n"},
                        {.at = 4, .stream = "pyro", .text = "a\033[2Jb\n"}};
  EXPECT_EQ(call.run(service({"logs", "fix", "web"})), 0);
  EXPECT_EQ(call.out.text, bytes + "\n\nend\n");
  EXPECT_EQ(call.err.text,
            "Workspace: ws-1\nService: web\nState: running\n" + bytes + "\n[pyro] a\\x1b[2Jb\n");
}

TEST(ServiceLogs, TimestampsBeginLinesAndNotParts) {
  Call call;
  fake(call).entries = {{.at = 0.0015, .stream = "stdout", .text = "one\n\ntw"},
                        {.at = 1.5, .stream = "stdout", .text = ""},
                        {.at = 2, .stream = "stdout", .text = "o\nthree"}};
  EXPECT_EQ(call.run(service({"logs", "fix", "web", "--timestamps"})), 0);
  EXPECT_EQ(call.out.text,
            "1970-01-01T00:00:00.001Z one\n1970-01-01T00:00:00.001Z \n"
            "1970-01-01T00:00:00.001Z two\n1970-01-01T00:00:02.000Z three\n");
}

TEST(ServiceLogs, SaysThatThereWasMore) {
  for (const bool all : {false, true}) {
    Call call;
    fake(call).truncated = true;
    Words words = service({"logs", "fix", "web"});
    if (all) words.emplace_back("--all");
    EXPECT_EQ(call.run(words), 0);
    EXPECT_NE(call.err.text.find(all ? "[pyro] older output is not kept any more\n"
                                     : "[pyro] there is older output: --all shows"),
              std::string::npos)
        << call.err.text;
  }
}

TEST(ServiceLogs, FollowEndsWithTheServiceOrByCtrlC) {
  Call call;
  EXPECT_EQ(call.run(service({"logs", "fix", "web", "--follow", "--tail-lines", "3"})), 0);
  EXPECT_EQ(fake(call).calls, Words{"follow fix web"});
  EXPECT_EQ(fake(call).logs_asked.tail_lines, 3);
  EXPECT_EQ(fake(call).interrupt_fd, 77);

  Call interrupted;
  interrupted.interrupts.received = SIGINT;
  fake(interrupted).follow_fails =
      Error{.code = Errc::kUnavailable, .message = "cancelled", .hint = {}};
  EXPECT_EQ(interrupted.run(service({"logs", "fix", "web", "--follow"})), 0);
  EXPECT_EQ(interrupted.err.text.find("cancelled"), std::string::npos);
}

TEST(Service, NothingThatAGuestNamedDrivesTheTerminal) {
  const std::string bad = "x\033[2J\n";
  Call call;
  client::ServiceInfo& info = fake(call).info;
  info = FakeServices::full();
  info.command = info.cwd = info.stop_reason = info.last_error = bad;
  info.readiness = client::ServiceReadiness{.type = "command", .command = bad};
  for (const Words& words : {service({"status", "fix", "web"}), service({"list", "fix"}),
                             service({"stop", "fix", "web"}),
                             service({"start", "fix", "web", "--cwd", bad, "--", "./serve"})}) {
    call.out.text.clear();
    EXPECT_EQ(call.run(words), 0);
    EXPECT_EQ((call.out.text + call.err.text).find('\033'), std::string::npos) << words[2];
  }
}

}  // namespace
}  // namespace pyro::cli
