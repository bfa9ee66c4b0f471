#include "cli/screen_state.h"

#include <algorithm>
#include <charconv>

namespace pyro::cli {
namespace {

// Longer ones switch no mode that matters here.
constexpr std::size_t kMostModes = 64;

bool is_screen(int mode) {
  return mode == 47 || mode == 1047 || mode == 1049;
}

}  // namespace

void ScreenState::take(std::string_view bytes) {
  for (const char c : bytes) {
    if (c == '\x1b') {
      in_ = In::kEscape;
    } else if (in_ == In::kEscape) {
      in_ = c == '[' ? In::kSequence : In::kText;
      if (c == 'c') alternate_ = 0;  // a reset of the terminal
      modes_.clear();
    } else if (in_ == In::kSequence) {
      if (c >= 0x20 && c <= 0x3f && modes_.size() < kMostModes) {
        modes_ += c;
        continue;
      }
      in_ = In::kText;
      if (modes_.starts_with('?') && (c == 'h' || c == 'l')) set_modes(c == 'h');
    }
  }
}

void ScreenState::set_modes(bool on) {
  const char* at = modes_.data() + 1;
  const char* const end = modes_.data() + modes_.size();
  while (at < end) {
    int mode = 0;
    at = std::from_chars(at, end, mode).ptr;
    if (is_screen(mode)) alternate_ = on ? mode : 0;
    at = std::find(at, end, ';');
    if (at < end) ++at;
  }
}

std::string ScreenState::enter(bool full_screen) {
  if (full_screen == (alternate_ != 0)) return "";
  std::string bytes =
      full_screen ? "\x1b[?1049h\x1b[2J\x1b[H" : "\x1b[?" + std::to_string(alternate_) + "l";
  take(bytes);
  return bytes;
}

std::string ScreenState::leave() const {
  std::string out;
  if (alternate_ != 0) out += "\x1b[?" + std::to_string(alternate_) + "l";
  return out +
         "\x1b"
         "7\x1b[r\x1b"
         "8"                                   // scrolling, which moves the cursor
         "\x1b[?1l\x1b>"                       // cursor keys and keypad
         "\x1b[?7h\x1b[?25h\x1b[0m\x1b(B\x0f"  // wrapping, cursor, colours, charset
         "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l"  // mouse
         "\x1b[?1004l\x1b[?2004l"                                   // focus, paste
         "\x1b[0 q\r\n";                                            // shape of the cursor
}

}  // namespace pyro::cli
