#include "mcp/session.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "mcp/testing.h"

namespace pyro::mcp {
namespace {

constexpr const char* kInitialize =
    R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18",)"
    R"("capabilities":{"elicitation":{}},"clientInfo":{"name":"t","version":"1"}}})";

std::string modern(std::string_view id, std::string_view method, std::string_view params = "",
                   std::string_view capabilities = "{}") {
  return fmt::format(R"({{"jsonrpc":"2.0","id":{},"method":"{}","params":{{"_meta":{{)"
                     R"("io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
                     R"("io.modelcontextprotocol/clientCapabilities":{}}}{}{}}}}})",
                     id, method, capabilities, params.empty() ? "" : ",", params);
}
std::string legacy(std::string_view id, std::string_view method, std::string_view params = "{}") {
  return fmt::format(R"({{"jsonrpc":"2.0","id":{},"method":"{}","params":{}}})", id, method,
                     params);
}

TEST(Session, AStatelessRequestNeedsNoHandshake) {
  TestClient client;
  ASSERT_TRUE(client.say(modern("1", "server/discover")));
  const json::object result = client.last().at("result").as_object();
  EXPECT_EQ(result.at("resultType"), "complete");
  EXPECT_EQ(result.at("supportedVersions").at(0), "2026-07-28");
  EXPECT_EQ(result.at("_meta").at(kMetaServerInfo).at("name"), "test");
  EXPECT_EQ(result.at("instructions"), "hello");

  ASSERT_TRUE(client.say(modern("2", "tools/list")));
  EXPECT_EQ(client.last().at("result").at("tools").at(0).at("name"), "echo");
  EXPECT_EQ(client.last().at("result").at("cacheScope"), "public");

  ASSERT_TRUE(client.say(modern("3", "tools/call", R"("name":"echo","arguments":{"a":1})")));
  EXPECT_EQ(client.started.size(), 1U);
  client.work();
  EXPECT_EQ(client.last().at("id"), 3);
  EXPECT_EQ(client.last().at("result").at("echo").at("a"), 1);
  EXPECT_TRUE(client.session.idle());
}

TEST(Session, TheHandshakeIsAnsweredWithTheVersionThatBothKnow) {
  TestClient client;
  ASSERT_TRUE(client.say(legacy("1", "tools/list")));
  EXPECT_EQ(client.error(), kInvalidRequest);
  ASSERT_TRUE(client.say(legacy("2", "ping")));
  EXPECT_EQ(client.error(), 0);
  ASSERT_TRUE(client.say(kInitialize));
  EXPECT_EQ(client.last().at("result").at("protocolVersion"), "2025-06-18");
  EXPECT_FALSE(client.last().at("result").as_object().contains("resultType"));
  ASSERT_TRUE(client.say(legacy("3", "tools/list")));
  EXPECT_EQ(client.last().at("result").at("tools").at(0).at("name"), "echo");
  EXPECT_FALSE(client.last().at("result").as_object().contains("ttlMs"));

  TestClient other;
  ASSERT_TRUE(other.say(legacy("1", "initialize", R"({"protocolVersion":"1999-01-01"})")));
  EXPECT_EQ(other.last().at("result").at("protocolVersion"), "2025-11-25");
  // Of the one that obliges servers to take batches: the one before, which its clients know.
  ASSERT_TRUE(other.say(legacy("1", "initialize", R"({"protocolVersion":"2025-03-26"})")));
  EXPECT_EQ(other.last().at("result").at("protocolVersion"), "2024-11-05");
  ASSERT_TRUE(other.say(legacy("2", "initialize", R"({"protocolVersion":7})")));
  EXPECT_EQ(other.error(), kInvalidParams);
}

TEST(Session, BothErasAreServedOnOneConnection) {
  TestClient client;
  ASSERT_TRUE(client.say(modern("1", "server/discover")));
  EXPECT_EQ(client.error(), 0);
  ASSERT_TRUE(client.say(kInitialize));
  EXPECT_EQ(client.error(), 0);
  ASSERT_TRUE(client.say(legacy("2", "tools/call", R"({"name":"echo"})")));
  ASSERT_TRUE(client.say(modern("3", "tools/call", R"("name":"echo")")));
  client.work();
  ASSERT_EQ(client.sent.size(), 4U);
  EXPECT_FALSE(client.sent[2].at("result").as_object().contains("resultType"));
  EXPECT_TRUE(client.sent[3].at("result").as_object().contains("resultType"));
  // What one era has done away with stays away in it.
  for (const char* method : {"initialize", "ping", "logging/setLevel", "resources/subscribe"}) {
    ASSERT_TRUE(client.say(modern("4", method)));
    EXPECT_EQ(client.error(), kMethodNotFound) << method;
  }
  ASSERT_TRUE(client.say(legacy("5", "subscriptions/listen")));
  EXPECT_EQ(client.error(), kMethodNotFound);
}

TEST(Session, WhatIsWrongWithTheMetadataOfARequestIsSaid) {
  const auto code = [](std::string_view meta) {
    TestClient client;
    EXPECT_TRUE(client.say(fmt::format(
        R"({{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{{"_meta":{}}}}})", meta)));
    return client.error();
  };
  EXPECT_EQ(code("{}"), kInvalidParams);
  EXPECT_EQ(code("7"), kInvalidParams);
  EXPECT_EQ(code(R"({"io.modelcontextprotocol/protocolVersion":"2026-07-28"})"), kInvalidParams);
  EXPECT_EQ(code(R"({"io.modelcontextprotocol/clientCapabilities":{}})"), kInvalidParams);
  EXPECT_EQ(code(R"({"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
                 R"("io.modelcontextprotocol/clientCapabilities":[]})"),
            kInvalidParams);
  EXPECT_EQ(code(R"({"io.modelcontextprotocol/protocolVersion":"v9",)"
                 R"("io.modelcontextprotocol/clientCapabilities":{}})"),
            kUnsupportedVersion);
}

TEST(Session, WrongTypesUnknownMethodsAndUnknownToolsAreErrorsOfTheRequest) {
  struct Row {
    const char *method, *params;
    int code;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"nothing/of/this", R"("a":1)", kMethodNotFound},
           {"tools/call", R"("a":1)", kInvalidParams},
           {"tools/call", R"("name":7)", kInvalidParams},
           {"tools/call", R"("name":"echo","arguments":[])", kInvalidParams},
           {"tools/call", R"("name":"nobody")", kInvalidParams},
           {"tools/call", R"("name":"ask","inputResponses":null)", kInvalidParams},
           {"tools/call", R"("name":"ask","inputResponses":{"who":7})", kInvalidParams},
           {"tools/call", R"("name":"ask","requestState":"made up")", kInvalidParams},
           {"tools/list", R"("cursor":"x")", kInvalidParams},
           {"resources/read", R"("uri":{})", kInvalidParams},
           {"resources/read", R"("uri":"test://nothing")", kInvalidParams},
           {"completion/complete", R"("ref":{})", kInvalidParams},
           {"subscriptions/listen", R"("notifications":7)", kInvalidParams},
       }) {
    TestClient client;
    ASSERT_TRUE(client.say(modern("1", row.method, row.params)));
    client.work();
    EXPECT_EQ(client.error(), row.code) << row.method << " " << row.params;
    EXPECT_EQ(client.last().at("id"), 1);
  }
  TestClient client;
  client.provider.offered = {};
  ASSERT_TRUE(client.say(modern("1", "resources/list")));
  EXPECT_EQ(client.error(), kMethodNotFound);
}

TEST(Session, AnIdUnderWayIsNotTakenTwice) {
  TestClient client;
  ASSERT_TRUE(client.say(modern("1", "tools/call", R"("name":"echo")")));
  ASSERT_TRUE(client.say(modern("1", "tools/list")));
  EXPECT_EQ(client.error(), kInvalidRequest);
  EXPECT_FALSE(client.last().contains("id")) << "or the first would seem to be answered";
  client.work();
  EXPECT_EQ(client.last().at("id"), 1);
  ASSERT_TRUE(client.say(modern("1", "tools/list")));
  EXPECT_EQ(client.error(), 0);
}

TEST(Session, ACancelledCallIsStoppedAndNeverAnswered) {
  TestClient client;
  ASSERT_TRUE(client.say(modern("1", "tools/call", R"("name":"echo")")));
  const std::string cancel =
      R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})";
  ASSERT_TRUE(client.say(cancel));
  ASSERT_EQ(client.stopped.size(), 1U);
  ASSERT_TRUE(client.say(cancel));  // twice is once
  EXPECT_EQ(client.stopped.size(), 1U);
  client.work();
  EXPECT_TRUE(client.sent.empty());
  EXPECT_EQ(client.ended, std::vector{RequestId(1)}) << "its response has to end, once";
  ASSERT_TRUE(client.say(cancel));  // and of what has ended, nothing
  for (const char* params :
       {"{}", R"({"requestId":null})", R"({"requestId":[]})", R"({"requestId":"never asked"})"}) {
    ASSERT_TRUE(client.say(fmt::format(
        R"({{"jsonrpc":"2.0","method":"notifications/cancelled","params":{}}})", params)));
  }
  EXPECT_TRUE(client.sent.empty());
  EXPECT_TRUE(client.session.idle());
}

TEST(Session, TheOlderEraAsksByRequestsOfItsOwn) {
  TestClient client;
  ASSERT_TRUE(client.say(kInitialize));
  ASSERT_TRUE(client.say(legacy("1", "tools/call", R"({"name":"ask"})")));
  client.work();
  ASSERT_EQ(client.last().at("method"), "elicitation/create");
  const auto question = client.last().at("id").as_int64();
  // An answer to what nobody asked changes nothing.
  ASSERT_TRUE(client.say(R"({"jsonrpc":"2.0","id":4711,"result":{}})"));
  EXPECT_TRUE(client.started.empty());
  ASSERT_TRUE(client.say(
      fmt::format(R"({{"jsonrpc":"2.0","id":{},"result":{{"action":"accept"}}}})", question)));
  client.work();
  EXPECT_EQ(client.last().at("result").at("who").at("action"), "accept");

  ASSERT_TRUE(client.say(legacy("2", "tools/call", R"({"name":"ask"})")));
  client.work();
  ASSERT_TRUE(
      client.say(fmt::format(R"({{"jsonrpc":"2.0","id":{},"error":{{"code":-1,"message":"no"}}}})",
                             client.last().at("id").as_int64())));
  EXPECT_EQ(client.last().at("id"), 2);
  EXPECT_EQ(client.error(), kInternalError);
  EXPECT_TRUE(client.ended.empty()) << "what is answered needs no other end";
  EXPECT_TRUE(client.session.idle());
}

TEST(Session, ACancelledQuestionIsTakenBack) {
  TestClient client;
  ASSERT_TRUE(client.say(kInitialize));
  ASSERT_TRUE(client.say(legacy("1", "tools/call", R"({"name":"ask"})")));
  client.work();
  const json::value question = client.last().at("id");
  ASSERT_TRUE(client.say(
      R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})"));
  EXPECT_EQ(client.last().at("method"), "notifications/cancelled");
  EXPECT_EQ(client.last().at("params").at("requestId"), question);
  EXPECT_TRUE(client.session.idle());
}

TEST(Session, TheNewerEraAsksByItsResultAndTrustsOnlyItsOwnState) {
  TestClient client;
  const char* can = R"({"elicitation":{}})";
  ASSERT_TRUE(client.say(modern("1", "tools/call", R"("name":"ask","arguments":{"x":1})", can)));
  client.work();
  const json::object result = client.last().at("result").as_object();
  EXPECT_EQ(result.at("resultType"), "input_required");
  EXPECT_EQ(result.at("inputRequests").at("who").at("method"), "elicitation/create");
  const std::string state = json::serialize(result.at("requestState"));

  const auto again = [&](std::string_view arguments, std::string_view with_state) {
    client.sent.clear();
    EXPECT_TRUE(client.say(modern(
        "2", "tools/call",
        fmt::format(R"("name":"ask","arguments":{},"inputResponses":{{"who":{{}},"more":{{}}}},)"
                    R"("requestState":{})",
                    arguments, with_state),
        can)));
    client.work();
    return client.last();
  };
  EXPECT_EQ(again(R"({"x":1})", state).at("result").at("resultType"), "complete");
  again(R"({"x":2})", state);  // of another request
  EXPECT_EQ(client.error(), kInvalidParams);
  again(R"({"x":1})", "\"x" + state.substr(1));
  EXPECT_EQ(client.error(), kInvalidParams);
}

TEST(Session, WhatIsRepeatedOfTheClientIsCutBetweenCharacters) {
  const std::string name = std::string(kMostName - 1, 'x') + "\u00e4";
  TestClient client;  // which reads as JSON what it is told
  ASSERT_TRUE(client.say(
      fmt::format(R"({{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{{"_meta":{{)"
                  R"("io.modelcontextprotocol/protocolVersion":"{}",)"
                  R"("io.modelcontextprotocol/clientCapabilities":{{}}}}}}}})",
                  name)));
  EXPECT_EQ(client.error(), kUnsupportedVersion);
  ASSERT_TRUE(client.say(kInitialize));
  ASSERT_TRUE(client.say(legacy("2", "tools/call", R"({"name":"ask"})")));
  client.work();
  ASSERT_TRUE(
      client.say(fmt::format(R"({{"jsonrpc":"2.0","id":{},"error":{{"code":-1,"message":"{}"}}}})",
                             client.last().at("id").as_int64(), name)));
  EXPECT_EQ(client.error(), kInternalError);
}

TEST(Session, WhatAClientCannotDoItIsNotAsked) {
  TestClient client;
  ASSERT_TRUE(client.say(modern("1", "tools/call", R"("name":"ask")")));
  client.work();
  EXPECT_EQ(client.error(), kMissingCapability);
  EXPECT_TRUE(client.last()
                  .at("error")
                  .at("data")
                  .at("requiredCapabilities")
                  .as_object()
                  .contains("elicitation"));
}

TEST(Session, ASubscriptionIsAcknowledgedFirstAndHearsOnlyWhatItAskedFor) {
  TestClient client;
  ASSERT_TRUE(client.say(modern(
      "9", "subscriptions/listen",
      R"("notifications":{"promptsListChanged":true,"resourceSubscriptions":["a://b",7,"a://b"]})")));
  ASSERT_EQ(client.sent.size(), 1U);
  EXPECT_EQ(client.last().at("method"), "notifications/subscriptions/acknowledged");
  EXPECT_EQ(client.last().at("params").at("_meta").at(kMetaSubscription), 9);
  EXPECT_EQ(client.last().at("params").at("notifications").at("resourceSubscriptions"),
            json::array{"a://b"});
  client.take(client.session.changed({.what = Change::What::kTools, .uri = {}}));
  client.take(client.session.changed({.what = Change::What::kResource, .uri = "a://other"}));
  EXPECT_EQ(client.sent.size(), 1U);
  client.take(client.session.changed({.what = Change::What::kPrompts, .uri = {}}));
  client.take(client.session.changed({.what = Change::What::kResource, .uri = "a://b"}));
  ASSERT_EQ(client.sent.size(), 3U);
  EXPECT_EQ(client.last().at("params").at("_meta").at(kMetaSubscription), 9);
  client.take(client.session.close());
  EXPECT_EQ(client.last().at("id"), 9);
  EXPECT_EQ(client.last().at("result").at("_meta").at(kMetaSubscription), 9);
}

TEST(Session, TheOlderEraSubscribesByUri) {
  TestClient client;
  ASSERT_TRUE(client.say(kInitialize));
  ASSERT_TRUE(client.say(legacy("1", "resources/subscribe", R"({"uri":"a://b"})")));
  EXPECT_EQ(json::serialize(client.last().at("result")), "{}");
  const auto heard = [&] {
    const std::size_t before = client.sent.size();
    client.take(client.session.changed({.what = Change::What::kResource, .uri = "a://b"}));
    return client.sent.size() - before;
  };
  EXPECT_EQ(heard(), 1U);
  ASSERT_TRUE(client.say(legacy("2", "resources/unsubscribe", R"({"uri":"a://b"})")));
  EXPECT_EQ(heard(), 0U);
  ASSERT_TRUE(client.say(legacy("3", "resources/subscribe", R"({"uri":7})")));
  EXPECT_EQ(client.error(), kInvalidParams);
}

TEST(Session, ProgressGrowsAndLogsHaveTheLevelThatWasAskedFor) {
  TestClient client;
  ASSERT_TRUE(client.say(
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":{)"
      R"("progressToken":"t","io.modelcontextprotocol/logLevel":"warning",)"
      R"("io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
      R"("io.modelcontextprotocol/clientCapabilities":{}}}})"));
  ASSERT_EQ(client.started.size(), 1U);
  Job& job = *client.started.front();
  const auto first = client.session.progress(job, 1, 3.0, "one");
  const std::string text = first ? first->text : "(none)";
  EXPECT_TRUE(text.contains(R"("progressToken":"t")")) << text;
  EXPECT_FALSE(client.session.progress(job, 1, 3.0, "again"));
  EXPECT_FALSE(client.session.progress(job, 0.5, 3.0, "back"));
  EXPECT_TRUE(client.session.progress(job, 2, {}, ""));
  EXPECT_FALSE(client.session.log(job, LogLevel::kInfo, "x"));
  EXPECT_TRUE(client.session.log(job, LogLevel::kError, "x"));

  TestClient quiet;
  ASSERT_TRUE(quiet.say(modern("1", "tools/call", R"("name":"echo")")));
  EXPECT_FALSE(quiet.session.progress(*quiet.started.front(), 1, {}, ""));
  EXPECT_FALSE(quiet.session.log(*quiet.started.front(), LogLevel::kEmergency, "x"));
}

TEST(Session, CallsUnderWayAreBounded) {
  TestClient client;
  for (std::size_t i = 0; i < kMostCalls; ++i) {
    ASSERT_TRUE(client.say(modern(std::to_string(i), "tools/call", R"("name":"echo")")));
  }
  EXPECT_TRUE(client.sent.empty());
  ASSERT_TRUE(client.say(modern("\"one more\"", "tools/call", R"("name":"echo")")));
  EXPECT_EQ(client.error(), kBusy);
  client.work();
  EXPECT_EQ(client.sent.size(), kMostCalls + 1);
}

TEST(Session, ClosingStopsWhatRunsAndStillAnswersIt) {
  TestClient client;
  ASSERT_TRUE(client.say(modern("1", "tools/call", R"("name":"echo")")));
  client.take(client.session.close());
  EXPECT_EQ(client.stopped.size(), 1U);
  client.work();
  EXPECT_EQ(client.last().at("id"), 1);

  TestClient gone;
  ASSERT_TRUE(gone.say(modern("1", "tools/call", R"("name":"echo")")));
  gone.take(gone.session.abandon());
  EXPECT_EQ(gone.stopped.size(), 1U);
  gone.work();
  EXPECT_TRUE(gone.sent.empty());
}

}  // namespace
}  // namespace pyro::mcp
