#include "seed/archive_stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "seed/checks.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "wire/tree_stream.h"

namespace pyro::seed {
namespace {

constexpr std::size_t kInput = 128U << 10;
constexpr const char* kSupported =
    "supported are tar archives, plain or compressed with gzip or zstd "
    "(.tar, .tar.gz, .tgz, .tar.zst), whatever their names";

// Of holes and of what an archive declares but does not have.
constexpr std::string_view zeros() {
  static constexpr char kZeros[wire::kMaxChunk] = {};
  return {kZeros, sizeof kZeros};
}

std::string text_of(const char* text) {
  return text == nullptr ? "" : text;
}

}  // namespace

// libarchive converts names that an archive declares to be UTF-8 to the charset of the locale, and
// normalises them on the way. In the C locale that fails for every name it could change, and then
// it keeps the bytes as they are: what is wanted.
class ArchiveStream::PlainLocale {
 public:
  explicit PlainLocale(locale_t plain) : before_(::uselocale(plain)) {}
  PlainLocale(const PlainLocale&) = delete;
  PlainLocale& operator=(const PlainLocale&) = delete;
  ~PlainLocale() { ::uselocale(before_); }

 private:
  locale_t before_;
};

void ArchiveStream::Free::operator()(archive* a) const {
  ::archive_read_free(a);
}

ArchiveStream::ArchiveStream(int fd, std::string name)
    : fd_(fd),
      name_(std::move(name)),
      input_(kInput, '\0'),
      locale_(::newlocale(LC_ALL_MASK, "C", nullptr)),
      archive_(::archive_read_new()) {}

ArchiveStream::~ArchiveStream() {
  archive_.reset();
  if (locale_ != nullptr) ::freelocale(locale_);
}

Result<std::unique_ptr<ArchiveStream>> ArchiveStream::open(int fd, std::string name) {
  std::unique_ptr<ArchiveStream> stream(new ArchiveStream(fd, std::move(name)));
  archive* a = stream->archive_.get();
  if (a == nullptr || stream->locale_ == nullptr) {
    return fail(Errc::kLimit, "there is no memory to read an archive");
  }
  const PlainLocale plain(stream->locale_);
  // Only these: every other format and decompressor is code that a stranger's bytes would reach.
  if (::archive_read_support_format_tar(a) != ARCHIVE_OK ||
      ::archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
      ::archive_read_support_filter_zstd(a) != ARCHIVE_OK ||
      ::archive_read_open(a, stream.get(), nullptr, &ArchiveStream::pull, nullptr) != ARCHIVE_OK) {
    return stream->error("opened");
  }
  return stream;
}

ssize_t ArchiveStream::pull(archive* a, void* self, const void** bytes) {
  auto* stream = static_cast<ArchiveStream*>(self);
  const auto n = sys::retrying("pread", [&] {
    return ::pread(stream->fd_, stream->input_.data(), stream->input_.size(), stream->offset_);
  });
  if (!n) {
    stream->read_errno_ = n.error().os_errno;
    ::archive_set_error(a, n.error().os_errno, "%s", std::strerror(n.error().os_errno));
    return -1;
  }
  stream->offset_ += *n;
  *bytes = stream->input_.data();
  return *n;
}

std::unexpected<Error> ArchiveStream::error(const char* what) const {
  if (read_errno_ != 0) return refuse_errno(name_, "read", read_errno_);
  const int e = ::archive_errno(archive_.get());
  const std::string why = printable(text_of(::archive_error_string(archive_.get())).substr(0, 300));
  if (e == ENOMEM) return refuse(name_, "needs more memory: " + why, "", Errc::kLimit);
  if (!any_) {
    return refuse(name_, "is no archive that can be read: " + why, kSupported);
  }
  return refuse(name_, std::string("is damaged, and cannot be ") + what + ": " + why,
                "make the archive again");
}

Result<std::optional<ArchiveItem>> ArchiveStream::next() {
  const PlainLocale plain(locale_);
  archive_entry* entry = nullptr;
  const int rc = ::archive_read_next_header(archive_.get(), &entry);
  if (rc == ARCHIVE_EOF) return std::optional<ArchiveItem>();
  // A warning is about a charset, and the bytes are there.
  if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN) return error("read on");
  any_ = true;
  ArchiveItem item;
  item.path = text_of(::archive_entry_pathname(entry));
  item.type = ::archive_entry_filetype(entry);
  item.mode = ::archive_entry_perm(entry);
  item.mtime_ns =
      sys::to_ns({.tv_sec = ::archive_entry_mtime(entry),
                  .tv_nsec = std::clamp<long>(::archive_entry_mtime_nsec(entry), 0, 999'999'999)});
  if (const char* target = ::archive_entry_hardlink(entry); target != nullptr) {
    item.hard_link = true;
    item.type = 0;
    item.target = target;
  } else {
    item.target = text_of(::archive_entry_symlink(entry));
    item.size = static_cast<std::uint64_t>(std::max<la_int64_t>(::archive_entry_size(entry), 0));
  }
  if (item.path.empty()) return refuse(name_, "has an entry without a name", "make it again");
  at_ = block_at_ = 0;
  size_ = item.size;
  block_ = {};
  at_end_ = false;
  return item;
}

Result<std::string_view> ArchiveStream::read() {
  while (block_.empty() && !at_end_) {
    const void* bytes = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int rc = ::archive_read_data_block(archive_.get(), &bytes, &size, &offset);
    if (rc == ARCHIVE_EOF) {
      at_end_ = true;
      block_at_ = std::max(size_, at_);  // a hole at the end has no block behind it
      break;
    }
    if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN) return error("read on");
    if (offset < 0 || static_cast<std::uint64_t>(offset) < at_) {
      return refuse(name_, "is damaged: pieces of a file overlap", "make the archive again");
    }
    block_at_ = static_cast<std::uint64_t>(offset);
    block_ = {static_cast<const char*>(bytes), size};
  }
  return give();
}

std::string_view ArchiveStream::give() {
  std::string_view piece;
  if (at_ < block_at_) {
    piece = zeros().substr(0, std::min<std::uint64_t>(block_at_ - at_, wire::kMaxChunk));
  } else {
    piece = block_.substr(0, wire::kMaxChunk);
    block_.remove_prefix(piece.size());
    block_at_ += piece.size();
  }
  at_ += piece.size();
  return piece;
}

}  // namespace pyro::seed
