#include "image/install_check.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <optional>

#include "base/text.h"
#include "image/sha256.h"
#include "image/staging.h"
#include "image/text_lines.h"
#include "sys/file.h"

namespace pyro::image {
namespace {

constexpr std::array kArtefacts = {kRootfsName, kKernelName, kInitramfsName};

std::unexpected<Error> damaged(std::string message) {
  return fail(Errc::kDamaged, std::move(message));
}

SeenFile seen(const sys::FileStamp& stamp) {
  return {.size = stamp.size, .inode = stamp.inode, .ctime_ns = stamp.ctime_ns};
}

struct OpenArtefact {
  sys::UniqueFd fd;
  sys::FileStamp stamp;
};

// The file itself and nothing it points to; O_NONBLOCK so that a pipe in its place does not hang
// us.
Result<OpenArtefact> open_artefact(const std::string& dir, std::string_view name) {
  OpenArtefact file;
  auto fd = sys::open_file(fmt::format("{}/{}", dir, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!fd) {
    if (fd.error().os_errno == ELOOP) return damaged(fmt::format("{} is a symbolic link", name));
    if (fd.error().os_errno == ENOENT) return damaged(fmt::format("{} is missing", name));
    return damaged(fmt::format("{} cannot be opened: {}", name, fd.error().message));
  }
  file.fd = *std::move(fd);
  PYRO_TRY(file.stamp, sys::stamp(file.fd.get()));
  if (!S_ISREG(file.stamp.mode)) return damaged(fmt::format("{} is not a regular file", name));
  if ((file.stamp.mode & 022) != 0) return damaged(fmt::format("others may write to {}", name));
  return file;
}

// The digest, together with the stamp that it belongs to: a file that changes meanwhile fails.
Result<FileDigest> hash_steady(const OpenArtefact& file, std::string_view name) {
  PYRO_TRY(FileDigest digest, hash_file(file.fd.get()));
  PYRO_TRY(const sys::FileStamp after, sys::stamp(file.fd.get()));
  if (after != file.stamp) return damaged(fmt::format("{} changed while it was read", name));
  return digest;
}

Result<std::string> read_text(const std::string& dir, std::string_view name) {
  PYRO_TRY(const OpenArtefact file, open_artefact(dir, name));
  if (file.stamp.size > kMaxManifestBytes) {
    return damaged(fmt::format("{} is larger than 1 MiB", name));
  }
  return sys::read_file(fmt::format("{}/{}", dir, name), kMaxManifestBytes);
}

// Which files were hashed last, if that is known for this very manifest.
std::optional<Verified> read_verified(const std::string& dir, const std::string& manifest_sha256) {
  const auto text = read_text(dir, kVerifiedName);
  if (!text) return std::nullopt;
  auto verified = parse_verified(*text);
  if (!verified || verified->manifest_sha256 != manifest_sha256) return std::nullopt;
  return *std::move(verified);
}

Result<void> write_verified(const std::string& dir, const Verified& verified) {
  return sys::write_file_atomic(fmt::format("{}/{}", dir, kVerifiedName), verified_text(verified),
                                0600);
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), size};
}

// Takes the optional text file `name` that the source left.
Result<std::string> take_text(const std::string& dir, const std::string& name) {
  const std::string path = dir + "/" + name;
  if (!sys::exists(path)) return std::string();
  return sys::read_file(path, kMaxManifestBytes);
}

Result<std::vector<Package>> take_packages(const std::string& dir) {
  PYRO_TRY(const std::string text, take_text(dir, "packages"));
  std::vector<Package> packages;
  for (const std::string_view line : split_lines(text)) {
    const auto fields = split_fields(line, '\t');
    if (fields.size() != 2) continue;
    packages.push_back({.name = std::string(fields[0]), .version = std::string(fields[1])});
  }
  return packages;
}

Result<void> remove_strays(const std::string& dir) {
  PYRO_TRY(const std::vector<std::string> names, sys::list_dir(dir));
  for (const std::string& name : names) {
    if (std::ranges::find(kArtefacts, name) != kArtefacts.end()) continue;
    const std::string path = dir + "/" + name;
    if (::unlink(path.c_str()) == 0) continue;
    PYRO_CHECK(remove_build_tree(path));
  }
  return {};
}

}  // namespace

Result<Manifest> check_install(const CatalogEntry& entry, const std::string& dir, Depth depth,
                               std::atomic<std::uint64_t>& hashes) {
  struct stat st{};
  if (::lstat(dir.c_str(), &st) != 0 && errno == ENOENT) {
    return fail_hint(Errc::kNotFound, fmt::format("environment {} is not installed", entry.name),
                     "run: pyro env pull " + entry.name);
  }
  if (!S_ISDIR(st.st_mode)) return damaged(dir + " is not a folder");
  PYRO_TRY(const std::string text, read_text(dir, kManifestName));
  auto parsed = parse_manifest(text);
  if (!parsed) {
    return std::unexpected(std::move(parsed).error().context(std::string(kManifestName)));
  }
  Manifest manifest = *std::move(parsed);
  if (manifest.name != entry.name || manifest.version != entry.version ||
      manifest.platform != entry.platform) {
    return damaged(fmt::format("{} is of another environment", kManifestName));
  }
  PYRO_TRY(const std::string manifest_sha256, sha256_hex(text));
  Verified now{.manifest_sha256 = manifest_sha256, .files = {}};
  const auto before = depth == Depth::kStamps ? read_verified(dir, manifest_sha256) : std::nullopt;
  for (const std::string_view name : kArtefacts) {
    PYRO_TRY(const OpenArtefact file, open_artefact(dir, name));
    const Artefact& expected = manifest.artefacts.find(name)->second;
    if (file.stamp.size != expected.size) {
      return damaged(
          fmt::format("{} has {} bytes and not {}", name, file.stamp.size, expected.size));
    }
    now.files.emplace(name, seen(file.stamp));
    if (depth == Depth::kSizes) continue;
    if (before && before->files.find(name)->second == seen(file.stamp)) continue;
    ++hashes;
    PYRO_TRY(const FileDigest digest, hash_steady(file, name));
    if (digest.size != expected.size || digest.sha256 != expected.sha256) {
      return damaged(fmt::format("{} has other content than was installed", name));
    }
  }
  // A cache that cannot be written (read-only disk) costs time at the next use and nothing else.
  if (depth != Depth::kSizes && before != now) (void)write_verified(dir, now);
  return manifest;
}

Result<void> seal_install(const CatalogEntry& entry, const std::string& dir,
                          const std::string& source, const PullObserver& observer,
                          std::atomic<std::uint64_t>& hashes) {
  Manifest manifest{.name = entry.name,
                    .version = entry.version,
                    .platform = entry.platform,
                    .source = to_utf8(source),
                    .created_at = utc_now(),
                    .kernel_version = {},
                    .packages = {},
                    .artefacts = {}};
  PYRO_TRY(manifest.packages, take_packages(dir));
  PYRO_TRY(const std::string kernel, take_text(dir, "kernel-version"));
  manifest.kernel_version = std::string(split_lines(kernel).front());
  PYRO_CHECK(remove_strays(dir));
  Verified verified;
  double fraction = 0.94;
  for (const std::string_view name : kArtefacts) {
    observer({.phase = "verify", .detail = std::string(name), .fraction = fraction});
    fraction += 0.015;
    const std::string path = fmt::format("{}/{}", dir, name);
    PYRO_TRY(const sys::UniqueFd fd, sys::open_file(path, O_RDONLY | O_NOFOLLOW));
    PYRO_CHECK(sys::retrying("chmod " + path, [&] { return ::fchmod(fd.get(), 0444); }));
    PYRO_CHECK(sys::retrying("sync " + path, [&] { return ::fsync(fd.get()); }));
    PYRO_TRY(const OpenArtefact file, open_artefact(dir, name));
    if (file.stamp.size == 0) return damaged(fmt::format("the source wrote an empty {}", name));
    ++hashes;
    PYRO_TRY(FileDigest digest, hash_steady(file, name));
    manifest.artefacts.emplace(name, Artefact{.size = digest.size, .sha256 = digest.sha256});
    verified.files.emplace(name, seen(file.stamp));
  }
  const std::string text = manifest_text(manifest);
  // What we write must be what we accept, or the install would count as damaged for ever.
  if (auto again = parse_manifest(text); !again) {
    return std::unexpected(std::move(again).error().context("the source's package list"));
  }
  PYRO_TRY(verified.manifest_sha256, sha256_hex(text));
  PYRO_CHECK(write_verified(dir, verified));
  PYRO_CHECK(sys::write_file_atomic(fmt::format("{}/{}", dir, kManifestName), text, 0444));
  return sys::sync_dir(dir);
}

}  // namespace pyro::image
