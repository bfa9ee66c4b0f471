#include "base/redact.h"

#include <gtest/gtest.h>

namespace pyro {
namespace {

const std::map<std::string, std::string> kSecrets{{"TOKEN", "hunter22"},
                                                  {"LONG", "hunter22-and-more"},
                                                  {"REPEAT", "aaaab"},
                                                  {"BINARY", std::string("\0\xff\n\0", 4)},
                                                  {"TINY", "abc"}};

// In pieces of `size` bytes, flushed at the end only.
std::string in_pieces(std::string_view text, std::size_t size) {
  Redactor redactor(kSecrets);
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += size)
    out += redactor.feed(text.substr(at, size));
  return out + redactor.flush();
}

TEST(Redactor, FindsValuesHoweverTheyAreCut) {
  const std::string text = "x hunter22 y hunter22-and-mor hunter22-and-more aaaaaab \xff" +
                           std::string("\0\xff\n\0", 4) + "hunter2";
  const std::string expected =
      "x [redacted:TOKEN] y [redacted:TOKEN]-and-mor [redacted:LONG] aa[redacted:REPEAT] \xff"
      "[redacted:BINARY]hunter2";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    EXPECT_EQ(in_pieces(text, size), expected) << size;
  }
}

TEST(Redactor, HoldsBackOnlyWhatMayBecomeAValue) {
  Redactor redactor(kSecrets);
  EXPECT_EQ(redactor.feed("hello hunt"), "hello ");
  EXPECT_TRUE(redactor.holds());
  EXPECT_EQ(redactor.feed("ing"), "hunting");
  EXPECT_FALSE(redactor.holds());
  // The shorter value is there, the longer one may be coming.
  EXPECT_EQ(redactor.feed("hunter22"), "");
  EXPECT_EQ(redactor.flush(), "[redacted:TOKEN]");
  EXPECT_EQ(redactor.feed("-and-more"), "-and-more");
}

TEST(Redactor, ValuesSideBySideAndInsideEachOther) {
  EXPECT_EQ(in_pieces("hunter22hunter22", 3), "[redacted:TOKEN][redacted:TOKEN]");
  EXPECT_EQ(in_pieces("hunterhunter22", 2), "hunter[redacted:TOKEN]");
}

TEST(Redactor, ShortValuesAndNoValuesChangeNothing) {
  EXPECT_EQ(in_pieces("abcabc", 2), "abcabc");
  Redactor none({});
  EXPECT_EQ(none.feed("as it is"), "as it is");
  EXPECT_FALSE(none.holds());
}

TEST(Redactor, ATerminalWritesLineEndsInTwoBytes) {
  const std::map<std::string, std::string> secrets{{"KEY", "one\ntwo\n\n"}, {"CRLF", "a\r\nb\r\n"}};
  Redactor pipe(secrets);
  EXPECT_EQ(pipe.feed("one\r\ntwo\r\n\r\n.") + pipe.flush(), "one\r\ntwo\r\n\r\n.");
  const std::string text = "one\r\ntwo\r\n\r\n one\ntwo\n\n a\r\r\nb\r\r\n a\r\nb\r\n.";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    Redactor terminal(secrets, Through::kTerminal);
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += size)
      out += terminal.feed(std::string_view(text).substr(at, size));
    out += terminal.flush();
    EXPECT_EQ(out, "[redacted:KEY] [redacted:KEY] [redacted:CRLF] [redacted:CRLF].") << size;
  }
}

TEST(Redactor, AMarkIsNotLookedThroughAgain) {
  Redactor redactor({{"A", "redacted:A"}, {"B", "[redacted:A]"}});
  EXPECT_EQ(redactor.feed("redacted:A.") + redactor.flush(), "[redacted:A].");
}

}  // namespace
}  // namespace pyro
