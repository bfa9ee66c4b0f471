// A workspace: from its creation, or from when somebody needs it, until nobody does.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/workspace.h"
#include "supervisor/host.h"
#include "supervisor/service.h"

namespace pyro::supervisor {

class WorkspaceService final : public Service {
 public:
  // A new one: `answer` of the same request then starts it. `recheck` is called when done() may say
  // something else without anybody having asked for anything.
  static Result<std::unique_ptr<WorkspaceService>> create(const proto::CreateWorkspace& request,
                                                          const MakeMonitor& make_monitor,
                                                          io::Event& end,
                                                          std::function<void()> recheck,
                                                          io::asio::any_io_executor ex);
  static Result<std::unique_ptr<WorkspaceService>> open(const proto::OpenWorkspace& request,
                                                        const MakeMonitor& make_monitor,
                                                        io::Event& end,
                                                        std::function<void()> recheck,
                                                        io::asio::any_io_executor ex);

  [[nodiscard]] std::string socket_path() const;
  // To be run beside it: ends its time, and notices when its machine does.
  io::asio::awaitable<void> keep_time();
  io::asio::awaitable<void> watch_machine();
  // The first start of a new one; without it nothing is left.
  io::Task<boost::json::object> first_start(StreamPtr stream);

  io::Task<boost::json::object> answer(StreamPtr stream) override;
  [[nodiscard]] bool done(bool has_clients) const override;
  io::asio::awaitable<void> tear_down() override;

 private:
  WorkspaceService(std::unique_ptr<Host> host, io::Event& end, std::function<void()> recheck,
                   io::asio::any_io_executor ex);
  [[nodiscard]] core::WorkspaceDeps deps();
  Result<void> settings_changed();
  io::Task<boost::json::object> change(StreamPtr stream);
  io::Task<boost::json::object> about_shells(StreamPtr stream);
  io::Task<boost::json::object> about_services(StreamPtr stream);
  io::Task<boost::json::object> about_network(StreamPtr stream);
  io::Task<void> act_at_expiry(const store::WorkspaceRecord& record);

  std::unique_ptr<Host> host_;
  io::Event& end_;
  std::function<void()> recheck_;
  io::Event new_time_;  // the TTL was changed
  std::unique_ptr<core::Workspace> workspace_;
  bool created_ = true;    // false: until the first start is answered
  bool has_time_ = false;  // there is something to wait for
};

}  // namespace pyro::supervisor
