#include "base/text.h"

#include <gtest/gtest.h>

#include "base/result.h"

namespace pyro {
namespace {

TEST(QuotedName, IsOneLineOfUtf8) {
  EXPECT_EQ(quoted_name("plain.txt"), "\"plain.txt\"");
  EXPECT_EQ(quoted_name("a\nb\tc\"d\\"), R"("a\nb\tc\"d\\")");
  EXPECT_EQ(quoted_name("\x1b[31m\x7f"), R"("\x1b[31m\x7f")");
  EXPECT_EQ(quoted_name("\xc3\xa4"), "\"\xc3\xa4\"");
  EXPECT_EQ(quoted_name("\xc3\xa4\xff"), R"("\xc3\xa4\xff")");
  EXPECT_EQ(quoted_name("\xc2\x9b"), R"("\xc2\x9b")");
  EXPECT_EQ(quoted_name(std::string(201, 'a')), "\"" + std::string(200, 'a') + "\"...");
  EXPECT_EQ(quoted_name(""), "\"\"");
}

TEST(ShellJoin, KeepsWordBoundaries) {
  EXPECT_EQ(shell_join({"git", "--version"}), "git --version");
  EXPECT_EQ(shell_join({"sh", "-c", "echo 'a b'"}), R"(sh -c 'echo '"'"'a b'"'"'')");
  EXPECT_EQ(shell_join({""}), "''");
  EXPECT_EQ(shell_join({"a\nb"}), "'a\nb'");
}

TEST(ToUtf8, KeepsWellFormedText) {
  bool lossy = false;
  EXPECT_EQ(to_utf8("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", &lossy),
            "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80");
  EXPECT_FALSE(lossy);
}

TEST(ToUtf8, ReplacesMaximalSubparts) {
  bool lossy = false;
  // The example of Unicode 15.0, table 3-8 (truncated sequences).
  EXPECT_EQ(to_utf8("\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63", &lossy),
            "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
            "b\xEF\xBF\xBD"
            "c");
  EXPECT_TRUE(lossy);
  EXPECT_EQ(to_utf8("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD");  // overlong
  EXPECT_EQ(to_utf8("\xED\xA0\x80").size(), 9U);               // surrogate
  EXPECT_EQ(to_utf8("\xE2\x82"), "\xEF\xBF\xBD");              // truncated at the end
}

TEST(Base64, Rfc4648Vectors) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

TEST(Base64, DecodesOnlyCanonicalText) {
  std::string all;
  for (int i = 0; i < 256; ++i) {
    all += static_cast<char>(i);
    EXPECT_EQ(base64_decode(base64(all)), all);
  }
  EXPECT_EQ(base64_decode(""), "");
  for (const char* bad : {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v=", "=Zm9",
                          "Zg==Zg==", "Z g=", "Zm9\n", "Zm-_", "===="}) {
    EXPECT_FALSE(base64_decode(bad)) << bad;
  }
}

TEST(Printable, KeepsTextAndDropsWhatMovesATerminal) {
  EXPECT_EQ(printable("a\tb\r\nc \xc3\xa4"), "a\tb\nc \xc3\xa4");
  EXPECT_EQ(printable("\x1b[2J\x1b[?7lred\x1b[31m!"), "red!");
  EXPECT_EQ(printable("\x1b]0;title\x07"), "\xef\xbf\xbd]0;title\xef\xbf\xbd");
  EXPECT_EQ(printable("\xc2\x9b"
                      "2J\x7f"),
            "\xef\xbf\xbd"
            "2J\xef\xbf\xbd");
  EXPECT_EQ(printable("\x1b["), "\xef\xbf\xbd[");
  EXPECT_EQ(printable("\xff"), "\xef\xbf\xbd");
}

TEST(HumanBytes, PicksTheUnit) {
  EXPECT_EQ(human_bytes(17), "17 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(300ULL << 20), "300 MiB");
}

TEST(DidYouMean, OffersOnlyCloseNames) {
  EXPECT_EQ(did_you_mean("debain:12", {"debian:12", "debian:12-base"}), "debian:12");
  EXPECT_EQ(did_you_mean("rnu", {"run", "env"}), "run");
  EXPECT_EQ(did_you_mean("evn", {"run", "env"}), "env");  // swapped letters count once
  EXPECT_EQ(did_you_mean("fedora", {"run", "env"}), "");
}

TEST(Errc, NamesRoundTrip) {
  for (int i = 0; i <= static_cast<int>(Errc::kInternal); ++i) {
    const auto code = static_cast<Errc>(i);
    EXPECT_EQ(errc_from_name(errc_name(code)), code);
  }
  EXPECT_EQ(errc_from_name("from_the_future"), Errc::kInternal);
}

}  // namespace
}  // namespace pyro
