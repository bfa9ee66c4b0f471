// Runs programs for the host: the method `exec`.
#pragma once

#include <functional>
#include <memory>

#include "agent/cgroup.h"
#include "agent/reaper.h"
#include "proto/agent_messages.h"
#include "rpc/stream.h"

namespace pyro::agent {

class ExecService {
 public:
  // `reaper` is borrowed and outlives the service. `groups` may be empty: then a timeout reaches
  // the program's process group only.
  ExecService(Reaper& reaper, std::unique_ptr<CgroupPool> groups);
  void set_groups(std::unique_ptr<CgroupPool> groups) { groups_ = std::move(groups); }

  // Answers one request; returns when it is over. Cancelling the task does not stop it half way:
  // the end of its stream does.
  boost::asio::awaitable<void> handle(std::shared_ptr<rpc::Stream> stream);
  [[nodiscard]] int running() const { return running_; }

 private:
  struct Run;
  boost::asio::awaitable<void> supervise(Run* run);
  Result<void> start(Run& run);

  Reaper& reaper_;
  std::unique_ptr<CgroupPool> groups_;
  int running_ = 0;
};

}  // namespace pyro::agent
