// A folder, or of it what git tracks.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "seed/reader.h"
#include "seed/tracked.h"
#include "sys/fd.h"

namespace pyro::seed {

// Walks `root` in the order of names. Every step is an openat(2) of one component without following
// links, from a descriptor that is held: whoever moves things meanwhile cannot lead it elsewhere.
// `tracked`, when it is not null, says what there is instead of the folders themselves.
std::unique_ptr<Reader> read_folder(sys::UniqueFd root, std::unique_ptr<TrackedFiles> tracked);

}  // namespace pyro::seed
