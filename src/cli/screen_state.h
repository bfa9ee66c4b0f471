// What programs of a guest did to the terminal that is attached to them, and how to undo it.
#pragma once

#include <string>
#include <string_view>

namespace pyro::cli {

class ScreenState {
 public:
  // What was written to the terminal; a control sequence may come in parts.
  void take(std::string_view bytes);
  // The bytes after which a program that has the whole screen, or has it no more, finds what it
  // expects: "" when that is so already.
  std::string enter(bool full_screen);
  // The bytes that leave the terminal as a shell wants it, whatever a program left on: the normal
  // screen, a cursor that shows, no colours, no reports of mouse, focus or paste, the keys and the
  // scrolling of always; at the beginning of a line.
  [[nodiscard]] std::string leave() const;

 private:
  void set_modes(bool on);

  enum class In { kText, kEscape, kSequence };
  In in_ = In::kText;
  std::string modes_;  // of the sequence that is being read: "?1049;25"
  int alternate_ = 0;  // the mode that gave the program the alternate screen: 47, 1047, 1049, or 0
};

}  // namespace pyro::cli
