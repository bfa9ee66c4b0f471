// The log of one sync: what it is about to change in the tree, so that it can be undone after a
// crash. It lies on the work disk, which the guest's root can write to, so it is read as hostile.
//
//   "pyroSYN1" | u32 sync | u32 folders | u32 moves
//   each folder   u32 mode | i64 mtime in ns | u16 length | path   one that is entered, as it was
//   each move     u8 kind | u16 length | path   what takes its place (0), or goes (1)
//   u64 FNV-1a of all before it
//
// Numbers are big endian. Paths are tree paths (wire/tree_stream.h) below the tree; "." is the tree
// itself. A path stands once, and a move's folder stands before it among the folders.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pyro::agent {

struct Intent {
  struct Folder {
    std::string path;
    std::uint32_t mode = 0;  // 07777
    std::int64_t mtime_ns = 0;
    bool operator==(const Folder&) const = default;
  };
  struct Move {
    std::string path;
    bool removal = false;  // nothing takes the place of what is there
    bool operator==(const Move&) const = default;
  };
  std::uint32_t sync = 0;       // its stage is stage/<sync>
  std::vector<Folder> folders;  // a folder before those in it
  std::vector<Move> moves;      // in the order they are made
  bool operator==(const Intent&) const = default;
};

inline constexpr std::size_t kMaxIntent = 64 << 20;  // bytes

// kLimit: larger than kMaxIntent.
Result<std::string> encode_intent(const Intent& intent);
// kDamaged for anything that encode_intent() does not make.
Result<Intent> decode_intent(std::string_view bytes);

}  // namespace pyro::agent
