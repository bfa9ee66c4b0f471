// An uncompressed erofs image of a folder.
#pragma once

#include <string>

#include "base/result.h"
#include "seed/seed.h"

namespace pyro::seed {

struct MakeImage {
  std::string folder;
  std::string image;     // is written anew
  bool as_root = false;  // the folder denies its owner something
};
// kUnavailable when mkfs.erofs is missing or fails, or the user wants to stop; kLimit when the disk
// is full.
Result<void> make_image(const MakeImage& what, const Progress& progress);

}  // namespace pyro::seed
