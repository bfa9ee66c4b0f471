// The first byte is a width and where to cut, the rest is what a program printed. Whatever it is,
// the text has no control characters, is UTF-8 and no larger than promised; cutting takes a
// beginning, more of more, and what is left over shows nothing.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/terminal_text.h"
#include "base/text.h"

namespace {

void require(bool fine) {
  if (!fine) std::abort();
}

void check_text(std::string_view bytes, std::size_t columns) {
  const std::string text = pyro::plain_text(bytes, columns);
  require(text.size() <= bytes.size() * (pyro::kFillPerByte + 3) + pyro::kMostColumns);
  bool lossy = false;
  require(pyro::to_utf8(text, &lossy) == text && !lossy);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    require((c >= 0x20 || c == '\n') && c != 0x7f);
    if (c == 0xc2) require(static_cast<unsigned char>(text.at(i + 1)) >= 0xa0);
  }
}

void check_cuts(std::string_view bytes, std::size_t at) {
  const std::string_view part = bytes.substr(0, at);
  const std::size_t all = pyro::whole_characters(bytes, bytes.size());
  const std::size_t some = pyro::whole_characters(bytes, at);
  require(some <= all && all <= bytes.size() && bytes.size() - all <= 3);
  require(pyro::whole_characters(part, part.size()) <= all);
  // No character is lost or made where it is cut.
  require(pyro::to_utf8(bytes) ==
          pyro::to_utf8(bytes.substr(0, some)) + pyro::to_utf8(bytes.substr(some)));

  const std::size_t whole = pyro::whole_sequences(bytes);
  require(whole <= bytes.size() && bytes.size() - whole <= pyro::kMostSequence);
  require(pyro::whole_sequences(part) <= whole);
  // What is unfinished shows nothing by itself.
  if (all == bytes.size())
    require(pyro::plain_text(bytes) == pyro::plain_text(bytes.substr(0, whole)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(data[i]);
  if (bytes.empty()) return 0;
  const std::size_t number = static_cast<unsigned char>(bytes[0]);
  const std::string_view printed = std::string_view(bytes).substr(1);
  check_text(printed, 0);
  check_text(printed, 1 + number);
  check_cuts(printed, printed.size() * number / 255);
  return 0;
}
