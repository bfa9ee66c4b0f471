// One task at a time: what must not happen next to each other takes turns.
#pragma once

#include <algorithm>
#include <chrono>
#include <utility>

#include "io/scope.h"

namespace pyro::io {

class Turns {
 public:
  explicit Turns(asio::any_io_executor ex) : free_(ex) { free_.set(); }

  // Ends with the object.
  class Turn {
   public:
    explicit Turn(Turns* turns) : turns_(turns) {}
    Turn(Turn&& o) noexcept : turns_(std::exchange(o.turns_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (turns_ != nullptr) turns_->free_.set();
    }

   private:
    Turns* turns_;
  };
  // Waits for it. kUnavailable in a task that is cancelled meanwhile.
  Task<Turn> take() {
    while (!free_.is_set()) PYRO_CO_CHECK(co_await free_.wait());
    free_.clear();
    co_return Turn(this);
  }
  // kDeadline when it does not come in time.
  Task<Turn> take_within(std::chrono::milliseconds limit) {
    using std::chrono::milliseconds;
    const auto until = std::chrono::steady_clock::now() + limit;
    while (!free_.is_set()) {
      const auto left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
      PYRO_CO_CHECK(co_await free_.wait_for(std::max(left, milliseconds(0))));
    }
    free_.clear();
    co_return Turn(this);
  }

 private:
  Event free_;
};

}  // namespace pyro::io
