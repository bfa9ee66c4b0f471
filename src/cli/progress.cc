#include "cli/progress.h"

#include <algorithm>
#include <cmath>

namespace pyro::cli {
namespace {

constexpr int kBarWidth = 20;

// The longest start of `text` of at most `columns` code points.
std::string cut(const std::string& text, std::size_t columns) {
  std::size_t points = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool starts = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (starts && points++ == columns) return text.substr(0, i);
  }
  return text;
}

}  // namespace

std::string progress_line(const std::string& environment, const image::PullProgress& progress,
                          int columns) {
  std::string line = "[pull] " + environment + (environment.empty() ? "[" : " [");
  if (progress.fraction >= 0) {
    const double fraction = std::clamp(progress.fraction, 0.0, 1.0);
    const auto full = static_cast<std::size_t>(std::floor(fraction * kBarWidth));
    const std::string percent = std::to_string(static_cast<int>(std::floor(fraction * 100)));
    line += std::string(full, '#') + std::string(kBarWidth - full, '-') + "] " +
            std::string(3 - percent.size(), ' ') + percent + "% ";
  } else {
    line += std::string(kBarWidth, '.') + "]      ";
  }
  line += progress.phase;
  if (!progress.detail.empty()) line += ": " + progress.detail;
  return fit_line(line, columns);
}

std::string fit_line(const std::string& text, int columns) {
  std::string line = text;
  std::ranges::replace(line, '\n', ' ');
  // The last column stays free: some terminals wrap when it is written.
  return cut(printable(line), static_cast<std::size_t>(std::max(columns - 1, 1)));
}

void StatusLine::draw(const std::function<std::string(int columns)>& text, bool urgent) {
  if (!io_.err_tty) return;
  if (drawn_ && !urgent && io_.now() - last_draw_ < every_) return;
  (void)io_.err.write("\r" + text(io_.err_columns ? io_.err_columns() : 80) + "\033[K");
  drawn_ = true;
  last_draw_ = io_.now();
}

void StatusLine::clear() {
  if (drawn_) (void)io_.err.write("\r\033[K");
  drawn_ = false;
}

void PullDisplay::phase(std::string_view name) {
  if (name == last_phase_) return;
  clear();
  last_phase_ = name;
  if (lines_ == Lines::kHidden) return;
  (void)io_.err.write(printable("[pull] phase=" + std::string(name) +
                                (environment_.empty() ? "" : " environment=" + environment_)) +
                      "\n");
}

void PullDisplay::update(const image::PullProgress& progress) {
  if (progress.phase == "ready") return;  // said when the pull has returned
  if (!io_.err_tty) return phase(progress.phase);
  const bool new_phase = progress.phase != last_phase_;
  last_phase_ = progress.phase;
  bar_.draw([&](int columns) { return progress_line(environment_, progress, columns); }, new_phase);
}

}  // namespace pyro::cli
