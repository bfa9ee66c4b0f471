// Collects every child that ends: those we started and, as PID 1, everybody's orphans.
#pragma once

#include <sys/types.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <map>

#include "io/scope.h"
#include "sys/process.h"

namespace pyro::agent {

// One for the process. SIGCHLD must be blocked in every thread (block_child_signals()).
class Reaper {
 public:
  static void block_child_signals();
  static Result<sys::UniqueFd> make_signal_fd();
  Reaper(boost::asio::any_io_executor ex, sys::UniqueFd signal_fd);

  struct Watch {
    explicit Watch(boost::asio::any_io_executor ex) : changed(ex) {}
    std::optional<sys::ExitStatus> status;
    io::Event changed;  // the owner may set it for reasons of its own
  };
  // Tells `watch` (borrowed until forget()) when `pid` ends. To be called before the loop turns
  // after the spawn.
  void watch(pid_t pid, Watch* watch) { watches_[pid] = watch; }
  void forget(pid_t pid) { watches_.erase(pid); }

  // Runs until cancelled.
  boost::asio::awaitable<void> run();

 private:
  void collect();
  boost::asio::posix::stream_descriptor signals_;
  std::map<pid_t, Watch*> watches_;
};

}  // namespace pyro::agent
