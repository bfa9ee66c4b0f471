#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <csignal>

#include "api/api.h"
#include "cli/testing.h"
#include "proto/operations.h"

namespace pyro::cli {
namespace {

namespace json = boost::json;
using testing::Call;
using testing::expect_golden;
using Words = std::vector<std::string>;

std::string completion(const json::object& message) {
  json::array choices;
  choices.push_back(json::object{{"message", message}});
  return json::serialize(json::object{{"choices", choices}});
}
std::string says(const std::string& text) {
  return completion({{"role", "assistant"}, {"content", text}});
}
std::string calls(const std::string& arguments) {
  json::array list;
  list.push_back(
      json::object{{"id", "call_7"},
                   {"type", "function"},
                   {"function", json::object{{"name", "vm_run"}, {"arguments", arguments}}}});
  return completion({{"content", nullptr}, {"tool_calls", list}});
}
const std::string kGit = R"({"environment": "debian:12", "command": ["git", "--version"]})";

// The content of the last message that the model was sent.
std::string last_message(const std::string& request) {
  const json::value root = json::parse(request);
  return std::string(root.at("messages").as_array().back().as_object().at("content").as_string());
}

TEST(DemoOllama, AModelRunsACommandAndAnswers) {
  Call call;
  call.tick = std::chrono::milliseconds(100);
  call.backend.model_answers = {calls(kGit), says("debian:12 has git 2.39.5.")};
  EXPECT_EQ(call.run({"demo", "ollama"}), 0);
  EXPECT_EQ(call.backend.model_url, "http://localhost:11434/v1");
  EXPECT_EQ(call.backend.exec.argv, (Words{"git", "--version"}));
  EXPECT_EQ(call.backend.create.environment, "debian:12");
  EXPECT_EQ(call.backend.create.network.policy.value_or("off"), "off");
  EXPECT_EQ(call.interrupts.modes.back(), Interrupts::Mode::kEnd);
  ASSERT_EQ(call.backend.model_requests.size(), 2U);
  EXPECT_EQ(last_message(call.backend.model_requests[1]),
            R"({"exit_code":0,"stdout":"git version 2.39.5\n","stderr":""})");
  EXPECT_EQ(call.err.text, "");
}

TEST(DemoOllama, PrintsALogAndASummary) {
  std::string all;
  for (const Words& words :
       {Words{"demo", "ollama"},
        Words{"demo", "ollama", "-v", "--model", "a model", "--base-url", "http://[::1]:80/v1"}}) {
    Call call;
    call.tick = std::chrono::milliseconds(100);
    call.backend.model_answers = {calls(R"({"environment": "debian:12"})"), calls(kGit),
                                  says("It is\n\033[31mgit 2.39.5.")};
    all += call.transcript(words);
  }
  expect_golden("demo_ollama.txt", all);
}

TEST(DemoOllama, TheToolIsWhatTheTableSaysWithoutWhatOpensTheHost) {
  Call call;
  call.backend.model_answers = {calls(kGit), says("Done.")};
  EXPECT_EQ(call.run({"demo", "ollama", "--model", "small"}), 0);
  const json::value request = json::parse(call.backend.model_requests[0]);
  EXPECT_EQ(request.at("model"), "small");
  const json::object& function =
      request.at("tools").as_array().at(0).as_object().at("function").as_object();
  EXPECT_EQ(function.at("name"), "vm_run");
  const json::object whole = api::input_schema(*proto::find_operation("run"));
  const json::object& parameters = function.at("parameters").as_object();
  EXPECT_EQ(parameters.at("required"), json::parse(R"(["environment", "command"])"));
  EXPECT_EQ(parameters.at("properties").as_object().size(), 2U);
  for (const auto& pair : parameters.at("properties").as_object()) {
    EXPECT_EQ(pair.value(), whole.at("properties").as_object().at(pair.key())) << pair.key();
  }
}

TEST(DemoOllama, WrongArgumentsAreToldToTheModelAndRunNothing) {
  for (const char* arguments :
       {"git --version", R"({"environment": "debian:12", "command": "id", "network": true})",
        R"({"environment": "debian:12", "command": "id", "smolfile": "/etc/shadow"})",
        R"({"environment": "debian:12", "command": []})", R"({"environment": "debian:12"})",
        R"({"environment": 7, "command": "id"})"}) {
    Call call;
    call.backend.model_answers = {calls(arguments), says("I cannot.")};
    EXPECT_EQ(call.run({"demo", "ollama"}), 4) << arguments;
    EXPECT_TRUE(call.backend.calls.empty()) << arguments;
    const json::value told = json::parse(last_message(call.backend.model_requests.at(1)));
    EXPECT_EQ(told.at("error").at("code"), "invalid") << arguments;
    EXPECT_NE(call.out.text.find("phase=refused code=invalid"), std::string::npos);
    EXPECT_NE(call.err.text.find("without a command having run"), std::string::npos)
        << call.err.text;
    EXPECT_EQ(call.out.text.find("[summary]"), std::string::npos);
  }
}

TEST(DemoOllama, LongOutputIsCutForTheModel) {
  Call call;
  call.backend.stdout_bytes = std::string(100'000, 'x');
  call.backend.model_answers = {calls(kGit), says("Long.")};
  EXPECT_EQ(call.run({"demo", "ollama"}), 0);
  const json::value told = json::parse(last_message(call.backend.model_requests.at(1)));
  EXPECT_EQ(told.at("stdout").as_string().size(), 8192U);
  EXPECT_EQ(told.at("stdout_truncated"), true);
}

TEST(DemoOllama, TheLastCommandDecidesTheExitCode) {
  Call call;
  call.backend.result.exit_code = 9;
  call.backend.model_answers = {calls(kGit), says("It failed.")};
  EXPECT_EQ(call.run({"demo", "ollama"}), 1);
  EXPECT_NE(call.out.text.find("[summary] exit_code=9 "), std::string::npos) << call.out.text;
}

TEST(DemoOllama, ErrorsHaveTheirExitCode) {
  struct Row {
    Words words;
    std::vector<std::string> answers;
    int exit;
    const char* text;
  };
  const std::string endless = calls(kGit);
  for (const Row& row :
       {Row{{"demo", "ollama"}, {""}, 4, "no model answers"},
        Row{{"demo", "ollama"}, {says("2.39, I think.")}, 4, "without a command having run"},
        Row{{"demo", "ollama"}, {"<html>"}, 4, "no chat completion"},
        Row{{"demo", "ollama"}, {endless}, 1, "after 12 rounds and 12 tool calls"},
        Row{{"demo", "ollama", "--base-url", "https://x/"}, {""}, 2, "only http is spoken"},
        Row{{"demo", "ollama", "-x"}, {""}, 2, "unknown option \"-x\" of pyro demo ollama"},
        Row{{"demo", "ollama", "-v", "--verbose"}, {""}, 2, "is given twice"},
        Row{{"demo", "olama"}, {""}, 2, "unexpected argument \"olama\" of pyro demo"}}) {
    Call call;
    call.backend.model_answers = row.answers;
    EXPECT_EQ(call.run(row.words), row.exit) << row.text;
    EXPECT_NE(call.err.text.find(row.text), std::string::npos) << call.err.text;
  }
}

TEST(DemoOllama, AnInterruptEndsTheConversation) {
  Call call;
  call.interrupts.received = SIGINT;
  call.backend.model_answers = {calls(kGit), says("Never asked.")};
  EXPECT_EQ(call.run({"demo", "ollama"}), 130);
  EXPECT_EQ(call.backend.model_requests.size(), 1U);
  EXPECT_EQ(call.err.text, "");
}

TEST(DemoOllama, AFailingHostIsToldToTheModel) {
  Call call;
  call.backend.fails = Error{.code = Errc::kUnavailable, .message = "no QEMU", .hint = "get it"};
  call.backend.model_answers = {calls(kGit), says("It does not work.")};
  EXPECT_EQ(call.run({"demo", "ollama"}), 4);
  const json::value told = json::parse(last_message(call.backend.model_requests.at(1)));
  EXPECT_EQ(told.at("error").at("hint"), "get it");
}

}  // namespace
}  // namespace pyro::cli
