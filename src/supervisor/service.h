// What a supervisor serves: one sandbox, a VM or a workspace.
#pragma once

#include <boost/json/object.hpp>
#include <memory>

#include "io/scope.h"
#include "io/task.h"
#include "rpc/session.h"

namespace pyro::supervisor {

using StreamPtr = std::shared_ptr<rpc::Stream>;

// One connection. Owner: Server.
struct Client {
  std::shared_ptr<rpc::Session> session;
  bool leases = false;  // the sandbox goes when this client does
};

class Service {
 public:
  virtual ~Service() = default;
  // One request, of any client.
  virtual io::Task<boost::json::object> answer(StreamPtr stream) = 0;
  // Whether there is nothing left to do: the supervisor then ends. Asked after each answer and each
  // client that goes.
  [[nodiscard]] virtual bool done(bool has_clients) const = 0;
  // The last that is asked of it, also when it is done.
  virtual io::asio::awaitable<void> tear_down() = 0;
};

}  // namespace pyro::supervisor
