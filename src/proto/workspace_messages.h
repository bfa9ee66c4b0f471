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
// replaced, what it says is removed goes (kNotFound when it is not there), all else stays. In: the
// tree, on stdin; it begins with the folder ".", whose mode and time a destination that exists
// already does not take. Folders that the tree does not name are made where they are missing.
// Result: TreeCounts. An error leaves the workspace as it was; after kDamaged the next mount makes
// it so, and no sync is taken before. One at a time, and none during a hold: kConflict.
struct WorkspaceSync {
  static constexpr const char* kName = "workspace.sync";
  // A tree path below /workspace; made when it is missing. kInvalid when a component is a link or
  // no folder.
  Bytes destination = ".";

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
// it. Of a removed folder every entry comes. When either version is a file of more than max_content
// bytes, both come without chunks and with a broken end. A link's mode and anybody's time or owner
// are no change. Result: TreeCounts of the changed paths; bytes are those of the new versions.
struct WorkspaceDiff {
  static constexpr const char* kName = "workspace.diff";
  std::int64_t max_content = 1 << 20;  // 0 to 16 MiB

  template <class M>
  void map(M& m) {
    m.optional("max_content", max_content);
  }
};

// Syncs and freezes the work disk (FIFREEZE); every write waits until WorkspaceRelease, or until
// the agent gives up waiting for it after `limit_ms` (1 to 60 000). kConflict during a sync or
// another hold. Result: WorkspaceUsage.
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

// From now on /run/pyro-secrets (tmpfs, 0700) holds a file <name> (0400) for each of these, and
// nothing else; after an error what it held before. Names: [A-Za-z_][A-Za-z0-9_]*, at most 128
// bytes; kInvalid. Result: Empty.
struct WorkspaceSecrets {
  static constexpr const char* kName = "workspace.secrets";
  std::map<std::string, Bytes> secrets;

  template <class M>
  void map(M& m) {
    m.required("secrets", secrets);
  }
};

}  // namespace pyro::proto
