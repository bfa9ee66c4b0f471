// A supervisor's connections: the one it was started with, and those on its socket.
#pragma once

#include <functional>
#include <list>
#include <string>
#include <vector>

#include "supervisor/service.h"
#include "sys/fd.h"

namespace pyro::supervisor {

// Owner: the supervisor. Lives as long as it does; close() must have been awaited.
class Server {
 public:
  using Answer = std::function<io::Task<boost::json::object>(Client* client, StreamPtr stream)>;
  using Gone = std::function<void(bool leased)>;

  // `answered` is called when the answer of a request is on its way, `gone` when a client has gone.
  Server(io::asio::any_io_executor ex, Answer answer, std::function<void()> answered, Gone gone)
      : ex_(ex),
        answer_(std::move(answer)),
        answered_(std::move(answered)),
        gone_(std::move(gone)),
        scope_(ex) {}

  void serve(sys::UniqueFd connection) { scope_.spawn(serve_one(std::move(connection))); }
  // From now on also whoever connects to `path`, if it is the same user.
  Result<void> listen(const std::string& path);
  [[nodiscard]] bool has_clients() const { return !clients_.empty(); }
  // Answers that are under way still go out; calls that are under way are cancelled.
  io::asio::awaitable<void> close(std::string reason);

 private:
  io::asio::awaitable<void> serve_one(sys::UniqueFd connection);
  io::asio::awaitable<void> accept_clients(sys::UniqueFd listener);
  io::asio::awaitable<void> handle(Client* client, StreamPtr stream);

  io::asio::any_io_executor ex_;
  Answer answer_;
  std::function<void()> answered_;
  Gone gone_;
  std::list<Client> clients_;
  io::TaskScope scope_;
};

}  // namespace pyro::supervisor
