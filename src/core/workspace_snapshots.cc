// Snapshots of a workspace, and the way back to them.
#include <fmt/format.h>

#include <algorithm>

#include "base/stopwatch.h"
#include "base/text.h"
#include "core/clock.h"
#include "core/workspace.h"
#include "core/workspace_names.h"
#include "proto/workspace_messages.h"
#include "sys/fault.h"

namespace pyro::core {

using store::WorkspaceState;

Result<void> check_snapshot_name(const std::string& name) {
  if (is_plain_name(name) && name != kBaseline) return {};
  return fail_hint(Errc::kInvalid,
                   name == kBaseline ? "\"baseline\" is what the workspace was created with"
                                     : quoted_name(name) + " is no name for a snapshot",
                   "use 1 to 63 letters, digits, '.', '_' and '-', a letter or digit first");
}

io::Task<proto::SnapshotTaken> Workspace::take_snapshot(std::string name,
                                                        std::shared_ptr<rpc::Stream> client) {
  PYRO_CO_TRY(const auto turn, co_await turn_to_sync(std::move(client)));
  co_return co_await io::to_the_end(do_take_snapshot(std::move(name)));
}

io::Task<proto::SnapshotTaken> Workspace::do_take_snapshot(std::string name) {
  PYRO_CO_TRY(const auto turn, co_await turns_.take());
  PYRO_CO_CHECK(check_snapshot_name(name));
  PYRO_CO_CHECK(check_started());
  PYRO_CO_TRY(const auto taken, store_.snapshots());
  if (std::ranges::find(taken, name, &store::SnapshotRecord::name) != taken.end()) {
    co_return fail_hint(Errc::kConflict, fmt::format("{} has a snapshot {} already", id_, name),
                        "choose another name, or delete it first");
  }
  PYRO_CO_TRY(const std::int64_t layer, store_.next_layer_id());
  PYRO_CO_TRY(sys::UniqueFd file, layers_.create(layer));
  sys::fault_point("snapshot.created");
  bool must_stop = false;
  auto made = co_await add_layer_on({.name = name, .created_at = now_seconds()}, layer,
                                    std::move(file), &must_stop);
  if (!made && must_stop) {
    static_cast<void>(co_await put_down(/*flush=*/false));
    static_cast<void>(
        store_.set_state(WorkspaceState::kStopped, made.error().message, ended(kStoppedReason)));
    changed_.set();
  }
  if (!made) {
    static_cast<void>(clear_up());
    co_return std::unexpected(safe(std::move(made.error()), secrets_));
  }
  co_return made;
}

// The guest's writes wait from the hold to the release: what is below the new layer is a file
// system at rest. An error leaves a new layer that the record does not name; `must_stop`: to which
// the machine writes, or may write.
io::Task<proto::SnapshotTaken> Workspace::add_layer_on(store::SnapshotRecord snapshot,
                                                       std::int64_t new_layer, sys::UniqueFd file,
                                                       bool* must_stop) {
  Stopwatch watch;
  proto::SnapshotTaken taken{.created_at = snapshot.created_at, .timing = {}};
  const auto stage = [&](const char* name) {
    taken.timing.push_back({.name = name, .ms = watch.lap()});
  };
  PYRO_CO_TRY(const auto record, store_.record());
  const Sandbox::Use use(*sandbox_);
  PYRO_CO_TRY(const auto awake, co_await rest_->wake());
  Guest& guest = *sandbox_->guest();
  PYRO_CO_TRY(const auto held,
              co_await guest.call("freezing the workspace", proto::WorkspaceHold::kName,
                                  proto::encode(proto::WorkspaceHold{})));
  stage("hold");
  sys::fault_point("snapshot.held");
  auto usage = proto::decode<proto::WorkspaceUsage>(held);
  Result<void> added;
  if (usage) {
    added = co_await guest.vm().add_work_layer(std::move(file));
  } else {
    added = std::unexpected(usage.error());
  }
  stage("add_layer");
  sys::fault_point("snapshot.added");
  Result<void> recorded;
  if (added) {
    taken.entry_count = snapshot.entry_count = std::max<std::int64_t>(0, usage->entries);
    taken.bytes_written = snapshot.bytes_written = std::max<std::int64_t>(0, usage->used_bytes);
    const auto frozen = layers_.freeze(record.current_layer);
    sys::fault_point("snapshot.frozen");
    recorded = frozen ? store_.add_snapshot(snapshot, *frozen, new_layer)
                      : Result<void>(std::unexpected(frozen.error()));
    stage("record");
  }
  sys::fault_point("snapshot.recorded");
  *must_stop = added ? !recorded : guest.vm().must_end();
  if (*must_stop) {
    co_return std::unexpected(Error(added ? recorded.error() : added.error())
                                  .context(added ? "the workspace was stopped because its record "
                                                   "could not be written"
                                                 : "the workspace was stopped because it may write "
                                                   "to a layer that is in no record"));
  }
  const auto released =
      co_await guest.call("releasing the workspace", proto::WorkspaceRelease::kName, {});
  stage("release");
  PYRO_CO_CHECK(added);
  if (!released) {
    // The guest went on by itself meanwhile: what is below the new layer may be a file system in
    // use. It stays as a layer, and loses its name.
    PYRO_CO_CHECK(store_.remove_snapshot(snapshot.name));
    co_return std::unexpected(
        Error(released.error()).context("the snapshot could not be taken").with_hint("try again"));
  }
  co_return taken;
}

io::Task<void> Workspace::do_drop_snapshot(std::string name) {
  PYRO_CO_TRY(const auto turn, co_await turns_.take());
  PYRO_CO_CHECK(check_snapshot_name(name));
  PYRO_CO_CHECK(store_.remove_snapshot(name));
  sys::fault_point("snapshot.dropped");
  co_return remove_unneeded();
}

// The record forgets a layer before its file goes.
Result<void> Workspace::remove_unneeded() {
  PYRO_TRY(const auto unneeded, store_.unneeded_layers());
  for (const std::int64_t id : unneeded) {
    PYRO_CHECK(store_.forget_layer(id));
    sys::fault_point("layer.forgotten");
    PYRO_CHECK(layers_.remove(id));
  }
  return {};
}

// What a reset does without a machine.
Result<void> Workspace::go_back_to(std::int64_t base, std::int64_t new_layer) {
  PYRO_CHECK(store_.reset(base, new_layer, now_seconds()));
  sys::fault_point("reset.recorded");
  PYRO_CHECK(sys::remove_tree(service_logs_folder(folder_.path())));
  return remove_unneeded();
}

io::Task<std::vector<proto::Stage>> Workspace::do_reset(std::string snapshot, OnPhase on_phase) {
  PYRO_CO_TRY(const auto turn, co_await turns_.take());
  if (removed_) co_return fail(Errc::kNotFound, id_ + " was deleted");
  PYRO_CO_CHECK(check_time());
  PYRO_CO_TRY(const auto snapshots, store_.snapshots());
  std::int64_t base = 0;
  if (snapshot != kBaseline) {
    const auto found = std::ranges::find(snapshots, snapshot, &store::SnapshotRecord::name);
    if (found == snapshots.end()) {
      co_return fail_hint(Errc::kNotFound,
                          fmt::format("{} has no snapshot {}", id_, quoted_name(snapshot)),
                          "run: pyro workspace snapshot list " + id_);
    }
    base = found->layer;
  }
  // What cannot be opened again is found out while there is still something to lose.
  PYRO_CO_TRY(const auto all, store_.layers());
  PYRO_CO_TRY(const auto chain, layer_chain(all, base));
  PYRO_CO_TRY(const auto files, layers_.open(chain, /*write=*/false));
  PYRO_CO_TRY(const std::int64_t layer, store_.next_layer_id());
  PYRO_CO_TRY(const sys::UniqueFd file, layers_.create(layer));
  sys::fault_point("reset.created");
  Stopwatch watch;
  static_cast<void>(co_await put_down(/*flush=*/false));
  const proto::Stage put_down_stage{.name = "stop", .ms = watch.lap()};
  sys::fault_point("reset.stopped");
  if (auto back = go_back_to(base, layer); !back) {
    static_cast<void>(
        store_.set_state(WorkspaceState::kStopped, back.error().message, ended(kStoppedReason)));
    co_return std::unexpected(std::move(back.error()));
  }
  const proto::Stage record_stage{.name = "record", .ms = watch.lap()};
  PYRO_CO_TRY(auto stages, co_await bring_up(std::move(on_phase)));
  stages.insert(stages.begin(), {put_down_stage, record_stage});
  co_return stages;
}

}  // namespace pyro::core
