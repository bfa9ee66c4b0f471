// What people write about services, as types that cannot be wrong.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "client/services.h"
#include "proto/service_requests.h"

namespace pyro::client {

// "GUEST" or "HOST:GUEST", both 1 to 65535. kInvalid.
Result<ServicePort> parse_publish(const std::string& text);
// In 1 to 65535; no guest or host port twice. kInvalid.
Result<std::vector<proto::PublishedPort>> published_ports(const std::vector<ServicePort>& ports);

// "PORT", "HOST:PORT" or "[IPV6]:PORT". HOST is an address or localhost: the guest has no resolver
// that pyro could trust. kInvalid.
struct GuestAddress {
  std::string host;
  std::uint16_t port = 0;
};
Result<GuestAddress> parse_guest_address(const std::string& text);

// "http://HOST[:PORT][/PATH][?QUERY]" with the same hosts; `target` begins with "/". kInvalid.
struct GuestUrl {
  GuestAddress address;
  std::string target;
};
Result<GuestUrl> parse_guest_url(const std::string& text);

// `cwd`: absolute; what a relative file is below.
Result<proto::Readiness> check_readiness(const ServiceReadiness& readiness, const std::string& cwd);
// The other way round.
ServiceReadiness shown_readiness(const proto::Readiness& readiness);

// All of `options` but whether the workspace's policy allows its ports.
Result<proto::ServiceDefinition> service_definition(const ServiceOptions& options);

}  // namespace pyro::client
