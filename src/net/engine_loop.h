// Gives the engine its frames, what happens to its sockets, and the time.
#pragma once

#include <memory>

#include "net/engine.h"
#include "net/kernel_network.h"
#include "net/link.h"

namespace pyro::net {

class EngineLoop {
 public:
  // `link` is one end of a connected AF_UNIX datagram pair.
  static Result<std::unique_ptr<EngineLoop>> create(sys::UniqueFd link);

  Engine& engine() { return engine_; }
  // Readable when there is something to be done.
  [[nodiscard]] int fd() const { return epoll_.get(); }
  // Does what there is to do, but not for ever. False: nothing is left, and fd() says when there is
  // again. To be called after every use of engine() as well.
  bool turn();
  static Time now() { return std::chrono::steady_clock::now(); }

 private:
  EngineLoop(sys::UniqueFd epoll, sys::UniqueFd timer, std::unique_ptr<Link> link);
  void watch_for_room(bool wanted);
  bool take_events();
  void set_timer();

  sys::UniqueFd epoll_, timer_;
  std::unique_ptr<Link> link_;
  KernelNetwork network_;
  Engine engine_;
  std::optional<Time> armed_;  // what timer_ is set to
  bool frames_ = true;         // there may be some
  bool watches_for_room_ = false;
};

}  // namespace pyro::net
