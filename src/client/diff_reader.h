// What a guest says differs from the baseline, as entries and a patch. All of it is hostile:
// nothing is believed that the tree's parser does not check, and what is held in memory is bounded.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "client/workspaces.h"
#include "proto/limits.h"
#include "wire/tree_stream.h"

namespace pyro::client {

// bytes; what is beyond has no patch
inline constexpr std::size_t kMostPatch = proto::kMaxWriteBytes;
inline constexpr std::size_t kMostDiffContent = 1U << 20;  // bytes of one side of a change
inline constexpr std::int64_t kMostDiffEntries = 1'000'000;
inline constexpr std::size_t kMostDiffNames = 256U << 20;  // bytes of all paths together

class DiffReader {
 public:
  Result<void> feed(std::string_view bytes);
  // The whole stream was fed.
  Result<DiffResult> finish();

 private:
  struct Version {
    wire::TreeEntry entry;
    std::string content;
    bool complete = true;  // the content is all there
  };
  Result<void> take(wire::TreeEntry entry);
  Result<void> pair_up();
  void report(const std::optional<Version>& before, const Version& after);
  void add_patch(const std::optional<Version>& before, const Version& after);
  static std::string patch_of(const std::optional<Version>& before, const Version& after);
  bool append(const std::string& patch);
  void end_replaced();

  wire::TreeParser parser_;
  std::optional<Version> first_, second_;  // of the same path; the newest is what data is for
  // A folder that is something else now: its patch follows those of what was in it, and comes only
  // when they take all of that away.
  struct Replaced {
    std::string within;  // its path and "/"
    std::size_t entry = 0;
    std::string patch;
  };
  std::optional<Replaced> replaced_;
  // The path, with "/", of what is a folder now and what the patch does not take away: nothing can
  // be put in there.
  std::string in_the_way_;
  std::size_t name_bytes_ = 0;
  DiffResult result_;
};

}  // namespace pyro::client
