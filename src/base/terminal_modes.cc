#include "base/terminal_modes.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/control_sequences.h"
#include "base/text.h"

namespace pyro {
namespace {

using Kind = Token::Kind;

constexpr std::size_t kScreen = 0;
constexpr std::size_t kOrigin = 3;
constexpr int kKeypad = 66;  // has sequences of its own, which more terminals know
constexpr std::size_t kMostPushed = 16;

// 0 stands for none.
constexpr std::array<std::array<int, 5>, TerminalModes::kGroups> kGroupsOfModes{{
    {47, 1047, 1049},             // alternate screen
    {1},                          // cursor keys
    {5},                          // reverse video
    {6},                          // origin
    {7},                          // wrapping
    {25},                         // cursor
    {9, 1000, 1001, 1002, 1003},  // mouse
    {1005, 1006, 1015, 1016},     // how it is reported
    {kKeypad},                    // keypad
    {1004},                       // focus
    {2004},                       // paste
    {69},                         // left and right margins
}};

template <class List, class T>
bool is_one_of(const List& list, const T& wanted) {
  return std::ranges::find(list, wanted) != list.end();
}

std::string switched(int mode, bool on) {
  if (mode == kKeypad) return on ? "\x1b=" : "\x1b>";
  return "\x1b[?" + std::to_string(mode) + (on ? "h" : "l");
}

}  // namespace

// ---- modes

std::vector<int> TerminalModes::dec() const {
  std::vector<int> on;
  std::ranges::copy_if(dec_, std::back_inserter(on), [](int mode) { return mode != 0; });
  return on;
}

void TerminalModes::set_dec(std::size_t mode, bool on) {
  if (mode == 0 || mode > 9999) return;
  const int number = static_cast<int>(mode);
  for (std::size_t i = 0; i < kGroups; ++i) {
    if (is_one_of(kGroupsOfModes.at(i), number)) dec_.at(i) = on ? number : 0;
  }
}

int TerminalModes::screen() const {
  return dec_.at(kScreen);
}

bool TerminalModes::origin() const {
  return dec_.at(kOrigin) != 0;
}

std::string TerminalModes::change_to(const TerminalModes& wanted) const {
  std::string out;
  for (std::size_t i = 0; i < kGroups; ++i) {
    const int from = dec_.at(i);
    const int to = wanted.dec_.at(i);
    if (from == to) continue;
    if (from != 0) out += switched(from, false);
    if (to != 0) out += switched(to, true);
    if (to != 0 && i == kScreen) out += "\x1b[2J\x1b[H";
  }
  if (insert != wanted.insert) out += wanted.insert ? "\x1b[4h" : "\x1b[4l";
  if (other_keys != wanted.other_keys) out += "\x1b[>4;" + std::to_string(wanted.other_keys) + "m";
  // Each screen has its own.
  if (keyboard != wanted.keyboard || (wanted.keyboard != 0 && screen() != wanted.screen()))
    out += "\x1b[=" + std::to_string(wanted.keyboard) + "u";
  return out;
}

// ---- in what programs print

void TerminalModesReader::take(std::string_view bytes) {
  std::string joined;
  if (!unfinished_.empty()) {
    joined = std::exchange(unfinished_, "") + std::string(bytes);
    bytes = joined;
  }
  while (!bytes.empty()) {
    if (bytes[0] != '\x1b' && bytes[0] != '\xc2') {  // text, as most of it
      bytes.remove_prefix(std::min(bytes.find_first_of("\x1b\xc2"), bytes.size()));
      continue;
    }
    const Token token = next_token(bytes);
    // The first byte of a C1 control in UTF-8 may introduce one.
    if (token.kind == Kind::kUnfinished || bytes == "\xc2") {
      unfinished_ = bytes;
      return;
    }
    apply(token);
    bytes.remove_prefix(token.size);
  }
}

void TerminalModesReader::apply(const Token& token) {
  if (token.kind == Kind::kCsi) {
    apply_csi(token);
  } else if (token.kind == Kind::kEscape && token.body.empty()) {
    if (token.final_byte == 'c') {  // a reset of the terminal
      modes_ = {};
      keyboards_ = {};
    }
    if (token.final_byte == '=' || token.final_byte == '>')
      modes_.set_dec(kKeypad, token.final_byte == '=');
  }
}

void TerminalModesReader::apply_csi(const Token& token) {
  if (token.final_byte == 'p' && token.body == "!") {  // a soft reset, which leaves the screen
    modes_.insert = false;
    for (const int mode : {1, 6, kKeypad, 69})
      modes_.set_dec(static_cast<std::size_t>(mode), false);
    modes_.set_dec(25, true);
    return;
  }
  const Parameters given(token.body);
  if (!given.plain) return;
  const bool on = token.final_byte == 'h';
  if ((on || token.final_byte == 'l') && (given.prefix == '?' || given.prefix == 0)) {
    for (const auto& mode : given.numbers) {
      if (given.prefix == '?') modes_.set_dec(mode.value_or(0), on);
      if (given.prefix == 0 && mode == 4U) modes_.insert = on;
    }
    modes_.keyboard = keyboards().empty() ? 0 : keyboards().back();
  } else if (token.final_byte == 'm' && given.prefix == '>') {
    if (given.at(0, 4) != 4) return;
    const std::size_t level = given.numbers[0] ? given.at(1, 0) : 0;
    modes_.other_keys =
        static_cast<int>(std::min<std::size_t>(level, TerminalModes::kMostOtherKeys));
  } else if (token.final_byte == 'n' && given.prefix == '>') {
    if (given.at(0, 0) == 4) modes_.other_keys = 0;
  } else if (token.final_byte == 'u') {
    apply_keyboard(given);
  }
}

void TerminalModesReader::apply_keyboard(const Parameters& given) {
  std::vector<int>& flags = keyboards();
  const int wanted = static_cast<int>(given.at(0, 0) & TerminalModes::kAllKeyboard);
  if (given.prefix == '>') {
    if (flags.size() == kMostPushed) flags.erase(flags.begin());
    flags.push_back(wanted);
  } else if (given.prefix == '<') {
    flags.resize(flags.size() - std::min(flags.size(), given.count()));
  } else if (given.prefix == '=') {
    if (flags.empty()) flags.push_back(0);
    const std::size_t how = given.at(1, 1);
    if (how == 1) flags.back() = wanted;
    if (how == 2) flags.back() |= wanted;
    if (how == 3) flags.back() &= ~wanted;
  }
  modes_.keyboard = flags.empty() ? 0 : flags.back();
}

// ---- once more

namespace {

// Of the modes those without which what is drawn would stand elsewhere.
std::string drawing_modes(const Parameters& given, char final_byte) {
  static constexpr std::array<std::size_t, 9> kDrawing{5, 6, 7, 25, 47, 69, 1047, 1048, 1049};
  std::string out;
  for (const auto& mode : given.numbers) {
    const bool wanted = given.prefix == 0 ? mode == 4U : mode && is_one_of(kDrawing, *mode);
    if (!wanted) continue;
    out += (given.prefix == 0 ? "\x1b[" : "\x1b[?") + std::to_string(*mode) + final_byte;
  }
  return out;
}

std::string replayable_csi(const Token& token, std::string_view bytes) {
  constexpr std::string_view kDraws = "@ABCDEFGHIJKLMPSTXZ`abdefgmrsu";
  const Parameters given(token.body);
  if (token.body.ends_with(' ') && token.final_byte == 'q') return std::string(bytes);  // its shape
  if (!given.plain || (given.prefix != 0 && given.prefix != '?')) return "";
  if (token.final_byte == 'h' || token.final_byte == 'l')
    return drawing_modes(given, token.final_byte);
  const std::string_view finals = given.prefix == '?' ? "JK" : kDraws;
  return finals.contains(token.final_byte) ? std::string(bytes) : "";
}

// Titles, links and colours; "?" asks for one.
bool is_replayable_osc(const Token& token) {
  static constexpr std::array<std::string_view, 11> kCommands{"0",  "1",  "2",   "4",   "8",  "10",
                                                              "11", "12", "104", "110", "111"};
  if (token.final_byte != ']' || token.body.contains('?')) return false;
  return is_one_of(kCommands, token.body.substr(0, token.body.find(';')));
}

std::string replayable(const Token& token, std::string_view bytes) {
  const auto if_it = [&](bool is) { return is ? std::string(bytes) : ""; };
  switch (token.kind) {
    case Kind::kText:  // a byte that could make a control of what comes next does not stay
      return if_it(utf8_part(bytes).valid || bytes[0] != '\xc2');
    case Kind::kControl:
      return if_it(token.final_byte != '\x05');  // who are you?
    case Kind::kEscape:
      return if_it(token.final_byte != 'Z');  // what are you?
    case Kind::kCsi:
      return replayable_csi(token, bytes);
    case Kind::kString:
      return if_it(is_replayable_osc(token));
    case Kind::kMalformed:
    case Kind::kUnfinished:
      break;
  }
  return "";
}

}  // namespace

std::string replayable(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    const Token token = next_token(bytes);
    out += replayable(token, bytes.substr(0, token.size));
    bytes.remove_prefix(token.size);
  }
  return out;
}

}  // namespace pyro
