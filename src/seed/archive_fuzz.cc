// Whatever the bytes of an archive are: what is carried is a tree that a consumer can make, within
// the limits, and its stream is one that the other side reads.
#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "seed/archive_reader.h"
#include "seed/carry.h"
#include "seed/checks.h"
#include "seed/seed.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "wire/tree_stream.h"

namespace {

using pyro::Result;
using pyro::wire::EntryKind;

void require(bool fine) {
  if (!fine) std::abort();
}

class Counting final : public pyro::seed::Consumer {
 public:
  Result<void> add(const pyro::wire::TreeEntry& entry, bool again) override {
    require(!in_file_);
    require(pyro::wire::check_tree_path(entry.path).has_value());
    require((entry.mode & 06000) == 0);
    if (entry.path == ".") return {};
    if (const auto slash = entry.path.rfind('/'); slash != std::string::npos) {
      const auto parent = kinds_.find(entry.path.substr(0, slash));
      require(parent != kinds_.end() && parent->second == EntryKind::kDirectory);
    }
    if (entry.kind == EntryKind::kSymlink) {
      require(pyro::seed::check_target(entry.path, entry.target).has_value());
    }
    const auto [known, is_new] = kinds_.try_emplace(entry.path, entry.kind);
    require(is_new != again && known->second == entry.kind);
    in_file_ = entry.kind == EntryKind::kFile;
    pyro::wire::append_entry(stream_, entry);
    return {};
  }
  Result<void> data(std::string_view bytes) override {
    require(in_file_ && !bytes.empty() && bytes.size() <= pyro::wire::kMaxChunk);
    bytes_ += bytes.size();
    return {};
  }
  Result<void> end_file() override {
    require(in_file_);
    in_file_ = false;
    pyro::wire::append_file_end(stream_, true);
    return {};
  }
  void check(const Result<pyro::seed::Counts>& counts, const pyro::seed::Limits& limits) {
    require(bytes_ <= limits.bytes && kinds_.size() <= limits.entries);
    if (!counts) {
      require(!counts.error().message.empty());
      return;
    }
    require(!in_file_ && counts->bytes == bytes_ && counts->entries == kinds_.size());
    pyro::wire::TreeParser parser;
    parser.feed(stream_);
    for (;;) {
      const auto item = parser.next();
      require(item.has_value());
      if (!*item) break;
    }
    require(!parser.has_more());
  }

 private:
  std::map<std::string, EntryKind> kinds_;
  std::string stream_;
  std::uint64_t bytes_ = 0;
  bool in_file_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pyro::sys::UniqueFd file(::memfd_create("archive", MFD_CLOEXEC));
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(data[i]);
  require(file && pyro::sys::write_all(file.get(), bytes).has_value());
  const pyro::seed::Limits limits{.entries = 200, .bytes = 1U << 20, .name_bytes = 64U << 10};
  const pyro::seed::Progress progress;
  auto reader = pyro::seed::read_archive(std::move(file), "archive", "/dev/shm", progress, limits);
  if (!reader) return 0;
  Counting consumer;
  consumer.check(pyro::seed::carry(**reader, consumer, limits, progress), limits);
  return 0;
}
