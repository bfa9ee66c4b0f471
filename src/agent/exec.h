// Runs programs for the host: the method `exec`.
#pragma once

#include <functional>
#include <memory>

#include "agent/cgroup.h"
#include "agent/exec_io.h"
#include "agent/exec_run.h"
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
  // Opens the pipes of the next program: they cost a tenth of its start.
  void prepare_next(const boost::asio::any_io_executor& ex);

  // Answers one request; returns when it is over. Cancelling the task does not stop it half way:
  // the end of its stream does.
  boost::asio::awaitable<void> handle(std::shared_ptr<rpc::Stream> stream);
  [[nodiscard]] int running() const { return running_; }
  // Whether nothing is left of any program, daemons included. Without groups nobody can tell.
  [[nodiscard]] bool is_idle() const {
    return running_ == 0 && groups_ != nullptr && groups_->is_idle();
  }

 private:
  Result<void> start(ExecRun& run);
  Result<std::unique_ptr<ExecIo>> make_io(const ExecRun& run);

  Reaper& reaper_;
  std::unique_ptr<CgroupPool> groups_;
  std::unique_ptr<ExecIo> next_io_;
  int running_ = 0;
};

}  // namespace pyro::agent
