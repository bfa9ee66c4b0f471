#include "api/arguments.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>

namespace pyro::api {
namespace {

namespace json = boost::json;

// What is wrong with arguments of an operation; "" when nothing is.
std::string problems(const char* operation, const std::string& arguments) {
  const json::object object = json::parse(arguments).as_object();
  const auto checked = Arguments::check(*proto::find_operation(operation), object);
  if (checked) return "";
  EXPECT_EQ(checked.error().code, Errc::kInvalid);
  return checked.error().message;
}

TEST(Arguments, GivesWhatWasGivenAndDefaults) {
  const json::object object = json::parse(R"({"environment":"debian:12","command":["ls","-l"],
      "mem_mib":2048.0,"allow_udp":true,"net_allow":["a:1","b:2"],"policy_file":null})")
                                  .as_object();
  const auto args = Arguments::check(*proto::find_operation("run"), object);
  ASSERT_TRUE(args) << args.error().message;
  EXPECT_EQ(args->text("environment"), "debian:12");
  EXPECT_EQ(args->command().words, (std::vector<std::string>{"ls", "-l"}));
  EXPECT_EQ(args->command().line, "");
  EXPECT_EQ(args->integer("mem_mib"), 2048);
  EXPECT_EQ(args->integer("vcpu_count"), 1);
  EXPECT_TRUE(args->flag("allow_udp"));
  EXPECT_FALSE(args->flag("allow_icmp"));
  EXPECT_EQ(args->list("net_allow"), (std::vector<std::string>{"a:1", "b:2"}));
  EXPECT_EQ(args->text("network_policy"), "off");
  EXPECT_EQ(args->given_text("network_policy"), std::nullopt);
  EXPECT_FALSE(args->given("policy_file"));
  EXPECT_EQ(args->given_integer("ttl_seconds"), std::nullopt);
  EXPECT_FALSE(args->given("json"));
}

TEST(Arguments, ACommandMayBeOneLine) {
  const json::object object{{"workspace_id", "fix"}, {"command", "ls | wc -l"}};
  const auto args = Arguments::check(*proto::find_operation("workspace.exec"), object);
  ASSERT_TRUE(args);
  EXPECT_EQ(args->command().line, "ls | wc -l");
  EXPECT_TRUE(args->command().words.empty());
}

TEST(Arguments, NamesStandForThemselvesWhereAValueMayBeLeftOut) {
  const json::object list{
      {"workspace_id", "w"}, {"command", "x"}, {"secret_env", json::array{"A", "B"}}};
  const auto names = Arguments::check(*proto::find_operation("workspace.exec"), list);
  ASSERT_TRUE(names);
  EXPECT_EQ(names->map("secret_env"), (std::map<std::string, std::string>{{"A", "A"}, {"B", "B"}}));
  const json::object map{{"workspace_id", "w"}, {"command", "x"}, {"secret_env", {{"A", "TOKEN"}}}};
  const auto pairs = Arguments::check(*proto::find_operation("workspace.exec"), map);
  ASSERT_TRUE(pairs);
  EXPECT_EQ(pairs->map("secret_env"), (std::map<std::string, std::string>{{"A", "TOKEN"}}));
}

TEST(Arguments, AllProblemsAreToldAtOnce) {
  EXPECT_EQ(problems("run", R"({"vcpu_count":0,"mem_mib":"1024","boot":"warm","net_allow":"a:1",
                               "enviroment":"debian:12","command":[]})"),
            "vcpu_count must be a whole number from 1 to 32; "
            "mem_mib must be a whole number from 128 to 65536; "
            "boot must be one of template, cold; net_allow must be a list; "
            "there is no argument \"enviroment\" (did you mean environment?); command is empty; "
            "environment is missing");
}

TEST(Arguments, EveryTypeIsChecked) {
  const auto exec = [](const std::string& rest) {
    return problems("workspace.exec", R"({"workspace_id":"w","command":"x",)" + rest + "}");
  };
  EXPECT_EQ(exec(R"("timeout_seconds":1.5)"),
            "timeout_seconds must be a whole number from 1 to 86400");
  EXPECT_EQ(exec(R"("timeout_seconds":1e30)"),
            "timeout_seconds must be a whole number from 1 to 86400");
  EXPECT_EQ(exec(R"("timeout_seconds":18446744073709551615)"),
            "timeout_seconds must be a whole number from 1 to 86400");
  EXPECT_EQ(exec(R"("timeout_seconds":null)"),
            "timeout_seconds must be a whole number from 1 to 86400");
  EXPECT_EQ(exec(R"("cwd":1)"), "cwd must be a string");
  EXPECT_EQ(exec(R"("cwd":"a\u0000b")"), "cwd has a NUL character in it");
  EXPECT_EQ(exec(R"("env":["A"])"), "env must be an object of strings");
  EXPECT_EQ(exec(R"("env":{"A":1})"), "env[\"A\"] must be a string");
  EXPECT_EQ(exec(R"("env":{"1A":"x"})"), "env has a name that cannot be one: \"1A\"");
  EXPECT_EQ(exec(R"("secret_env":"A")"),
            "secret_env must be an object of strings, or a list of names");
  EXPECT_EQ(problems("workspace.exec", R"({"workspace_id":"","command":["",1]})"),
            "workspace_id is empty; command is empty; command[1] must be a string");
  EXPECT_EQ(problems("workspace.exec", R"({"workspace_id":["w"],"command":{}})"),
            "workspace_id must be a string; "
            "command must be a list of words, or a string for /bin/sh -c");
  EXPECT_EQ(problems("workspace.diff", R"({"workspace_id":null})"),
            "workspace_id must be a string");
  EXPECT_EQ(problems("workspace.shell.write",
                     R"({"workspace_id":"w","shell_id":"s","input":"","append_newline":"yes"})"),
            "append_newline must be true or false");
  EXPECT_EQ(problems("workspace.network.set", R"({"workspace_id":"w","net_deny":["a",2]})"),
            "net_deny[1] must be a string");
  EXPECT_EQ(problems("policy.explain", R"({"endpoints":[]})"), "endpoints is empty");
}

TEST(Arguments, ObjectsAreCheckedWithin) {
  const auto start = [](const std::string& rest) {
    return problems("workspace.service.start",
                    R"({"workspace_id":"w","service_name":"s","command":"x",)" + rest + "}");
  };
  EXPECT_EQ(start(R"("readiness":{"type":"tcp","address":"80"},
                     "published_ports":[{"guest_port":80},{"guest_port":81,"host_port":null}])"),
            "");
  EXPECT_EQ(start(R"("readiness":"tcp")"), "readiness must be an object");
  EXPECT_EQ(start(R"("readiness":{"type":"udp"})"),
            "readiness.type must be one of file, tcp, http, command");
  EXPECT_EQ(start(R"("readiness":{"address":"80"})"), "readiness.type is missing");
  EXPECT_EQ(start(R"("published_ports":[8080])"), "published_ports[0] must be an object");
  EXPECT_EQ(start(R"("published_ports":[{"guest_port":70000,"port":1}])"),
            "published_ports[0].guest_port must be a whole number from 1 to 65535; "
            "published_ports[0] has a field \"port\" that is none of guest_port, host_port");
}

TEST(Arguments, WhatGoesWithASecretIsNeverRepeated) {
  const auto create = [](const std::string& secrets) {
    return problems("workspace.create", R"({"environment":"debian:12","secrets":)" + secrets + "}");
  };
  const char* bad[] = {
      R"("hunter2")",
      R"(["hunter2"])",
      R"([{"name":"hunter2 ","value":"hunter2"}])",
      R"([{"name":"A","hunter2":"hunter2"}])",
      R"([{"name":"A","value":["hunter2"]}])",
      R"([{"name":"A","value":"hunter2\u0000"}])",
      R"({"A":"hunter2"})",
  };
  for (const char* secrets : bad) {
    const std::string message = create(secrets);
    EXPECT_NE(message, "") << secrets;
    EXPECT_EQ(message.find("hunter2"), std::string::npos) << message;
  }
  const char* mixed[] = {R"({"hunter2 ":"A"})", R"({"A":"hunter2 "})", R"({"hunter2":1})",
                         R"(["hunter2 "])"};
  for (const char* secret_env : mixed) {
    const std::string message =
        problems("workspace.exec", R"({"workspace_id":"w","command":"x","secret_env":)" +
                                       std::string(secret_env) + "}");
    EXPECT_NE(message, "") << secret_env;
    EXPECT_EQ(message.find("hunter2"), std::string::npos) << message;
  }
}

TEST(Arguments, OnlyContentMayHoldAnything) {
  EXPECT_EQ(
      problems("workspace.file.write", R"({"workspace_id":"w","path":"a","text":"\u0000\u0001"})"),
      "");
  const std::string large(std::size_t{2} << 20, 'a');
  EXPECT_EQ(problems("workspace.patch.apply", R"({"workspace_id":"w","patch":")" + large + "\"}"),
            "");
  EXPECT_EQ(problems("workspace.diff", R"({"workspace_id":")" + large + "\"}"),
            "workspace_id is too long");
}

TEST(Arguments, AFloodOfProblemsIsCutOff) {
  json::object object;
  for (int i = 0; i < 10'000; ++i) object["x" + std::to_string(i)] = 1;
  const auto checked = Arguments::check(*proto::find_operation("env.list"), object);
  ASSERT_FALSE(checked);
  EXPECT_LT(checked.error().message.size(), 2000U);
  EXPECT_TRUE(checked.error().message.ends_with("; and perhaps more"));
  EXPECT_EQ(checked.error().hint, "the arguments are: none");
}

}  // namespace
}  // namespace pyro::api
