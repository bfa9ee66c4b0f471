// One task at a time: what must not happen next to each other takes turns.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <list>
#include <utility>

#include "io/scope.h"

namespace pyro::io {

// In the order in which they came.
class Turns {
 public:
  explicit Turns(asio::any_io_executor ex) : moved_on_(std::move(ex)) {}

  // Ends with the object.
  class Turn {
   public:
    explicit Turn(Turns* turns) : turns_(turns) { turns_->taken_ = true; }
    Turn(Turn&& o) noexcept : turns_(std::exchange(o.turns_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (turns_ == nullptr) return;
      turns_->taken_ = false;
      turns_->moved_on_.notify();
    }

   private:
    Turns* turns_;
  };
  // Waits for it. kUnavailable in a task that is cancelled meanwhile.
  Task<Turn> take() {
    const Place place(*this);
    while (!place.is_next()) PYRO_CO_CHECK(co_await moved_on_.after(moved_on_.count(), kNoLimit));
    co_return Turn(this);
  }
  // kDeadline when it does not come in time.
  Task<Turn> take_within(std::chrono::milliseconds limit) {
    using std::chrono::milliseconds;
    const Place place(*this);
    const auto until = std::chrono::steady_clock::now() + limit;
    while (!place.is_next()) {
      const auto left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
      PYRO_CO_CHECK(co_await moved_on_.after(moved_on_.count(), std::max(left, milliseconds(0))));
    }
    co_return Turn(this);
  }
  // kUnavailable soon after nobody wants it any more, which is asked again and again.
  Task<Turn> take_while(std::function<bool()> wanted) {
    const Place place(*this);
    while (!place.is_next()) {
      if (!wanted()) co_return fail(Errc::kUnavailable, "cancelled");
      const auto woken = co_await moved_on_.after(moved_on_.count(), kLook);
      if (!woken && woken.error().code != Errc::kDeadline) co_return std::unexpected(woken.error());
    }
    co_return Turn(this);
  }

 private:
  static constexpr std::chrono::milliseconds kNoLimit{-1};
  static constexpr std::chrono::milliseconds kLook{100};

  // In the queue, while it is waited and until the turn is taken.
  class Place {
   public:
    explicit Place(Turns& turns) : turns_(turns), at_(turns.queue_.insert(turns.queue_.end(), 0)) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
      turns_.queue_.erase(at_);
      turns_.moved_on_.notify();
    }
    [[nodiscard]] bool is_next() const { return !turns_.taken_ && at_ == turns_.queue_.begin(); }

   private:
    Turns& turns_;
    std::list<char>::iterator at_;
  };

  bool taken_ = false;
  std::list<char> queue_;
  Changes moved_on_;
};

}  // namespace pyro::io
