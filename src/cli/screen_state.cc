#include "cli/screen_state.h"

namespace pyro::cli {
namespace {

constexpr const char* kNoKittyKeys = "\x1b[=0u";

}  // namespace

std::string ScreenState::enter(std::string_view modes) {
  TerminalModesReader wanted;
  wanted.take(modes);
  std::string bytes = modes_.modes().change_to(wanted.modes());
  take(bytes);
  return bytes;
}

std::string ScreenState::leave() const {
  std::string out;
  if (const int screen = modes_.modes().screen(); screen != 0) {
    out += kNoKittyKeys;  // each screen has its own
    out += "\x1b[?" + std::to_string(screen) + "l";
  }
  // This moves the cursor to the top, and what restores it would restore the mode.
  if (modes_.modes().origin()) out += "\x1b[?6l\x1b[r\x1b[999;1H";
  out +=
      "\x1b"
      "7\x1b[r\x1b"
      "8"                                             // scrolling, which moves the cursor
      "\x1b[?1l\x1b>"                                 // cursor keys and keypad
      "\x1b[4l\x1b[?5l"                               // inserting, reverse video
      "\x1b[>4m"                                      // modifyOtherKeys; some take it for a colour
      "\x1b[?69l\x1b[?7h\x1b[?25h\x1b[0m\x1b(B\x0f"   // wrapping, cursor, colours, charset
      "\x1b[?9l\x1b[?1000l\x1b[?1002l\x1b[?1003l"     // mouse
      "\x1b[?1005l\x1b[?1006l\x1b[?1015l\x1b[?1016l"  // how it is reported
      "\x1b[?1004l\x1b[?2004l"                        // focus, paste
      "\x1b[0 q";                                     // shape of the cursor
  out += kNoKittyKeys;
  return out + "\r\n";
}

}  // namespace pyro::cli
