// Checks an installed environment's folder against its environment.json.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "image/environments.h"
#include "image/manifest.h"

namespace pyro::image {

enum class Depth : std::uint8_t {
  kSizes,   // types and sizes only
  kStamps,  // also the content, unless the file is the one that was hashed last
  kHashes,  // always the content
};

// kNotFound: nothing is installed there. kDamaged: it does not match. `hashes` counts files read.
// After a good check of the content, verified.json is brought up to date.
Result<Manifest> check_install(const CatalogEntry& entry, const std::string& dir, Depth depth,
                               std::atomic<std::uint64_t>& hashes);

// Turns what a source wrote into `dir` into a complete install: drops strays, sets modes, syncs,
// hashes and writes environment.json and verified.json.
Result<void> seal_install(const CatalogEntry& entry, const std::string& dir,
                          const std::string& source, const PullObserver& observer,
                          std::atomic<std::uint64_t>& hashes);

}  // namespace pyro::image
