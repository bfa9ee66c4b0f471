// What readers and the carrier refuse, and in which words.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "seed/seed.h"

namespace pyro::seed {

// "NAME" WHAT, with the next step.
std::unexpected<Error> refuse(std::string_view path, std::string_view what, std::string hint,
                              Errc code = Errc::kInvalid);
// For a file type (S_IFMT) that is never carried.
std::unexpected<Error> refuse_type(std::string_view path, mode_t type);
// A system call that failed on an entry.
std::unexpected<Error> refuse_errno(std::string_view path, std::string_view what, int e);

// The path of an archive entry in the form that wire::check_tree_path() wants: without a leading
// "./", without "." and empty components; "." for the root. ".." and a leading slash are refused.
Result<std::string> plain_path(std::string_view path);

// Whether a symlink at `path` stays in the tree, whatever other links there are: ".." comes first
// only, and not more often than there are folders above it.
Result<void> check_target(std::string_view path, std::string_view target);

// kUnavailable when the user wants to stop.
Result<void> check_interrupt(const Progress& progress);

}  // namespace pyro::seed
