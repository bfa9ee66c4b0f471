// The services of one machine: named programs that run on.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/service_run.h"

namespace pyro::core {

// Owner: Workspace, as long as its machine is started; a call under way holds it too. One loop.
// close() must have been awaited before it is destroyed.
class Services {
 public:
  using StreamPtr = std::shared_ptr<rpc::Stream>;
  // What runs a definition in the guest: argv, cwd, variables with the values of secrets.
  using MakeExec = std::function<Result<proto::Exec>(const proto::ServiceDefinition&)>;

  // `folder` is the sandbox's.
  Services(SessionDeps deps, std::string folder, MakeExec make_exec, io::asio::any_io_executor ex)
      : deps_(deps), folder_(std::move(folder)), make_exec_(std::move(make_exec)), ex_(ex) {}

  // Returns when it is ready; an error: nothing of it runs. When the client goes or cancels, it is
  // ended. kConflict: one of that name runs. kLimit: proto::kMostServices run already.
  io::Task<void> start(proto::StartService request, StreamPtr client);
  io::Task<void> restart(proto::RestartService request, StreamPtr client);
  io::Task<void> stop(proto::StopService request);
  io::Task<void> follow(proto::FollowService request, StreamPtr client);

  // All of them at once: SIGTERM, after `grace` SIGKILL.
  io::asio::awaitable<void> stop_all(std::chrono::milliseconds grace);
  // No more of them: the machine goes. Calls under way end; the records are the caller's to change.
  io::asio::awaitable<void> close();

 private:
  using RunPtr = std::shared_ptr<ServiceRun>;
  [[nodiscard]] Result<void> check_definition(const proto::ServiceDefinition& definition) const;
  io::Task<void> make_room_for(std::string name);
  io::Task<void> begin(std::string name, proto::ServiceDefinition definition, bool fresh_log,
                       StreamPtr client);
  [[nodiscard]] RunPtr running(const std::string& name) const;

  SessionDeps deps_;
  std::string folder_;
  MakeExec make_exec_;
  io::asio::any_io_executor ex_;
  LogPace pace_;
  std::map<std::string, RunPtr> runs_;
  bool stopping_ = false;  // no more are started
};

}  // namespace pyro::core
