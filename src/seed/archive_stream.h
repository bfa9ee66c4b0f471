// libarchive over a descriptor: entries and blocks of an archive, as Result.
#pragma once

#include <locale.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct archive;
struct archive_entry;

namespace pyro::seed {

struct ArchiveItem {
  std::string path;  // as the archive has it
  mode_t type = 0;   // S_IFMT; 0 for a hard link
  std::uint32_t mode = 0;
  std::int64_t mtime_ns = 0;
  std::string target;  // of a symlink, or of a hard link
  bool hard_link = false;
  std::uint64_t size = 0;
};

// Reads from the descriptor's start, whatever others do with its offset, so that several of these
// can read the same file one after the other.
class ArchiveStream {
 public:
  // `fd` is borrowed; `name` is for messages.
  static Result<std::unique_ptr<ArchiveStream>> open(int fd, std::string name);
  ~ArchiveStream();
  ArchiveStream(const ArchiveStream&) = delete;
  ArchiveStream& operator=(const ArchiveStream&) = delete;

  Result<std::optional<ArchiveItem>> next();
  // The next piece of the entry's content, at most wire::kMaxChunk; empty at its end. Holes come as
  // zeros.
  Result<std::string_view> read();

 private:
  struct Free {
    void operator()(archive* a) const;
  };
  class PlainLocale;

  ArchiveStream(int fd, std::string name);
  static ssize_t pull(archive* a, void* self, const void** bytes);
  [[nodiscard]] std::unexpected<Error> error(const char* what) const;
  std::string_view give();

  int fd_;
  std::string name_;
  std::string input_;
  off_t offset_ = 0;
  int read_errno_ = 0;
  locale_t locale_;
  std::unique_ptr<archive, Free> archive_;
  bool any_ = false;            // an entry has been seen
  std::uint64_t at_ = 0;        // content given
  std::uint64_t block_at_ = 0;  // where block_ belongs; above at_ there is a hole before it
  std::string_view block_;      // not given yet
  std::uint64_t size_ = 0;      // of the entry
  bool at_end_ = false;         // no block comes after block_
};

}  // namespace pyro::seed
