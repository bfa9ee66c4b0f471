// environment.json, the record inside an installed environment, and verified.json beside it, which
// remembers the files that the record was last checked against.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pyro::image {

inline constexpr std::uint64_t kMaxManifestBytes = 1U << 20;
inline constexpr std::string_view kManifestName = "environment.json";
inline constexpr std::string_view kVerifiedName = "verified.json";
inline constexpr std::string_view kRootfsName = "rootfs.erofs";
inline constexpr std::string_view kKernelName = "vmlinuz";
inline constexpr std::string_view kInitramfsName = "initramfs";

struct Artefact {
  std::uint64_t size = 0;  // bytes
  std::string sha256;      // 64 lower-case hexadecimal digits
  bool operator==(const Artefact&) const = default;
};

struct Package {
  std::string name, version;
  bool operator==(const Package&) const = default;
};

struct Manifest {
  std::string name, version, platform;
  std::string source;
  std::string created_at;      // RFC 3339, UTC
  std::string kernel_version;  // may be empty
  std::vector<Package> packages;
  std::map<std::string, Artefact, std::less<>>
      artefacts;  // exactly rootfs.erofs, vmlinuz, initramfs
  bool operator==(const Manifest&) const = default;
};

std::string manifest_text(const Manifest& manifest);
// Strict: every field present with its type and bound, none unknown; anything else is kDamaged.
Result<Manifest> parse_manifest(std::string_view text);

// What a file was when its content was last hashed.
struct SeenFile {
  std::uint64_t size = 0, inode = 0;
  std::int64_t ctime_ns = 0;
  bool operator==(const SeenFile&) const = default;
};
struct Verified {
  std::string manifest_sha256;  // of the environment.json this belongs to
  std::map<std::string, SeenFile, std::less<>> files;
  bool operator==(const Verified&) const = default;
};
std::string verified_text(const Verified& verified);
Result<Verified> parse_verified(std::string_view text);

}  // namespace pyro::image
