// A tar archive as a source.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "seed/reader.h"
#include "seed/seed.h"
#include "sys/fd.h"

namespace pyro::seed {

// `file` is a regular file, `name` is for messages; `progress` is borrowed and outlives the reader.
Result<std::unique_ptr<Reader>> read_archive(sys::UniqueFd file, const std::string& name,
                                             const std::string& scratch_dir,
                                             const Progress& progress, const Limits& limits);

}  // namespace pyro::seed
