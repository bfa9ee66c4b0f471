// What a terminal would show of a program's output, and where such output can be cut.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pyro {

// The length of the longest beginning of `bytes` that has at most `max_chars` characters and does
// not end within one: code points of UTF-8; each maximal invalid part (as to_utf8() replaces it)
// counts as one. An end that more bytes could make a character is not taken.
std::size_t whole_characters(std::string_view bytes, std::size_t max_chars);

// The length of the longest beginning of `bytes` that does not end within a control sequence
// (ECMA-48: ESC, CSI, OSC, DCS and their kin). A sequence longer than kMostSequence is none.
inline constexpr std::size_t kMostSequence = 4096;  // bytes
std::size_t whole_sequences(std::string_view bytes);

// The lines that a terminal of any width would show: carriage return, backspace, tab, the erasing
// of a line and cursor moves within it are done, colours, titles, queries and modes are left out.
// What moves the cursor to other lines starts a new one where it goes down, and is left out
// otherwise: text that was printed stays. UTF-8, with U+FFFD for what is not. A line has at most
// kMostColumns columns: moves beyond that stop there. Takes time and memory in proportion to
// `bytes`, whatever is in them.
inline constexpr std::size_t kMostColumns = 4096;
std::string plain_text(std::string_view bytes);

}  // namespace pyro
