// What the hard links of an archive stand for. An archive is a stream: when a link comes, what it
// names has gone by. So with the first one the archive is read again from its start, once for
// the headers to see which files are meant, and once to put these files aside.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/result.h"
#include "seed/seed.h"
#include "sys/fd.h"

namespace pyro::seed {

class HardLinks {
 public:
  // What a link is to become: a symlink with this target, or a copy of these bytes.
  struct Copy {
    std::string target;
    std::uint64_t offset = 0, size = 0;
    std::uint32_t mode = 0;
    std::int64_t mtime_ns = 0;
  };

  // `fd` is the archive's; the files lie in `scratch_dir` under no name until this object goes.
  static Result<HardLinks> collect(int fd, const std::string& name, const std::string& scratch_dir,
                                   const Progress& progress, const Limits& limits);

  // For the entry of that number, from 0; nullptr: what it names did not come before it.
  [[nodiscard]] const Copy* of(std::uint64_t entry) const;
  [[nodiscard]] int content_fd() const { return spool_.get(); }

 private:
  Result<void> find_meant(int fd, const std::string& name, const Progress& progress,
                          const Limits& limits);
  Result<void> put_aside(int fd, const std::string& name, const Progress& progress,
                         const Limits& limits);

  std::unordered_map<std::uint64_t, std::uint64_t> meant_;  // number of a link: of what it means
  std::unordered_map<std::uint64_t, Copy> copies_;          // number of what is meant
  sys::UniqueFd spool_;
};

}  // namespace pyro::seed
