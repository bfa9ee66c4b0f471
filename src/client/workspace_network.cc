#include "client/workspace_network.h"

#include "client/local_workspaces.h"
#include "core/sandbox_folder.h"

namespace pyro::client {

using store::Database;
using store::WorkspaceStore;

namespace {

// Of a started workspace. The request to its supervisor belongs here; what this refuses today is
// what such a request cannot do, and then that there is none.
Result<void> change_live(const WorkspaceInfo& now) {
  const std::string& id = now.workspace_id;
  const std::string way = "run: pyro workspace stop " + id + ", then network set, then start";
  if (now.network.policy == "off") {
    return fail_hint(Errc::kConflict,
                     "the workspace " + id + " runs without a network device, and cannot get one",
                     way);
  }
  return fail_hint(Errc::kUnavailable,
                   "the network of a started workspace cannot be changed in this version of pyro",
                   way);
}

}  // namespace

Result<void> put_policy(const sys::Dirs& dirs, const std::string& id,
                        const policy::Policy& policy) {
  PYRO_TRY(const auto folder, core::SandboxFolder::open(dirs, id));  // whoever has it may write
  PYRO_TRY(auto store, WorkspaceStore::open(folder.path(), Database::Mode::kReadWrite));
  PYRO_TRY(const auto record, store.record());
  if (record.state != store::WorkspaceState::kStopped)
    return fail(Errc::kConflict, "the workspace " + id + " is not stopped");
  return store.set_network(policy);
}

Result<WorkspaceInfo> LocalWorkspaces::set_network(const std::string& workspace,
                                                   const NetworkOptions& network,
                                                   const WorkspaceObserver& observer) {
  PYRO_TRY(const std::string id, find(workspace));
  PYRO_TRY(const policy::Policy policy, usable_policy(network, observer.run.on_warning));
  PYRO_TRY(const WorkspaceInfo now, info(id));
  if (now.state == "started") {
    PYRO_CHECK(change_live(now));
    return info(id);
  }
  Result<void> put;
  for (int tries = 0; tries < kTries; ++tries) {
    if (tries > 0) pause_a_moment();
    put = put_policy(host_.dirs, id, policy);
    if (put || put.error().code != Errc::kConflict) break;
  }
  if (!put && put.error().code == Errc::kConflict) {
    return fail_hint(Errc::kConflict,
                     "the workspace " + id + " is stopped, but its supervisor still has it open",
                     "it waits for the TTL: pyro workspace update " + id + " --no-ttl ends it");
  }
  PYRO_CHECK(std::move(put));
  return info(id);
}

}  // namespace pyro::client
