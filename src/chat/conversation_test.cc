#include "chat/conversation.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <vector>

namespace pyro::chat {
namespace {

namespace json = boost::json;

std::string says(const std::string& text) {
  return json::serialize(json::value{{"choices", {{{"message", {{"content", text}}}}}}});
}

std::string calls(const std::string& tool, const std::string& arguments) {
  const json::object function{{"name", tool}, {"arguments", arguments}};
  json::array list;
  list.push_back(json::object{{"function", function}});
  json::array choices;
  choices.push_back(json::object{{"message", json::object{{"tool_calls", list}}}});
  return json::serialize(json::object{{"choices", choices}});
}

// A model that gives its answers in turn, the last one again and again.
class ScriptedModel final : public Endpoint {
 public:
  explicit ScriptedModel(std::vector<Reply> replies) : replies_(std::move(replies)) {}
  Result<Reply> post(std::string_view path, const std::string& body) override {
    EXPECT_EQ(path, "/chat/completions");
    requests.push_back(json::parse(body).as_object());
    const std::size_t n = std::min(requests.size(), replies_.size()) - 1;
    return replies_[n];
  }
  std::vector<json::object> requests;

 private:
  std::vector<Reply> replies_;
};

const Question kQuestion{.model = "small", .system = "Be brief.", .text = "Which git?"};

Tool echo_tool(std::vector<std::string>& seen) {
  return {.name = "vm_run",
          .description = "Runs a command",
          .parameters = {{"type", "object"}},
          .call = [&seen](const ToolCall& call) -> Result<std::string> {
            seen.push_back(call.arguments);
            return "result of " + call.arguments;
          }};
}

TEST(Conversation, ResultsOfCallsGoBackToTheModel) {
  ScriptedModel model({{200, calls("vm_run", "{\"a\":1}")}, {200, says("It is 2.39.")}});
  std::vector<std::string> seen;
  std::vector<std::string> heard;
  const Listener listener{.on_ask = [&](int round) -> Result<void> {
                            heard.push_back("ask " + std::to_string(round));
                            return {};
                          },
                          .on_answer = [&](const Answer& answer) -> Result<void> {
                            heard.push_back(std::to_string(answer.calls.size()) + answer.text);
                            return {};
                          }};
  const auto outcome = converse(model, kQuestion, echo_tool(seen), listener);
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(outcome->answer, "It is 2.39.");
  EXPECT_EQ(outcome->rounds, 2);
  EXPECT_EQ(outcome->calls, 1);
  EXPECT_EQ(seen, std::vector<std::string>{"{\"a\":1}"});
  EXPECT_EQ(heard, (std::vector<std::string>{"ask 1", "1", "ask 2", "0It is 2.39."}));

  ASSERT_EQ(model.requests.size(), 2U);
  const json::object& first = model.requests[0];
  EXPECT_EQ(first.at("model"), "small");
  EXPECT_EQ(first.at("stream"), false);
  EXPECT_EQ(first.at("messages"), json::parse(R"([{"role": "system", "content": "Be brief."},
                            {"role": "user", "content": "Which git?"}])"));
  EXPECT_EQ(first.at("tools"), json::parse(R"([{"type": "function", "function": {"name": "vm_run",
                "description": "Runs a command", "parameters": {"type": "object"}}}])"));
  const json::array& messages = model.requests[1].at("messages").as_array();
  ASSERT_EQ(messages.size(), 4U);
  EXPECT_EQ(messages[2], json::parse(R"({"role": "assistant", "content": "", "tool_calls": [
                {"id": "call_1", "type": "function",
                 "function": {"name": "vm_run", "arguments": "{\"a\":1}"}}]})"));
  EXPECT_EQ(messages[3], json::parse(R"({"role": "tool", "tool_call_id": "call_1",
                                         "content": "result of {\"a\":1}"})"));
}

TEST(Conversation, AToolThatIsNotThereIsNotCalled) {
  ScriptedModel model({{200, calls("rm_rf", "{}")}, {200, says("Sorry.")}});
  std::vector<std::string> seen;
  const auto outcome = converse(model, kQuestion, echo_tool(seen), {});
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(seen.empty());
  EXPECT_EQ(model.requests[1].at("messages").as_array()[3].at("content"),
            "there is no tool \"rm_rf\"; the only one is vm_run");
}

TEST(Conversation, AModelThatGoesOnCallingIsStopped) {
  ScriptedModel model({{200, calls("vm_run", "{}")}});
  std::vector<std::string> seen;
  const auto outcome = converse(model, kQuestion, echo_tool(seen), {});
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::kLimit) << outcome.error().message;
  EXPECT_EQ(static_cast<int>(model.requests.size()), kMaxRounds);
}

TEST(Conversation, WhatAToolSaysIsBounded) {
  ScriptedModel model({{200, calls("vm_run", "{}")}, {200, says("Long.")}});
  Tool tool{.name = "vm_run", .description = "", .parameters = {}, .call = [](const ToolCall&) {
              return Result<std::string>(std::string(1U << 20, 'x'));
            }};
  ASSERT_TRUE(converse(model, kQuestion, tool, {}));
  EXPECT_EQ(model.requests[1].at("messages").as_array()[3].at("content").as_string().size(),
            kMaxToolText);
}

TEST(Conversation, WhatAToolSaysIsCutBetweenCharacters) {
  ScriptedModel model({{200, calls("vm_run", "{}")}, {200, says("done")}});
  std::vector<std::string> seen;
  Tool tool = echo_tool(seen);
  const std::string almost(kMaxToolText - 1, 'x');
  tool.call = [&](const ToolCall&) -> Result<std::string> { return almost + "\xc3\xa9"; };
  // The model reads JSON, which half a character is not.
  ASSERT_TRUE(converse(model, kQuestion, tool, {}));
  EXPECT_EQ(model.requests[1].at("messages").as_array().back().at("content").as_string(), almost);
}

TEST(Conversation, RefusalsAndErrorsEndIt) {
  struct Row {
    Reply reply;
    Errc code;
    const char* words;
  };
  for (const Row& row : {Row{{404, R"({"error": {"message": "model 'small' not found"}})"},
                             Errc::kNotFound,
                             "model 'small' not found"},
                         Row{{401, "{}"}, Errc::kDenied, "status 401"},
                         Row{{500, ""}, Errc::kUnavailable, "status 500"},
                         Row{{200, "{}"}, Errc::kUnavailable, "no chat completion"}}) {
    ScriptedModel model({row.reply});
    std::vector<std::string> seen;
    const auto outcome = converse(model, kQuestion, echo_tool(seen), {});
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, row.code);
    EXPECT_NE(outcome.error().message.find(row.words), std::string::npos)
        << outcome.error().message;
    EXPECT_NE(outcome.error().hint, "");
  }
  ScriptedModel model({{200, calls("vm_run", "{}")}});
  const Tool broken{
      .name = "vm_run", .description = "", .parameters = {}, .call = [](const ToolCall&) {
        return Result<std::string>(fail(Errc::kUnavailable, "interrupted"));
      }};
  const auto outcome = converse(model, kQuestion, broken, {});
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().message, "interrupted");
  EXPECT_EQ(model.requests.size(), 1U);
}

}  // namespace
}  // namespace pyro::chat
