#include "mcp/steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace pyro::mcp {
namespace {

constexpr double kStep = 0.01;  // the least that a report of the library grows by

}  // namespace

Steps::Steps(Call& call, std::string_view what) : call_(call), text_(what) {
  call_.on_beat([this] { beat(); });
}

Steps::~Steps() {
  call_.on_beat({});
}

void Steps::take(const api::Progress& p) {
  const std::scoped_lock lock(mutex_);
  if (p.phase != phase_) {
    phase_ = p.phase;
    ++phases_;
  }
  text_ = to_utf8(p.detail.empty() ? p.phase : fmt::format("{}: {}", p.phase, p.detail));
  const double done = std::floor(std::clamp(p.of.value_or(0), 0.0, 0.99) * 100) / 100;
  const double value = static_cast<double>(phases_) + done;
  if (value <= said_) return;  // where the part is not known, the next beat has the text
  said_ = value;
  beats_ = 0;
  call_.progress(value, std::nullopt, text_);
}

// Grows with every beat, and never as far as the next report.
void Steps::beat() {
  const std::scoped_lock lock(mutex_);
  const auto beats = static_cast<double>(++beats_);
  call_.progress(said_ + kStep * beats / (beats + 1), std::nullopt,
                 fmt::format("{}, {:.0f} s so far", text_, since_.ms() / 1000));
}

}  // namespace pyro::mcp
