// The one interface to what a tree is made of, and the two kinds of it.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "seed/seed.h"
#include "wire/tree_stream.h"

namespace pyro::seed {

struct SourceEntry {
  // kDirectory, kFile or kSymlink; "." is the root. Of an archive nothing is checked but the kind;
  // carry() does the rest.
  wire::TreeEntry entry;
  std::uint64_t size = 0;  // as declared; what read() gives is what counts
};

class Reader {
 public:
  virtual ~Reader() = default;
  // nullopt: all has been seen. Content that was not read is skipped.
  virtual Result<std::optional<SourceEntry>> next() = 0;
  // The next piece of the file that came last, at most wire::kMaxChunk; empty at its end. Valid
  // until the next call.
  virtual Result<std::string_view> read() = 0;
  // A descriptor that stands where read() would go on, for copy_file_range(2); -1: there is none.
  [[nodiscard]] virtual int content_fd() const { return -1; }
};

// kFolder or kArchive by what is there; `source.path` is not empty.
struct Opened {
  std::unique_ptr<Reader> reader;
  std::string mode;  // Summary::mode
};
Result<Opened> open_source(const Source& source, const Progress& progress, const Limits& limits);

}  // namespace pyro::seed
