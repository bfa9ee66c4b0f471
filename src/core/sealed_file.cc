#include "core/sealed_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "image/sha256.h"
#include "sys/file.h"
#include "sys/sparse.h"

namespace pyro::core {
namespace {

Result<std::string> sparse_sha256(int fd) {
  image::Sha256 hash;
  std::string buffer(256U << 10, '\0');
  PYRO_CHECK(sys::for_each_extent(fd, [&](off_t at, off_t end) -> Result<void> {
    PYRO_CHECK(hash.update(std::to_string(at) + ":"));
    while (at < end) {
      const auto want = std::min<std::size_t>(buffer.size(), static_cast<std::size_t>(end - at));
      PYRO_TRY(const int n,
               sys::retrying("pread", [&] { return ::pread(fd, buffer.data(), want, at); }));
      if (n == 0) return fail(Errc::kDamaged, "the file became shorter while it was read");
      PYRO_CHECK(hash.update({buffer.data(), static_cast<std::size_t>(n)}));
      at += n;
    }
    return {};
  }));
  return hash.finish();
}

}  // namespace

Result<SealedFile> describe_sealed(const std::string& path) {
  PYRO_TRY(const sys::UniqueFd fd, sys::open_file(path, O_RDONLY | O_NOFOLLOW));
  SealedFile file;
  PYRO_TRY(file.sha256, sparse_sha256(fd.get()));
  // Synced before its stamp is taken: after a power loss the stamp must not vouch for lost pages.
  PYRO_CHECK(sys::retrying("fsync " + path, [&] { return ::fsync(fd.get()); }));
  PYRO_TRY(const sys::FileStamp stamp, sys::stamp(fd.get()));
  file.size = stamp.size;
  file.inode = stamp.inode;
  file.ctime_ns = stamp.ctime_ns;
  return file;
}

Result<sys::UniqueFd> open_sealed(const std::string& path, const SealedFile& expected) {
  PYRO_TRY(sys::UniqueFd fd, sys::open_file(path, O_RDONLY | O_NOFOLLOW));
  PYRO_TRY(const sys::FileStamp now, sys::stamp(fd.get()));
  if (now.size != expected.size || now.ctime_ns != expected.ctime_ns ||
      now.inode != expected.inode || now.uid != ::geteuid() || (now.mode & 07777U) != 0400U) {
    return fail(Errc::kDamaged, path + " is not the file that was written");
  }
  return fd;
}

}  // namespace pyro::core
