#include "chat/endpoint.h"

#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <thread>

namespace pyro::chat {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// Takes one connection, reads one request, sends what it was given, and ends; without anything to
// send it keeps the connection until the client goes.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::string bytes) : bytes_(std::move(bytes)) {
    thread_ = std::thread([this] { serve(); });
  }
  ~ScriptedServer() {
    if (thread_.joinable()) thread_.join();
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] BaseUrl url(const std::string& path = "/v1") const {
    return {.host = "127.0.0.1", .port = std::to_string(port_), .path = path};
  }
  // What was asked; waits for the end.
  std::string request() {
    thread_.join();
    return request_;
  }

 private:
  void serve() {
    tcp::socket socket = acceptor_.accept();
    boost::system::error_code ec;
    while (!complete()) {
      std::array<char, 4096> piece{};
      const std::size_t n = socket.read_some(asio::buffer(piece), ec);
      if (ec) return;
      request_.append(piece.data(), n);
    }
    if (bytes_.empty()) {
      std::array<char, 1> rest{};
      socket.read_some(asio::buffer(rest), ec);
      return;
    }
    asio::write(socket, asio::buffer(bytes_), ec);
  }
  [[nodiscard]] bool complete() const {
    const std::size_t head = request_.find("\r\n\r\n");
    return head != std::string::npos && request_.ends_with("}");
  }

  std::string bytes_, request_;
  asio::io_context loop_;
  tcp::acceptor acceptor_{loop_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
  std::uint16_t port_ = acceptor_.local_endpoint().port();
  std::thread thread_;
};

TEST(Endpoint, ARequestIsSentAndItsAnswerRead) {
  ScriptedServer server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  const auto reply = http_endpoint(server.url())->post("/chat/completions", R"({"a":1})");
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->status, 200U);
  EXPECT_EQ(reply->body, "hello");
  const std::string request = server.request();
  EXPECT_TRUE(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("Host: 127.0.0.1:"), std::string::npos) << request;
  EXPECT_NE(request.find("Content-Length: 7\r\n"), std::string::npos) << request;
  EXPECT_TRUE(request.ends_with("\r\n\r\n{\"a\":1}")) << request;
}

TEST(Endpoint, ChunksAndFailuresAreAnswersToo) {
  ScriptedServer server(
      "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nno \r\n5\r\nmodel\r\n0\r\n\r\n");
  const auto reply = http_endpoint(server.url(""))->post("/chat/completions", "{}");
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->status, 404U);
  EXPECT_EQ(reply->body, "no model");
}

TEST(Endpoint, WhatIsTooLargeOrNoHttpIsRefused) {
  struct Row {
    std::string bytes;
    Errc code;
  };
  for (const Row& row :
       {Row{"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", Errc::kLimit},
        Row{"HTTP/1.1 200 OK\r\n\r\n" + std::string(kMaxReplyBody + 1, 'x'), Errc::kLimit},
        Row{"HTTP/1.1 200 OK\r\nA: " + std::string(kMaxReplyHead, 'x') + "\r\n\r\n", Errc::kLimit},
        Row{"SSH-2.0-OpenSSH_9.2\r\n", Errc::kUnavailable},
        Row{"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", Errc::kUnavailable}}) {
    ScriptedServer server(row.bytes);
    const auto reply = http_endpoint(server.url())->post("/x", "{}");
    ASSERT_FALSE(reply) << row.bytes.substr(0, 60);
    EXPECT_EQ(reply.error().code, row.code) << reply.error().message;
    EXPECT_NE(reply.error().hint, "");
  }
}

TEST(Endpoint, AModelThatNeverAnswersEndsInTime) {
  ScriptedServer server("");
  const auto endpoint = http_endpoint(server.url(), {.answer = std::chrono::milliseconds(20)});
  const auto reply = endpoint->post("/x", "{}");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Errc::kDeadline) << reply.error().message;
}

TEST(Endpoint, NobodyThereIsSaidWithTheNextStep) {
  asio::io_context loop;
  std::string port;
  {
    const tcp::acceptor taken(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    port = std::to_string(taken.local_endpoint().port());
  }
  const auto reply =
      http_endpoint({.host = "127.0.0.1", .port = port, .path = "/v1"})->post("/x", "{}");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Errc::kUnavailable);
  EXPECT_EQ(reply.error().message,
            "no model answers: connecting to http://127.0.0.1:" + port + "/v1: Connection refused");
  EXPECT_NE(reply.error().hint.find("--base-url"), std::string::npos);
}

TEST(BaseUrl, IsTakenApart) {
  struct Row {
    const char *text, *host, *port, *path, *again;
  };
  for (const Row& row :
       {Row{"http://localhost:11434/v1", "localhost", "11434", "/v1", "http://localhost:11434/v1"},
        Row{"http://localhost:11434/v1/", "localhost", "11434", "/v1", "http://localhost:11434/v1"},
        Row{"http://models.example", "models.example", "80", "", "http://models.example"},
        Row{"http://[::1]:8080/a/b", "::1", "8080", "/a/b", "http://[::1]:8080/a/b"},
        Row{"http://127.0.0.1:00080/", "127.0.0.1", "80", "", "http://127.0.0.1"}}) {
    const auto url = parse_base_url(row.text);
    ASSERT_TRUE(url) << row.text << ": " << url.error().message;
    EXPECT_EQ(url->host, row.host);
    EXPECT_EQ(url->port, row.port);
    EXPECT_EQ(url->path, row.path);
    EXPECT_EQ(url->text(), row.again);
  }
}

TEST(BaseUrl, WhatIsNoneIsRefused) {
  for (const std::string& text : std::vector<std::string>{"",
                                                          "localhost:11434",
                                                          "https://localhost/v1",
                                                          "http://",
                                                          "http://:80",
                                                          "http://a b/",
                                                          "http://u:p@host/",
                                                          "http://host:0",
                                                          "http://host:65536",
                                                          "http://host:",
                                                          "http://host:x",
                                                          "http://[::1",
                                                          "http://[]:80",
                                                          "http://[::1]80",
                                                          "http://[a.example]:80",
                                                          "http://host/v1?key=1",
                                                          "http://host/v1#x",
                                                          "http://host/\r\nHost: x",
                                                          "ftp://host/",
                                                          "http://" + std::string(300, 'a'),
                                                          "http://a/" + std::string(600, 'a')}) {
    const auto url = parse_base_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code, Errc::kInvalid);
    EXPECT_NE(url.error().hint, "");
  }
}

}  // namespace
}  // namespace pyro::chat
