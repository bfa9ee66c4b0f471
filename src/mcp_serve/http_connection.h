// One connection: its requests one after the other, each answered with JSON or a stream of events.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "io/task.h"
#include "mcp_serve/http_rules.h"
#include "mcp_serve/http_sessions.h"

namespace pyro::mcp_serve {

inline constexpr std::uint32_t kMostHead = 16U << 10;  // bytes of a request's headers

// What the connections of a server share. Of the loop alone.
struct HttpShared {
  Parts parts;
  Gate gate;
  Hub& hub;
  HttpSessions& sessions;
  std::chrono::milliseconds write_limit;  // of a piece of a response
};

class HttpConnection {
 public:
  HttpConnection(boost::asio::ip::tcp::socket socket, HttpShared& shared)
      : stream_(std::move(socket)), shared_(shared) {}
  // Until the connection ends. Nothing of it may be left when the object goes.
  boost::asio::awaitable<void> run();
  // Ends it from outside: run() returns soon after.
  void stop();

 private:
  using Request = boost::beast::http::request<boost::beast::http::string_body>;
  using Response = boost::beast::http::response<boost::beast::http::string_body>;
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  using StreamPtr = std::shared_ptr<HttpStream>;

  // kInvalid and the like: the connection can go on no further.
  io::Task<void> serve_one();
  io::Task<void> read_body(Parser* parser);
  io::Task<void> handle(Request request);
  io::Task<void> modern(Request request, mcp::Message message);
  io::Task<void> legacy(Request request, mcp::Message message);
  io::Task<void> initialize(mcp::Message message);
  io::Task<void> listen(std::shared_ptr<HttpSession> session);
  // Writes what comes to `stream` until its last message. kUnavailable: the client has gone.
  io::Task<void> respond(StreamPtr stream, bool modern, std::string session_id);
  io::Task<void> pump(StreamPtr stream, bool modern, std::string session_id);
  boost::asio::awaitable<void> watch(StreamPtr stream);
  boost::asio::awaitable<void> linger();
  io::Task<void> begin_events(std::string session_id);
  io::Task<void> write_events(std::string text);
  io::Task<void> end_events();
  io::Task<void> write(Response response);
  io::Task<void> write_json(boost::beast::http::status status, std::string body,
                            std::string session_id);
  io::Task<void> refuse(Refused refused);
  [[nodiscard]] bool chunks() const { return http_version_ >= 11; }

  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;
  HttpShared& shared_;
  unsigned http_version_ = 11;
  bool keep_alive_ = true;
  bool events_ = false;  // the head of an event stream was written
  bool stopped_ = false;
};

}  // namespace pyro::mcp_serve
