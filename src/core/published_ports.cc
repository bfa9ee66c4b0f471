#include "core/published_ports.h"

#include <fmt/format.h>

namespace pyro::core {

namespace {

constexpr int kFirstUnprivileged = 1024;  // net.ipv4.ip_unprivileged_port_start, by default

Error explained(const proto::PublishedPort& port, Error error) {
  if (error.code == Errc::kConflict) {
    return {.code = Errc::kConflict,
            .os_errno = error.os_errno,
            .message = fmt::format("port {} of 127.0.0.1 is taken", port.host_port),
            .hint = fmt::format("use another one, or --publish {} for any that is free",
                                port.guest_port)};
  }
  if (error.code == Errc::kDenied && port.host_port < kFirstUnprivileged) {
    return {.code = Errc::kDenied,
            .os_errno = error.os_errno,
            .message = fmt::format("port {} is below {}, which takes a right that you do not have",
                                   port.host_port, kFirstUnprivileged),
            .hint = fmt::format("use another one, or --publish {} for any that is free",
                                port.guest_port)};
  }
  return std::move(error).context(fmt::format("publishing port {}", port.guest_port));
}

Error not_allowed() {
  return {.code = Errc::kDenied,
          .message = "the network policy of the workspace does not allow ports"};
}

}  // namespace

bool PublishedPorts::allowed() const {
  return network_ != nullptr && network_->policy().preset == policy::Preset::kEgressAndPublish;
}

io::Task<void> PublishedPorts::open(std::vector<proto::PublishedPort>& ports) {
  if (ports.empty()) co_return Result<void>{};
  if (!allowed()) co_return std::unexpected(not_allowed());
  for (proto::PublishedPort& port : ports) {
    auto published = co_await network_->publish(static_cast<std::uint16_t>(port.host_port),
                                                static_cast<std::uint16_t>(port.guest_port));
    if (published) {
      port.bound = *published;
      continue;
    }
    // The policy may be another one by now.
    Error error = allowed() ? explained(port, std::move(published.error())) : not_allowed();
    co_await close(ports);
    co_return std::unexpected(std::move(error));
  }
  co_return Result<void>{};
}

io::asio::awaitable<void> PublishedPorts::close(std::vector<proto::PublishedPort>& ports) {
  for (proto::PublishedPort& port : ports) {
    const int bound = std::exchange(port.bound, 0);
    if (bound == 0) continue;
    static_cast<void>(co_await network_->unpublish(static_cast<std::uint16_t>(bound)));
  }
}

}  // namespace pyro::core
