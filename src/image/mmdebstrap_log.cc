#include "image/mmdebstrap_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/text.h"
#include "image/text_lines.h"

namespace pyro::image {
namespace {

constexpr std::size_t kTailLines = 15;
constexpr std::size_t kMaxLine = 500;
// Where each stage ends in the whole pull. Measured: a pull of debian:12 spends about a tenth of
// its time on lists, a quarter on the essential packages, half on the rest, a fifth on the image.
constexpr double kUpdateEnd = 0.08, kDownloadEnd = 0.18, kExtractEnd = 0.25, kEssentialEnd = 0.42,
                 kRemainingFetched = 0.52, kRemainingEnd = 0.80, kKernelEnd = 0.86,
                 kImageEnd = 0.93;

bool contains_any(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(words, [&](std::string_view w) { return text.contains(w); });
}

double between(double from, double to, double part, double whole) {
  if (whole <= 0) return from;
  return from + (to - from) * std::clamp(part / whole, 0.0, 1.0);
}

}  // namespace

bool MmdebstrapLog::report(std::string phase, std::string detail, double fraction) {
  progress_.phase = std::move(phase);
  progress_.detail = to_utf8(detail);
  progress_.fraction = std::max(progress_.fraction, fraction);
  return true;
}

bool MmdebstrapLog::line(std::string_view text) {
  text = text.substr(0, kMaxLine);
  while (text.ends_with('\r') || text.ends_with(' ')) text.remove_suffix(1);
  if (text.empty()) return false;
  tail_.push_back(to_utf8(text));
  if (tail_.size() > kTailLines) tail_.pop_front();
  no_space_ |=
      contains_any(text, {"No space left on device", "enough free space", "Disk quota exceeded"});
  no_network_ |=
      contains_any(text, {"Could not resolve", "Temporary failure resolving", "Could not connect",
                          "Unable to connect to", "Network is unreachable", "Connection timed out",
                          "Connection refused", "Connection failed", "Could not handshake"});
  bad_signature_ |= contains_any(text, {"is not signed", "couldn't be verified", "were invalid"});
  constexpr std::string_view kHook = "PYRO-STEP ";
  if (text.starts_with(kHook)) return hook_line(text.substr(kHook.size()));
  if (text.starts_with("I: ")) return stage_line(text.substr(3));
  return package_line(text);
}

bool MmdebstrapLog::stage_line(std::string_view text) {
  const auto enter = [this](Stage stage) {
    stage_ = stage;
    total_ = fetched_ = done_ = 0;
  };
  if (text.starts_with("running apt-get update")) {
    enter(Stage::kUpdate);
    return report("resolve", "package lists", 0.01);
  }
  if (text.starts_with("downloading packages with apt")) {
    enter(Stage::kDownload);
    return report("download", "essential packages", kUpdateEnd);
  }
  if (text.starts_with("extracting archives")) {
    enter(Stage::kExtract);
    return report("unpack", "essential packages", kDownloadEnd);
  }
  if (text.starts_with("installing essential packages")) {
    enter(Stage::kEssential);
    return report("configure", "essential packages", kExtractEnd);
  }
  if (text.starts_with("installing remaining packages")) {
    enter(Stage::kRemaining);
    return report("download", "remaining packages", kEssentialEnd);
  }
  return false;
}

bool MmdebstrapLog::hook_line(std::string_view step) {
  stage_ = Stage::kHook;
  if (step.starts_with("kernel")) return report("image", "kernel", kRemainingEnd);
  if (step.starts_with("rootfs")) return report("image", "root file system", kKernelEnd);
  if (step.starts_with("done")) return report("image", "done", kImageEnd);
  return false;
}

bool MmdebstrapLog::package_line(std::string_view text) {
  const auto words = split_words(text.substr(0, 300));
  if (text.contains(" newly installed, ")) {
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (words[i] == "newly") total_ = std::strtod(words[i - 1].c_str(), nullptr);
    }
    return false;
  }
  if (text.starts_with("Get:") && words.size() >= 5) {
    ++fetched_;
    if (stage_ == Stage::kUpdate) {
      return report("resolve", words[1] + " " + words[2], between(0.01, kUpdateEnd, fetched_, 8));
    }
    if (stage_ == Stage::kDownload) {
      return report("download", words[4], between(kUpdateEnd, kDownloadEnd, fetched_, total_));
    }
    if (stage_ == Stage::kRemaining) {
      return report("download", words[4],
                    between(kEssentialEnd, kRemainingFetched, fetched_, total_));
    }
    return false;
  }
  const bool unpacking = text.starts_with("Unpacking ");
  if ((!unpacking && !text.starts_with("Setting up ")) || words.size() < 2) return false;
  const std::string& package =
      unpacking ? words[1] : words.at(std::min<std::size_t>(2, words.size() - 1));
  done_ += 0.5;  // each package is unpacked once and set up once
  const char* phase = unpacking ? "unpack" : "configure";
  if (stage_ == Stage::kEssential) {
    return report(phase, package, between(kExtractEnd, kEssentialEnd, done_, 70));
  }
  if (stage_ == Stage::kRemaining) {
    return report(phase, package, between(kRemainingFetched, kRemainingEnd, done_, total_));
  }
  return false;
}

Error MmdebstrapLog::failure(int exit_code) const {
  std::string tail;
  for (const std::string& line : tail_) tail += "\n  " + line;
  const auto error = [&](Errc code, std::string_view what, std::string hint) {
    return Error{
        .code = code,
        .os_errno = 0,
        .message = fmt::format("{}; mmdebstrap ended with status {}:{}", what, exit_code, tail),
        .hint = std::move(hint)};
  };
  if (no_space_) {
    return error(Errc::kLimit, "no space left on the disk while building the environment",
                 "free about 1.5 GiB, or set PYRO_CACHE_DIR to a folder on a larger disk");
  }
  if (no_network_) {
    return error(Errc::kUnavailable, "the Debian mirror cannot be reached",
                 "check the network and proxy, or set PYRO_DEBIAN_MIRROR to a mirror that answers");
  }
  if (bad_signature_) {
    return error(
        Errc::kDamaged, "the Debian mirror's signature cannot be verified",
        "check that the mirror is a Debian one and that debian-archive-keyring is current");
  }
  return error(Errc::kUnavailable, "building the environment failed",
               "the last lines above say why; try again, or report them");
}

}  // namespace pyro::image
