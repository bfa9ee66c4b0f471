#include "mcp/message.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pyro::mcp {
namespace {

int refused(std::string_view text) {
  const auto parsed = parse_message(text);
  return parsed ? 0 : parsed.error().error.code;
}

TEST(Message, RequestsNotificationsAndResponsesAreToldApart) {
  const auto request =
      parse_message(R"({"jsonrpc":"2.0","id":7,"method":"ping","params":{"a":1},"unknown":[{}]})");
  ASSERT_TRUE(request);
  ASSERT_TRUE(std::holds_alternative<Request>(*request));
  EXPECT_EQ(std::get<Request>(*request).id, RequestId(7));
  EXPECT_EQ(std::get<Request>(*request).method, "ping");
  EXPECT_EQ(std::get<Request>(*request).params.at("a"), 1);
  EXPECT_EQ(std::get<Request>(*request).size, 72U);

  const auto notification = parse_message(R"({"jsonrpc":"2.0","method":"notifications/x"})");
  ASSERT_TRUE(notification);
  EXPECT_TRUE(std::holds_alternative<Notification>(*notification));

  const auto response = parse_message(R"({"jsonrpc":"2.0","id":"a","result":{}})");
  ASSERT_TRUE(response);
  ASSERT_TRUE(std::holds_alternative<Response>(*response));
  EXPECT_EQ(std::get<Response>(*response).id, RequestId(std::string("a")));

  const auto error =
      parse_message(R"({"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no","data":[]}})");
  ASSERT_TRUE(error);
  EXPECT_EQ(std::get<Response>(*error).result.error().code, -1);
}

TEST(Message, WhatIsShownOfATextIsUtf8AndWhole) {
  EXPECT_EQ(shown("2025-11-25"), "2025-11-25");
  EXPECT_EQ(shown("v\xff"), "v\xef\xbf\xbd");
  const std::string almost(kMostName - 1, 'x');
  EXPECT_EQ(shown(almost + "\xc3\xa4"), almost);
  EXPECT_EQ(shown(almost + "y"), almost + "y");
}

TEST(Message, ARefusalSaysWhetherItWasAnAnswer) {
  const auto of_response = [](std::string_view text) {
    const auto parsed = parse_message(text);
    return !parsed && parsed.error().of_response;
  };
  EXPECT_TRUE(of_response(R"({"jsonrpc":"2.0","error":{"code":-1,"message":"no"}})"));
  EXPECT_TRUE(of_response(R"({"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"no"}})"));
  EXPECT_TRUE(of_response(R"({"jsonrpc":"2.0","id":1,"result":7})"));
  EXPECT_TRUE(of_response(R"({"id":1,"result":{}})"));
  EXPECT_FALSE(of_response(R"({"jsonrpc":"2.0","id":1,"method":"ping","result":{}})"));
  EXPECT_FALSE(of_response(R"({"jsonrpc":"2.0","id":null,"method":"ping"})"));
  EXPECT_FALSE(of_response("{}"));
  EXPECT_FALSE(of_response("{"));
}

TEST(Message, WhatIsNoMessageIsRefusedWithItsCode) {
  struct Row {
    std::string text;
    int code;
  };
  const std::vector<Row> rows{
      {"", kParseError},
      {"{", kParseError},
      {"nonsense", kParseError},
      {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} x", kParseError},
      {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", kParseError},
      {std::string(100'000, '[') + std::string(100'000, ']'), kParseError},
      {"[]", kInvalidRequest},
      {"7", kInvalidRequest},
      {"null", kInvalidRequest},
      {"{}", kInvalidRequest},
      {R"([{"jsonrpc":"2.0","id":1,"method":"ping"}])", kInvalidRequest},
      {R"({"id":1,"method":"ping"})", kInvalidRequest},
      {R"({"jsonrpc":"1.0","id":1,"method":"ping"})", kInvalidRequest},
      {R"({"jsonrpc":2.0,"id":1,"method":"ping"})", kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":null,"method":"ping"})", kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":1.5,"method":"ping"})", kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":{},"method":"ping"})", kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":18446744073709551615,"method":"ping"})", kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":")" + std::string(kMostName + 1, 'a') + R"(","method":"ping"})",
       kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":1,"method":7})", kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":1,"method":""})", kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(kMostName + 1, 'm') + R"("})",
       kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":1,"method":"ping","params":[]})", kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":1,"method":"ping","params":null})", kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":1,"method":"ping","result":{}})", kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":1})", kInvalidRequest},
      {R"({"jsonrpc":"2.0","result":{}})", kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":1,"result":[]})", kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}})", kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":1,"error":{}})", kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":1,"error":{"code":"1","message":""}})", kInvalidRequest},
  };
  for (const Row& row : rows) EXPECT_EQ(refused(row.text), row.code) << row.text.substr(0, 100);
}

TEST(Message, ARefusedRequestIsAnsweredWithItsId) {
  const auto parsed = parse_message(R"({"jsonrpc":"2.0","id":9,"method":"ping","params":[]})");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().id, RequestId(9));
  EXPECT_EQ(error_text(parsed.error().id, {kInvalidRequest, "no", {}}),
            R"({"jsonrpc":"2.0","id":9,"error":{"code":-32600,"message":"no"}})");
  EXPECT_EQ(error_text({}, {kParseError, "no", {}}),
            R"({"jsonrpc":"2.0","error":{"code":-32700,"message":"no"}})");
}

TEST(Message, CapsHoldBeforeAnythingIsAllocated) {
  const std::string head = R"({"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":)";
  const auto nested = [&](std::size_t depth) {
    return head + std::string(depth, '[') + std::string(depth, ']') + "}}";
  };
  EXPECT_EQ(refused(nested(kMostDepth - 2)), 0);
  EXPECT_EQ(refused(nested(kMostDepth - 1)), kParseError);

  std::string wide = head + "[0";
  for (std::size_t i = 0; i < kMostValues; ++i) wide += ",0";
  EXPECT_EQ(refused(wide + "]}}"), kInvalidRequest);
  // Commas within a text are no values.
  EXPECT_EQ(refused(head + "\"\\\"" + std::string(kMostValues + 1, ',') + "\"}}"), 0);
  EXPECT_EQ(refused(head + "\"" + std::string(kMostMessage, 'a') + "\"}}"), kInvalidRequest);
}

TEST(Message, ANumberThatIsInfiniteIsRefused) {
  const auto refused = parse_message(
      R"({"jsonrpc":"2.0","id":1,"method":"m","params":{"a":[144444444444444444000E444]}})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error.code, kParseError);
}

TEST(Message, WhatIsWrittenIsReadBackTheSame) {
  const auto parsed = parse_message(
      request_text(RequestId(std::string("q\n1")), "roots/list", {{"a", json::array{1, "x"}}}));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(std::get<Request>(*parsed).id, RequestId(std::string("q\n1")));
  EXPECT_EQ(notification_text("n", {}), R"({"jsonrpc":"2.0","method":"n"})");
  EXPECT_EQ(result_text(RequestId(3), R"({"a":1})"),
            R"({"jsonrpc":"2.0","id":3,"result":{"a":1}})");
}

}  // namespace
}  // namespace pyro::mcp
