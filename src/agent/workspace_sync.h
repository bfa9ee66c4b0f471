// A tree that is put into the workspace, all or nothing. docs/design/workspaces.md says how.
#pragma once

#include <map>
#include <set>

#include "agent/workspace_fs.h"
#include "agent/workspace_intent.h"
#include "proto/workspace_messages.h"
#include "wire/tree_stream.h"

namespace pyro::agent {

// What a crash left of a sync, finished or undone: "none", "completed" or "undone". Runs before
// anything of the user's does. kDamaged: the log cannot be read.
Result<std::string> recover_sync(const WorkspaceDirs& dirs, Changes& changes);

// One sync. feed() until the stream ends, then commit(); discard() in the end, whatever happened
// before. Destroying it changes nothing: what is left over is recover_sync()'s.
class SyncJob {
 public:
  // Both are borrowed. `number` was not used before since the workspace was mounted.
  SyncJob(const WorkspaceDirs& dirs, Changes& changes, std::uint32_t number);

  // `destination`: see proto::WorkspaceSync.
  Result<void> begin(const std::string& destination);
  // The tree stream as it comes.
  Result<void> feed(std::string_view bytes);
  // Puts what was fed in its place. An error: the tree is as it was before, unless it is kDamaged:
  // then the next mount makes it whole, the old one or, when only the mark could not be written,
  // the new one.
  Result<proto::TreeCounts> commit();
  // Removes what is not needed any more, of an unfinished sync as of a finished one.
  Result<void> discard();
  // The last commit() could neither be made nor undone.
  [[nodiscard]] bool stuck() const { return stuck_; }

 private:
  struct Attributes {
    std::uint32_t mode = 0;
    std::int64_t mtime_ns = 0;
  };
  struct Staged {
    Attributes attributes;
    // Those on the way to the destination, and itself, keep what they have where they exist.
    bool carried = false;
  };
  Result<void> take(const wire::TreeEntry& entry);
  Result<void> end_file(bool complete);
  Result<void> stage_way_to(const std::string& folder);
  Result<void> plan_removals();
  Result<void> stage_folder(const std::string& path, Staged staged);
  Result<void> stage_leaf(int dir, const std::string& name, const wire::TreeEntry& entry);
  // The error of a path that is there already, in words.
  static Result<void> once(const std::string& path, Result<void> made);
  Result<void> seal_stage();
  Result<void> plan();
  Result<void> write_log();
  Result<void> apply();
  Result<void> finish_folders();
  Result<void> take_back();

  const WorkspaceDirs& dirs_;
  Changes& changes_;
  std::string number_;
  std::string destination_;
  sys::UniqueFd staged_, old_;      // stage/<number>, stage/<number>.old
  FolderCache staged_folders_{-1};  // nowhere until begin()

  wire::TreeParser parser_;
  bool rooted_ = false;  // "." has come
  sys::UniqueFd file_;   // being written
  Attributes file_attributes_;
  std::map<std::string, Staged> folders_;  // staged
  std::set<std::string> removals_;
  proto::TreeCounts counts_;
  Intent intent_;
  bool stuck_ = false;
};

}  // namespace pyro::agent
