#include "seed/seed.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "base/text.h"
#include "seed/archive_reader.h"
#include "seed/carry.h"
#include "seed/checks.h"
#include "seed/folder_reader.h"
#include "seed/mkfs.h"
#include "seed/reader.h"
#include "seed/stage.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/staging.h"

namespace pyro::seed {
namespace {

constexpr mode_t kImageMode = 0400;
constexpr std::size_t kFlushAt = 256U << 10;  // bytes of a stream that are sent at once

class StreamWriter final : public Consumer {
 public:
  explicit StreamWriter(const Sink& sink) : sink_(sink) {}

  // The folder that is carried: a stream begins with it. Where it exists already it stays as it is.
  Result<void> begin() {
    wire::append_entry(buffer_, {.kind = wire::EntryKind::kDirectory,
                                 .path = ".",
                                 .mode = 0755,
                                 .mtime_ns = sys::wall_clock_ns(),
                                 .target = {}});
    return {};
  }
  Result<void> add(const wire::TreeEntry& entry, bool again) override {
    (void)again;  // whoever unpacks the stream sees it, too
    if (entry.path == ".") return {};
    wire::append_entry(buffer_, entry);
    return flush_when(kFlushAt);
  }
  Result<void> data(std::string_view bytes) override {
    wire::append_data(buffer_, bytes);
    return flush_when(kFlushAt);
  }
  Result<void> end_file() override {
    wire::append_file_end(buffer_, /*complete=*/true);
    return {};
  }
  Result<void> finish() {
    wire::append_entry(buffer_, {});
    return flush_when(0);
  }

 private:
  Result<void> flush_when(std::size_t size) {
    if (buffer_.size() < size) return {};
    PYRO_CHECK(sink_(buffer_));
    buffer_.clear();
    return {};
  }
  const Sink& sink_;
  std::string buffer_;
};

// Carries the source, if there is one.
Result<Summary> carry_source(const Source& source, Consumer& consumer, const Progress& progress,
                             const Limits& limits) {
  if (source.path.empty()) return Summary{.mode = "empty", .source = {}};
  PYRO_TRY(const Opened opened, open_source(source, progress, limits));
  PYRO_TRY(const Counts counts, carry(*opened.reader, consumer, limits, progress));
  return Summary{.mode = opened.mode,
                 .source = source.path,
                 .entry_count = counts.entries,
                 .bytes_written = counts.bytes};
}

// The image as it is kept: as long as its device, read-only, on disk.
Result<void> seal_image(const std::string& image) {
  PYRO_TRY(const sys::UniqueFd fd, sys::open_file(image, O_RDWR));
  struct stat st{};
  PYRO_CHECK(sys::retrying("stat " + image, [&] { return ::fstat(fd.get(), &st); }));
  if (static_cast<std::uint64_t>(st.st_size) > kBaselineBytes) {
    return fail_hint(Errc::kLimit,
                     fmt::format("the image has {}, more than the {} of its device",
                                 human_bytes(static_cast<std::uint64_t>(st.st_size)),
                                 human_bytes(kBaselineBytes)),
                     "leave out what can be made again (caches, build folders)");
  }
  PYRO_CHECK(sys::retrying("truncate " + image,
                           [&] { return ::ftruncate(fd.get(), off_t{kBaselineBytes}); }));
  PYRO_CHECK(sys::retrying("chmod " + image, [&] { return ::fchmod(fd.get(), kImageMode); }));
  PYRO_CHECK(sys::retrying("fsync " + image, [&] { return ::fsync(fd.get()); }));
  return {};
}

}  // namespace

Result<Opened> open_source(const Source& source, const Progress& progress, const Limits& limits) {
  // O_NONBLOCK: a pipe is refused below, not waited for.
  PYRO_TRY(sys::UniqueFd fd, sys::open_file(source.path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  struct stat st{};
  PYRO_CHECK(sys::retrying("stat " + source.path, [&] { return ::fstat(fd.get(), &st); }));
  if (S_ISDIR(st.st_mode)) {
    std::unique_ptr<TrackedFiles> tracked;
    if (source.git_tracked) {
      PYRO_TRY(TrackedFiles files, TrackedFiles::list(source.path));
      tracked = std::make_unique<TrackedFiles>(std::move(files));
    }
    return Opened{.reader = read_folder(std::move(fd), std::move(tracked)), .mode = "directory"};
  }
  if (!S_ISREG(st.st_mode)) {
    return refuse(source.path, "is neither a folder nor an archive", "name one of these");
  }
  if (source.git_tracked) {
    return refuse(source.path, "is a file, and git tracks the files of folders",
                  "name the folder of a git checkout");
  }
  PYRO_TRY(auto reader,
           read_archive(std::move(fd), source.path, source.scratch_dir, progress, limits));
  return Opened{.reader = std::move(reader), .mode = "archive"};
}

Result<Summary> build_baseline(const Source& source, const std::string& staging_parent,
                               const std::string& image_path, const Progress& progress,
                               const Limits& limits) {
  PYRO_TRY(const sys::Staging staging, sys::Staging::create(staging_parent));
  const std::string root = staging.out() + "/root";
  const std::string tree = root + "/tree";
  PYRO_CHECK(sys::make_dirs(tree));
  Source staged = source;
  staged.scratch_dir = staging.out();
  PYRO_TRY(Stage stage, Stage::open(tree));
  PYRO_TRY(Summary summary, carry_source(staged, stage, progress, limits));
  PYRO_CHECK(stage.finish());
  PYRO_CHECK(sys::retrying("chmod " + root, [&] { return ::chmod(root.c_str(), 0755); }));
  const MakeImage make{
      .folder = root, .image = staging.out() + "/image", .as_root = stage.denies_owner()};
  PYRO_CHECK(make_image(make, progress));
  PYRO_CHECK(seal_image(make.image));
  PYRO_CHECK(check_interrupt(progress));
  PYRO_CHECK(sys::retrying("rename to " + image_path,
                           [&] { return ::rename(make.image.c_str(), image_path.c_str()); }));
  PYRO_CHECK(sys::sync_dir(sys::parent_of(image_path)));
  return summary;
}

Result<Summary> write_tree(const Source& source, const Sink& sink, const Progress& progress,
                           const Limits& limits) {
  StreamWriter writer(sink);
  PYRO_CHECK(writer.begin());
  PYRO_TRY(Summary summary, carry_source(source, writer, progress, limits));
  PYRO_CHECK(writer.finish());
  return summary;
}

}  // namespace pyro::seed
