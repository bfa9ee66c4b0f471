// Reads what mmdebstrap, apt, dpkg and our hook print, line by line: progress, and why it failed.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "base/result.h"
#include "image/environments.h"

namespace pyro::image {

class MmdebstrapLog {
 public:
  // True when progress() changed.
  bool line(std::string_view text);
  [[nodiscard]] const PullProgress& progress() const { return progress_; }
  // The error for a run that ended with `exit_code`, from the lines seen.
  [[nodiscard]] Error failure(int exit_code) const;

 private:
  enum class Stage : std::uint8_t {
    kStart,
    kUpdate,
    kDownload,
    kExtract,
    kEssential,
    kRemaining,
    kHook
  };

  bool report(std::string phase, std::string detail, double fraction);
  bool stage_line(std::string_view text);
  bool hook_line(std::string_view step);
  bool package_line(std::string_view text);

  Stage stage_ = Stage::kStart;
  double total_ = 0;  // packages in this stage
  double fetched_ = 0, done_ = 0;
  PullProgress progress_{.phase = "resolve", .detail = {}, .fraction = 0};
  std::deque<std::string> tail_;
  bool no_network_ = false, no_space_ = false, bad_signature_ = false;
};

}  // namespace pyro::image
