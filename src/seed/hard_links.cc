#include "seed/hard_links.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/text.h"
#include "seed/archive_stream.h"
#include "seed/checks.h"
#include "sys/file.h"
#include "sys/sparse.h"

namespace pyro::seed {

Result<HardLinks> HardLinks::collect(int fd, const std::string& name,
                                     const std::string& scratch_dir, const Progress& progress,
                                     const Limits& limits) {
  HardLinks links;
  PYRO_CHECK(links.find_meant(fd, name, progress, limits));
  auto spool = sys::nameless_file(scratch_dir);
  if (!spool) {
    return std::unexpected(std::move(spool.error())
                               .context("put aside what hard links name")
                               .with_hint("give a scratch folder that can be written"));
  }
  links.spool_ = *std::move(spool);
  PYRO_CHECK(links.put_aside(fd, name, progress, limits));
  return links;
}

const HardLinks::Copy* HardLinks::of(std::uint64_t entry) const {
  const auto meant = meant_.find(entry);
  if (meant == meant_.end()) return nullptr;
  const auto copy = copies_.find(meant->second);
  return copy == copies_.end() ? nullptr : &copy->second;
}

Result<void> HardLinks::find_meant(int fd, const std::string& name, const Progress& progress,
                                   const Limits& limits) {
  PYRO_TRY(const auto stream, ArchiveStream::open(fd, name));
  std::unordered_map<std::string, std::uint64_t> latest;  // files and symlinks
  std::uint64_t name_bytes = 0;
  for (std::uint64_t number = 0;; ++number) {
    PYRO_CHECK(check_interrupt(progress));
    PYRO_TRY(const auto item, stream->next());
    if (!item) return {};
    name_bytes += item->path.size() + item->target.size();
    // The pass that carries says which limit it is, and at which entry; nothing after that counts.
    if (number >= limits.entries || name_bytes > limits.name_bytes) return {};
    auto path = plain_path(item->path);
    if (!path) return {};  // likewise
    if (item->type == S_IFREG || item->type == S_IFLNK) {
      latest[*path] = number;
    } else if (item->hard_link) {
      const auto target = plain_path(item->target);
      const auto found = target ? latest.find(*target) : latest.end();
      if (found == latest.end()) continue;
      const std::uint64_t meant = found->second;
      meant_[number] = meant;
      copies_[meant];
      latest[*path] = meant;
    }
  }
}

Result<void> HardLinks::put_aside(int fd, const std::string& name, const Progress& progress,
                                  const Limits& limits) {
  PYRO_TRY(const auto stream, ArchiveStream::open(fd, name));
  std::uint64_t used = 0;
  std::uint64_t left = copies_.size();
  for (std::uint64_t number = 0; left > 0; ++number) {
    PYRO_CHECK(check_interrupt(progress));
    PYRO_TRY(const auto item, stream->next());
    if (!item) return {};
    const auto found = copies_.find(number);
    if (found == copies_.end()) continue;
    --left;
    Copy& copy = found->second;
    copy.mode = item->mode;
    copy.mtime_ns = item->mtime_ns;
    if (item->type == S_IFLNK) {
      copy.target = item->target;
      continue;
    }
    copy.offset = used;
    for (;;) {
      PYRO_CHECK(check_interrupt(progress));
      PYRO_TRY(const std::string_view bytes, stream->read());
      if (bytes.empty()) break;
      if (bytes.size() > limits.bytes - used) {
        return refuse(item->path,
                      "has hard links, and is over the limit of " + human_bytes(limits.bytes) +
                          " for all files",
                      "leave out what can be made again", Errc::kLimit);
      }
      if (auto put = sys::write_all(spool_.get(), bytes); !put) {
        return refuse_errno(item->path, "put aside", put.error().os_errno);
      }
      used += bytes.size();
    }
    copy.size = used - copy.offset;
  }
  return {};
}

}  // namespace pyro::seed
