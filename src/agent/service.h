// The agent's methods, and the loop that serves one host session after another.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/exec.h"
#include "agent/machine.h"
#include "agent/workspace_service.h"
#include "io/scope.h"
#include "rpc/session.h"
#include "sys/fd.h"

namespace pyro::agent {

class Service {
 public:
  using Log = std::function<void(const std::string&)>;
  // All borrowed; they outlive the service.
  Service(boost::asio::any_io_executor ex, Machine& machine, ExecService& exec,
          WorkspaceService& workspace, Log log);

  // Serves sessions over these descriptors until the machine is shut down. `data` may be empty.
  boost::asio::awaitable<void> serve(sys::UniqueFd control, sys::UniqueFd data);

 private:
  enum class After { kGoOn, kFreeze, kPowerOff };
  boost::asio::awaitable<void> handle(std::shared_ptr<rpc::Stream> stream);
  Result<boost::json::object> answer(const rpc::Stream& stream);
  boost::asio::awaitable<void> watch(rpc::Session* session);
  boost::asio::awaitable<void> serve_one(rpc::Session* session);

  boost::asio::any_io_executor ex_;
  Machine& machine_;
  ExecService& exec_;
  WorkspaceService& workspace_;
  Log log_;
  bool prepared_ = false;
  After after_ = After::kGoOn;
  io::Event session_over_;
};

}  // namespace pyro::agent
