// What a terminal would show of a program's output, and where such output can be cut.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/control_sequences.h"

namespace pyro {

// The length of the longest beginning of `bytes` that has at most `max_chars` characters and does
// not end within one: code points of UTF-8; each maximal invalid part (as to_utf8() replaces it)
// counts as one. An end that more bytes could make a character is not taken.
std::size_t whole_characters(std::string_view bytes, std::size_t max_chars);

// The length of the longest beginning of `bytes` that does not end within a control sequence
// (base/control_sequences.h).
std::size_t whole_sequences(std::string_view bytes);

// The lines that a terminal would show of `bytes`, as UTF-8 with U+FFFD for what is not; of control
// characters only the newline is in it.
//
// Done: carriage return, backspace, tab (as blanks), what erases, inserts, deletes or repeats
// within the line, and cursor moves there. Left out: colours, titles, queries, modes, charsets. A
// line feed goes to the first column, as the terminal of a shell has it. What moves to another line
// starts a new one unless the line is empty, whatever the direction, and so does clearing the
// screen: text that was printed stays. Blanks at the end of a line are left out, but for those of
// the last line, which may go on. Every character takes one column, also a wide one, but for
// combining ones: those stay with the character before, as far as they fit into 15 bytes.
//
// `columns` is the width of the terminal, 0 for any: with it a line that wraps is still one line of
// the text, but the cursor moves in its rows as the program meant it.
//
// Moves stop at kMostColumns or the end of the line, whichever is farther. Takes time and memory in
// proportion to `bytes`, whatever is in them: of blanks and repeated characters nobody wrote there
// are at most kMostColumns + kFillPerByte for each byte, and moves beyond that are cut short.
inline constexpr std::size_t kMostColumns = 4096;
inline constexpr std::size_t kFillPerByte = 8;
std::string plain_text(std::string_view bytes, std::size_t columns = 0);

}  // namespace pyro
