// What a model said: the body of an answer of /chat/completions, which is not to be trusted.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pyro::chat {

struct ToolCall {
  std::string id;         // may be empty: not every server gives one
  std::string name;       // of the tool
  std::string arguments;  // JSON, as the model wrote it

  bool operator==(const ToolCall&) const = default;
};

struct Answer {
  std::string text;  // may be empty when there are calls
  std::vector<ToolCall> calls;

  bool operator==(const Answer&) const = default;
};

inline constexpr std::size_t kMaxCalls = 8;               // in one answer
inline constexpr std::size_t kMaxAnswerText = 64U << 10;  // bytes; also of a call's arguments

// kUnavailable: it is no chat completion; kLimit: a bound of the above.
Result<Answer> parse_answer(std::string_view body);

// An object, from arguments as a model wrote them. kInvalid is for the model to read.
Result<boost::json::object> parse_arguments(std::string_view arguments);

// What an endpoint says of a failure: {"error": {"message": ...}}, {"error": "..."} or its
// beginning, on one line; "" for nothing.
std::string failure_text(std::string_view body);

}  // namespace pyro::chat
