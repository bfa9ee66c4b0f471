// What a crash leaves of workspaces, found out by whoever comes next.
#include "core/workspace.h"
#include "core/workspace_names.h"

namespace pyro::core {

namespace {

using store::WorkspaceState;
constexpr double kDaySeconds = 86'400;

Result<void> remove_held(const sys::Dirs& dirs, SandboxFolder& folder, const std::string& id) {
  PYRO_CHECK(give_names_back(dirs, id));
  return folder.remove();
}

}  // namespace

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
  auto store = store::WorkspaceStore::open(folder->path(), store::Database::Mode::kReadWrite);
  // Without a record it never came to be.
  if (!store && store.error().code == Errc::kNotFound) return remove_held(dirs, *folder, id);
  if (!store) return std::unexpected(std::move(store.error()));
  PYRO_TRY(const bool begun, store->has_record());
  if (!begun) return remove_held(dirs, *folder, id);
  PYRO_TRY(const auto record, store->record());
  const bool over = record.expires_at && deleted_at(record) <= now;
  if (record.state == WorkspaceState::kCreating || record.state == WorkspaceState::kDeleting ||
      over)
    return remove_held(dirs, *folder, id);
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
  return remove_held(dirs, folder, id);
}

Result<std::vector<std::string>> workspace_ids(const sys::Dirs& dirs) {
  std::vector<std::string> ids;
  if (!sys::exists(dirs.sandboxes())) return ids;
  PYRO_TRY(ids, sys::list_dir(dirs.sandboxes()));
  std::erase_if(ids, [](const std::string& name) { return !is_workspace_id(name); });
  return ids;
}

}  // namespace pyro::core
