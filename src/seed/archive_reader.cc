#include "seed/archive_reader.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "seed/archive_stream.h"
#include "seed/checks.h"
#include "seed/hard_links.h"

namespace pyro::seed {
namespace {

class ArchiveReader final : public Reader {
 public:
  ArchiveReader(sys::UniqueFd file, std::unique_ptr<ArchiveStream> stream, std::string name,
                std::string scratch_dir, const Progress& progress, const Limits& limits)
      : file_(std::move(file)),
        stream_(std::move(stream)),
        name_(std::move(name)),
        scratch_dir_(std::move(scratch_dir)),
        progress_(progress),
        limits_(limits) {}

  Result<std::optional<SourceEntry>> next() override {
    copy_ = nullptr;
    PYRO_TRY(auto item, stream_->next());
    if (!item) return std::optional<SourceEntry>();
    const std::uint64_t number = number_++;
    if (item->hard_link) return take_hard_link(*item, number);
    SourceEntry found{.entry = {.path = std::move(item->path),
                                .mode = item->mode & 07777U,
                                .mtime_ns = item->mtime_ns},
                      .size = 0};
    if (item->type == S_IFREG) {
      found.entry.kind = wire::EntryKind::kFile;
      found.size = item->size;
    } else if (item->type == S_IFDIR) {
      found.entry.kind = wire::EntryKind::kDirectory;
    } else if (item->type == S_IFLNK) {
      found.entry.kind = wire::EntryKind::kSymlink;
      found.entry.target = std::move(item->target);
    } else {
      return refuse_type(found.entry.path, item->type);
    }
    return found;
  }

  Result<std::string_view> read() override {
    if (copy_ == nullptr) return stream_->read();
    buffer_.resize(std::min<std::uint64_t>(wire::kMaxChunk, copy_->size - copied_));
    if (buffer_.empty()) return std::string_view();
    const auto n = sys::retrying("pread", [&] {
      return ::pread(links_->content_fd(), buffer_.data(), buffer_.size(),
                     static_cast<off_t>(copy_->offset + copied_));
    });
    if (!n) return refuse_errno(name_, "read again", n.error().os_errno);
    copied_ += static_cast<std::uint64_t>(*n);
    return std::string_view(buffer_.data(), static_cast<std::size_t>(*n));
  }

 private:
  Result<std::optional<SourceEntry>> take_hard_link(const ArchiveItem& item, std::uint64_t number) {
    if (!links_) {
      PYRO_TRY(links_, HardLinks::collect(file_.get(), name_, scratch_dir_, progress_, limits_));
    }
    const HardLinks::Copy* copy = links_->of(number);
    if (copy == nullptr) {
      return refuse(item.path,
                    "is a hard link to " + quoted_name(item.target) +
                        ", which is no file that came before it",
                    "pack the archive from the folder that holds both");
    }
    SourceEntry found{.entry = {.kind = wire::EntryKind::kFile,
                                .path = item.path,
                                .mode = copy->mode & 07777U,
                                .mtime_ns = copy->mtime_ns},
                      .size = copy->size};
    if (!copy->target.empty()) {
      found.entry.kind = wire::EntryKind::kSymlink;
      found.entry.target = copy->target;
      return found;
    }
    copy_ = copy;
    copied_ = 0;
    return found;
  }

  sys::UniqueFd file_;
  std::unique_ptr<ArchiveStream> stream_;
  std::string name_, scratch_dir_;
  const Progress& progress_;
  Limits limits_;
  std::uint64_t number_ = 0;
  std::optional<HardLinks> links_;         // from the first hard link on
  const HardLinks::Copy* copy_ = nullptr;  // the entry is a copy of this
  std::uint64_t copied_ = 0;
  std::string buffer_;
};

}  // namespace

Result<std::unique_ptr<Reader>> read_archive(sys::UniqueFd file, const std::string& name,
                                             const std::string& scratch_dir,
                                             const Progress& progress, const Limits& limits) {
  PYRO_TRY(auto stream, ArchiveStream::open(file.get(), name));
  return std::make_unique<ArchiveReader>(std::move(file), std::move(stream), name, scratch_dir,
                                         progress, limits);
}

}  // namespace pyro::seed
