// Paths of users below /workspace, and pieces of trees on their way to it.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "client/connection.h"
#include "wire/tree_stream.h"

namespace pyro::client {

inline constexpr const char* kMount = "/workspace";

// A path of a user below /workspace, absolute or relative to it, as a tree has it: "." is
// /workspace itself. ".." is refused, whatever it would lead to.
Result<std::string> tree_path(const std::string& path);
// The other way round.
std::string shown_path(const std::string& tree);

// Where a program is to run: relative means below /workspace. Not checked: the guest says whether
// there is such a folder.
std::string guest_path(const std::string& path);

// "file", "directory" or "symlink"; "other" for all else.
std::string kind_name(wire::EntryKind kind);

// Joins small pieces: a frame each would cost more than what is in it.
class Chunks {
 public:
  explicit Chunks(const Connection::OnData& sink) : sink_(sink) {}
  Result<void> add(std::string_view bytes) {
    pending_ += bytes;
    if (pending_.size() < kChunk) return {};
    return flush();
  }
  Result<void> flush() {
    std::string_view rest = pending_;
    while (!rest.empty()) {
      const std::string_view part = rest.substr(0, kChunk);
      PYRO_CHECK(sink_(part));
      rest.remove_prefix(part.size());
    }
    pending_.clear();
    return {};
  }

 private:
  static constexpr std::size_t kChunk = 64U << 10;
  const Connection::OnData& sink_;
  std::string pending_;
};

}  // namespace pyro::client
