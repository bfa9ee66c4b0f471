#include "core/template_manifest.h"

#include <fcntl.h>
#include <unistd.h>

#include "image/sha256.h"
#include "proto/json.h"
#include "sys/file.h"

namespace pyro::core {
namespace {

Result<std::string> sparse_sha256(int fd) {
  image::Sha256 hash;
  std::string buffer(256U << 10, '\0');
  off_t data = 0;
  while ((data = ::lseek(fd, data, SEEK_DATA)) >= 0) {
    const off_t hole = ::lseek(fd, data, SEEK_HOLE);
    if (hole < 0) return sys::fail_errno("lseek", errno);
    PYRO_CHECK(hash.update(std::to_string(data) + ":"));
    while (data < hole) {
      const auto want = std::min<std::size_t>(buffer.size(), static_cast<std::size_t>(hole - data));
      PYRO_TRY(const int n,
               sys::retrying("pread", [&] { return ::pread(fd, buffer.data(), want, data); }));
      if (n == 0) return fail(Errc::kDamaged, "the file became shorter while it was read");
      PYRO_CHECK(hash.update({buffer.data(), static_cast<std::size_t>(n)}));
      data += n;
    }
  }
  return hash.finish();
}

Result<TemplateFile> describe(const std::string& path) {
  PYRO_TRY(const sys::UniqueFd fd, sys::open_file(path, O_RDONLY | O_NOFOLLOW));
  TemplateFile file;
  PYRO_TRY(file.sha256, sparse_sha256(fd.get()));
  // Synced before its stamp is taken: after a power loss the stamp must not vouch for lost pages.
  PYRO_CHECK(sys::retrying("fsync " + path, [&] { return ::fsync(fd.get()); }));
  PYRO_TRY(const sys::FileStamp stamp, sys::stamp(fd.get()));
  file.size = stamp.size;
  file.inode = stamp.inode;
  file.ctime_ns = stamp.ctime_ns;
  return file;
}

}  // namespace

Result<TemplateManifest> read_template_manifest(const std::string& path) {
  PYRO_TRY(const std::string text, sys::read_file(path, 64U << 10));
  return proto::decode_text<TemplateManifest>(text);
}

Result<void> write_template_manifest(const std::string& folder, const std::string& key) {
  TemplateManifest manifest{.key = key};
  PYRO_TRY(manifest.memory, describe(folder + "/memory"));
  PYRO_TRY(manifest.state, describe(folder + "/state"));
  return sys::write_file_atomic(folder + "/manifest.json", proto::to_text(proto::encode(manifest)),
                                0400);
}

bool template_hashes_match(const std::string& folder) {
  const auto manifest = read_template_manifest(folder + "/manifest.json");
  if (!manifest) return false;
  const auto memory = describe(folder + "/memory");
  const auto state = describe(folder + "/state");
  return memory && state && memory->sha256 == manifest->memory.sha256 &&
         state->sha256 == manifest->state.sha256;
}

}  // namespace pyro::core
