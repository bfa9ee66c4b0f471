#include "mcp_serve/http_server.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "mcp_serve/http_sessions.h"
#include "mcp_serve/outbox.h"
#include "mcp_serve/testing.h"

namespace pyro::mcp_serve {
namespace {

constexpr std::string_view kLastChunk = "\r\n0\r\n\r\n";

std::string call_text(int id, std::string_view tool) {
  return fmt::format(
      R"({{"jsonrpc":"2.0","id":{},"method":"tools/call","params":{{"name":"{}"}}}})", id, tool);
}

// The header of a session of the older era, begun for it.
std::string begin_session(const TestServer& server) {
  TestConnection connection(server.port());
  connection.send("POST", R"({"jsonrpc":"2.0","id":0,"method":"initialize",)"
                          R"("params":{"protocolVersion":"2025-11-25","capabilities":{}}})");
  constexpr std::string_view kName = "Mcp-Session-Id: ";
  const std::string head = connection.hear("\r\n\r\n");
  const auto at = head.find(kName);
  if (at == std::string::npos) return "";
  return head.substr(at, head.find("\r\n", at) + 2 - at);
}

void cancel(const TestServer& server, int id, const std::string& session) {
  TestConnection connection(server.port());
  connection.send("POST",
                  fmt::format(R"({{"jsonrpc":"2.0","method":"notifications/cancelled",)"
                              R"("params":{{"requestId":{}}}}})",
                              id),
                  session);
  EXPECT_TRUE(connection.hear("\r\n\r\n").contains(" 202 "));
}

// Opens the stream of what is about no request; false: there is none.
bool listens(TestConnection& connection, const std::string& session,
             std::string_view version = "1.1") {
  connection.send("GET", "", session, version);
  return connection.hear("\r\n\r\n").contains("text/event-stream");
}

TEST(HttpServer, TheResponseOfACancelledRequestEnds) {
  TestServer server;
  const std::string session = begin_session(server);
  ASSERT_FALSE(session.empty());
  TestConnection connection(server.port());
  connection.send("POST", call_text(1, "wait"), session);
  ASSERT_TRUE(server.provider.wait_for(1));
  cancel(server, 1, session);
  const std::string response = connection.hear(kLastChunk);
  EXPECT_TRUE(response.starts_with("HTTP/1.1 200 ")) << response;
  EXPECT_TRUE(response.ends_with(kLastChunk)) << response;
  EXPECT_FALSE(response.contains("data:")) << response;
  // The connection and the id are free again.
  ASSERT_TRUE(server.provider.wait_for(0));
  connection.send("POST", call_text(1, "answer"), session);
  EXPECT_TRUE(connection.hear("\"answer\"").contains(" 200 "));
}

TEST(HttpServer, TheResponsesOfADeletedSessionEnd) {
  TestServer server;
  const std::string session = begin_session(server);
  TestConnection call(server.port());
  call.send("POST", call_text(1, "wait"), session);
  ASSERT_TRUE(server.provider.wait_for(1));
  TestConnection others(server.port());
  ASSERT_TRUE(listens(others, session));
  TestConnection last(server.port());
  last.send("DELETE", "", session);
  EXPECT_TRUE(last.hear("\r\n\r\n").contains(" 204 "));
  EXPECT_TRUE(call.hear(kLastChunk).ends_with(kLastChunk));
  EXPECT_TRUE(others.hear("0\r\n\r\n").ends_with("0\r\n\r\n"));
}

TEST(HttpServer, TheStreamOfASessionThatMadeRoomEnds) {
  TestServer server;
  const std::string session = begin_session(server);
  TestConnection others(server.port());
  ASSERT_TRUE(listens(others, session));
  for (std::size_t i = 0; i < kMostSessions; ++i) ASSERT_FALSE(begin_session(server).empty());
  EXPECT_TRUE(others.hear("0\r\n\r\n").ends_with("0\r\n\r\n"));
}

TEST(HttpServer, AStreamToAnOlderClientHasNoChunksAndEndsWithItsConnection) {
  TestServer server;
  const std::string session = begin_session(server);
  TestConnection connection(server.port());
  connection.send("POST", call_text(1, "wait"), "Connection: keep-alive\r\n" + session, "1.0");
  ASSERT_TRUE(server.provider.wait_for(1));
  TestConnection others(server.port());
  ASSERT_TRUE(listens(others, session, "1.0"));
  cancel(server, 1, session);
  const std::string response = connection.hear_all();
  EXPECT_TRUE(response.starts_with("HTTP/1.0 200 ")) << response;
  EXPECT_TRUE(response.ends_with("\r\n\r\n")) << response;
  EXPECT_FALSE(response.contains("chunked")) << response;
  TestConnection last(server.port());
  last.send("DELETE", "", session);
  EXPECT_EQ(others.hear_all(), "");
}

TEST(HttpServer, TheIdOfALostResponseIsTakenUntilItsCallHasEnded) {
  TestServer server;
  const std::string session = begin_session(server);
  TestConnection lost(server.port());
  lost.send("POST", call_text(1, "hold"), session);
  ASSERT_TRUE(server.provider.wait_for(1));
  lost.close();
  // Whether the server has seen that already or not: the call runs on, and its id is in use.
  for (int i = 0; i < 20; ++i) {
    TestConnection again(server.port());
    again.send("POST", call_text(1, "answer"), session);
    EXPECT_TRUE(again.hear("under way").contains(" 400 "));
  }
  server.provider.release();
  ASSERT_TRUE(server.provider.wait_for(0));
  // The answer is written down a moment after the handler has ended.
  std::string heard;
  for (int i = 0; i < 1000 && !heard.contains(" 200 "); ++i) {
    TestConnection again(server.port());
    again.send("POST", call_text(1, "answer"), session);
    heard = again.hear("}}");
  }
  EXPECT_TRUE(heard.contains(R"("tool":"answer")")) << heard;
}

TEST(HttpServer, AClientThatNeverReadsHasGone) {
  TestServer server(std::chrono::milliseconds(200));
  TestConnection deaf(server.port());
  deaf.send(
      "POST",
      fmt::format(R"({{"jsonrpc":"2.0","id":1,"method":"tools/call","params":)"
                  R"({{"name":"chatter","_meta":{{"progressToken":1,"{}":"{}","{}":{{}}}}}}}})",
                  mcp::kMetaVersion, mcp::kModernVersion, mcp::kMetaCapabilities),
      fmt::format("MCP-Protocol-Version: {}\r\nMcp-Method: tools/call\r\n"
                  "Mcp-Name: chatter\r\nAccept: application/json, text/event-stream\r\n",
                  mcp::kModernVersion));
  EXPECT_TRUE(server.provider.wait_for_ended(1));
  const std::string heard = deaf.hear_all();
  EXPECT_TRUE(heard.starts_with("HTTP/1.1 200 ")) << heard.substr(0, 200);
  EXPECT_FALSE(heard.contains("\"tool\"")) << "an answer, to nobody";
}

TEST(HttpStream, OfOneThatIsNotReadNoticesAreLeftOutAndThenEverything) {
  boost::asio::io_context loop;
  const auto stream = std::make_shared<HttpStream>(loop.get_executor());
  const auto push = [&](mcp::Outgoing::Kind kind) {
    stream->push({.kind = kind, .text = std::string(kNoticeRoom / 2, 'x')});
  };
  for (int i = 0; i < 5; ++i) push(mcp::Outgoing::Kind::kNotice);
  push(mcp::Outgoing::Kind::kAnswer);
  int kept = 0;
  while (stream->take()) ++kept;
  EXPECT_EQ(kept, 3) << "two notices, and the answer";
  for (std::size_t size = 0; size < kMostWaiting; size += kNoticeRoom / 2) {
    push(mcp::Outgoing::Kind::kAnswer);
  }
  EXPECT_TRUE(stream->take()) << "as much as may wait";
  push(mcp::Outgoing::Kind::kAnswer);
  push(mcp::Outgoing::Kind::kAnswer);
  EXPECT_FALSE(stream->take()) << "the reader counts as gone";
  push(mcp::Outgoing::Kind::kAnswer);
  EXPECT_FALSE(stream->take());
}

}  // namespace
}  // namespace pyro::mcp_serve
