// Large files that are mostly holes, and files without a name.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "base/result.h"
#include "sys/fd.h"

namespace pyro::sys {

// An empty file on the file system of `folder` that has no name and goes with its last descriptor,
// so that no crash leaves it behind. O_RDWR, 0600.
Result<UniqueFd> nameless_file(const std::string& folder);
// Calls `part` for each piece of a file that is no hole, in order: [begin, end) in bytes. An error
// of it ends the walk. The descriptor's offset moves.
Result<void> for_each_extent(int fd,
                             const std::function<Result<void>(off_t begin, off_t end)>& part);
// Copies what is not a hole, and the size, into an empty file. Neither offset matters afterwards.
Result<void> copy_sparse(int from, int to);
// Both: a private copy, O_RDWR.
Result<UniqueFd> nameless_copy(int from, const std::string& folder);
// Another descriptor of the same file, opened anew: also for another access than `fd` has.
Result<UniqueFd> reopen(int fd, int flags);

}  // namespace pyro::sys
