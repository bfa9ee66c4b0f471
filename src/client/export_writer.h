// What a guest says is in its workspace, as files of the host. Names, kinds, sizes and the order
// are hostile: nothing is written but below a private folder beside the target, no link is
// followed, no device or set-user-id file is made, and only a whole tree appears at the target.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "seed/stage.h"
#include "sys/staging.h"
#include "wire/tree_stream.h"

namespace pyro::client {

inline constexpr std::int64_t kMostExportEntries = 2'000'000;
inline constexpr std::int64_t kMostExportBytes = 64LL << 30;
inline constexpr std::size_t kMostExportNames = 256U << 20;  // bytes of all paths together

class ExportWriter {
 public:
  // Called after each entry, often.
  using OnProgress = std::function<void(std::int64_t entries, std::int64_t bytes)>;

  // `target` is absolute; the folder it is in exists. Nothing is written there before finish().
  static Result<ExportWriter> open(const std::string& target, OnProgress on_progress);

  Result<void> feed(std::string_view bytes);
  // The whole stream was fed. A file or link replaces a file or link of that name; a folder needs a
  // name that is free (kConflict). On disk when this returns.
  Result<void> finish();

  [[nodiscard]] const std::string& artifact_type() const { return type_; }
  [[nodiscard]] std::int64_t entries() const { return entries_; }
  [[nodiscard]] std::int64_t bytes() const { return bytes_; }
  // What is no file, folder or link; the first hundred.
  [[nodiscard]] const std::vector<std::string>& skipped() const { return skipped_; }

 private:
  ExportWriter(std::string target, OnProgress on_progress, sys::Staging staging, seed::Stage stage)
      : target_(std::move(target)),
        on_progress_(std::move(on_progress)),
        staging_(std::move(staging)),
        stage_(std::move(stage)) {}
  Result<void> take(wire::TreeEntry entry);

  std::string target_;
  OnProgress on_progress_;
  sys::Staging staging_;
  seed::Stage stage_;
  wire::TreeParser parser_;
  std::string type_;                        // empty: nothing came yet
  std::string file_;                        // that data is for; empty: none
  std::optional<std::uint32_t> last_mode_;  // of the artifact once it is at the target
  std::int64_t entries_ = 0, bytes_ = 0;
  std::size_t name_bytes_ = 0;
  std::vector<std::string> skipped_;
};

}  // namespace pyro::client
