// A tree of files as bytes: what a sync sends to the guest, and what an export, a diff or a list
// brings from it. Numbers are big endian:
//
//   u8 kind | u16 path length | u32 mode | i64 mtime in ns | path | what the kind adds
//
//   1 directory    nothing
//   2 file         u64 size, as its sender says it is, then chunks: u32 length (1 to kMaxChunk) and
//                  that many bytes; a length of 0 ends it, 0xffffffff ends a file that could not be
//                  read to its end. What comes need not be of that size: a list has no chunks, and
//                  files change while they are read
//   3 symlink      u16 length, target
//   4 other        nothing: a device, socket or pipe, which is named and never carried
//   5 removed      nothing: a path of a lower layer that is not there any more (diff), or that is
//                  not to be there any more (sync)
//   6 end          path length, mode and mtime 0; nothing comes after it
//
// A path is relative, not empty and without a NUL, an empty component, "." or ".."; "." alone names
// the root of what is carried. A folder comes before what is in it. Both sides check all of this:
// names, sizes and order come from a hostile guest as well as from a careless host.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace pyro::wire {

enum class EntryKind : std::uint8_t {
  kDirectory = 1,
  kFile = 2,
  kSymlink = 3,
  kOther = 4,
  kRemoved = 5,
  kEnd = 6,
};

inline constexpr std::size_t kMaxPath = 4095;        // bytes (Linux, PATH_MAX without its NUL)
inline constexpr std::size_t kMaxComponent = 255;    // bytes (Linux, NAME_MAX)
inline constexpr std::size_t kMaxChunk = 128 << 10;  // bytes

struct TreeEntry {
  EntryKind kind = EntryKind::kEnd;
  std::string path;
  std::uint32_t mode = 0;     // permission bits, 07777
  std::int64_t mtime_ns = 0;  // since 1970
  std::string target;         // kSymlink
  std::uint64_t size = 0;     // kFile; 0 also where the sender does not say
  bool operator==(const TreeEntry&) const = default;
};
struct TreeData {
  std::string bytes;  // of the file that came last; never empty
};
struct TreeFileEnd {
  bool complete = true;  // false: its sender could not read it to its end
};
using TreeItem = std::variant<TreeEntry, TreeData, TreeFileEnd>;

// Whether `path` can stand in a tree: kInvalid says why not, with the name made printable.
Result<void> check_tree_path(std::string_view path);

// The caller gives checked entries in order; see above. kEnd ends the stream.
void append_entry(std::string& out, const TreeEntry& entry);
// In as many chunks as it takes.
void append_data(std::string& out, std::string_view bytes);
void append_file_end(std::string& out, bool complete);

// Takes bytes as they come and gives back items. The first error is final. What is buffered is at
// most what was fed since the last call of next() that gave nothing, and one entry or chunk.
class TreeParser {
 public:
  void feed(std::string_view bytes);
  // nullopt: more bytes are needed, or the end has been seen.
  Result<std::optional<TreeItem>> next();
  [[nodiscard]] bool ended() const { return ended_; }
  // Bytes after the end are an error of their sender.
  [[nodiscard]] bool has_more() const { return used_ < buffer_.size(); }

 private:
  [[nodiscard]] std::string_view pending() const { return std::string_view(buffer_).substr(used_); }
  Result<std::optional<TreeItem>> take_entry();
  Result<std::optional<TreeItem>> take_chunk();

  std::string buffer_;
  std::size_t used_ = 0;  // bytes at the start of buffer_ that are done with
  bool in_file_ = false;
  bool ended_ = false;
  std::optional<Error> error_;
};

}  // namespace pyro::wire
