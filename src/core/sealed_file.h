// A large file that is written once, made read-only (0400), and recognized on use without reading
// it again.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "sys/fd.h"

namespace pyro::core {

// What a file was when it was written.
struct SealedFile {
  static constexpr const char* kName = "sealed file";
  std::uint64_t size = 0, inode = 0;
  std::int64_t ctime_ns = 0;
  std::string sha256;  // over offset and content of each data extent: holes cost nothing

  template <class M>
  void map(M& m) {
    m.required("size", size);
    m.required("inode", inode);
    m.required("ctime_ns", ctime_ns);
    m.required("sha256", sha256);
  }
};

// Reads and syncs the file.
Result<SealedFile> describe_sealed(const std::string& path);
// O_RDONLY. kDamaged when it is another file, was changed since, or is not ours alone.
Result<sys::UniqueFd> open_sealed(const std::string& path, const SealedFile& expected);

}  // namespace pyro::core
