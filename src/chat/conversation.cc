#include "chat/conversation.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "base/terminal_text.h"

namespace pyro::chat {
namespace {

namespace json = boost::json;

constexpr unsigned kOk = 200;
constexpr unsigned kUnauthorized = 401, kForbidden = 403, kMissing = 404;

std::unexpected<Error> refused(const Reply& reply, const std::string& model) {
  std::string text = failure_text(reply.body);
  std::string what = fmt::format("the endpoint answered with status {}", reply.status) +
                     (text.empty() ? "" : ": " + text);
  if (reply.status == kMissing) {
    return fail_hint(Errc::kNotFound, std::move(what),
                     "the model must be there (for Ollama: ollama pull " + model +
                         "), and the base URL often ends in /v1");
  }
  if (reply.status == kUnauthorized || reply.status == kForbidden) {
    return fail_hint(Errc::kDenied, std::move(what),
                     "use an endpoint that takes no key: --base-url URL");
  }
  return fail_hint(Errc::kUnavailable, std::move(what),
                   "see the log of the endpoint; the model must be able to use tools");
}

json::object said(const char* role, const std::string& text) {
  return {{"role", role}, {"content", text}};
}

// In the words of the API, made anew: nothing that a model said is passed on as it is.
json::object said_by_model(const Answer& answer) {
  json::array calls;
  for (const ToolCall& call : answer.calls) {
    calls.push_back(
        json::object{{"id", call.id},
                     {"type", "function"},
                     {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  }
  json::object message = said("assistant", answer.text);
  message["tool_calls"] = std::move(calls);
  return message;
}

class Conversation {
 public:
  Conversation(Endpoint& endpoint, const Question& question, const Tool& tool,
               const Listener& listener)
      : endpoint_(endpoint), question_(question), tool_(tool), listener_(listener) {
    messages_.push_back(said("system", question.system));
    messages_.push_back(said("user", question.text));
    tools_.push_back(json::object{{"type", "function"},
                                  {"function",
                                   {{"name", tool.name},
                                    {"description", tool.description},
                                    {"parameters", tool.parameters}}}});
  }

  Result<Outcome> run() {
    while (outcome_.rounds < kMaxRounds) {
      PYRO_TRY(Answer answer, ask());
      if (listener_.on_answer) PYRO_CHECK(listener_.on_answer(answer));
      if (answer.calls.empty()) {
        outcome_.answer = std::move(answer.text);
        return outcome_;
      }
      PYRO_CHECK(make_calls(answer));
    }
    return fail_hint(Errc::kLimit,
                     fmt::format("after {} rounds and {} tool calls the model has not answered",
                                 outcome_.rounds, outcome_.calls),
                     "try again, or another model: --model NAME");
  }

 private:
  Result<Answer> ask() {
    ++outcome_.rounds;
    if (listener_.on_ask) PYRO_CHECK(listener_.on_ask(outcome_.rounds));
    const json::object request{{"model", question_.model},
                               {"messages", messages_},
                               {"tools", tools_},
                               {"stream", false},
                               {"temperature", 0}};
    PYRO_TRY(const Reply reply, endpoint_.post("/chat/completions", json::serialize(request)));
    if (reply.status != kOk) return refused(reply, question_.model);
    return parse_answer(reply.body);
  }

  Result<void> make_calls(Answer& answer) {
    for (ToolCall& call : answer.calls) {
      ++outcome_.calls;
      if (call.id.empty()) call.id = "call_" + std::to_string(outcome_.calls);
    }
    messages_.push_back(said_by_model(answer));
    for (const ToolCall& call : answer.calls) {
      std::string text;
      if (call.name == tool_.name) {
        PYRO_TRY(text, tool_.call(call));
      } else {
        text = "there is no tool \"" + call.name + "\"; the only one is " + tool_.name;
      }
      if (text.size() > kMaxToolText) {
        text.resize(whole_characters(std::string_view(text).substr(0, kMaxToolText), kMaxToolText));
      }
      json::object result = said("tool", text);
      result["tool_call_id"] = call.id;
      messages_.push_back(std::move(result));
    }
    return {};
  }

  Endpoint& endpoint_;
  const Question& question_;
  const Tool& tool_;
  const Listener& listener_;
  json::array messages_, tools_;
  Outcome outcome_;
};

}  // namespace

Result<Outcome> converse(Endpoint& endpoint, const Question& question, const Tool& tool,
                         const Listener& listener) {
  return Conversation(endpoint, question, tool, listener).run();
}

}  // namespace pyro::chat
