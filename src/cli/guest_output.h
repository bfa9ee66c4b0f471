// What run and demo do with the output of a guest command.
#pragma once

#include "cli/commands.h"
#include "cli/json.h"

namespace pyro::cli {

// Keeps the first kMaxCollected bytes and drains the rest.
inline void collect(Collected& into, std::string_view bytes) {
  const std::size_t room = kMaxCollected - into.bytes.size();
  into.truncated = into.truncated || bytes.size() > room;
  into.bytes += bytes.substr(0, room);
}

}  // namespace pyro::cli
