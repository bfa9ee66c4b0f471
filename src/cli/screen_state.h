// What programs of a guest did to the terminal that is attached to them, and how to undo it.
#pragma once

#include <string>
#include <string_view>

#include "base/terminal_modes.h"

namespace pyro::cli {

class ScreenState {
 public:
  // What was written to the terminal; a control sequence may come in parts.
  void take(std::string_view bytes) { modes_.take(bytes); }
  // The bytes after which the terminal is as programs expect it: `modes` are those that a new one
  // would need.
  std::string enter(std::string_view modes);
  // The bytes that leave the terminal as a shell wants it, whatever a program left on: the normal
  // screen, a cursor that shows, no colours, no reports of mouse, focus or paste, the keys and the
  // scrolling of always; at the beginning of a line.
  [[nodiscard]] std::string leave() const;

 private:
  TerminalModesReader modes_;
};

}  // namespace pyro::cli
