// The workspace's mounts, behind an interface so that its requests run in tests.
#pragma once

#include <map>
#include <string>

#include "agent/workspace_fs.h"
#include "proto/workspace_messages.h"

namespace pyro::agent {

class WorkspaceMounts {
 public:
  virtual ~WorkspaceMounts() = default;
  // Mounts the disks where nobody sees them.
  virtual Result<WorkspaceDirs> mount(const proto::WorkspaceMount& request) = 0;
  // Shows the tree at /workspace. After mount(), once.
  virtual Result<void> show() = 0;
  // Every write to the file system that `work` is on waits from freeze() to thaw(); so would the
  // caller's own.
  virtual Result<void> freeze(int work) = 0;
  virtual Result<void> thaw(int work) = 0;
  // From now on the folder of secrets holds these and no others.
  virtual Result<void> set_secrets(const std::map<std::string, proto::Bytes>& secrets) = 0;
};

class GuestWorkspaceMounts final : public WorkspaceMounts {
 public:
  Result<WorkspaceDirs> mount(const proto::WorkspaceMount& request) override;
  Result<void> show() override;
  Result<void> freeze(int work) override;
  Result<void> thaw(int work) override;
  Result<void> set_secrets(const std::map<std::string, proto::Bytes>& secrets) override;

 private:
  sys::UniqueFd shown_;  // the tree as a mount that stands nowhere yet
  bool secrets_mounted_ = false;
};

// Mounts an overlay of two folders that are there, "tree" and "stage" above and "tree" below, and
// gives the folders of all of them. `place` is a folder for its mount point. What mount() does once
// the disks are mounted.
Result<WorkspaceDirs> mount_overlay(const std::string& baseline, const std::string& work,
                                    const std::string& place);
// kInvalid, naming the secret.
Result<void> check_secrets(const std::map<std::string, proto::Bytes>& secrets);
// Into an empty folder.
Result<void> write_secrets(int dir, const std::map<std::string, proto::Bytes>& secrets);

}  // namespace pyro::agent
