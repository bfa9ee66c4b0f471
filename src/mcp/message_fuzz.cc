// Whatever the bytes: no message is over its caps, and what is one is the same after being written
// and read again.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "mcp/message.h"
#include "proto/message_fuzzing.h"

namespace {

using namespace pyro::mcp;

void require(bool fine) {
  if (!fine) std::abort();
}

std::string written(const Message& message) {
  if (const auto* request = std::get_if<Request>(&message)) {
    return request_text(request->id, request->method, request->params);
  }
  if (const auto* notification = std::get_if<Notification>(&message)) {
    return notification_text(notification->method, notification->params);
  }
  const auto& response = std::get<Response>(message);
  if (!response.result) return error_text(response.id, response.result.error());
  return result_text(response.id, json::serialize(*response.result));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  const auto message = parse_message(text);
  if (!message) {
    require(!message.error().error.message.empty() && message.error().error.code < 0);
    require(!error_text(message.error().id, message.error().error).contains('\n'));
    return 0;
  }
  const std::string once = written(*message);
  require(!once.contains('\n'));
  const auto again = parse_message(once);
  require(again.has_value());
  require(pyro::proto::nearly_same(json::parse(written(*again)), json::parse(once)));
  return 0;
}
