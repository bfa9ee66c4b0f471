// A question to a model that may use one tool: asked, the calls made, their results told, asked
// again, until the model answers.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "chat/answer.h"
#include "chat/endpoint.h"

namespace pyro::chat {

struct Tool {
  std::string name;
  std::string description;
  boost::json::object parameters;  // JSON Schema
  // Makes a call and gives what to tell the model, at most kMaxToolText bytes of it. An error ends
  // the conversation: what the model can do something about is a text.
  std::function<Result<std::string>(const ToolCall& call)> call;
};

// All may be empty.
struct Listener {
  std::function<Result<void>(int round)> on_ask;
  std::function<Result<void>(const Answer& answer)> on_answer;  // before its calls are made
};

struct Question {
  std::string model;
  std::string system;  // what the model is told before the question
  std::string text;
};

struct Outcome {
  std::string answer;
  int rounds = 0;  // questions and results that were sent
  int calls = 0;
};

inline constexpr int kMaxRounds = 12;
inline constexpr std::size_t kMaxToolText = 20U << 10;

// kNotFound: the endpoint has no such model or no such API; kDenied: it wants to know who asks;
// kLimit: there were kMaxRounds and still no answer; and as Endpoint and parse_answer() have them.
Result<Outcome> converse(Endpoint& endpoint, const Question& question, const Tool& tool,
                         const Listener& listener);

}  // namespace pyro::chat
