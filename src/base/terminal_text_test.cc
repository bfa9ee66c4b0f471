#include "base/terminal_text.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace pyro {
namespace {

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  while (times-- > 0) out += text;
  return out;
}

TEST(WholeCharacters, CountsCodePointsAndInvalidParts) {
  EXPECT_EQ(whole_characters("abc", 2), 2U);
  EXPECT_EQ(whole_characters("abc", 0), 0U);
  EXPECT_EQ(whole_characters("a\xc3\xa4\xe2\x82\xac.", 3), 6U);
  EXPECT_EQ(whole_characters("\xff\xffz", 2), 2U);
  EXPECT_EQ(whole_characters("\xe2\x82z", 1), 2U);  // one maximal invalid part
  EXPECT_EQ(whole_characters("", 9), 0U);
}

TEST(WholeCharacters, LeavesAnEndThatCouldBecomeACharacter) {
  EXPECT_EQ(whole_characters("a\xc3", 9), 1U);
  EXPECT_EQ(whole_characters("a\xf0\x9f\x98", 9), 1U);
  EXPECT_EQ(whole_characters("a\xf0\x9f\x98\x80", 9), 5U);
  EXPECT_EQ(whole_characters("a\xff", 9), 2U);
  EXPECT_EQ(whole_characters("a\xe0\x80", 9), 3U);  // what no byte could mend
}

TEST(WholeSequences, LeavesAnUnfinishedOne) {
  EXPECT_EQ(whole_sequences("a\x1b[31mb"), 7U);
  for (const char* end : {"\x1b", "\x1b[", "\x1b[3", "\x1b[31;", "\x1b(", "\x1b]0;title",
                          "\x1b]0;title\x1b", "\x1bPdata", "\xc2", "\xc2\x9b", "\xc2\x9b?25"}) {
    EXPECT_EQ(whole_sequences(std::string("ab") + end), 2U) << printable(end);
  }
  EXPECT_EQ(whole_sequences("\x1b]0;t\x1b\\"), 7U);
  EXPECT_EQ(whole_sequences("\x1b]0;t\a."), 7U);
  EXPECT_EQ(whole_sequences("\x1b]0;t\xc2\x9c."), 8U);
}

TEST(WholeSequences, OneThatIsTooLongIsNone) {
  const std::string_view introducer = "\x1b]";
  const std::string fits = std::string(introducer) + std::string(kMostSequence - 2, 'x');
  EXPECT_EQ(whole_sequences(fits), 0U);
  EXPECT_EQ(whole_sequences(fits + "x"), fits.size() + 1);
  EXPECT_EQ(plain_text(fits + "x"), std::string(kMostSequence - 1, 'x'));
  EXPECT_EQ(plain_text("a" + fits), "a");
}

TEST(PlainText, KeepsLines) {
  EXPECT_EQ(plain_text(""), "");
  EXPECT_EQ(plain_text("a\r\nb\nc"), "a\nb\nc");
  EXPECT_EQ(plain_text("\r\n\r\n"), "\n\n");
  EXPECT_EQ(plain_text("a\vb\fc"), "a\nb\nc");
  EXPECT_EQ(plain_text("a  \r\n$ "), "a\n$ ");
}

TEST(PlainText, CarriageReturnBackspaceAndTab) {
  EXPECT_EQ(plain_text("10%\r100%\r\n"), "100%\n");
  EXPECT_EQ(plain_text("downloading\rdone\r\n"), "doneloading\n");
  EXPECT_EQ(plain_text("lx\b \bs"), "ls");
  EXPECT_EQ(plain_text("\b\b\ba"), "a");
  EXPECT_EQ(plain_text("a\tb\t\tc"), "a       b               c");
  EXPECT_EQ(plain_text("abcdefgh\tx"), "abcdefgh        x");
}

TEST(PlainText, ErasesWithinTheLine) {
  EXPECT_EQ(plain_text("abcdef\r\x1b[Kxy"), "xy");
  EXPECT_EQ(plain_text("abcdef\x1b[3D\x1b[1K"), "    ef");
  EXPECT_EQ(plain_text("abcdef\x1b[2K\rx"), "x");
  EXPECT_EQ(plain_text("abcdef\x1b[4D\x1b[2X"), "ab  ef");
  EXPECT_EQ(plain_text("abcdef\x1b[4D\x1b[2P"), "abef");
  EXPECT_EQ(plain_text("abcdef\x1b[4D\x1b[2@-"), "ab- cdef");
  EXPECT_EQ(plain_text("abcdef\x1b[4D\x1b[J"), "ab");
}

TEST(PlainText, MovesWithinTheLine) {
  EXPECT_EQ(plain_text("a\x1b[3Cb"), "a   b");
  EXPECT_EQ(plain_text("abc\x1b[1Gx\x1b[99Dy"), "ybc");
  EXPECT_EQ(plain_text("abc\x1b[5Gx"), "abc x");
  EXPECT_EQ(plain_text("abc\x1b[2`x"), "axc");
  EXPECT_EQ(plain_text("ab\x1b[0Cc"), "ab c");  // 0 moves by one
  EXPECT_EQ(plain_text("abc\x1b"
                       "7def\x1b"
                       "8x"),
            "abcxef");
  EXPECT_EQ(plain_text("abc\x1b[s\rx\x1b[uy"), "xbcy");
  EXPECT_EQ(plain_text("ab\x1b[3b"), "abbbb");
}

TEST(PlainText, MovesToOtherLinesKeepWhatWasPrinted) {
  EXPECT_EQ(plain_text("one\r\ntwo\x1b[A\rONE"), "one\ntwo\nONE");
  EXPECT_EQ(plain_text("one\x1b[Btwo"), "one\n   two");
  EXPECT_EQ(plain_text("one\x1b[Etwo"), "one\ntwo");
  EXPECT_EQ(plain_text("one\x1b[2J\x1b[Htwo"), "one\ntwo");
  EXPECT_EQ(plain_text("\x1b[1;1Hab\x1b[1;5Hcd\x1b[2;1Hef"), "ab  cd\nef");
  EXPECT_EQ(plain_text("$ vi\r\n\x1b[?1049h\x1b[1;1Htext\x1b[?1049l\r$ "), "$ vi\ntext\n$ ");
  EXPECT_EQ(plain_text("\x1b[5A\x1b[5B\x1b[3;1Hx"), "x");
  EXPECT_EQ(plain_text("a\x1bM\rb\x1b"
                       "Ec\x1b"
                       "c"),
            "a\nb\nc\n");
}

TEST(PlainText, LeavesOutColoursTitlesQueriesAndCharsets) {
  EXPECT_EQ(plain_text("\x1b[1;31mred\x1b[0m \x1b]0;title\abar\x1b[6n\x1b[?25l\x1b[>c"), "red bar");
  EXPECT_EQ(plain_text("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\"), "link");
  EXPECT_EQ(plain_text("a\x1bPq#0;2\x1b\\b\x1b_x\x1b\\c\x1b^y\x1b\\d\x1bXz\x1b\\e"), "abcde");
  EXPECT_EQ(plain_text("\x1b(B\x1b)0a\x1b=b\x1b>\x0f\x0e\ac"), "abc");
  EXPECT_EQ(plain_text("a\xc2\x9b"
                       "31mb\xc2\x9d"
                       "0;t\xc2\x9c"
                       "c\xc2\x85"
                       "d"),
            "abc\nd");
  EXPECT_EQ(plain_text("a\x1b[31\nb"), "a\nb");  // malformed: given up at the newline
  EXPECT_EQ(plain_text("a\x1b]0;x\x1b[mb"), "ab");
}

TEST(PlainText, IsUtf8) {
  EXPECT_EQ(plain_text("\xc3\xa4\b\xc3\xb6"), "\xc3\xb6");
  EXPECT_EQ(plain_text("a\xff"), "a\xef\xbf\xbd");
  EXPECT_EQ(plain_text("a\xc3"), "a\xef\xbf\xbd");
  EXPECT_EQ(plain_text("\x7f\x01\x9b"), "\xef\xbf\xbd");
  EXPECT_EQ(plain_text("e\xcc\x81x\b\by"), "yx");  // the accent is part of its cell
  EXPECT_EQ(plain_text("e\xcc\x81"), "e\xcc\x81");
  EXPECT_EQ(plain_text("\xcc\x81"), "\xcc\x81");
  EXPECT_EQ(plain_text("e" + repeated("\xcc\x81", 100)).size(), 15U);
}

// What readline does for a line longer than its terminal: a blank and a carriage return behind the
// last column, and moves up and down over the rows.
TEST(PlainText, AWidthTellsTheRowsOfALineThatWraps) {
  EXPECT_EQ(plain_text("0123456789 \rabc\r\n", 10), "0123456789abc\n");
  EXPECT_EQ(plain_text("0123456789\rx", 10), "x123456789");
  EXPECT_EQ(plain_text("0123456789abc\rx", 10), "0123456789xbc");
  EXPECT_EQ(plain_text("0123456789abc\x1b[A-", 10), "012-456789abc");
  EXPECT_EQ(plain_text("0123456789abc\x1b[A\r\x1b[B.", 10), "0123456789.bc");
  EXPECT_EQ(plain_text("0123456789abc\x1b[A\x1b[K", 10), "012       abc");
  EXPECT_EQ(plain_text("0123456789\bx", 10), "01234567x9");
  EXPECT_EQ(plain_text("01234\x1b[99Cx", 10), "01234    x");
  EXPECT_EQ(plain_text("abc\x1b[A\rd", 10), "abc\nd");
}

TEST(PlainText, TextMayBeLongerThanMovesGo) {
  const std::string text(kMostColumns * 3, 'x');
  EXPECT_EQ(plain_text(text + "\x1b[9999Gy"), text.substr(0, 9998) + "y" + text.substr(9999));
  EXPECT_EQ(plain_text("\x1b[999999999999Cx").size(), kMostColumns + 1);
}

TEST(PlainText, CursorMovesDoNotBlowItUp) {
  for (const char* bomb : {"\x1b[4096C\n", "\x1b[4096Cx\n", "\x1b[4096Cx\r\x1b[K", "x\x1b[4096b\n",
                           "x\r\x1b[4096@", "\x1b[4096Cx\r\x1b[P", "\x1b]", "\x1b[", "\xc2\x9d",
                           "\x1b[9;9Hx", "\t", "\t\n", "\x1b[4096X\x1b[1K", "\x1b[4000Gx\x1b[1K"}) {
    const std::string input = repeated(bomb, 200'000 / std::string_view(bomb).size());
    EXPECT_LE(plain_text(input).size(), input.size() * (kFillPerByte + 3) + kMostColumns);
    EXPECT_LE(plain_text(input, 80).size(), input.size() * (kFillPerByte + 3) + kMostColumns);
  }
  // Blanks are only there when something stands behind them.
  EXPECT_EQ(plain_text(repeated("\x1b[4096C\n", 3)), "\n\n\n");
}

}  // namespace
}  // namespace pyro
