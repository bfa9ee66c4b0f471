#include "mcp_serve/http_server.h"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <exception>
#include <set>

#include "mcp_serve/http_connection.h"
#include "mcp_serve/seal.h"
#include "mcp_serve/stdio.h"

namespace pyro::mcp_serve {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

class Server {
 public:
  Server(asio::io_context& loop, HttpShared& shared)
      : shared_(shared), acceptor_(loop), scope_(loop.get_executor()) {}

  Result<tcp::endpoint> bind(const tcp::endpoint& where) {
    boost::system::error_code ec;
    acceptor_.open(where.protocol(), ec);
    if (!ec) acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec) acceptor_.bind(where, ec);
    if (!ec) acceptor_.listen(asio::socket_base::max_listen_connections, ec);
    if (ec) {
      return fail_hint(Errc::kUnavailable,
                       fmt::format("listen on {} port {}: {}", where.address().to_string(),
                                   where.port(), ec.message()),
                       "choose another port, or 0 for any that is free");
    }
    return acceptor_.local_endpoint();
  }

  asio::awaitable<void> run(int stop_fd) {
    scope_.spawn(accept());
    if (stop_fd >= 0) {
      const Result<void> asked = co_await io::wait_readable(stop_fd);
      (void)asked;
    } else {
      co_await scope_.join();
    }
    boost::system::error_code ignored;
    stopping_ = true;
    acceptor_.close(ignored);
    shared_.sessions.end_all();
    for (HttpConnection* connection : connections_) connection->stop();
    const std::exception_ptr failure = co_await scope_.close();
    if (failure) std::rethrow_exception(failure);
  }

 private:
  asio::awaitable<void> accept() {
    while (!stopping_) {
      auto accepted = co_await acceptor_.async_accept(asio::as_tuple(asio::use_awaitable));
      if (stopping_) co_return;
      if (std::get<0>(accepted)) {
        // No descriptors, for example: others end, and then there are some.
        const Result<void> waited = co_await io::sleep_for(std::chrono::milliseconds(50));
        if (!waited) co_return;
        continue;
      }
      if (connections_.size() >= kMostConnections) continue;  // closes it
      scope_.spawn(serve(std::move(std::get<1>(accepted))));
    }
  }

  asio::awaitable<void> serve(tcp::socket socket) {
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    HttpConnection connection(std::move(socket), shared_);
    connections_.insert(&connection);
    std::exception_ptr failure;
    try {
      co_await connection.run();
    } catch (...) {
      failure = std::current_exception();
    }
    connections_.erase(&connection);
    if (failure) std::rethrow_exception(failure);
  }

  HttpShared& shared_;
  tcp::acceptor acceptor_;
  std::set<HttpConnection*> connections_;
  bool stopping_ = false;
  io::TaskScope scope_;
};

}  // namespace

Result<std::pair<std::string, std::uint16_t>> parse_address(std::string_view text) {
  const auto colon = text.rfind(':');
  const std::string_view digits = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  std::string host(text.substr(0, colon));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  std::uint16_t port = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  boost::system::error_code ec;
  const auto address = asio::ip::make_address(host, ec);
  if (ec || read.ec != std::errc() || read.ptr != digits.data() + digits.size()) {
    return fail_hint(Errc::kInvalid, "not an address and a port",
                     "give numbers, for example 127.0.0.1:8931 or 127.0.0.1:0");
  }
  return std::pair(address.to_string(), port);
}

Result<void> serve_http(mcp::Provider& provider, const HttpOptions& options) {
  boost::system::error_code ec;
  const auto address = asio::ip::make_address(options.address, ec);
  if (ec) return fail(Errc::kInvalid, "not an address: " + options.address);
  if (!address.is_loopback() && !options.any_address) {
    return fail_hint(Errc::kDenied, options.address + " can be reached from other machines",
                     "use 127.0.0.1, or say --allow-remote");
  }
  PYRO_TRY(const HmacSeal seal, HmacSeal::make());
  asio::io_context loop(1);
  Hub hub;
  {
    Workers workers(kMostThreads);
    const Parts parts{.provider = provider, .seal = seal, .workers = workers};
    HttpSessions sessions(parts, hub);
    HttpShared shared{.parts = parts,
                      .gate = {.token = options.token,
                               .address = address.to_string(),
                               .port = 0,
                               .remote = !address.is_loopback()},
                      .hub = hub,
                      .sessions = sessions,
                      .write_limit = options.write_limit};
    Server server(loop, shared);
    PYRO_TRY(const tcp::endpoint bound, server.bind({address, options.port}));
    shared.gate.port = bound.port();
    provider.on_change([&](const mcp::Change& change) { hub.changed(change); });
    if (options.on_listening) {
      options.on_listening(fmt::format(
          "http://{}:{}{}", address.is_v6() ? "[" + address.to_string() + "]" : address.to_string(),
          bound.port(), kEndpoint));
    }
    std::exception_ptr failure;
    asio::co_spawn(loop, server.run(options.stop_fd), [&](std::exception_ptr e) { failure = e; });
    loop.run();
    if (failure) {
      provider.on_change({});
      return fail(Errc::kInternal, "the HTTP server failed");
    }
  }  // waits for the calls that were given up
  provider.on_change({});
  return {};
}

}  // namespace pyro::mcp_serve
