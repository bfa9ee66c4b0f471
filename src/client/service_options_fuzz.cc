// What people write about a service. What is taken is within its bounds, and what is shown of it is
// taken again and means the same.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "client/service_options.h"

namespace {

using pyro::client::ServiceReadiness;

void require(bool fine) {
  if (!fine) std::abort();
}

void check_publish(const std::string& text) {
  const auto port = pyro::client::parse_publish(text);
  if (!port) return;
  require(port->guest_port >= 1 && port->guest_port <= 65535);
  std::string written = std::to_string(port->guest_port);
  if (port->host_port) {
    require(*port->host_port >= 1 && *port->host_port <= 65535);
    written.insert(0, std::to_string(*port->host_port) + ":");
  }
  require(written == text);
  require(pyro::client::published_ports({*port}).has_value());
  require(!pyro::client::published_ports({*port, *port}).has_value());
}

void check_readiness(const ServiceReadiness& given) {
  const auto checked = pyro::client::check_readiness(given, "/workspace");
  if (!checked) {
    require(checked.error().code == pyro::Errc::kInvalid);
    return;
  }
  if (given.type == "http") {
    require(checked->path.starts_with('/'));
    // Nothing that could end the line of a request.
    for (const char c : checked->path) require(c > ' ' && c <= '~');
  }
  if (given.type == "tcp" || given.type == "http") require(checked->port != 0);
  const auto again =
      pyro::client::check_readiness(pyro::client::shown_readiness(*checked), "/elsewhere");
  require(again.has_value());
  require(again->type == checked->type && again->path == checked->path &&
          again->host == checked->host && again->port == checked->port &&
          again->command == checked->command);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += static_cast<char>(data[i]);
  check_publish(text);
  check_readiness({.type = "file", .path = text});
  check_readiness({.type = "tcp", .address = text});
  check_readiness({.type = "http", .url = text});
  check_readiness({.type = "http", .url = "http://" + text});
  check_readiness({.type = "command", .command = text});
  check_readiness({.type = text});
  pyro::client::ServiceOptions options;
  options.command = text;
  const auto definition = pyro::client::service_definition(options);
  if (definition) require(!definition->argv.empty() && definition->command == text);
  return 0;
}
