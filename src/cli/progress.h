// The phases of a pull: one redrawn line on a terminal, plain lines otherwise.
#pragma once

#include <chrono>
#include <string>

#include "cli/io.h"
#include "image/environments.h"

namespace pyro::cli {

class PullDisplay {
 public:
  enum class Lines {
    kShown,   // "[pull] phase=... environment=..." for every new phase, where there is no bar
    kHidden,  // with --json
  };
  PullDisplay(Io& io, std::string environment, Lines lines)
      : io_(io), environment_(std::move(environment)), lines_(lines) {}
  ~PullDisplay() { clear(); }
  PullDisplay(const PullDisplay&) = delete;
  PullDisplay& operator=(const PullDisplay&) = delete;

  // A full line; the bar makes way for it.
  void phase(std::string_view name);
  void update(const image::PullProgress& progress);
  // Takes the bar off the terminal; the next update() draws it again.
  void clear();

 private:
  void draw(const image::PullProgress& progress);

  Io& io_;
  std::string environment_;
  Lines lines_;
  std::string last_phase_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_draw_;
};

// "[pull] debian:12 [#####---------------]  25% download: 12 of 80 packages", at most `columns`
// wide; a bar of dots when the fraction is not known.
std::string progress_line(const std::string& environment, const image::PullProgress& progress,
                          int columns);

}  // namespace pyro::cli
