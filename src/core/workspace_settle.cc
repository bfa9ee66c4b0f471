// What a crash leaves of workspaces, found out by whoever comes next.
#include <fmt/format.h>

#include "core/workspace.h"
#include "core/workspace_names.h"
#include "core/workspace_secrets.h"
#include "sys/fault.h"

namespace pyro::core {

namespace {

using store::WorkspaceState;
constexpr double kDaySeconds = 86'400;

// The number of a layer is in the record, and that on the disk, before the layer's file is made: a
// file with a number that the record does not know outlived what the record has lost, be it all or
// its last changes. Going by such a record would throw away what only it forgot.
std::unexpected<Error> record_lost(const std::string& folder, std::int64_t newest) {
  return fail_hint(Errc::kDamaged,
                   fmt::format("the record {0}/workspace.db is damaged: it does not know of the "
                               "layer {0}/layers/{1}.qcow2",
                               folder, newest),
                   "the workspace can only be deleted");
}

}  // namespace

Result<void> remove_rest(const sys::Dirs& dirs, const std::string& id, SandboxFolder& folder) {
  PYRO_CHECK(remove_secrets(folder.path()));
  sys::fault_point("delete.secrets");
  PYRO_CHECK(give_names_back(dirs, id));
  sys::fault_point("delete.named");
  return folder.remove();
}

double deleted_at(const store::WorkspaceRecord& record) {
  const double expires = record.expires_at.value_or(0);
  return record.ttl_action == "delete" ? expires : expires + kDaySeconds;
}

Result<void> settle_workspace(const sys::Dirs& dirs, const std::string& id, double now) {
  auto folder = SandboxFolder::open(dirs, id);
  if (!folder) {
    if (folder.error().code == Errc::kConflict) return {};
    return std::unexpected(std::move(folder.error()));
  }
  PYRO_TRY(const std::int64_t newest, WorkspaceLayers(folder->path()).newest());
  auto store = store::WorkspaceStore::open(folder->path(), store::Database::Mode::kReadWrite);
  const bool no_record = !store && store.error().code == Errc::kNotFound;
  if (no_record && newest == 0) return remove_rest(dirs, id, *folder);  // it never came to be
  if (no_record) return record_lost(folder->path(), newest);
  if (!store) return std::unexpected(std::move(store.error()));
  PYRO_TRY(const std::int64_t last, store->last_layer_id());
  if (newest > last) return record_lost(folder->path(), newest);
  PYRO_TRY(const auto record, store->record());
  const bool over = record.expires_at && deleted_at(record) <= now;
  if (record.state == WorkspaceState::kCreating || record.state == WorkspaceState::kDeleting ||
      over)
    return remove_rest(dirs, id, *folder);
  if (record.state != WorkspaceState::kStarted) return {};
  return store->set_state(WorkspaceState::kStopped,
                          "its supervisor was ended; what the guest had not synced is lost",
                          {.reason = "supervisor_lost", .at = now});
}

Result<void> settle_workspaces(const sys::Dirs& dirs, double now) {
  sweep_leftovers(dirs, now);
  PYRO_TRY(const auto ids, workspace_ids(dirs));
  std::optional<Error> first;
  for (const std::string& id : ids) {
    auto settled = settle_workspace(dirs, id, now);
    if (!settled && !first && settled.error().code != Errc::kNotFound)
      first = std::move(settled.error());
  }
  if (first) return std::unexpected(std::move(*first));
  return {};
}

Result<void> remove_workspace(const sys::Dirs& dirs, const std::string& id) {
  PYRO_TRY(auto folder, SandboxFolder::open(dirs, id));
  // As when its supervisor does it: whoever finds it half gone goes on. A record that cannot be
  // written is no reason to keep it.
  if (auto store = store::WorkspaceStore::open(folder.path(), store::Database::Mode::kReadWrite);
      store)
    static_cast<void>(store->set_state(WorkspaceState::kDeleting, ""));
  sys::fault_point("delete.recorded");
  return remove_rest(dirs, id, folder);
}

Result<std::vector<std::string>> workspace_ids(const sys::Dirs& dirs) {
  std::vector<std::string> ids;
  if (!sys::exists(dirs.sandboxes())) return ids;
  PYRO_TRY(ids, sys::list_dir(dirs.sandboxes()));
  std::erase_if(ids, [](const std::string& name) { return !is_workspace_id(name); });
  return ids;
}

}  // namespace pyro::core
