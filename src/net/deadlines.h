// When who is to be woken. One heap for all; moving a deadline later costs nothing.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "net/host_network.h"

namespace pyro::net {

class Deadlines {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // Each who waits has one: what stands in the heap for it.
  using Place = std::optional<Time>;

  void want(Token who, Time due, Place& place) {
    if (place && *place <= due) return;
    place = due;
    heap_.emplace(due, who);
  }
  [[nodiscard]] std::optional<Time> first() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.top().first;
  }
  // Somebody whose place in the heap has come, which may be a stale one: it should clear its Place
  // when that is not later than `now`, look at what it really waits for, and want() it again.
  std::optional<Token> pop(Time now) {
    if (heap_.empty() || heap_.top().first > now) return std::nullopt;
    const Token who = heap_.top().second;
    heap_.pop();
    return who;
  }

 private:
  using Entry = std::pair<Time, Token>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap_;
};

}  // namespace pyro::net
