// A disposable VM: created, started, one command, gone.
#pragma once

#include <memory>

#include "core/network.h"
#include "core/sandbox.h"
#include "core/sandbox_folder.h"
#include "io/turn.h"
#include "proto/network_requests.h"
#include "supervisor/host.h"
#include "supervisor/service.h"

namespace pyro::supervisor {

class VmService final : public Service {
 public:
  // What the library checks too is checked again: it keeps arithmetic within its types. `end` is
  // set at the end of the TTL.
  static Result<std::unique_ptr<VmService>> create(const proto::CreateVm& request,
                                                   const MakeMonitor& make_monitor, io::Event& end,
                                                   io::asio::any_io_executor ex);

  [[nodiscard]] proto::VmStatus status() const;
  // Where it can be reached; empty: only by the connection that leases it.
  [[nodiscard]] std::string socket_path() const;
  // Waits for the end of the TTL, and sets `end`.
  io::asio::awaitable<void> end_at_expiry();

  io::Task<boost::json::object> answer(StreamPtr stream) override;
  [[nodiscard]] bool done(bool has_clients) const override;
  io::asio::awaitable<void> tear_down() override;

 private:
  VmService(proto::CreateVm spec, policy::Policy policy, std::unique_ptr<Host> host,
            core::SandboxFolder folder, io::Event& end, io::asio::any_io_executor ex);
  [[nodiscard]] core::SandboxSpec sandbox_spec();
  io::Task<void> begin_network();
  io::Task<void> end_network_in_turn();
  io::asio::awaitable<void> end_network();
  void note_refusals(const proto::NetEvents& news);
  // The machine, and then its network.
  io::asio::awaitable<void> stop();
  io::Task<proto::NetworkState> network_state();
  io::Task<proto::StartVmResult> start(StreamPtr stream);
  io::Task<proto::ExecVmResult> exec(proto::ExecVm request, StreamPtr stream);
  io::Task<proto::VmStatus> remove();
  Result<void> record() const;

  const proto::CreateVm spec_;
  const policy::Policy policy_;
  io::asio::any_io_executor ex_;
  std::unique_ptr<Host> host_;
  std::shared_ptr<core::Network> network_;  // there before the machine, and gone after it
  std::vector<proto::Refusal> refusals_;
  core::SandboxFolder folder_;
  core::Sandbox sandbox_;
  io::Turns turns_;   // of starting, and of ending the network
  int stopping_ = 0;  // how many do
  io::Event& end_;
  double created_at_;
  bool removed_ = false;
};

}  // namespace pyro::supervisor
