#include "mcp/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>

#include "base/terminal_text.h"
#include "base/text.h"

namespace pyro::mcp {
namespace {

// How many values a text can hold at most, found without keeping any: a parsed value takes many
// times the space of its text ("[[],[],...").
std::size_t values_in(std::string_view text) {
  std::size_t count = 1;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
      continue;
    }
    if (c == '"') quoted = true;
    if (c == ',' || c == '[' || c == '{') ++count;
  }
  return count;
}

// Some texts of a number are read as infinity, which cannot be written as JSON again.
bool is_finite(const json::value& value) {
  if (value.is_double()) return std::isfinite(value.get_double());
  if (const auto* array = value.if_array()) return std::ranges::all_of(*array, is_finite);
  const auto* object = value.if_object();
  return object == nullptr ||
         std::ranges::all_of(*object, [](const auto& pair) { return is_finite(pair.value()); });
}

std::unexpected<Refusal> refuse(std::optional<RequestId> id, int code, std::string message) {
  return std::unexpected(Refusal{.id = std::move(id), .error = {code, std::move(message), {}}});
}

std::optional<RpcError> read_error(const json::value& value) {
  const json::object* object = value.if_object();
  if (object == nullptr) return std::nullopt;
  const json::value* code = object->if_contains("code");
  const json::value* message = object->if_contains("message");
  if (code == nullptr || message == nullptr || !code->is_int64() || !message->is_string()) {
    return std::nullopt;
  }
  RpcError error{.code = kInternalError, .message = std::string(message->get_string()), .data = {}};
  if (code->get_int64() >= INT32_MIN && code->get_int64() <= INT32_MAX) {
    error.code = static_cast<int>(code->get_int64());
  }
  if (const json::value* data = object->if_contains("data")) error.data = *data;
  return error;
}

std::expected<Message, Refusal> read_response(json::object& object, std::optional<RequestId> id) {
  json::value* result = object.if_contains("result");
  json::value* error = object.if_contains("error");
  if (!id) return refuse({}, kInvalidRequest, "a response needs the id of its request");
  if ((result == nullptr) == (error == nullptr)) {
    return refuse({}, kInvalidRequest, "a message has a method, a result or an error: one of them");
  }
  if (result != nullptr) {
    if (!result->is_object()) return refuse({}, kInvalidRequest, "result must be an object");
    return Response{.id = *std::move(id), .result = std::move(result->get_object())};
  }
  std::optional<RpcError> read = read_error(*error);
  if (!read) {
    return refuse({}, kInvalidRequest, "error must be an object with a code and a message");
  }
  return Response{.id = *std::move(id), .result = std::unexpected(*std::move(read))};
}

std::expected<Message, Refusal> read_call(json::object& object, std::optional<RequestId> id,
                                          const json::value& method) {
  const json::string* name = method.if_string();
  if (name == nullptr || name->empty() || name->size() > kMostName) {
    return refuse(std::move(id), kInvalidRequest,
                  fmt::format("method must be a text of 1 to {} bytes", kMostName));
  }
  if (object.contains("result") || object.contains("error")) {
    return refuse(std::move(id), kInvalidRequest, "a request has no result and no error");
  }
  json::object params;
  if (json::value* given = object.if_contains("params")) {
    if (!given->is_object()) {
      return refuse(std::move(id), kInvalidRequest, "params must be an object");
    }
    params = std::move(given->get_object());
  }
  if (!id) return Notification{.method = std::string(*name), .params = std::move(params)};
  return Request{.id = *std::move(id), .method = std::string(*name), .params = std::move(params)};
}

std::expected<Message, Refusal> read_message(json::object& object, std::size_t size) {
  std::optional<RequestId> id;
  if (const json::value* given = object.if_contains("id")) {
    id = RequestId::from(*given);
    if (!id) {
      return refuse({}, kInvalidRequest,
                    fmt::format("id must be an integer or a text of at most {} bytes", kMostName));
    }
  }
  const json::value* version = object.if_contains("jsonrpc");
  if (version == nullptr || *version != "2.0") {
    return refuse(std::move(id), kInvalidRequest, "jsonrpc must be \"2.0\"");
  }
  if (const json::value* method = object.if_contains("method")) {
    const json::value name = *method;
    std::expected<Message, Refusal> call = read_call(object, std::move(id), name);
    if (auto* request = call ? std::get_if<Request>(&*call) : nullptr) request->size = size;
    return call;
  }
  return read_response(object, std::move(id));
}

}  // namespace

std::optional<RequestId> RequestId::from(const json::value& value) {
  if (const auto* number = value.if_int64()) return RequestId(*number);
  if (const auto* text = value.if_string(); text != nullptr && text->size() <= kMostName) {
    return RequestId(std::string(*text));
  }
  return std::nullopt;
}

json::value RequestId::to_json() const {
  if (const auto* number = std::get_if<std::int64_t>(&value_)) return *number;
  return json::value(std::get<std::string>(value_));
}

Refusal too_long() {
  return {.id = {},
          .error = {kInvalidRequest,
                    fmt::format("a message of more than {} bytes; send less at once", kMostMessage),
                    {}}};
}

std::expected<Message, Refusal> parse_message(std::string_view text) {
  if (text.size() > kMostMessage) return std::unexpected(too_long());
  if (values_in(text) > kMostValues) {
    return refuse({}, kInvalidRequest,
                  fmt::format("a message of more than {} values", kMostValues));
  }
  json::parse_options options;
  options.max_depth = kMostDepth;
  boost::system::error_code ec;
  json::value value = json::parse({text.data(), text.size()}, ec, {}, options);
  if (ec == json::error::too_deep) {
    return refuse({}, kParseError, fmt::format("JSON nested more than {} deep", kMostDepth));
  }
  if (ec) return refuse({}, kParseError, "not JSON: one object on one line is expected");
  if (!is_finite(value)) return refuse({}, kParseError, "a number that is too large");
  if (value.is_array()) {
    return refuse({}, kInvalidRequest, "batches are not part of MCP: send one message at a time");
  }
  if (!value.is_object()) return refuse({}, kInvalidRequest, "a message must be an object");
  json::object& object = value.get_object();
  const bool response =
      !object.contains("method") && (object.contains("result") || object.contains("error"));
  std::expected<Message, Refusal> message = read_message(object, text.size());
  if (!message) message.error().of_response = response;
  return message;
}

std::string shown(std::string_view text) {
  const std::string_view some = text.substr(0, kMostName);
  if (some.size() == text.size()) return to_utf8(text);
  return to_utf8(some.substr(0, whole_characters(some, kMostName)));
}

std::string request_text(const RequestId& id, std::string_view method, const json::object& params) {
  return json::serialize(json::object{
      {"jsonrpc", "2.0"}, {"id", id.to_json()}, {"method", method}, {"params", params}});
}

std::string notification_text(std::string_view method, const json::object& params) {
  json::object message{{"jsonrpc", "2.0"}, {"method", method}};
  if (!params.empty()) message["params"] = params;
  return json::serialize(message);
}

std::string result_text(const RequestId& id, std::string_view result) {
  std::string text = R"({"jsonrpc":"2.0","id":)" + json::serialize(id.to_json()) + R"(,"result":)";
  text += result;
  text += '}';
  return text;
}

std::string error_text(const std::optional<RequestId>& id, const RpcError& error) {
  json::object inner{{"code", error.code}, {"message", error.message}};
  if (error.data) inner["data"] = *error.data;
  json::object message{{"jsonrpc", "2.0"}};
  if (id) message["id"] = id->to_json();  // MCP has no null here: of nobody's, there is none
  message["error"] = std::move(inner);
  return json::serialize(message);
}

}  // namespace pyro::mcp
