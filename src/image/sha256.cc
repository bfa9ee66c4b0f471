#include "image/sha256.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <vector>

#include "base/text.h"
#include "sys/fd.h"

namespace pyro::image {

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  if (context_ != nullptr && EVP_DigestInit_ex(context_, EVP_sha256(), nullptr) != 1) {
    EVP_MD_CTX_free(context_);
    context_ = nullptr;
  }
}

Sha256::~Sha256() {
  EVP_MD_CTX_free(context_);
}

Result<void> Sha256::update(std::string_view bytes) {
  if (context_ == nullptr || EVP_DigestUpdate(context_, bytes.data(), bytes.size()) != 1) {
    return fail(Errc::kInternal, "SHA-256 failed in libcrypto");
  }
  return {};
}

Result<std::string> Sha256::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (context_ == nullptr || EVP_DigestFinal_ex(context_, digest.data(), &size) != 1) {
    return fail(Errc::kInternal, "SHA-256 failed in libcrypto");
  }
  std::string bytes;
  for (unsigned int i = 0; i < size; ++i) bytes.push_back(static_cast<char>(digest.at(i)));
  return hex(bytes);
}

Result<FileDigest> hash_file(int fd) {
  constexpr std::size_t kChunk = 1U << 20;
  std::vector<char> buffer(kChunk);
  Sha256 hash;
  FileDigest digest;
  for (;;) {
    PYRO_TRY(const int got, sys::retrying("pread", [&] {
               return ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(digest.size));
             }));
    if (got == 0) break;
    const auto count = static_cast<std::size_t>(got);
    PYRO_CHECK(hash.update({buffer.data(), count}));
    digest.size += count;
  }
  PYRO_TRY(digest.sha256, hash.finish());
  return digest;
}

Result<std::string> sha256_hex(std::string_view bytes) {
  Sha256 hash;
  PYRO_CHECK(hash.update(bytes));
  return hash.finish();
}

Result<std::string> hmac_sha256_hex(std::string_view key, std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  const std::vector<unsigned char> message(bytes.begin(), bytes.end());
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), message.data(), message.size(),
           digest.data(), &size) == nullptr) {
    return fail(Errc::kInternal, "HMAC failed in libcrypto");
  }
  return hex(std::string(digest.begin(), digest.begin() + size));
}

}  // namespace pyro::image
