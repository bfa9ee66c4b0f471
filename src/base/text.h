// Text helpers shared by messages for people and for machines.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pyro {

// One shell word: unchanged when it is safe, single-quoted otherwise.
std::string shell_quote(std::string_view word);
// The words joined by blanks, each quoted, so that a POSIX shell would split them the same way.
std::string shell_join(const std::vector<std::string>& words);

// `bytes` as UTF-8 with U+FFFD for each maximal invalid part (Unicode 15, 3.9, "substitution of
// maximal subparts"). `lossy` is set when anything was replaced.
std::string to_utf8(std::string_view bytes, bool* lossy = nullptr);

// What stands at the beginning of `bytes`, which are not empty: a character, or the maximal invalid
// part that to_utf8() replaces.
struct Utf8Part {
  std::size_t size = 1;
  bool valid = false;
  bool unfinished = false;  // invalid, but more bytes could make it a character
};
Utf8Part utf8_part(std::string_view bytes);

// Text from a guest, for a terminal: valid UTF-8 without control characters. Newlines and tabs
// stay, carriage returns and terminal control sequences (ECMA-48) go, anything else becomes U+FFFD.
std::string printable(std::string_view bytes);

// A name from wherever, in quotes and on one line, for a message: what is no printable UTF-8 stands
// as \n, \t, \xNN. Cut after 200 bytes, with three dots.
std::string quoted_name(std::string_view name);

std::string base64(std::string_view bytes);
// The bytes of canonical, padded base64 (RFC 4648, section 4); nullopt for anything else: other
// letters, blanks, missing padding, padding bits that are not zero.
std::optional<std::string> base64_decode(std::string_view text);
// Lower-case hexadecimal.
std::string hex(std::string_view bytes);

// "1.5 GiB", "12 KiB", "17 B": for people only.
std::string human_bytes(unsigned long long bytes);

// The name in `names` closest to `word` (at most 3 edits, a swap of neighbours being one, and fewer
// than the word's length), or "".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& names);

}  // namespace pyro
