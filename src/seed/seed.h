// What a user wants in /workspace, as trees: a folder or an archive becomes the baseline image of a
// workspace, or a tree stream for a sync.
//
// A source is read once, and everything in it is checked before it goes anywhere:
//
//   carried   folders, regular files, symlinks that stay in the tree. Names are bytes. Times are
//             kept; the owner becomes root, so the bits setuid and setgid go and the others stay.
//             Hard links of an archive become copies, those of a folder were files all along.
//   refused   devices, sockets, pipes; paths that are absolute or have ".." in them; symlinks whose
//             target is absolute, leads above the root of the tree, or has ".." behind a name (what
//             that means depends on other links); hard links to what did not come earlier;
//             entries below what is no folder; what cannot be read; what is over a limit.
//   twice     the same path again in an archive replaces the earlier entry when both are of one
//             kind, as tar does when it appends; a different kind is refused.
//   missing   a folder that an archive does not name, but has something in, gets mode 0755 and
//             the time of the first entry in it.
//   the root  an archive's own "." and the folder itself give the root its time; its mode is 0755.
//
// A file of a folder that grows or shrinks while it is read is carried as it was read: nobody can
// see a folder at one point in time, and a build next to it must not make a sync impossible. A
// name that changes from a file into a link during the walk is not followed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pyro::seed {

inline constexpr std::uint64_t kMaxEntries = 1'000'000;       // repeated ones count again
inline constexpr std::uint64_t kMaxBytes = 8ULL << 30;        // content of all files
inline constexpr std::uint64_t kMaxNameBytes = 256ULL << 20;  // all paths and link targets
inline constexpr std::size_t kMaxDepth = 256;                 // components of a path
inline constexpr std::uint64_t kBaselineBytes = 16ULL << 30;  // the device, and so the image

struct Limits {
  std::uint64_t entries = kMaxEntries;
  std::uint64_t bytes = kMaxBytes;
  std::uint64_t name_bytes = kMaxNameBytes;
};

struct Source {
  // A folder, or an archive: tar, alone or with gzip or zstd, whatever its name. Empty: nothing.
  std::string path;
  // Only what git tracks in this folder (it may lie inside a checkout), as it is now. A submodule,
  // and a file that is tracked and not there, are refused by name.
  bool git_tracked = false;
  // Where files that an archive has hard links to are kept for a while, under no name.
  std::string scratch_dir = "/var/tmp";
};

struct Counts {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
};
struct Progress {
  std::function<void(const Counts&)> report;  // may be empty; called often
  // Readable when the user wants to stop: the call ends with kUnavailable. Polled for each chunk.
  int interrupt_fd = -1;
};

struct Summary {
  std::string mode;                 // "empty", "directory", "archive"
  std::string source;               // the path as it was given
  std::uint64_t entry_count = 0;    // without the root
  std::uint64_t bytes_written = 0;  // content of files
  bool operator==(const Summary&) const = default;
};

// Puts an erofs image with everything below /tree at `image_path`: kBaselineBytes long (sparse),
// mode 0400, on disk when this returns. It appears there by a rename, so there is never a part of
// one. `staging_parent` exists, is private, and is on the same file system; what a killed process
// left there goes with sys::sweep_staging().
//
// Refused on top of the above: names that begin with "lost+found", which mkfs.erofs leaves out
// without a word, and paths that are longer than PATH_MAX below the staging folder.
//
// An ordinary user can stage neither owners nor folders that deny him entry. So everything is
// staged with modes that work, folders get their own from the deepest up when all is there, and
// mkfs.erofs makes root the owner. Where a mode denies even reading (an archive can say so)
// mkfs.erofs runs as root of a user namespace, which is told when this host has none.
Result<Summary> build_baseline(const Source& source, const std::string& staging_parent,
                               const std::string& image_path, const Progress& progress,
                               const Limits& limits = {});

using Sink = std::function<Result<void>(std::string_view bytes)>;
// The source as a tree stream (wire/tree_stream.h), to its end. Writes nothing but to `sink`; an
// error may come after much has been written, and the stream has no end then. A path comes twice
// where an archive has it twice. The root comes first, with mode 0755: a folder that a sync finds
// keeps its own.
Result<Summary> write_tree(const Source& source, const Sink& sink, const Progress& progress = {},
                           const Limits& limits = {});

}  // namespace pyro::seed
