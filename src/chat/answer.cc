#include "chat/answer.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

namespace pyro::chat {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxName = 256;
constexpr std::size_t kMaxFailure = 300;

std::unexpected<Error> no_completion(std::string_view why) {
  return fail_hint(Errc::kUnavailable, "the answer is no chat completion: " + std::string(why),
                   "the base URL must be that of an OpenAI-compatible API: it often ends in /v1");
}

std::unexpected<Error> too_much(std::string what) {
  return fail_hint(Errc::kLimit, std::move(what), "try again, or another model: --model NAME");
}

const json::object* object_in(const json::value* value) {
  return value == nullptr ? nullptr : value->if_object();
}

// A string, or nothing: null and what is missing count as "".
Result<std::string> text_of(const json::object& object, std::string_view key, std::size_t most) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return std::string();
  const json::string* text = value->if_string();
  if (text == nullptr) return no_completion("\"" + std::string(key) + "\" is no text");
  if (text->size() > most) {
    return too_much(fmt::format("the model's \"{}\" has {} bytes, and {} are the most", key,
                                text->size(), most));
  }
  return std::string(*text);
}

Result<ToolCall> parse_call(const json::value& value) {
  const json::object* call = value.if_object();
  if (call == nullptr) return no_completion("a tool call is no object");
  const json::object* function = object_in(call->if_contains("function"));
  if (function == nullptr) return no_completion("a tool call has no function");
  ToolCall out;
  PYRO_TRY(out.id, text_of(*call, "id", kMaxName));
  PYRO_TRY(out.name, text_of(*function, "name", kMaxName));
  // The API has them as text with JSON in it; some servers give the object itself.
  if (const json::object* arguments = object_in(function->if_contains("arguments"))) {
    out.arguments = json::serialize(*arguments);
    if (out.arguments.size() > kMaxAnswerText) {
      return too_much("the arguments of a tool call are too large");
    }
    return out;
  }
  PYRO_TRY(out.arguments, text_of(*function, "arguments", kMaxAnswerText));
  return out;
}

}  // namespace

Result<Answer> parse_answer(std::string_view body) {
  boost::system::error_code ec;
  const json::value root = json::parse(body, ec);
  if (ec) return no_completion(ec.message());
  const json::object* top = root.if_object();
  const json::value* choices = top == nullptr ? nullptr : top->if_contains("choices");
  const json::array* list = choices == nullptr ? nullptr : choices->if_array();
  if (list == nullptr || list->empty()) return no_completion("it has no \"choices\"");
  const json::object* choice = list->front().if_object();
  const json::object* message =
      choice == nullptr ? nullptr : object_in(choice->if_contains("message"));
  if (message == nullptr) return no_completion("its first choice has no \"message\"");
  Answer answer;
  PYRO_TRY(answer.text, text_of(*message, "content", kMaxAnswerText));
  const json::value* calls = message->if_contains("tool_calls");
  if (calls == nullptr || calls->is_null()) return answer;
  const json::array* asked = calls->if_array();
  if (asked == nullptr) return no_completion("\"tool_calls\" is no list");
  if (asked->size() > kMaxCalls) {
    return too_much(fmt::format("the model asked for {} calls at once, and {} are the most",
                                asked->size(), kMaxCalls));
  }
  for (const json::value& value : *asked) {
    PYRO_TRY(ToolCall call, parse_call(value));
    answer.calls.push_back(std::move(call));
  }
  return answer;
}

Result<json::object> parse_arguments(std::string_view arguments) {
  boost::system::error_code ec;
  json::value value = json::parse(arguments, ec);
  if (ec) return fail(Errc::kInvalid, "the arguments are not JSON: " + ec.message());
  json::object* object = value.if_object();
  if (object == nullptr) return fail(Errc::kInvalid, "the arguments are no JSON object");
  return std::move(*object);
}

std::string failure_text(std::string_view body) {
  std::string text;
  boost::system::error_code ec;
  const json::value root = json::parse(body, ec);
  const json::object* top = ec ? nullptr : root.if_object();
  const json::value* error = top == nullptr ? nullptr : top->if_contains("error");
  if (const json::object* inner = object_in(error)) error = inner->if_contains("message");
  const json::string* message = error == nullptr ? nullptr : error->if_string();
  text = message == nullptr ? std::string(body.substr(0, kMaxFailure)) : std::string(*message);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  if (text.size() > kMaxFailure) text = text.substr(0, kMaxFailure) + "...";
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

}  // namespace pyro::chat
