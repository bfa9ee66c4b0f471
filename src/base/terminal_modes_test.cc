#include "base/terminal_modes.h"

#include <gtest/gtest.h>

#include "base/control_sequences.h"

namespace pyro {
namespace {

TerminalModes modes_of(std::string_view bytes) {
  TerminalModesReader reader;
  reader.take(bytes);
  return reader.modes();
}

// What a new terminal is told so that it has the modes that these bytes left.
std::string told_after(std::string_view bytes) {
  return TerminalModes().change_to(modes_of(bytes));
}

TEST(TerminalModes, OfProgramsThatHaveTheScreen) {
  const std::string htop =
      "\x1b[?1049h\x1b[22;0;0t\x1b[1;24r\x1b(B\x1b[m\x1b[4l\x1b[?7h\x1b[?1h\x1b=\x1b[?25l\x1b[?"
      "1006;1000h";
  EXPECT_EQ(told_after(htop),
            "\x1b[?1049h\x1b[2J\x1b[H\x1b[?1h\x1b[?25l\x1b[?1000h\x1b[?1006h\x1b=");
  const std::string vim = "\x1b[?1049h\x1b[22;0;0t\x1b[>4;2m\x1b[?1h\x1b=\x1b[?2004h\x1b[?1004h";
  EXPECT_EQ(told_after(vim),
            "\x1b[?1049h\x1b[2J\x1b[H\x1b[?1h\x1b=\x1b[?1004h\x1b[?2004h\x1b[>4;2m");
  EXPECT_EQ(told_after(vim + "\x1b[?1004l\x1b[?2004l\x1b[?1l\x1b>\x1b[>4;m\x1b[?1049l"), "");
  EXPECT_EQ(told_after("\x1b[?2004hroot@fix:/workspace# "), "\x1b[?2004h");
}

TEST(TerminalModes, WhereverTheBytesAreCut) {
  const std::string bytes =
      "text\x1b[?1049;25h\x1b]0;title\x1b\\\xc2\x9b?1h\x1b=\x1b[?1003;1006h\x1b[>4;1m\x1b[>5u\x1b("
      "0";
  const TerminalModes all = modes_of(bytes);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    TerminalModesReader reader;
    reader.take(bytes.substr(0, cut));
    reader.take(bytes.substr(cut));
    EXPECT_EQ(reader.modes(), all) << cut;
  }
  EXPECT_EQ(all.dec(), (std::vector<int>{1049, 1, 7, 25, 1003, 1006, 66}));
  EXPECT_EQ(all.other_keys, 1);
  EXPECT_EQ(all.keyboard, 5);
}

TEST(TerminalModes, OfScreensAndMousesTheLastIsOn) {
  EXPECT_EQ(modes_of("\x1b[?1049h\x1b[?47h").screen(), 47);
  EXPECT_EQ(modes_of("\x1b[?1049h\x1b[?1047l").screen(), 0);
  EXPECT_EQ(told_after("\x1b[?1000h\x1b[?1002h"), "\x1b[?1002h");
  EXPECT_EQ(told_after("\x1b[?1002h\x1b[?1000l"), "");
}

TEST(TerminalModes, AResetTakesThemBack) {
  const std::string all = "\x1b[?1049;1;2004h\x1b[?25l\x1b[4h\x1b=\x1b[>4;2m\x1b[>1u\x1b[?6h";
  EXPECT_EQ(modes_of(all + "\x1b" + "c"), TerminalModes());
  // A soft one leaves the screen, the keys' reports and the paste as they are.
  EXPECT_EQ(told_after(all + "\x1b[!p"), "\x1b[?1049h\x1b[2J\x1b[H\x1b[?2004h\x1b[>4;2m\x1b[=1u");
}

TEST(TerminalModes, KittyKeysAreOfOneScreenAndPushed) {
  EXPECT_EQ(modes_of("\x1b[>1u\x1b[>5u").keyboard, 5);
  EXPECT_EQ(modes_of("\x1b[>1u\x1b[>5u\x1b[<u").keyboard, 1);
  EXPECT_EQ(modes_of("\x1b[>1u\x1b[>5u\x1b[<9u").keyboard, 0);
  EXPECT_EQ(modes_of("\x1b[=5u\x1b[=2;2u\x1b[=1;3u").keyboard, 6);
  EXPECT_EQ(modes_of("\x1b[=1000000u").keyboard & ~TerminalModes::kAllKeyboard, 0);
  EXPECT_EQ(modes_of("\x1b[>1u\x1b[?1049h").keyboard, 0);
  EXPECT_EQ(modes_of("\x1b[>1u\x1b[?1049h\x1b[>8u\x1b[?1049l").keyboard, 1);
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += "\x1b[>1u";
  EXPECT_EQ(modes_of(many + "\x1b[<16u").keyboard, 0);  // no more than 16 are kept
}

TEST(TerminalModes, OtherSequencesChangeNothing) {
  const std::string others =
      "\x1b[1049h[?1049h\x1b?1049h\x1b[?1049r\x1b[?1049\nh\x1b[?10490h\x1b[?h\x1b[?;;h\x1b[?1$h"
      "\x1b[>4;2n\x1b[?4m\x1b[4m\x1b[u\x1b[?u\x1b[>1049h\x1bP?1049h\x1b\\\x1b]0;\x07\x1b(c\x1b#=";
  EXPECT_EQ(modes_of(others), TerminalModes());
  // Longer than a sequence can be.
  EXPECT_EQ(modes_of("\x1b[?" + std::string(kMostSequence, '1') + ";1049h"), TerminalModes());
  TerminalModesReader reader;
  for (std::size_t i = 0; i < 3 * kMostSequence; ++i) reader.take(i == 0 ? "\x1b]" : "x");
  reader.take("\x1b[?1049h");
  EXPECT_EQ(reader.modes().screen(), 1049);
}

TEST(TerminalModes, ChangesAndNothingElse) {
  const TerminalModes less = modes_of("\x1b[?1049h\x1b[?1h\x1b=");
  EXPECT_EQ(less.change_to(less), "");
  EXPECT_EQ(less.change_to({}), "\x1b[?1049l\x1b[?1l\x1b>");
  EXPECT_EQ(less.change_to(modes_of("\x1b[?47h\x1b[?25l\x1b[?1h\x1b=")),
            "\x1b[?1049l\x1b[?47h\x1b[2J\x1b[H\x1b[?25l");
}

// ---- once more

TEST(Replayable, IsWhatIsDrawn) {
  for (const std::string drawn :
       {"text \xc3\xa4 \xff\r\n\t\b\a", "\x1b[31;1mred\x1b[0m",
        "\x1b[2J\x1b[H\x1b[3;4H\x1b[K\x1b[?J", "\x1b[?1049h\x1b[?25l", "\x1b]0;title\x07",
        "\x1b]8;;file:///x\x1b\\link\x1b]8;;\x1b\\", "\x1b(0lqk\x1b(B",
        ("\x1b"
         "7\x1b"
         "8\x1b"
         "c"),
        "\x1b[2 q", "\x1b[1;24r\x1b[4h\x1b[4l"}) {
    EXPECT_EQ(replayable(drawn), drawn);
  }
}

TEST(Replayable, AsksTheTerminalNothing) {
  for (const std::string asks : {"\x1b[c",
                                 "\x1b[0c",
                                 "\x1b[>c",
                                 "\x1b[=c",
                                 ("\xc2\x9b"
                                  "c"),
                                 "\x1b[6n",
                                 "\x1b[?6n",
                                 "\x1b[5n",
                                 "\x1b[?2026$p",
                                 "\x1b[4$p",
                                 "\x1b[x",
                                 "\x1b[18t",
                                 "\x1b[>q",
                                 "\x1b[>0q",
                                 "\x1b[?u",
                                 "\x1b[?4m",
                                 "\x1b[?1;1;0S",
                                 "\x1b[1$w",
                                 "\x1b[i",
                                 "\x1b]10;?\x07",
                                 "\x1b]11;?\x1b\\",
                                 "\x1b]4;1;?\x07",
                                 "\x1b]52;c;?\x07",
                                 "\x1bP$qm\x1b\\",
                                 "\x1bP+q544e\x1b\\",
                                 "\x1bZ",
                                 "\xc2\x9a",
                                 "\x05",
                                 "\x1b_Gi=1,a=q;\x1b\\"}) {
    EXPECT_EQ(replayable("a" + asks + "b"), "ab") << asks.substr(1);
  }
}

TEST(Replayable, ReportsNothingEither) {
  EXPECT_EQ(replayable("\x1b[?1049;1004;25h\x1b[?1000h\x1b[?2048h\x1b[>4;2m\x1b[>1u\x1b[2;4h"),
            "\x1b[?1049h\x1b[?25h\x1b[4h");
}

TEST(Replayable, WhatIsLeftMakesNoOther) {
  EXPECT_EQ(replayable("\x1b[\x1b[6n6n"), "6n");
  EXPECT_EQ(replayable("\xc2\x1b[6n\x9b"
                       "6n"),
            "\x9b"
            "6n");
}

}  // namespace
}  // namespace pyro
