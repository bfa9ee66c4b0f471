// Lets a machine rest while nobody has a use for it: one in which nothing of the user's runs is
// paused, costs no CPU, and goes on when the next call needs it.
#pragma once

#include <chrono>
#include <utility>

#include "core/guest.h"
#include "io/turn.h"

namespace pyro::core {

// Owner: Workspace. One loop. stop() must have been awaited before it is destroyed, and all Awake
// be gone.
class Rest {
 public:
  // How long after the last call the guest is asked, and how often while something runs in it.
  static constexpr std::chrono::milliseconds kAfter{1000};
  static constexpr std::chrono::milliseconds kAgain{5000};

  Rest(Guest& guest, io::asio::any_io_executor ex)
      : guest_(guest), turns_(ex), unused_(ex), wanted_(ex), scope_(ex) {
    unused_.set();
    scope_.spawn(run());
  }

  // As long as there is one, the machine is not paused.
  class Awake {
   public:
    explicit Awake(Rest* rest) : rest_(rest) { rest_->begin(); }
    Awake(Awake&& o) noexcept : rest_(std::exchange(o.rest_, nullptr)) {}
    Awake& operator=(Awake&&) = delete;
    ~Awake() {
      if (rest_ != nullptr) rest_->end();
    }

   private:
    Rest* rest_;
  };
  // Returns when the machine runs and its clock is right.
  io::Task<Awake> wake();
  // No more pauses. The machine may be paused now.
  io::asio::awaitable<void> stop();

 private:
  void begin() {
    ++users_;
    ++calls_;
    unused_.clear();
    wanted_.set();
  }
  void end() {
    if (--users_ == 0) unused_.set();
  }
  io::asio::awaitable<void> run();
  io::Task<bool> try_to_pause();
  io::Task<void> go_on();

  Guest& guest_;
  int users_ = 0;
  std::uint64_t calls_ = 0;
  bool paused_ = false;
  bool pausing_ = false;
  io::Turns turns_;  // of pausing and going on
  io::Event unused_, wanted_;
  io::TaskScope scope_;
};

}  // namespace pyro::core
