#include "mcp_serve/http_connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <vector>

#include "base/version.h"

namespace pyro::mcp_serve {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr std::chrono::seconds kReadLimit{30};  // of a request, and between two
constexpr std::chrono::seconds kLinger{2};
constexpr std::chrono::milliseconds kKeepAlive{15'000};
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

std::unexpected<Error> gone() {
  return fail(Errc::kUnavailable, "the client has gone");
}

// What the specification of 2026-07-28 wants for these, for clients and proxies that read no body.
http::status status_of(const mcp::Outgoing& answer, bool modern) {
  if (!modern) return http::status::ok;
  switch (answer.error_code) {
    case mcp::kMethodNotFound:
      return http::status::not_found;
    case mcp::kMissingCapability:
    case mcp::kUnsupportedVersion:
    case mcp::kHeaderMismatch:
      return http::status::bad_request;
    default:
      return http::status::ok;
  }
}

mcp::RpcError no_session(bool named) {
  if (named) {
    return {mcp::kSessionNotFound, "there is no such session: send initialize again", {}};
  }
  return {mcp::kInvalidRequest, "send initialize first, or use the headers of 2026-07-28", {}};
}

// Whether the bytes were no HTTP, rather than that none came.
bool is_malformed(const boost::system::error_code& ec) {
  return ec.category() == http::make_error_code(http::error::bad_method).category() &&
         ec != http::error::end_of_stream && ec != http::error::partial_message;
}

bool is_answer(const mcp::Outgoing& message) {
  return message.kind == mcp::Outgoing::Kind::kAnswer;
}

bool is_end(const mcp::Outgoing& message) {
  return message.kind == mcp::Outgoing::Kind::kEnd;
}

std::string event(const mcp::Outgoing& message) {
  return "event: message\ndata: " + message.text + "\n\n";
}

}  // namespace

asio::awaitable<void> HttpConnection::run() {
  while (!stopped_ && keep_alive_) {
    const Result<void> served = co_await serve_one();
    if (!served) break;
  }
  co_await linger();
  stream_.close();
}

// What the client still sends is read for a moment: closing at once would take back an answer that
// it has not read yet.
asio::awaitable<void> HttpConnection::linger() {
  boost::system::error_code ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  stream_.expires_after(kLinger);
  std::vector<char> scrap(std::size_t{64} << 10);
  while (!stopped_) {
    const auto read = co_await stream_.async_read_some(asio::buffer(scrap), kTuple);
    if (std::get<0>(read)) co_return;
  }
}

void HttpConnection::stop() {
  stopped_ = true;
  stream_.close();
}

io::Task<void> HttpConnection::serve_one() {
  Parser parser;
  parser.header_limit(kMostHead);
  parser.body_limit(mcp::kMostMessage);
  stream_.expires_after(kReadLimit);
  const auto read = co_await http::async_read_header(stream_, buffer_, parser, kTuple);
  const auto ec = std::get<0>(read);
  keep_alive_ = false;  // until the request is known to be whole
  if (ec == http::error::header_limit) {
    co_return co_await refuse({http::status::request_header_fields_too_large, "too many headers"});
  }
  if (ec == http::error::body_limit) {
    co_return co_await refuse({http::status::payload_too_large, mcp::too_long().error.message});
  }
  if (is_malformed(ec)) {
    co_return co_await refuse({http::status::bad_request, "this is not HTTP/1.1"});
  }
  if (ec) co_return gone();

  http_version_ = parser.get().version();
  // Before a byte of the body: who may not speak to us cannot make us keep anything either.
  if (auto refused = check_head(parser.get(), shared_.gate)) {
    co_return co_await refuse(*std::move(refused));
  }
  PYRO_CO_CHECK(co_await read_body(&parser));
  keep_alive_ = parser.get().keep_alive();
  co_return co_await handle(parser.release());
}

io::Task<void> HttpConnection::read_body(Parser* parser) {
  if (parser->get()[http::field::expect] == "100-continue") {
    PYRO_CO_CHECK(co_await write(Response(http::status::continue_, http_version_)));
  }
  stream_.expires_after(kReadLimit);
  const auto read = co_await http::async_read(stream_, buffer_, *parser, kTuple);
  const auto ec = std::get<0>(read);
  if (ec == http::error::body_limit) {
    PYRO_CO_CHECK(
        co_await refuse({http::status::payload_too_large, mcp::too_long().error.message}));
  }
  if (ec) co_return gone();
  co_return Result<void>();
}

io::Task<void> HttpConnection::handle(Request request) {
  if (request.method() == http::verb::get || request.method() == http::verb::delete_) {
    const std::string id = one_header(request, kSessionHeader).value_or("");
    const std::shared_ptr<HttpSession> session = shared_.sessions.find(id);
    if (!session) {
      co_return co_await refuse({http::status::not_found, "there is no such session"});
    }
    if (request.method() == http::verb::get) co_return co_await listen(session);
    shared_.sessions.end(id);
    co_return co_await write(Response(http::status::no_content, http_version_));
  }
  auto message = mcp::parse_message(request.body());
  if (!message) {
    co_return co_await write_json(http::status::bad_request,
                                  mcp::error_text(message.error().id, message.error().error), "");
  }
  const std::string version = one_header(request, kVersionHeader).value_or("");
  const auto* call = std::get_if<mcp::Request>(&*message);
  const bool stateless = version == mcp::kModernVersion ||
                         (call != nullptr && mcp::looks_modern(call->params)) ||
                         (!version.empty() && !mcp::is_legacy_version(version));
  if (stateless) co_return co_await modern(std::move(request), *std::move(message));
  co_return co_await legacy(std::move(request), *std::move(message));
}

io::Task<void> HttpConnection::modern(Request request, mcp::Message message) {
  const auto* call = std::get_if<mcp::Request>(&message);
  if (call == nullptr) {
    const bool notification = std::holds_alternative<mcp::Notification>(message);
    if (notification) co_return co_await write(Response(http::status::accepted, http_version_));
    co_return co_await refuse({http::status::bad_request, "responses are not part of this era"});
  }
  if (const auto wrong = check_modern(request, *call)) {
    co_return co_await write_json(http::status::bad_request, mcp::error_text(call->id, *wrong), "");
  }
  const auto stream = std::make_shared<HttpStream>(stream_.get_executor());
  const auto conversation =
      std::make_shared<Conversation>(shared_.parts, mcp::Session::Eras::kModern,
                                     [stream](mcp::Outgoing out) { stream->push(std::move(out)); });
  if (call->method == "subscriptions/listen") shared_.hub.add(conversation);
  conversation->receive(std::move(message));
  const Result<void> sent = co_await respond(stream, true, "");
  if (!sent) conversation->abandon();  // in this era a closed response is a cancelled request
  co_return sent;
}

io::Task<void> HttpConnection::legacy(Request request, mcp::Message message) {
  const auto* call = std::get_if<mcp::Request>(&message);
  const auto id = one_header(request, kSessionHeader);
  if (!id && call != nullptr && call->method == "initialize") {
    co_return co_await initialize(std::move(message));
  }
  const std::shared_ptr<HttpSession> session = id ? shared_.sessions.find(*id) : nullptr;
  if (!session) {
    const mcp::RpcError error = no_session(id.has_value());
    std::optional<mcp::RequestId> about;
    if (call != nullptr) about = call->id;
    http::status status = http::status::bad_request;
    if (id) status = http::status::not_found;
    co_return co_await write_json(status, mcp::error_text(about, error), "");
  }
  if (call == nullptr) {
    session->conversation()->receive(std::move(message));
    co_return co_await write(Response(http::status::accepted, http_version_));
  }
  const auto stream = std::make_shared<HttpStream>(stream_.get_executor());
  if (!session->route(call->id, stream)) {
    co_return co_await refuse(
        {http::status::bad_request, "a request with this id is under way already"});
  }
  session->conversation()->receive(std::move(message));
  const Result<void> sent = co_await respond(stream, false, "");
  session->unroute(stream);  // in this era a lost response does not cancel the request
  co_return sent;
}

io::Task<void> HttpConnection::initialize(mcp::Message message) {
  Result<std::shared_ptr<HttpSession>> session = shared_.sessions.make();
  if (!session) {
    co_return co_await refuse({http::status::service_unavailable, session.error().message});
  }
  const auto stream = std::make_shared<HttpStream>(stream_.get_executor());
  (*session)->route(std::get<mcp::Request>(message).id, stream);
  (*session)->conversation()->receive(std::move(message));
  const std::string id = (*session)->conversation()->initialized() ? (*session)->id() : "";
  if (id.empty()) shared_.sessions.end((*session)->id());
  co_return co_await respond(stream, false, id);
}

io::Task<void> HttpConnection::listen(std::shared_ptr<HttpSession> session) {
  const auto stream = std::make_shared<HttpStream>(stream_.get_executor());
  if (!session->listen(stream)) {
    co_return co_await refuse({http::status::conflict, "this session has such a stream already"});
  }
  PYRO_CO_CHECK(co_await begin_events(""));
  const Result<void> sent = co_await respond(stream, false, "");
  session->unroute(stream);
  co_return sent;
}

io::Task<void> HttpConnection::respond(StreamPtr stream, bool modern, std::string session_id) {
  io::TaskScope watcher(stream_.get_executor());
  watcher.spawn(watch(stream));
  const Result<void> done = co_await pump(stream, modern, std::move(session_id));
  stream->set_gone();  // whatever comes now is for nobody
  const std::exception_ptr failure = co_await watcher.close();
  if (failure) co_return fail(Errc::kInternal, "a watching task failed");
  co_return done;
}

io::Task<void> HttpConnection::pump(StreamPtr stream, bool modern, std::string session_id) {
  for (;;) {
    const Result<HttpStream::State> state = co_await stream->wait(kKeepAlive);
    if (!state || *state == HttpStream::State::kGone) co_return gone();
    if (*state == HttpStream::State::kQuiet) {
      // Whoever stands between sees that it goes on, and a client that its request was heard.
      if (!events_) PYRO_CO_CHECK(co_await begin_events(session_id));
      PYRO_CO_CHECK(co_await write_events(": still at it\n\n"));
      continue;
    }
    while (std::optional<mcp::Outgoing> message = stream->take()) {
      if (is_answer(*message) && !events_) {
        co_return co_await write_json(status_of(*message, modern), std::move(message->text),
                                      session_id);
      }
      if (!events_) PYRO_CO_CHECK(co_await begin_events(session_id));
      if (!is_end(*message)) PYRO_CO_CHECK(co_await write_events(event(*message)));
      if (!is_end(*message) && !is_answer(*message)) continue;
      co_return co_await end_events();
    }
  }
}

// Ends when the client closes, or sends more: what it has to say then is read after this answer.
asio::awaitable<void> HttpConnection::watch(StreamPtr stream) {
  const auto waited =
      co_await stream_.socket().async_wait(asio::ip::tcp::socket::wait_read, kTuple);
  if (std::get<0>(waited)) co_return;
  char one = 0;
  boost::system::error_code ec;
  const std::size_t got =
      stream_.socket().receive(asio::buffer(&one, 1), asio::ip::tcp::socket::message_peek, ec);
  if (ec || got == 0) stream->set_gone();
}

io::Task<void> HttpConnection::begin_events(std::string session_id) {
  http::response<http::empty_body> head(http::status::ok, http_version_);
  head.set(http::field::server, std::string("pyro/") + std::string(kVersion));
  head.set(http::field::content_type, "text/event-stream");
  head.set(http::field::cache_control, "no-cache, no-transform");
  head.set("X-Accel-Buffering", "no");
  if (!session_id.empty()) head.set(kSessionHeader, session_id);
  // HTTP/1.0 knows no chunks: there the end of the connection is the end of the stream.
  if (!chunks()) keep_alive_ = false;
  head.keep_alive(keep_alive_);
  if (chunks()) head.chunked(true);
  http::response_serializer<http::empty_body> serializer(head);
  stream_.expires_after(shared_.write_limit);
  const auto wrote = co_await http::async_write_header(stream_, serializer, kTuple);
  if (std::get<0>(wrote)) co_return gone();
  events_ = true;
  co_return Result<void>();
}

io::Task<void> HttpConnection::write_events(std::string text) {
  stream_.expires_after(shared_.write_limit);
  boost::system::error_code ec;
  if (chunks()) {
    const auto wrote =
        co_await asio::async_write(stream_, http::make_chunk(asio::buffer(text)), kTuple);
    ec = std::get<0>(wrote);
  } else {
    const auto wrote = co_await asio::async_write(stream_, asio::buffer(text), kTuple);
    ec = std::get<0>(wrote);
  }
  if (ec) co_return gone();
  co_return Result<void>();
}

io::Task<void> HttpConnection::end_events() {
  events_ = false;
  if (!chunks()) co_return Result<void>();  // the connection ends now
  stream_.expires_after(shared_.write_limit);
  const auto wrote = co_await asio::async_write(stream_, http::make_chunk_last(), kTuple);
  if (std::get<0>(wrote)) co_return gone();
  co_return Result<void>();
}

io::Task<void> HttpConnection::write(Response response) {
  response.set(http::field::server, std::string("pyro/") + std::string(kVersion));
  if (response.result() != http::status::continue_) {
    response.keep_alive(keep_alive_);
    response.prepare_payload();
  }
  stream_.expires_after(shared_.write_limit);
  const auto wrote = co_await http::async_write(stream_, response, kTuple);
  if (std::get<0>(wrote)) co_return gone();
  co_return Result<void>();
}

io::Task<void> HttpConnection::write_json(http::status status, std::string body,
                                          std::string session_id) {
  Response response(status, http_version_);
  response.set(http::field::content_type, "application/json");
  if (!session_id.empty()) response.set(kSessionHeader, session_id);
  response.body() = std::move(body);
  co_return co_await write(std::move(response));
}

// Closes the connection as well when the body was not read.
io::Task<void> HttpConnection::refuse(Refused refused) {
  Response response(refused.status, http_version_);
  response.set(http::field::content_type, "application/json");
  if (refused.status == http::status::unauthorized) {
    response.set(http::field::www_authenticate, "Bearer");
  }
  if (refused.status == http::status::method_not_allowed) response.set(http::field::allow, "POST");
  response.body() = mcp::error_text({}, {mcp::kInvalidRequest, std::move(refused.why), {}});
  co_return co_await write(std::move(response));
}

}  // namespace pyro::mcp_serve
