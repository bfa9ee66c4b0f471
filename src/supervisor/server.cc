#include "supervisor/server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>

#include "sys/file.h"

namespace pyro::supervisor {

namespace asio = boost::asio;

namespace {
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr auto kAcceptPause = std::chrono::milliseconds(100);
}  // namespace

Result<void> Server::listen(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail_hint(Errc::kInvalid, path + " is too long for a socket",
                     "set XDG_RUNTIME_DIR to a shorter path");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  sys::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return sys::fail_errno("socket", errno);
  const mode_t before = ::umask(0177);
  const auto bound = sys::retrying("bind " + path, [&] {
    // The sockets API takes every address as a sockaddr*.
    return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  });
  ::umask(before);
  PYRO_CHECK(bound);
  PYRO_CHECK(sys::retrying("listen", [&] { return ::listen(fd.get(), 64); }));
  scope_.spawn(accept_clients(std::move(fd)));
  return {};
}

asio::awaitable<void> Server::accept_clients(sys::UniqueFd listener) {
  asio::local::stream_protocol::acceptor acceptor(ex_, asio::local::stream_protocol(),
                                                  listener.release());
  // Else asio keeps this error to itself and waits for another client, although one may be waiting.
  acceptor.set_option(asio::socket_base::enable_connection_aborted(true));
  for (;;) {
    auto accepted = co_await acceptor.async_accept(kTuple);
    auto& [ec, socket] = accepted;
    if (ec == asio::error::operation_aborted) co_return;
    if (ec) {  // out of descriptors, or the client is gone already: others may have more luck
      const auto slept = co_await io::sleep_for(kAcceptPause);
      if (!slept) co_return;
      continue;
    }
    const int raw = socket.release();
    sys::UniqueFd fd(raw);
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(raw, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != ::geteuid())
      continue;
    serve(std::move(fd));
  }
}

asio::awaitable<void> Server::serve_one(sys::UniqueFd connection) {
  const auto client = clients_.emplace(clients_.end());
  client->session = std::make_shared<rpc::Session>(
      ex_, std::move(connection), sys::UniqueFd(),
      rpc::SessionOptions{
          .handler = [this, &c = *client](StreamPtr s) { return handle(&c, std::move(s)); },
          .software = "pyro-supervisor"});
  const auto session = client->session;
  const auto hello = co_await session->handshake_as_acceptor();
  if (hello) static_cast<void>(co_await session->closed());
  co_await session->close();
  const bool leased = client->leases;
  clients_.erase(client);
  gone_(leased);
}

asio::awaitable<void> Server::handle(Client* client, StreamPtr stream) {
  auto result = co_await answer_(client, stream);
  if (result) {
    static_cast<void>(stream->respond(std::move(*result)));
  } else {
    static_cast<void>(stream->respond(std::move(result.error())));
  }
  answered_();
}

asio::awaitable<void> Server::close(std::string reason) {
  std::vector<std::shared_ptr<rpc::Session>> sessions;
  for (const Client& client : clients_) sessions.push_back(client.session);
  for (const auto& session : sessions) co_await session->close(reason);
  static_cast<void>(co_await scope_.close());
}

}  // namespace pyro::supervisor
