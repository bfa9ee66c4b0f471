#include "core/shell_output.h"

#include <gtest/gtest.h>

#include "proto/limits.h"

namespace pyro::core {
namespace {

const std::map<std::string, std::string> kSecrets{{"TOKEN", "s3cr3t-value"}};

std::string all_of(const ShellOutput& output) {
  return output.read(output.begin(), 1U << 24);
}

TEST(ShellOutput, CursorsCountWhatWasShown) {
  ShellOutput output({});
  EXPECT_EQ(output.end(), 0);
  output.feed("one\n");
  output.feed("two\n");
  EXPECT_EQ(output.begin(), 0);
  EXPECT_EQ(output.end(), 8);
  EXPECT_EQ(output.read(4, 100), "two\n");
  EXPECT_EQ(output.read(4, 2), "tw");
  EXPECT_EQ(output.read(8, 100), "");
}

TEST(ShellOutput, KeepsTheNewestAndCountsOn) {
  ShellOutput output({});
  const std::string line(999, 'x');
  std::int64_t total = 0;
  while (total < 4 * proto::kMostShellOutput) {
    output.feed(line + "\n");
    total += 1000;
  }
  output.feed("end");
  total += 3;
  EXPECT_EQ(output.end(), total);
  const std::int64_t kept = output.end() - output.begin();
  EXPECT_GE(kept, proto::kMostShellOutput);
  EXPECT_LE(kept, proto::kMostShellOutput * 5 / 4 + 1000);
  EXPECT_EQ(output.read(output.end() - 5, 100), "x\nend");
}

TEST(ShellOutput, NeverBeginsWithinACharacter) {
  ShellOutput output({});
  std::string euros;
  for (int i = 0; i < 1000; ++i) euros += "\u20ac";  // three bytes
  output.feed("x");
  while (output.begin() == 0) output.feed(euros);
  EXPECT_EQ(output.read(output.begin(), 3), "\u20ac");
}

TEST(ShellOutput, TakesSecretsOutAlsoWhenTheyComeInPieces) {
  ShellOutput output(kSecrets);
  output.feed("a s3cr3t-va");
  EXPECT_TRUE(output.holds());
  EXPECT_EQ(all_of(output), "a ");
  output.feed("lue b");
  EXPECT_FALSE(output.holds());
  EXPECT_EQ(all_of(output), "a [redacted:TOKEN] b");
}

TEST(ShellOutput, TakesSecretsOfSeveralLinesOut) {
  ShellOutput output({{"KEY", "-----BEGIN\nabc\n-----END\n"}});
  output.feed("a -----BEGIN\r\nab");
  output.feed("c\r\n-----END\r\nb ");
  // A program may have told the terminal to leave line ends as they are.
  output.feed("-----BEGIN\nabc\n-----END\nc");
  EXPECT_EQ(all_of(output), "a [redacted:KEY]b [redacted:KEY]c");
}

TEST(ShellOutput, ShowsWhatTurnedOutToBeNoSecret) {
  ShellOutput output(kSecrets);
  output.feed("s3cr");
  EXPECT_EQ(all_of(output), "");
  output.flush();
  EXPECT_EQ(all_of(output), "s3cr");
}

TEST(ShellOutput, RecentBeginsWithALine) {
  ShellOutput output({});
  output.feed("first line\nsecond line\nthird");
  EXPECT_EQ(output.recent(1000), 0);
  EXPECT_EQ(output.read(output.recent(20), 100), "second line\nthird");
  EXPECT_EQ(output.read(output.recent(3), 100), "ird");
}

TEST(ShellOutput, KnowsWhatProgramsHaveMadeOfTheTerminal) {
  ShellOutput output({});
  EXPECT_EQ(output.modes(), TerminalModes());
  output.feed("\x1b[?1049;25h drawing\x1b[?1h\x1b=");
  EXPECT_EQ(output.modes().screen(), 1049);
  output.feed("\x1b[?10");
  output.feed("49l");
  EXPECT_EQ(output.modes().screen(), 0);
  EXPECT_NE(output.modes(), TerminalModes());
  // vim was killed: somebody resets the terminal.
  output.feed("\x1b[?1049h\x1b");
  output.feed("c");
  EXPECT_EQ(output.modes(), TerminalModes());
}

}  // namespace
}  // namespace pyro::core
