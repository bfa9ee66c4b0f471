// The requests of proto/workspace_messages.h.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>

#include "agent/worker.h"
#include "agent/workspace_mounts.h"
#include "agent/workspace_sync.h"
#include "agent/workspace_tree.h"
#include "io/scope.h"
#include "rpc/stream.h"

namespace pyro::agent {

class WorkspaceService {
 public:
  // `mounts` is borrowed. `changes` is what syncs are made with.
  WorkspaceService(boost::asio::any_io_executor ex, WorkspaceMounts& mounts, Changes changes = {});

  // Whether a method is one of ours.
  static bool serves(std::string_view method);
  // Answers one request; returns when nothing of it is left to do, which may be after the answer.
  // What was begun is ended or undone when the task is cancelled.
  boost::asio::awaitable<void> handle(std::shared_ptr<rpc::Stream> stream);
  // Ends a hold. For the end of the machine.
  void thaw();

 private:
  using Answer = io::Task<boost::json::object>;
  Answer answer(std::shared_ptr<rpc::Stream> stream);
  Answer mount(std::shared_ptr<rpc::Stream> stream);
  boost::asio::awaitable<void> sync(std::shared_ptr<rpc::Stream> stream);
  io::Task<proto::TreeCounts> receive(std::shared_ptr<rpc::Stream> stream, SyncJob* job,
                                      Worker* worker);
  Answer send_export(std::shared_ptr<rpc::Stream> stream);
  Answer send_diff(std::shared_ptr<rpc::Stream> stream);
  Answer send(std::shared_ptr<rpc::Stream> stream, std::unique_ptr<TreeProducer> producer);
  Answer hold(std::shared_ptr<rpc::Stream> stream);
  Answer release();
  Result<void> end_hold();
  Result<void> may_sync() const;

  boost::asio::any_io_executor ex_;
  WorkspaceMounts& mounts_;
  Changes changes_;
  bool mounting_ = false;
  std::unique_ptr<const WorkspaceDirs> dirs_;  // once it is mounted

  std::uint32_t syncs_ = 0;
  bool syncing_ = false;
  bool stuck_ = false;  // a sync could not be undone
  io::Event tidy_;      // no remains of a sync are being removed

  bool holding_ = false;  // from the start of freezing
  bool frozen_ = false;
  boost::asio::steady_timer give_up_;
};

}  // namespace pyro::agent
