#include "net/net_event.h"

#include <algorithm>
#include <iterator>

#include "sys/clock.h"

namespace pyro::net {

void NetEvents::add(NetEvent event) {
  if (events_.size() >= kMost) {
    ++lost_;
    return;
  }
  event.time_ns = sys::wall_clock_ns();
  events_.push_back(std::move(event));
}

NetEvents::Taken NetEvents::take(std::size_t most) {
  const auto end = events_.begin() + static_cast<std::ptrdiff_t>(std::min(most, events_.size()));
  Taken out{.events = {std::make_move_iterator(events_.begin()), std::make_move_iterator(end)},
            .lost = std::exchange(lost_, 0)};
  events_.erase(events_.begin(), end);
  return out;
}

}  // namespace pyro::net
