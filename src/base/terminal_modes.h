// The modes that programs give their terminal, and how another terminal gets to them.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace pyro {

struct Parameters;
struct Token;

// What xterm's control sequences call these modes; a new terminal has the default ones.
class TerminalModes {
 public:
  // Of DEC's private modes those that are on. Those that are not known here are none, and of some
  // (screens, mouse) only the last stays on, as a terminal has it.
  [[nodiscard]] std::vector<int> dec() const;
  // Only these are on.
  template <class List>
  void set_dec(const List& on) {
    dec_ = {};
    for (const auto mode : on) set_dec(mode, true);
  }
  void set_dec(std::size_t mode, bool on);
  // The one that gave a program the alternate screen: 47, 1047, 1049, or 0.
  [[nodiscard]] int screen() const;
  [[nodiscard]] bool origin() const;  // the cursor counts from the scrolling region
  bool insert = false;
  static constexpr int kMostOtherKeys = 3;
  static constexpr int kAllKeyboard = 31;
  int other_keys = 0;  // modifyOtherKeys, 0 to kMostOtherKeys
  int keyboard = 0;    // flags of the kitty keyboard protocol, of kAllKeyboard

  // The bytes that change a terminal with these modes into one that has `wanted`. An alternate
  // screen that it gets is empty.
  [[nodiscard]] std::string change_to(const TerminalModes& wanted) const;
  bool operator==(const TerminalModes&) const = default;

  static constexpr std::size_t kGroups = 12;

 private:
  // Modes of which one at most is on. The cursor shows and lines wrap from the beginning.
  std::array<int, kGroups> dec_{0, 0, 0, 0, 7, 25, 0, 0, 0, 0, 0, 0};
};

// Finds the modes in what programs print, which may come in any parts. Keeps kMostSequence bytes
// at most.
class TerminalModesReader {
 public:
  void take(std::string_view bytes);
  [[nodiscard]] const TerminalModes& modes() const { return modes_; }

 private:
  void apply(const Token& token);
  void apply_csi(const Token& token);
  void apply_keyboard(const Parameters& given);
  [[nodiscard]] std::vector<int>& keyboards() {
    return keyboards_.at(modes_.screen() != 0 ? 1 : 0);
  }

  TerminalModes modes_;
  std::string unfinished_;  // a sequence
  // Of the normal and the alternate screen: the flags that were pushed, the last ones hold.
  std::array<std::vector<int>, 2> keyboards_;
};

// What a terminal can be shown once more of what programs printed: text, where and how it stands,
// titles and links. Nothing that asks the terminal for an answer, which would be typed into the
// shell by it, and no modes but those that drawing needs.
std::string replayable(std::string_view bytes);

}  // namespace pyro
