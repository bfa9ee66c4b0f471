// Which addresses are the host's own.
#pragma once

#include "net/socket_address.h"
#include "sys/fd.h"

namespace pyro::net {

using policy::Address;

// RFC 6335, 6: where nothing is; for a socket that only asks for a route.
inline constexpr std::uint16_t kDiscardPort = 9;

// Non-blocking; errno says why there is none.
sys::UniqueFd open_socket(const Address& address, int type, int protocol);

// Of this process's network namespace, at this moment: whoever listens on all addresses listens
// there. True when that cannot be found out.
bool is_own_address(const Address& address);

}  // namespace pyro::net
