// Streaming SHA-256 (libcrypto) and hashing of whole files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

struct evp_md_ctx_st;

namespace pyro::image {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  Result<void> update(std::string_view bytes);
  // Lower-case hexadecimal, 64 characters. The object is spent afterwards.
  Result<std::string> finish();

 private:
  evp_md_ctx_st* context_;  // null when libcrypto had no memory: every call then fails
};

struct FileDigest {
  std::uint64_t size = 0;
  std::string sha256;
};
// Reads from the descriptor's start to its end without moving its offset.
Result<FileDigest> hash_file(int fd);
Result<std::string> sha256_hex(std::string_view bytes);
// HMAC-SHA-256 (RFC 2104), lower-case hexadecimal.
Result<std::string> hmac_sha256_hex(std::string_view key, std::string_view bytes);

}  // namespace pyro::image
