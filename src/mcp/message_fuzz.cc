// Whatever the bytes: no message is over its caps, and what is one is the same after being written
// and read again.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "mcp/message.h"

namespace {

using namespace pyro::mcp;

void require(bool fine) {
  if (!fine) std::abort();
}

// The library reads a number that is no 64-bit integer only nearly right, so it may change its last
// digits each time.
bool same(const json::value& a, const json::value& b) {
  constexpr double kNearly = 1e-12;
  if (a.is_double() && b.is_double()) {
    const double x = a.get_double();
    const double y = b.get_double();
    return x == y || std::abs(x - y) <= kNearly * std::max(std::abs(x), std::abs(y));
  }
  if (const auto* array = a.if_array()) {
    return b.is_array() && std::ranges::equal(*array, b.get_array(), same);
  }
  if (const auto* object = a.if_object()) {
    return b.is_object() &&
           std::ranges::equal(*object, b.get_object(), [](const auto& x, const auto& y) {
             return x.key() == y.key() && same(x.value(), y.value());
           });
  }
  return a == b;
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
  require(same(json::parse(written(*again)), json::parse(once)));
  return 0;
}
