// Unified patches, as `git diff` and `diff -u` write them, read and applied.
//
// Whoever wrote a patch may be a model that has guessed, so all of it is checked before anything is
// changed: line counts, paths, and that every hunk stands where its context says. A hunk may stand
// elsewhere than its line number says (the nearest place counts), never where the context differs.
// Binary patches, copies and submodules are refused. A link's content is its target, as for git.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/unified_diff.h"

namespace pyro::core {

struct Hunk {
  std::size_t old_start = 0;  // the line it says it begins at, from 1; 0: before the first
  // Whole lines with their newlines; the last of a file may have none.
  std::vector<std::string> before, after;
};

struct FilePatch {
  std::string old_path, new_path;  // tree paths; empty: a file that is new, or is gone
  // Where the patch says what is to be there, or what goes: permission bits, of a link kLinkMode.
  std::optional<std::uint32_t> mode;
  std::vector<Hunk> hunks;
};

// kInvalid says what is wrong and in which line.
Result<std::vector<FilePatch>> parse_patch(std::string_view patch);

// The new content of the file; `content` is empty for a new one. kConflict names the hunk that does
// not fit.
Result<std::string> apply_hunks(const FilePatch& patch, std::string_view content);

}  // namespace pyro::core
