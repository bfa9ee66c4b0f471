// Patches for text files, as `git apply` and `patch -p1` take them.
//
// Not from a library: both texts come from a guest and may be made to take a diff for ever. Here
// the work is bounded (kMostEdits); beyond it the part that differs is replaced as a whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pyro::core {

inline constexpr int kMostEdits = 4000;  // lines removed and added in the part that differs

inline constexpr std::uint32_t kLinkMode = 0120000;  // git's, of a symbolic link

// Text is what is UTF-8 without a NUL.
bool is_text(std::string_view bytes);

// One side of a patch; a missing one is a file that was added or is gone.
struct PatchSide {
  std::string_view content;
  std::uint32_t mode = 0644;  // permission bits; kLinkMode of a link, whose content is its target
};

// The patch of one file, with git's header; empty when nothing differs. `path` is relative, of any
// bytes. Both sides are text. A link that changes, and a file that becomes one or was one, is gone
// and added again: that is what both programs take.
std::string unified_patch(std::string_view path, const std::optional<PatchSide>& before,
                          const std::optional<PatchSide>& after);

}  // namespace pyro::core
