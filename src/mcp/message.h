// JSON-RPC 2.0 messages (https://www.jsonrpc.org/specification), as MCP has them: one object, an id
// that is an integer or a string, parameters that are an object. What is not so never gets further
// than parse_message().
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace pyro::mcp {

namespace json = boost::json;

// Checked before anything is allocated for a message.
inline constexpr std::size_t kMostMessage = std::size_t{16} << 20;  // bytes of text
inline constexpr std::size_t kMostValues = std::size_t{1} << 18;    // values in it, whatever kind
inline constexpr std::size_t kMostDepth = 32;                       // arrays and objects in others
inline constexpr std::size_t kMostName = 256;                       // bytes of a method, of an id

// JSON-RPC's own codes, and those of MCP 2026-07-28.
enum Code : int {
  kParseError = -32700,
  kInvalidRequest = -32600,
  kMethodNotFound = -32601,
  kInvalidParams = -32602,
  kInternalError = -32603,
  kBusy = -32000,                    // of this server: a stated bound was reached
  kSessionNotFound = -32001,         // of this server, over HTTP
  kLegacyResourceNotFound = -32002,  // until 2025-11-25
  kHeaderMismatch = -32020,
  kMissingCapability = -32021,
  kUnsupportedVersion = -32022,
};

struct RpcError {
  int code = kInternalError;
  std::string message;  // for people and models: what failed, why, what next
  std::optional<json::value> data;
};

class RequestId {
 public:
  explicit RequestId(std::int64_t number) : value_(number) {}
  explicit RequestId(std::string text) : value_(std::move(text)) {}
  // nullopt for what is none: null, a fraction, a text over kMostName.
  static std::optional<RequestId> from(const json::value& value);
  [[nodiscard]] json::value to_json() const;
  auto operator<=>(const RequestId&) const = default;

 private:
  std::variant<std::int64_t, std::string> value_;
};

struct Request {
  RequestId id;
  std::string method;
  json::object params;
  std::size_t size = 0;  // bytes of its text
};
struct Notification {
  std::string method;
  json::object params;
};
struct Response {
  RequestId id;
  std::expected<json::object, RpcError> result;
};
using Message = std::variant<Request, Notification, Response>;

// Why a text is no message, and whose it was where that can be told.
struct Refusal {
  std::optional<RequestId> id;
  RpcError error;
  // It was an answer to something: where answers are not answered, neither is this. Two peers could
  // otherwise tell each other of errors without end.
  bool of_response = false;
};
// Members that are not known are ignored. Nothing of the text is repeated in an error.
std::expected<Message, Refusal> parse_message(std::string_view text);
// Of a text that is over kMostMessage and was therefore never kept.
Refusal too_long();

// What of a text from elsewhere may stand in a message: UTF-8, whole characters, of at most
// kMostName bytes of it.
std::string shown(std::string_view text);

// One line each, without the newline.
std::string request_text(const RequestId& id, std::string_view method, const json::object& params);
std::string notification_text(std::string_view method, const json::object& params);
// `result` is JSON already.
std::string result_text(const RequestId& id, std::string_view result);
std::string error_text(const std::optional<RequestId>& id, const RpcError& error);

}  // namespace pyro::mcp
