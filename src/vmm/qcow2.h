// The layers of a work disk: qcow2 files (QEMU, docs/interop/qcow2) that hold the clusters which
// changed and nothing else. A layer names no other file: the launcher says what it stands on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sys/fd.h"

namespace pyro::vmm {

// Enough of a layer's start to judge it: all of its first cluster.
inline constexpr std::uint64_t kLayerHeaderBytes = 64U << 10;

// Writes an empty layer of kWorkBytes, some KiB on disk, synced together with its folder. The
// descriptor is O_RDWR. kConflict when the file exists.
Result<sys::UniqueFd> create_layer(const std::string& path);

// Whether the file is a layer as create_layer() makes them and QEMU leaves them: of the same
// geometry, naming no other file, with no feature, extension, snapshot or bit of damage in it.
// Files on disk are hostile, and what a header says QEMU believes. Never moves the offset.
// kDamaged says what is wrong.
Result<void> check_layer(int fd);
// The same for the first bytes of a file (at most kLayerHeaderBytes) of that size.
Result<void> check_layer_header(std::string_view start, std::uint64_t file_bytes);

}  // namespace pyro::vmm
