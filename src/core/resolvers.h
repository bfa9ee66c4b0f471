// The host's name servers, as its own programs find them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/net_messages.h"

namespace pyro::core {

// Of resolv.conf(5): what its "nameserver" lines say, in order. What is no address, or one of a
// zone, is passed over, and so is what an engine would not take (net::kMostResolvers); the file is
// the administrator's, not a guest's.
std::vector<proto::NetResolver> parse_resolvers(std::string_view text);
// None when it cannot be read.
std::vector<proto::NetResolver> read_resolvers(const std::string& path);

}  // namespace pyro::core
