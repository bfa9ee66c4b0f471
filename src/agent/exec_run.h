// One program that runs for the host, from its start to its end.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <memory>

#include "agent/cgroup.h"
#include "agent/exec_io.h"
#include "agent/reaper.h"
#include "proto/agent_messages.h"
#include "rpc/stream.h"

namespace pyro::agent {

struct ExecRun {
  using Clock = std::chrono::steady_clock;

  ExecRun(const boost::asio::any_io_executor& ex, std::shared_ptr<rpc::Stream> s);

  boost::asio::any_io_executor executor;
  std::shared_ptr<rpc::Stream> stream;
  proto::Exec request;
  Reaper::Watch watch;
  pid_t pid = -1;
  std::unique_ptr<Cgroup> group;
  std::unique_ptr<ExecIo> io;
  Clock::time_point received = Clock::now();
  Clock::time_point started;
  bool timed_out = false;
  bool killed = false;  // by a timeout or the host's wish
  io::TaskScope outputs;
  io::TaskScope inputs;

  // The program runs. Spawns what copies its streams and listens to the host.
  void begin();
  // Waits until it has ended, by itself or because it was made to.
  boost::asio::awaitable<void> supervise();

 private:
  // Whether the program counts as running until its group is empty.
  [[nodiscard]] bool is_whole() const { return events_.is_open(); }
  [[nodiscard]] bool has_ended() const { return watch.status && (!is_whole() || emptied_); }
  [[nodiscard]] bool is_unwanted() const { return cancelled_ || lost_; }
  [[nodiscard]] bool has_failed() const;

  boost::asio::awaitable<void> take_input();
  boost::asio::awaitable<void> watch_group();
  void watch_whole_group();
  // Waits until one of these is true, or `until` has passed (max(): never does).
  template <class Done>
  boost::asio::awaitable<void> wait(Done done, Clock::time_point until);
  void signal(int signo);
  void signal_process_group(int signo) const;
  void ask_to_end();
  void kill_all();

  boost::asio::posix::stream_descriptor events_;  // of the group; open: it is being watched
  bool emptied_ = false;
  bool asked_to_end_ = false;  // SIGTERM came: what is left may take its time, until a cancel
  bool cancelled_ = false;     // the host wants it to end
  bool lost_ = false;          // the host is gone
};

}  // namespace pyro::agent
