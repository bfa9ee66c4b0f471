#include "chat/answer.h"

#include <gtest/gtest.h>

namespace pyro::chat {
namespace {

std::string with_message(const std::string& message) {
  return R"({"choices": [{"index": 0, "message": )" + message + "}]}";
}

TEST(Answer, TextAndCallsAreRead) {
  const auto text = parse_answer(with_message(R"({"role": "assistant", "content": "Hello."})"));
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, (Answer{.text = "Hello.", .calls = {}}));

  const auto calls = parse_answer(with_message(
      R"({"content": null, "tool_calls": [
        {"id": "call_1", "type": "function",
         "function": {"name": "vm_run", "arguments": "{\"command\": \"ls\"}"}},
        {"function": {"name": "vm_run", "arguments": {"command": "id"}}}]})"));
  ASSERT_TRUE(calls) << calls.error().message;
  EXPECT_EQ(calls->text, "");
  ASSERT_EQ(calls->calls.size(), 2U);
  EXPECT_EQ(calls->calls[0],
            (ToolCall{.id = "call_1", .name = "vm_run", .arguments = R"({"command": "ls"})"}));
  EXPECT_EQ(calls->calls[1],
            (ToolCall{.id = "", .name = "vm_run", .arguments = R"({"command":"id"})"}));
}

TEST(Answer, WhatIsNoneIsSaidToBeNone) {
  for (const std::string& body : std::vector<std::string>{
           "", "<html>hello</html>", "[]", "{}", R"({"choices": []})", R"({"choices": {}})",
           R"({"choices": [1]})", R"({"choices": [{"message": "hi"}]})",
           with_message(R"({"content": 7})"), with_message(R"({"tool_calls": "ls"})"),
           with_message(R"({"tool_calls": [7]})"), with_message(R"({"tool_calls": [{}]})"),
           with_message(R"({"tool_calls": [{"function": {"name": []}}]})"),
           std::string(100'000, '[')}) {
    const auto answer = parse_answer(body);
    ASSERT_FALSE(answer) << body.substr(0, 80);
    EXPECT_EQ(answer.error().code, Errc::kUnavailable) << answer.error().message;
    EXPECT_NE(answer.error().hint, "");
  }
}

TEST(Answer, BoundsAreKept) {
  const std::string long_text(kMaxAnswerText + 1, 'x');
  std::string many = "[";
  for (std::size_t i = 0; i <= kMaxCalls; ++i) {
    many += std::string(i == 0 ? "" : ",") + R"({"function": {"name": "vm_run"}})";
  }
  many += "]";
  for (const std::string& message : std::vector<std::string>{
           R"({"content": ")" + long_text + "\"}",
           R"({"tool_calls": [{"function": {"arguments": ")" + long_text + "\"}}]}",
           R"({"tool_calls": [{"function": {"arguments": {"a": ")" + long_text + "\"}}}]}",
           R"({"tool_calls": )" + many + "}"}) {
    const auto answer = parse_answer(with_message(message));
    ASSERT_FALSE(answer) << message.substr(0, 80);
    EXPECT_EQ(answer.error().code, Errc::kLimit) << answer.error().message;
  }
}

TEST(Answer, ArgumentsAreAnObject) {
  const auto good = parse_arguments(R"({"command": ["git", "--version"]})");
  ASSERT_TRUE(good);
  EXPECT_TRUE(good->contains("command"));
  for (const char* text : {"", "[]", "7", "{", "{\"a\": 1} x", "git --version"}) {
    const auto bad = parse_arguments(text);
    ASSERT_FALSE(bad) << text;
    EXPECT_EQ(bad.error().code, Errc::kInvalid);
  }
}

TEST(Answer, AFailureIsOneBoundedLine) {
  EXPECT_EQ(failure_text(R"({"error": {"message": "model \"x\" not found"}})"),
            "model \"x\" not found");
  EXPECT_EQ(failure_text(R"({"error": "no"})"), "no");
  EXPECT_EQ(failure_text("404\r\nnot here\n"), "404  not here");
  EXPECT_EQ(failure_text(""), "");
  EXPECT_EQ(failure_text(R"({"error": {"code": 7}})"), R"({"error": {"code": 7}})");
  EXPECT_LE(failure_text(std::string(10'000, 'x')).size(), 310U);
  EXPECT_LE(failure_text(R"({"error": ")" + std::string(10'000, 'x') + "\"}").size(), 310U);
}

}  // namespace
}  // namespace pyro::chat
