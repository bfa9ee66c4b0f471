#include "seed/carry.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <unordered_map>

#include "base/text.h"
#include "seed/checks.h"
#include "sys/fd.h"

namespace pyro::seed {
namespace {

using wire::EntryKind;

constexpr std::uint32_t kCarriedBits = 01777;  // of 07777: a file of root is never setuid
constexpr std::uint32_t kImpliedMode = 0755;
// Below this, one read and one write are cheaper than asking the kernel to copy.
constexpr std::uint64_t kKernelCopyFrom = 1U << 20;
constexpr std::size_t kKernelCopyChunk = 8U << 20;
constexpr std::uint64_t kPollEvery = 1U << 20;  // bytes of content; each entry polls, too

const char* kind_name(EntryKind kind) {
  if (kind == EntryKind::kDirectory) return "folder";
  return kind == EntryKind::kFile ? "file" : "symlink";
}

class Carrier {
 public:
  Carrier(Reader& reader, Consumer& consumer, const Limits& limits, const Progress& progress)
      : reader_(reader), consumer_(consumer), limits_(limits), progress_(progress) {}

  Result<Counts> run() {
    for (;;) {
      PYRO_CHECK(check_interrupt(progress_));
      PYRO_TRY(auto found, reader_.next());
      if (!found) break;
      PYRO_CHECK(take(std::move(found->entry), found->size));
      report();
    }
    return counts();
  }

 private:
  [[nodiscard]] Counts counts() const { return {.entries = kinds_.size(), .bytes = bytes_}; }
  void report() const {
    if (progress_.report) progress_.report(counts());
  }

  Result<void> take(wire::TreeEntry entry, std::uint64_t size) {
    PYRO_TRY(entry.path, plain_path(entry.path));
    PYRO_CHECK(check_shape(entry));
    entry.mode &= kCarriedBits;
    if (entry.path == ".") return take_root(entry);
    if (entry.kind == EntryKind::kSymlink) PYRO_CHECK(check_target(entry.path, entry.target));
    PYRO_CHECK(take_parents(entry));
    PYRO_CHECK(put(entry));
    if (entry.kind != EntryKind::kFile) return {};
    // Said before anything of it is read: a declared size is the cheapest of all bombs.
    if (size > limits_.bytes - bytes_) return too_many_bytes(entry.path);
    PYRO_CHECK(take_content(entry.path, size));
    return consumer_.end_file();
  }

  Result<void> check_shape(const wire::TreeEntry& entry) const {
    if (auto fine = wire::check_tree_path(entry.path); !fine) {
      return std::unexpected(std::move(fine.error()).with_hint("give it a shorter name"));
    }
    if (std::ranges::count(entry.path, '/') >= static_cast<std::ptrdiff_t>(kMaxDepth)) {
      return refuse(entry.path, "lies below more than " + std::to_string(kMaxDepth) + " folders",
                    "leave it out", Errc::kLimit);
    }
    return {};
  }

  Result<void> take_root(wire::TreeEntry& entry) {
    if (entry.kind != EntryKind::kDirectory) {
      return refuse(".", "is not a folder", "pack a folder, or give its files names");
    }
    PYRO_CHECK(count_entry(entry));
    entry.mode = kImpliedMode;
    return consumer_.add(entry, /*again=*/false);
  }

  // Everything above an entry is a folder, and has been sent.
  Result<void> take_parents(const wire::TreeEntry& entry) {
    const std::size_t last = entry.path.rfind('/');
    if (last == std::string::npos) return {};
    const std::string_view parent = std::string_view(entry.path).substr(0, last);
    if (parent == parent_) return {};  // as for most entries
    for (std::size_t at = entry.path.find('/'); at != std::string::npos;
         at = entry.path.find('/', at + 1)) {
      wire::TreeEntry folder{.kind = EntryKind::kDirectory,
                             .path = entry.path.substr(0, at),
                             .mode = kImpliedMode,
                             .mtime_ns = entry.mtime_ns};
      const auto known = kinds_.find(folder.path);
      if (known == kinds_.end()) {
        PYRO_CHECK(put(folder));
      } else if (known->second != EntryKind::kDirectory) {
        return refuse(
            entry.path,
            "lies below " + quoted_name(folder.path) + ", which is a " + kind_name(known->second),
            "no folder of that name can be made: pack the archive again");
      }
    }
    parent_ = parent;
    return {};
  }

  Result<void> count_entry(const wire::TreeEntry& entry) {
    if (++entries_ > limits_.entries) {
      return fail_hint(Errc::kLimit,
                       "there are more than " + std::to_string(limits_.entries) + " entries, at " +
                           quoted_name(entry.path),
                       "leave out what can be made again (caches, build folders)");
    }
    name_bytes_ += entry.path.size() + entry.target.size();
    if (name_bytes_ > limits_.name_bytes) {
      return fail_hint(Errc::kLimit,
                       "the names together have more than " + human_bytes(limits_.name_bytes) +
                           ", at " + quoted_name(entry.path),
                       "leave out what can be made again (caches, build folders)");
    }
    return {};
  }

  Result<void> put(const wire::TreeEntry& entry) {
    PYRO_CHECK(count_entry(entry));
    const auto [known, is_new] = kinds_.try_emplace(entry.path, entry.kind);
    if (!is_new && known->second != entry.kind) {
      return refuse(entry.path,
                    std::string("is there twice, as a ") + kind_name(known->second) + " and as a " +
                        kind_name(entry.kind),
                    "pack the archive again");
    }
    return consumer_.add(entry, !is_new);
  }

  Result<void> take_content(const std::string& path, std::uint64_t size) {
    if (size >= kKernelCopyFrom && reader_.content_fd() >= 0 && consumer_.file_fd() >= 0) {
      PYRO_TRY(const bool done, kernel_copy(path));
      if (done) return {};
    }
    for (;;) {
      PYRO_TRY(const std::string_view bytes, reader_.read());
      if (bytes.empty()) return {};
      if (bytes.size() > limits_.bytes - bytes_) return too_many_bytes(path);
      PYRO_CHECK(consumer_.data(bytes));
      bytes_ += bytes.size();
      since_poll_ += bytes.size();
      if (since_poll_ < kPollEvery) continue;
      since_poll_ = 0;
      PYRO_CHECK(check_interrupt(progress_));
      report();
    }
  }

  // Shares blocks where the file system can, and copies without a detour where it cannot. False:
  // it does neither between these two files, and reading goes on from where this stopped.
  Result<bool> kernel_copy(const std::string& path) {
    for (;;) {
      PYRO_CHECK(check_interrupt(progress_));
      const std::uint64_t room = limits_.bytes - bytes_;
      // One byte more than there is room for shows that there is not enough.
      const std::size_t wanted = std::min<std::uint64_t>(kKernelCopyChunk, room + 1);
      const ssize_t n =
          ::copy_file_range(reader_.content_fd(), nullptr, consumer_.file_fd(), nullptr, wanted, 0);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && (errno == ENOSPC || errno == EDQUOT)) {
        return refuse_errno(path, "staged", errno);
      }
      if (n <= 0) return n == 0;
      if (static_cast<std::uint64_t>(n) > room) return too_many_bytes(path);
      bytes_ += static_cast<std::uint64_t>(n);
      report();
    }
  }

  std::unexpected<Error> too_many_bytes(const std::string& path) const {
    return fail_hint(
        Errc::kLimit,
        "the files have more than " + human_bytes(limits_.bytes) + ", at " + quoted_name(path),
        "leave out what can be made again (caches, build folders)");
  }

  Reader& reader_;
  Consumer& consumer_;
  const Limits limits_;
  const Progress& progress_;
  std::unordered_map<std::string, EntryKind> kinds_;
  std::string parent_;  // the folder that was checked last
  std::uint64_t entries_ = 0, bytes_ = 0, name_bytes_ = 0, since_poll_ = 0;
};

}  // namespace

Result<Counts> carry(Reader& reader, Consumer& consumer, const Limits& limits,
                     const Progress& progress) {
  return Carrier(reader, consumer, limits, progress).run();
}

}  // namespace pyro::seed
