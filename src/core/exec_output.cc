#include "core/exec_output.h"

#include <fmt/format.h>

#include <algorithm>

namespace pyro::core {

namespace {
constexpr std::size_t kHalf = kKeptOutput / 2;
// How long the start of a secret's value waits for the rest of it.
constexpr std::chrono::milliseconds kHoldBack{1000};
}  // namespace

void KeptOutput::add(std::string_view bytes) {
  bytes_ += static_cast<std::int64_t>(bytes.size());
  const std::size_t room = kHalf - head_.size();
  head_ += bytes.substr(0, room);
  bytes.remove_prefix(std::min(room, bytes.size()));
  if (bytes.size() > kHalf) bytes.remove_prefix(bytes.size() - kHalf);
  tail_ += bytes;
  // Not for every line: what is too much goes in large steps.
  if (tail_.size() > 2 * kHalf) tail_.erase(0, tail_.size() - kHalf);
}

std::string KeptOutput::text() const {
  const std::string_view end =
      std::string_view(tail_).substr(tail_.size() - std::min(tail_.size(), kHalf));
  const auto kept = static_cast<std::int64_t>(head_.size() + end.size());
  if (kept == bytes_) return head_ + std::string(end);
  return fmt::format("{}\n[... {} bytes left out ...]\n{}", head_, bytes_ - kept, end);
}

ExecOutput::ExecOutput(const std::map<std::string, std::string>& secrets)
    : streams_(secrets, kHoldBack) {}

std::string ExecOutput::feed(std::size_t stream, std::string_view bytes, Clock::time_point now) {
  std::string shown = streams_.feed(stream, bytes, now);
  kept_[stream].add(shown);
  return shown;
}

std::string ExecOutput::flush(std::size_t stream) {
  std::string shown = streams_.flush(stream);
  kept_[stream].add(shown);
  return shown;
}

}  // namespace pyro::core
