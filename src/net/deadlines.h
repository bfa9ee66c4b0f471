// When who is to be woken. One queue for all; moving a deadline later costs nothing.
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <utility>

#include "net/host_network.h"

namespace pyro::net {

// Of one kind of thing that others can send without end (connections, datagrams), how many are
// taken before everybody else has a turn, and when the next ones are. Not at once: that would be
// within the same turn.
inline constexpr int kMostInATurn = 64;
inline constexpr std::chrono::milliseconds kNextTurn{1};

class Deadlines {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // Each who waits has one: what stands in the queue for it, and nothing else does. So a guest
  // whose flows come and go makes no more of it than it has flows.
  using Place = std::optional<Time>;

  void want(Token who, Time due, Place& place) {
    if (place && *place <= due) return;
    forget(who, place);
    place = due;
    queue_.emplace(due, who);
  }
  // Before `who` goes.
  void forget(Token who, Place& place) {
    if (place) queue_.erase({*place, who});
    place.reset();
  }
  [[nodiscard]] std::optional<Time> first() const {
    if (queue_.empty()) return std::nullopt;
    return queue_.begin()->first;
  }
  // Somebody whose place in the queue has come, which may be too early: it should clear its Place,
  // look at what it really waits for, and want() it again.
  std::optional<Token> pop(Time now) {
    if (queue_.empty() || queue_.begin()->first > now) return std::nullopt;
    const Token who = queue_.begin()->second;
    queue_.erase(queue_.begin());
    return who;
  }
  [[nodiscard]] std::size_t size() const { return queue_.size(); }

 private:
  std::set<std::pair<Time, Token>> queue_;
};

}  // namespace pyro::net
