// What moves while a command waits: a line that is redrawn on a terminal.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "cli/io.h"
#include "image/environments.h"

namespace pyro::cli {

// Written over itself at the foot of a terminal, and taken away before anything else is written.
class StatusLine {
 public:
  StatusLine(Io& io, std::chrono::milliseconds at_most_every) : io_(io), every_(at_most_every) {}
  ~StatusLine() { clear(); }
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;

  // Nothing without a terminal, and nothing so soon after the last time unless it is `urgent`.
  void draw(const std::function<std::string(int columns)>& text, bool urgent);
  // The next draw() draws in any case.
  void clear();

 private:
  Io& io_;
  std::chrono::milliseconds every_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_draw_;
};

// The phases of a pull: one redrawn line on a terminal, plain lines otherwise.
class PullDisplay {
 public:
  enum class Lines {
    kShown,   // "[pull] phase=... environment=..." for every new phase, where there is no bar;
              // without the environment when that is ""
    kHidden,  // with --json
  };
  PullDisplay(Io& io, std::string environment, Lines lines)
      : io_(io),
        environment_(std::move(environment)),
        lines_(lines),
        bar_(io, std::chrono::milliseconds(50)) {}

  // A full line; the bar makes way for it.
  void phase(std::string_view name);
  void update(const image::PullProgress& progress);
  // Takes the bar off the terminal; the next update() draws it again.
  void clear() { bar_.clear(); }

 private:
  Io& io_;
  std::string environment_;
  Lines lines_;
  std::string last_phase_;
  StatusLine bar_;
};

// "[pull] debian:12 [#####---------------]  25% download: 12 of 80 packages", at most `columns`
// wide; a bar of dots when the fraction is not known.
std::string progress_line(const std::string& environment, const image::PullProgress& progress,
                          int columns);
// `text` fit for one line of a terminal that wide.
std::string fit_line(const std::string& text, int columns);

}  // namespace pyro::cli
