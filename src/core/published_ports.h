// The ports of the host that lead to one service.
#pragma once

#include <vector>

#include "core/network.h"
#include "proto/service_requests.h"

namespace pyro::core {

// Owner: ServiceRun. Those that are open go with the network, if close() was not called.
class PublishedPorts {
 public:
  // `network` is borrowed; null: the machine has none.
  explicit PublishedPorts(Network* network) : network_(network) {}

  // All of `ports`, or none and an error that says which one could not be had and why. Each then
  // says the port of the host that it has (PublishedPort::bound).
  io::Task<void> open(std::vector<proto::PublishedPort>& ports);
  // With the connections through them.
  io::asio::awaitable<void> close(std::vector<proto::PublishedPort>& ports);

 private:
  [[nodiscard]] bool allowed() const;

  Network* network_;
};

}  // namespace pyro::core
