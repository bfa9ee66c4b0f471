// Names of hosts, as rules and DNS have them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pyro::policy {

inline constexpr std::size_t kLongestName = 253;  // RFC 1035, 2.3.4, as text
inline constexpr std::size_t kLongestLabel = 63;

// Lower-cased and without a final dot: labels of letters, digits, inner hyphens and underscores
// (service names have them). nullopt: it is none; also one that ends in a number ("1.2.3", "0x7f"),
// which some programs take for an address (WHATWG URL, 3.5).
std::optional<std::string> host_name(std::string_view text);

// Whether `name` is below `parent`: "a.b.c" is below "b.c" and "c". Both as host_name() gives them.
bool is_below(std::string_view name, std::string_view parent);

}  // namespace pyro::policy
