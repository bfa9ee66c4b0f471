// A workspace: a folder with a record, a baseline and layers, and at times a machine.
//
// docs/design/workspaces.md has the picture. Whoever has one of these holds the lock of its folder.
// Each change is in the record when the call returns; the record is changed after what it then
// speaks of is on disk, and before what it no longer speaks of goes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/disks.h"
#include "core/network.h"
#include "core/network_log.h"
#include "core/rest.h"
#include "core/sandbox.h"
#include "core/sandbox_folder.h"
#include "core/services.h"
#include "core/shells.h"
#include "core/workspace_layers.h"
#include "core/workspace_secrets.h"
#include "io/turn.h"
#include "proto/network_requests.h"
#include "proto/workspace_requests.h"
#include "store/workspace_record.h"

namespace pyro::core {

inline constexpr const char* kBaseline = "baseline";  // no snapshot can be called that

// A plain name (workspace_names.h), and not "baseline": kInvalid.
Result<void> check_snapshot_name(const std::string& name);

// Borrowed; outlive the Workspace.
struct WorkspaceDeps {
  const sys::Dirs& dirs;
  vmm::Vmm& vmm;
  Templates& templates;
  image::Environments& environments;
  const Disks& disks;
  BootConfig boot;
  vmm::Accelerator accelerator;
  NetworkDeps network;
  SessionLimits sessions;
  // Sandbox::start() with whatever the caller tries besides.
  std::function<io::Task<std::vector<proto::Stage>>(Sandbox& sandbox, OnPhase on_phase)> start;
};

struct NewWorkspace {
  store::WorkspaceRecord record;  // what the user chose; the rest is filled in
  Secrets secrets;
  std::string baseline;  // moved into the folder
};

// One loop. close() must have been awaited before it is destroyed.
class Workspace {
 public:
  // The folder, its record in state "creating", the first layer; no machine. Nothing is left after
  // an error. kConflict: id or name are taken.
  static Result<std::unique_ptr<Workspace>> create(NewWorkspace what, WorkspaceDeps deps,
                                                   io::asio::any_io_executor ex);
  // One that is on disk; what a crash left of it is cleared up. kConflict: somebody has it open.
  static Result<std::unique_ptr<Workspace>> open(const std::string& id, WorkspaceDeps deps,
                                                 io::asio::any_io_executor ex);

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] Result<store::WorkspaceRecord> record() { return store_.record(); }
  // Whether there is a machine, or will soon be.
  [[nodiscard]] bool has_machine() const { return sandbox_ != nullptr; }
  [[nodiscard]] bool removed() const { return removed_; }
  // Set whenever the state may have changed by itself: the machine ended.
  [[nodiscard]] io::Event& changed() { return changed_; }

  // Nothing to do when it is started.
  io::Task<std::vector<proto::Stage>> start(OnPhase on_phase);
  // These are done to their end once they were begun, whoever stops waiting for it.
  // An error: what the guest had not written yet may be lost; it is stopped all the same.
  io::Task<void> stop() { return io::to_the_end(do_stop()); }
  // Machine, folder and name go.
  io::Task<void> remove() { return io::to_the_end(do_remove()); }
  // Waits for its turn only until `client`, if there is one, gives up.
  io::Task<proto::SnapshotTaken> take_snapshot(std::string name,
                                               std::shared_ptr<rpc::Stream> client = nullptr);
  io::Task<void> drop_snapshot(std::string name) {
    return io::to_the_end(do_drop_snapshot(std::move(name)));
  }
  io::Task<std::vector<proto::Stage>> reset(std::string snapshot, OnPhase on_phase) {
    return io::to_the_end(do_reset(std::move(snapshot), std::move(on_phase)));
  }
  Result<void> update(const proto::UpdateWorkspace& change, double now);

  io::Task<proto::ExecWorkspaceResult> exec(proto::ExecWorkspace request,
                                            std::shared_ptr<rpc::Stream> client);
  Result<void> signal(std::int64_t sequence, int signo);
  io::Task<boost::json::object> forward(proto::ForwardWorkspace request,
                                        std::shared_ptr<rpc::Stream> client, OnPhase on_phase);
  Result<void> note(const proto::NoteWorkspace& note);

  // ---- shells and services of a started workspace (workspace_sessions.cc)
  io::Task<std::int64_t> open_shell(proto::OpenShell request);
  // For calls on what was opened; a call under way holds them. kConflict: not started.
  Result<std::shared_ptr<Shells>> shells();
  Result<std::shared_ptr<Services>> services();

  // ---- its network (workspace_network.cc)
  io::Task<proto::NetworkState> network_state();
  // In the record, and in force where there is a machine. kConflict: it would give the running
  // machine a network device, or take it away.
  io::Task<void> set_network(policy::Policy policy) {
    return io::to_the_end(do_set_network(std::move(policy)));
  }
  io::Task<void> follow_network(std::int64_t cursor, std::shared_ptr<rpc::Stream> client);

  // Ends the machine without further ado; the record says that it was stopped.
  io::asio::awaitable<void> close();

 private:
  // Why a shell or a service ended, unless its machine was lost.
  static constexpr const char* kStoppedReason = "workspace_stopped";
  Workspace(std::string id, SandboxFolder folder, store::WorkspaceStore store, Secrets secrets,
            WorkspaceDeps deps, io::asio::any_io_executor ex);
  io::Task<void> do_stop();
  io::Task<void> do_remove();
  io::Task<proto::SnapshotTaken> do_take_snapshot(std::string name);
  io::Task<void> do_drop_snapshot(std::string name);
  io::Task<std::vector<proto::Stage>> do_reset(std::string snapshot, OnPhase on_phase);
  [[nodiscard]] SandboxSpec machine_spec(const store::WorkspaceRecord& record, bool keep);
  Result<vmm::WorkspaceDisks> make_disks(const Template& base, bool keep);
  io::Task<void> settle_in(Guest* guest, bool keep);
  io::Task<std::vector<proto::Stage>> bring_up(OnPhase on_phase);
  io::Task<void> put_down(bool flush, const char* reason = kStoppedReason);
  io::asio::awaitable<void> watch(std::uint64_t life);
  io::Task<io::Turns::Turn> turn_to_sync(std::shared_ptr<rpc::Stream> client);
  [[nodiscard]] Result<void> check_started() const;
  // kConflict: its time is over.
  Result<void> check_time();
  Result<void> clear_up();
  io::Task<boost::json::object> forward_offline(proto::ForwardWorkspace request,
                                                std::shared_ptr<rpc::Stream> client,
                                                OnPhase on_phase);
  Result<proto::Exec> guest_command(proto::ExecWorkspace& request);
  io::Task<void> begin_network(policy::Policy policy);
  io::asio::awaitable<void> end_network();
  io::Task<void> do_set_network(policy::Policy policy);
  Result<void> check_published(policy::Preset preset);
  void begin_sessions();
  io::asio::awaitable<void> end_sessions(bool politely, const char* reason);
  [[nodiscard]] static store::SessionsEnd ended(const char* reason);
  io::Task<proto::SnapshotTaken> add_layer_on(store::SnapshotRecord snapshot,
                                              std::int64_t new_layer, sys::UniqueFd file,
                                              bool* must_stop);
  Result<void> remove_unneeded();
  Result<void> go_back_to(std::int64_t base, std::int64_t new_layer);

  io::asio::any_io_executor ex_;
  std::string id_;
  SandboxFolder folder_;
  store::WorkspaceStore store_;
  WorkspaceLayers layers_;
  Secrets secrets_;
  WorkspaceDeps deps_;
  std::unique_ptr<Sandbox> sandbox_;
  // Of a machine with a network; there before it, and gone after it.
  std::shared_ptr<Network> network_;
  std::shared_ptr<NetworkLog> network_log_;
  std::unique_ptr<Rest> rest_;  // of a started sandbox_, as these:
  std::shared_ptr<Shells> shells_;
  std::shared_ptr<Services> services_;
  std::uint64_t life_ = 0;                                      // counts machines
  std::map<std::int64_t, std::weak_ptr<rpc::Stream>> running_;  // by sequence
  bool removed_ = false;
  // Of what changes the whole of /workspace at once, and of what holds it still for a snapshot.
  // Taken before a turn of turns_: nobody who waits here is in the way of a stop or a deletion.
  io::Turns syncs_;
  io::Turns turns_;  // of what changes state or layers
  io::Event changed_;
  io::TaskScope watches_;
};

// When an expired workspace goes: at once, or a day later. Meaningful with `expires_at`.
double deleted_at(const store::WorkspaceRecord& record);
// Finds out about a workspace that nobody has open: what a crash left of a creation or a deletion
// goes, one that had a machine is stopped, one whose time is over goes. Nothing happens to one that
// somebody has open.
Result<void> settle_workspace(const sys::Dirs& dirs, const std::string& id, double now);
// All of them, and sweep_leftovers(); one that cannot be settled does not keep the others.
Result<void> settle_workspaces(const sys::Dirs& dirs, double now);
// Removes one that nobody has open, whatever its state or damage. kConflict when somebody has.
Result<void> remove_workspace(const sys::Dirs& dirs, const std::string& id);
// What is left to do once nothing runs and the record says `deleting`: the values of its secrets go
// first, then its names, then the folder.
Result<void> remove_rest(const sys::Dirs& dirs, const std::string& id, SandboxFolder& folder);
// Ids of all that there are, sorted.
Result<std::vector<std::string>> workspace_ids(const sys::Dirs& dirs);

}  // namespace pyro::core
