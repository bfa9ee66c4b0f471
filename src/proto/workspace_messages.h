// What the host asks of the agent about /workspace. docs/design/workspaces.md has the whole
// picture. Trees travel as wire/tree_stream.h on the request's stream.
#pragma once

#include "proto/envelope.h"

namespace pyro::proto {

// Mounts the workspace's disks and binds /workspace; once for a life of the machine, after
// Rejuvenate and before anything of the user's runs. First finishes or undoes a sync that a crash
// interrupted. Result: WorkspaceMountResult.
struct WorkspaceMount {
  static constexpr const char* kName = "workspace.mount";
  std::string baseline = "pyro-baseline";  // erofs device with /tree: its virtio serial
  std::string work = "pyro-work";          // ext4 device

  template <class M>
  void map(M& m) {
    m.optional("baseline", baseline);
    m.optional("work", work);
  }
};
struct WorkspaceMountResult {
  static constexpr const char* kName = "workspace.mount result";
  std::string interrupted_sync = "none";  // none, completed, undone

  template <class M>
  void map(M& m) {
    m.required("interrupted_sync", interrupted_sync);
  }
};

// How much a request carried, and of what.
struct TreeCounts {
  static constexpr const char* kName = "tree counts";
  std::int64_t entries = 0;  // without the root itself
  std::int64_t bytes = 0;    // of files

  template <class M>
  void map(M& m) {
    m.required("entries", entries);
    m.required("bytes", bytes);
  }
};

// Puts a tree into a folder of the workspace, all or nothing: what the tree has is added or
// replaced, what it has not stays. In: the tree, on stdin. Result: TreeCounts. An error leaves the
// workspace as it was. One at a time: kConflict.
struct WorkspaceSync {
  static constexpr const char* kName = "workspace.sync";
  Bytes destination = ".";  // a tree path below /workspace; made when it is missing

  template <class M>
  void map(M& m) {
    m.optional("destination", destination);
  }
};

// One file, folder or link of the workspace, on stdout. The entry itself is "." of what is carried,
// whatever its kind. Result: TreeCounts. kNotFound.
struct WorkspaceExport {
  static constexpr const char* kName = "workspace.export";
  Bytes path = ".";
  std::int64_t max_bytes = -1;  // of files; kLimit above it. -1: no limit
  bool content = true;          // false: entries only, for a list; files then have no chunks
  bool recursive = true;        // false: the entry and what is directly in it

  template <class M>
  void map(M& m) {
    m.optional("path", path);
    m.optional("max_bytes", max_bytes);
    m.optional("content", content);
    m.optional("recursive", recursive);
  }
};

// What differs from the baseline, on stdout: for each changed path its old version (when it has
// one), then its new version (kRemoved when it is gone). Old and new follow each other at once; a
// path of which there is only a new version is new. Paths come in order, a folder before what is in
// it. Of a removed folder every entry comes. Files of more than max_content bytes come without
// chunks and with a broken end. Result: TreeCounts of the changed paths.
struct WorkspaceDiff {
  static constexpr const char* kName = "workspace.diff";
  std::int64_t max_content = 1 << 20;

  template <class M>
  void map(M& m) {
    m.optional("max_content", max_content);
  }
};

// Syncs and freezes the work disk (FIFREEZE); every write waits until WorkspaceRelease, or until
// the agent gives up waiting for it after `limit_ms`. Result: WorkspaceUsage.
struct WorkspaceHold {
  static constexpr const char* kName = "workspace.hold";
  std::int64_t limit_ms = 10'000;

  template <class M>
  void map(M& m) {
    m.optional("limit_ms", limit_ms);
  }
};
// What statfs says of the work disk.
struct WorkspaceUsage {
  static constexpr const char* kName = "workspace usage";
  std::int64_t used_bytes = 0;
  std::int64_t entries = 0;

  template <class M>
  void map(M& m) {
    m.required("used_bytes", used_bytes);
    m.required("entries", entries);
  }
};
// Result: Empty. kConflict when nothing is held: the snapshot between the two is then worthless.
struct WorkspaceRelease : Empty {
  static constexpr const char* kName = "workspace.release";
};

// Writes the values as /run/pyro-secrets/<name> (tmpfs, 0400). Result: Empty.
struct WorkspaceSecrets {
  static constexpr const char* kName = "workspace.secrets";
  std::map<std::string, Bytes> secrets;

  template <class M>
  void map(M& m) {
    m.required("secrets", secrets);
  }
};

}  // namespace pyro::proto
