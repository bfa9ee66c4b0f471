// Large files that are mostly holes, and files without a name.
#pragma once

#include <string>

#include "base/result.h"
#include "sys/fd.h"

namespace pyro::sys {

// An empty file on the file system of `folder` that has no name and goes with its last descriptor,
// so that no crash leaves it behind. O_RDWR, 0600.
Result<UniqueFd> nameless_file(const std::string& folder);
// Copies what is not a hole, and the size, into an empty file. Neither offset matters afterwards.
Result<void> copy_sparse(int from, int to);
// Both: a private copy, O_RDWR.
Result<UniqueFd> nameless_copy(int from, const std::string& folder);
// Another descriptor of the same file, opened anew, O_RDONLY.
Result<UniqueFd> reopen_read_only(int fd);

}  // namespace pyro::sys
