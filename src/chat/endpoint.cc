#include "chat/endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <charconv>
#include <utility>

namespace pyro::chat {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using ErrorCode = boost::system::error_code;

constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kDigits = "0123456789";
constexpr std::size_t kMaxUrl = 512;
constexpr std::size_t kMaxHost = 253;

bool only(std::string_view text, std::initializer_list<std::string_view> sets) {
  return std::ranges::all_of(text, [&](char c) {
    return std::ranges::any_of(sets, [&](std::string_view set) { return set.contains(c); });
  });
}

std::unexpected<Error> bad_url(std::string_view what) {
  return fail_hint(Errc::kInvalid, "the base URL " + std::string(what),
                   "for example: --base-url http://localhost:11434/v1");
}

// "HOST", "HOST:PORT", "[ADDRESS]", "[ADDRESS]:PORT".
Result<BaseUrl> parse_authority(std::string_view text) {
  BaseUrl url{.host = {}, .port = "80", .path = {}};
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return bad_url("has a '[' without its ']'");
    url.host = text.substr(1, end - 1);
    if (!only(url.host, {kDigits, "abcdefABCDEF", ":."})) return bad_url("has no address in [ ]");
    text.remove_prefix(end + 1);
    has_port = text.starts_with(':');
    if (!text.empty() && !has_port) return bad_url("has something between ']' and its port");
    if (has_port) port = text.substr(1);
  } else {
    const std::size_t colon = text.find(':');
    url.host = text.substr(0, colon);
    if (!only(url.host, {kLetters, kDigits, ".-_"})) {
      return bad_url("has characters in its host that no host name has");
    }
    has_port = colon != std::string_view::npos;
    if (has_port) port = text.substr(colon + 1);
  }
  if (url.host.empty()) return bad_url("has no host");
  if (url.host.size() > kMaxHost) return bad_url("has a host that is too long");
  if (!has_port) return url;
  std::uint16_t number = 0;
  const auto read = std::from_chars(port.data(), port.data() + port.size(), number);
  if (read.ec != std::errc() || read.ptr != port.data() + port.size() || number == 0) {
    return bad_url("has a port that is none: 1 to 65535 can be");
  }
  url.port = std::to_string(number);
  return url;
}

class HttpEndpoint final : public Endpoint {
 public:
  HttpEndpoint(BaseUrl url, Patience patience) : url_(std::move(url)), patience_(patience) {}

  Result<Reply> post(std::string_view path, const std::string& body) override {
    asio::io_context loop(1);
    beast::tcp_stream stream(loop);
    PYRO_CHECK(connect(loop, stream));
    const http::request<http::string_body> request = make_request(path, body);
    http::response_parser<http::string_body> parser;
    parser.header_limit(kMaxReplyHead);
    parser.body_limit(kMaxReplyBody);
    ErrorCode failure;
    // One limit for sending and for the whole of the answer, however slowly it drips.
    stream.expires_after(patience_.answer);
    http::async_write(stream, request, [&](const ErrorCode& ec, std::size_t) { failure = ec; });
    run(loop);
    // A server that has refused already may have stopped reading: its answer says why.
    if (failure && failure != asio::error::broken_pipe &&
        failure != asio::error::connection_reset) {
      return no_answer(failure);
    }
    beast::flat_buffer buffer(2 * kMaxReplyHead);
    http::async_read(stream, buffer, parser,
                     [&](const ErrorCode& ec, std::size_t) { failure = ec; });
    run(loop);
    if (failure) return no_answer(failure);
    return Reply{.status = parser.get().result_int(), .body = std::move(parser.get().body())};
  }

 private:
  static void run(asio::io_context& loop) {
    loop.restart();
    loop.run();
  }

  Result<void> connect(asio::io_context& loop, beast::tcp_stream& stream) const {
    ErrorCode failure;
    asio::ip::tcp::resolver resolver(loop);
    // Not under our limit but that of the C library: it cannot be called off.
    const auto addresses = resolver.resolve(url_.host, url_.port, failure);
    if (failure) return nobody("looking for " + url_.host + ": " + failure.message());
    stream.expires_after(patience_.connect);
    stream.async_connect(
        addresses, [&](const ErrorCode& ec, const asio::ip::tcp::endpoint&) { failure = ec; });
    run(loop);
    if (failure == beast::error::timeout) {
      return fail_hint(Errc::kDeadline,
                       fmt::format("connecting to {}: no answer within {} ms", url_.text(),
                                   patience_.connect.count()),
                       "name an endpoint that can be reached with --base-url");
    }
    if (failure) return nobody("connecting to " + url_.text() + ": " + failure.message());
    return {};
  }

  static std::unexpected<Error> nobody(std::string what) {
    return fail_hint(Errc::kUnavailable, "no model answers: " + std::move(what),
                     "start one (for Ollama: ollama serve), or name another endpoint with "
                     "--base-url");
  }

  [[nodiscard]] http::request<http::string_body> make_request(std::string_view path,
                                                              const std::string& body) const {
    http::request<http::string_body> request{http::verb::post, url_.path + std::string(path), 11};
    const bool ipv6 = url_.host.contains(':');
    request.set(http::field::host, (ipv6 ? "[" + url_.host + "]" : url_.host) + ":" + url_.port);
    request.set(http::field::user_agent, "pyro");
    request.set(http::field::content_type, "application/json");
    request.set(http::field::accept, "application/json");
    request.keep_alive(false);
    request.body() = body;
    request.prepare_payload();
    return request;
  }

  [[nodiscard]] std::unexpected<Error> no_answer(const ErrorCode& ec) const {
    if (ec == beast::error::timeout) {
      return fail_hint(Errc::kDeadline,
                       fmt::format("the model at {} did not answer within {} ms", url_.text(),
                                   patience_.answer.count()),
                       "a smaller model answers sooner: --model NAME");
    }
    if (ec == http::error::body_limit || ec == http::error::header_limit ||
        ec == http::error::buffer_overflow) {
      return fail_hint(
          Errc::kLimit,
          fmt::format("the answer of {} is larger than {} KiB", url_.text(), kMaxReplyBody >> 10),
          "is this an endpoint of a model? --base-url names another");
    }
    const bool ended = ec == http::error::end_of_stream || ec == asio::error::connection_reset ||
                       ec == http::error::partial_message;
    return fail_hint(Errc::kUnavailable,
                     ended ? url_.text() + " closed the connection before its answer was complete"
                           : "the answer of " + url_.text() + " is not HTTP: " + ec.message(),
                     "see the log of what runs there, or name another endpoint with --base-url");
  }

  BaseUrl url_;
  Patience patience_;
};

}  // namespace

std::string BaseUrl::text() const {
  const bool ipv6 = host.contains(':');
  return "http://" + (ipv6 ? "[" + host + "]" : host) + (port == "80" ? "" : ":" + port) + path;
}

Result<BaseUrl> parse_base_url(std::string_view text) {
  constexpr std::string_view kScheme = "http://";
  if (text.size() > kMaxUrl) return bad_url("is too long");
  if (text.starts_with("https://")) {
    return fail_hint(Errc::kInvalid, "the base URL is an https one, and only http is spoken",
                     "put a proxy of this machine before it, or use an endpoint of this machine");
  }
  if (!text.starts_with(kScheme)) return bad_url("does not begin with http://");
  text.remove_prefix(kScheme.size());
  const std::size_t slash = text.find('/');
  PYRO_TRY(BaseUrl url, parse_authority(text.substr(0, slash)));
  if (slash == std::string_view::npos) return url;
  url.path = text.substr(slash);
  if (!only(url.path, {kLetters, kDigits, "/-._~%!$&'()*+,;=:@"})) {
    return bad_url("has characters in its path that a path cannot have");
  }
  url.path.erase(url.path.find_last_not_of('/') + 1);
  return url;
}

std::unique_ptr<Endpoint> http_endpoint(BaseUrl url, Patience patience) {
  return std::make_unique<HttpEndpoint>(std::move(url), patience);
}

}  // namespace pyro::chat
