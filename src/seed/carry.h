// The one checked pass from a reader to a consumer.
#pragma once

#include <string_view>

#include "base/result.h"
#include "seed/reader.h"
#include "seed/seed.h"

namespace pyro::seed {

// Gets only what has been checked: a folder before what is in it, and data only behind a file.
class Consumer {
 public:
  virtual ~Consumer() = default;
  // `again`: an entry of this kind and path came before; this one replaces it.
  virtual Result<void> add(const wire::TreeEntry& entry, bool again) = 0;
  virtual Result<void> data(std::string_view bytes) = 0;
  virtual Result<void> end_file() = 0;
  // Where data() would go on, for copy_file_range(2); -1: nowhere.
  [[nodiscard]] virtual int file_fd() const { return -1; }
};

// Counts::entries are different paths.
Result<Counts> carry(Reader& reader, Consumer& consumer, const Limits& limits,
                     const Progress& progress);

}  // namespace pyro::seed
