#include "mcp_serve/http_rules.h"

#include <gtest/gtest.h>

#include <vector>

#include "mcp/protocol.h"

namespace pyro::mcp_serve {
namespace {

namespace http = boost::beast::http;

const Gate kGate{.token = "0123456789abcdef", .address = "127.0.0.1", .port = 8931};

Head good_head() {
  Head head;
  head.method(http::verb::post);
  head.target("/mcp");
  head.version(11);
  head.set("Host", "127.0.0.1:8931");
  head.set("Authorization", "Bearer 0123456789abcdef");
  head.set("Content-Type", "application/json");
  head.set("Accept", "application/json, text/event-stream");
  return head;
}

unsigned status_with(std::string_view name, std::string_view value) {
  Head head = good_head();
  head.set(name, value);
  const auto refused = check_head(head, kGate);
  return refused ? static_cast<unsigned>(refused->status) : 200U;
}

TEST(CheckHead, OnlyOurOwnNamesAreOurs) {
  for (const char* host :
       {"127.0.0.1:8931", "localhost:8931", "LOCALHOST:8931", "[::1]:8931", "localhost"}) {
    EXPECT_EQ(status_with("Host", host), 200U) << host;
  }
  for (const char* host : {"evil.example.com", "evil.example.com:8931", "localhost:80",
                           "localhost.evil.example:8931", "127.0.0.1.nip.io:8931", "", ":8931",
                           "127.0.0.1:8931:8931", "localhost:x", "user@localhost:8931"}) {
    EXPECT_EQ(status_with("Host", host), 403U) << host;
  }
  Head head = good_head();
  head.erase("Host");
  EXPECT_EQ(static_cast<unsigned>(check_head(head, kGate)->status), 403U);
}

TEST(CheckHead, WhereOtherMachinesMayComeANumberIsOursAndANameIsNot) {
  Gate gate = kGate;
  gate.address = "0.0.0.0";
  const auto refused = [&](std::string_view host) {
    Head head = good_head();
    head.set("Host", host);
    return check_head(head, gate).has_value();
  };
  EXPECT_TRUE(refused("192.168.1.5:8931"));
  gate.remote = true;
  EXPECT_FALSE(refused("192.168.1.5:8931"));
  EXPECT_FALSE(refused("[fe80::1]:8931"));
  EXPECT_TRUE(refused("192.168.1.5:80"));
  EXPECT_TRUE(refused("evil.example.com:8931"));
  EXPECT_TRUE(refused("1.2.3.4.nip.io:8931"));
}

TEST(CheckHead, PagesOfOtherOriginsAreRefused) {
  for (const char* origin : {"http://localhost:3000", "https://127.0.0.1", "http://[::1]:1"}) {
    EXPECT_EQ(status_with("Origin", origin), 200U) << origin;
  }
  for (const char* origin : {"http://evil.example.com", "null", "", "file://", "localhost",
                             "http://localhost.evil.example", "http://evil.example/localhost"}) {
    EXPECT_EQ(status_with("Origin", origin), 403U) << origin;
  }
  Head twice = good_head();
  twice.insert("Origin", "http://localhost");
  twice.insert("Origin", "http://evil.example.com");
  EXPECT_EQ(static_cast<unsigned>(check_head(twice, kGate)->status), 403U);
}

TEST(CheckHead, ATokenMustBeTheWholeToken) {
  for (const char* value :
       {"", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0",
        "Bearer 0123456789abcdeg", "Basic 0123456789abcdef", "0123456789abcdef",
        "Bearer  0123456789abcdef"}) {
    EXPECT_EQ(status_with("Authorization", value), 401U) << value;
  }
  EXPECT_EQ(status_with("Authorization", "bearer 0123456789abcdef"), 200U);
  Head head = good_head();
  head.erase("Authorization");
  EXPECT_EQ(static_cast<unsigned>(check_head(head, kGate)->status), 401U);
  // Who is not allowed to speak learns nothing of what there is.
  head.target("/other");
  EXPECT_EQ(static_cast<unsigned>(check_head(head, kGate)->status), 401U);
}

TEST(CheckHead, MethodPathAndTypes) {
  EXPECT_EQ(status_with("Content-Type", "text/plain"), 415U);
  EXPECT_EQ(status_with("Content-Type", "application/json; charset=utf-8"), 200U);
  EXPECT_EQ(status_with("Content-Type", "application/jsonx"), 415U);
  EXPECT_EQ(status_with("Accept", "application/json"), 406U);
  EXPECT_EQ(status_with("Accept", "*/*"), 200U);
  Head head = good_head();
  head.target("/");
  EXPECT_EQ(static_cast<unsigned>(check_head(head, kGate)->status), 404U);
  for (const http::verb verb : {http::verb::get, http::verb::delete_, http::verb::put,
                                http::verb::options, http::verb::head}) {
    Head other = good_head();
    other.method(verb);
    EXPECT_EQ(static_cast<unsigned>(check_head(other, kGate)->status), 405U);
    other.set("Mcp-Session-Id", "x");
    const bool older = verb == http::verb::get || verb == http::verb::delete_;
    EXPECT_EQ(check_head(other, kGate).has_value(), !older);
    other.set("MCP-Protocol-Version", "2026-07-28");
    EXPECT_EQ(static_cast<unsigned>(check_head(other, kGate)->status), 405U);
  }
}

mcp::Request modern_call() {
  return {.id = mcp::RequestId(1),
          .method = "tools/call",
          .params = {{"name", "échö"},
                     {"_meta",
                      {{mcp::kMetaVersion, mcp::kModernVersion},
                       {mcp::kMetaCapabilities, mcp::json::object()}}}}};
}

int code_with(const std::vector<std::pair<const char*, const char*>>& headers) {
  Head head;
  for (const auto& [name, value] : headers) head.insert(name, value);
  const auto error = check_modern(head, modern_call());
  return error ? error->code : 0;
}

TEST(CheckModern, HeadersAndBodyMustSayTheSame) {
  const char* name = "=?base64?w6ljaMO2?=";
  EXPECT_EQ(code_with({{"MCP-Protocol-Version", "2026-07-28"},
                       {"Mcp-Method", "tools/call"},
                       {"mcp-name", name}}),
            0);
  EXPECT_EQ(code_with({{"Mcp-Method", "tools/call"}, {"Mcp-Name", name}}), mcp::kHeaderMismatch);
  EXPECT_EQ(code_with({{"MCP-Protocol-Version", "2025-11-25"},
                       {"Mcp-Method", "tools/call"},
                       {"Mcp-Name", name}}),
            mcp::kHeaderMismatch);
  EXPECT_EQ(code_with({{"MCP-Protocol-Version", "2026-07-28"}, {"Mcp-Name", name}}),
            mcp::kHeaderMismatch);
  EXPECT_EQ(code_with({{"MCP-Protocol-Version", "2026-07-28"},
                       {"Mcp-Method", "TOOLS/CALL"},
                       {"Mcp-Name", name}}),
            mcp::kHeaderMismatch);
  for (const char* wrong : {"", "echo", "=?base64?w6ljaMO2=?=", "=?base64?!!!!?=", "=?base64?"}) {
    EXPECT_EQ(code_with({{"MCP-Protocol-Version", "2026-07-28"},
                         {"Mcp-Method", "tools/call"},
                         {"Mcp-Name", wrong}}),
              mcp::kHeaderMismatch)
        << wrong;
  }
  EXPECT_EQ(code_with({{"MCP-Protocol-Version", "2026-07-28"},
                       {"Mcp-Method", "tools/call"},
                       {"Mcp-Method", "tools/call"},
                       {"Mcp-Name", name}}),
            mcp::kHeaderMismatch);
}

}  // namespace
}  // namespace pyro::mcp_serve
