#include "core/exec_output.h"

#include <gtest/gtest.h>

namespace pyro::core {
namespace {

constexpr std::size_t kHalf = kKeptOutput / 2;

// Bytes of which each place can be told from the next.
std::string text_of(std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) out += static_cast<char>('a' + i % 23);
  return out;
}

TEST(KeptOutput, UpToItsLimitEverythingIsKept) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kHalf, kHalf + 1, kKeptOutput}) {
    KeptOutput kept;
    kept.add(text_of(size));
    EXPECT_EQ(kept.text(), text_of(size)) << size;
    EXPECT_EQ(kept.bytes(), static_cast<std::int64_t>(size));
  }
}

TEST(KeptOutput, BeyondItTheMiddleIsLeftOutAndTheGapIsNamed) {
  KeptOutput one;
  const std::string just_more = text_of(kKeptOutput + 1);
  one.add(just_more);
  EXPECT_EQ(one.text(), just_more.substr(0, kHalf) + "\n[... 1 bytes left out ...]\n" +
                            just_more.substr(just_more.size() - kHalf));
  EXPECT_EQ(one.bytes(), static_cast<std::int64_t>(just_more.size()));
}

TEST(KeptOutput, TheSameWhateverTheBytesComeIn) {
  const std::string all = text_of(5 * kKeptOutput + 17);
  KeptOutput whole;
  whole.add(all);
  for (const std::size_t step : {std::size_t{1}, std::size_t{4093}, kHalf, kKeptOutput + 1}) {
    KeptOutput pieces;
    for (std::size_t at = 0; at < all.size(); at += step)
      pieces.add(std::string_view(all).substr(at, step));
    EXPECT_EQ(pieces.text(), whole.text()) << step;
    EXPECT_EQ(pieces.bytes(), whole.bytes());
  }
}

const ExecOutput::Clock::time_point kStart{};
bool holds(const ExecOutput& output) {
  constexpr std::chrono::milliseconds kLong{1 << 20};
  return output.held().until_due(kStart, kLong) < kLong;
}

TEST(ExecOutput, AValueInPiecesIsNeitherShownNorKept) {
  ExecOutput output({{"TOKEN", "hunter2"}});
  EXPECT_EQ(output.feed(0, "it is hun", kStart), "it is ");
  EXPECT_TRUE(holds(output));
  EXPECT_EQ(output.feed(0, "ter2!", kStart), "[redacted:TOKEN]!");
  EXPECT_FALSE(holds(output));
  EXPECT_EQ(output.kept(0).text(), "it is [redacted:TOKEN]!");
  EXPECT_EQ(output.kept(0).bytes(), static_cast<std::int64_t>(output.kept(0).text().size()));
}

TEST(ExecOutput, WhatOnlyBeganLikeOneIsShownByAFlush) {
  ExecOutput output({{"TOKEN", "hunter2"}});
  EXPECT_EQ(output.feed(1, "a hunt", kStart), "a ");
  EXPECT_EQ(output.flush(1), "hunt");
  EXPECT_FALSE(holds(output));
  EXPECT_EQ(output.flush(1), "");
  EXPECT_EQ(output.kept(1).text(), "a hunt");
}

// Counted from the last bytes of its stream: what the other one prints does not make it later.
TEST(ExecOutput, EachStreamIsDueByItself) {
  using std::chrono::milliseconds;
  constexpr milliseconds kLong{1 << 20};
  ExecOutput output({{"TOKEN", "hunter2"}});
  output.feed(0, "hun", kStart);
  output.feed(1, "progress\n", kStart + milliseconds(900));
  EXPECT_EQ(output.held().until_due(kStart + milliseconds(900), kLong), milliseconds(100));
  output.feed(1, "h", kStart + milliseconds(950));
  const auto at = kStart + milliseconds(1000);
  EXPECT_TRUE(output.held().is_due(0, at));
  EXPECT_FALSE(output.held().is_due(1, at));
  EXPECT_EQ(output.held().until_due(at, kLong), milliseconds(0));
  output.feed(0, "t", kStart + milliseconds(999));
  EXPECT_FALSE(output.held().is_due(0, at)) << "its next piece came in time";
  EXPECT_EQ(output.flush(0), "hunt");
  EXPECT_EQ(output.held().until_due(at, kLong), milliseconds(950));
  EXPECT_TRUE(output.held().is_due(0, ExecOutput::Clock::time_point::max())) << "at the end";
}

TEST(ExecOutput, TheStreamsAreNotPutTogether) {
  ExecOutput output({{"TOKEN", "hunter2"}});
  EXPECT_EQ(output.feed(0, "hunt", kStart), "");
  EXPECT_EQ(output.feed(1, "er2", kStart), "er2");
  EXPECT_EQ(output.feed(0, "er2", kStart), "[redacted:TOKEN]");
  EXPECT_EQ(output.kept(0).text(), "[redacted:TOKEN]");
  EXPECT_EQ(output.kept(1).text(), "er2");
}

TEST(ExecOutput, AValueAcrossTheGapIsNotInWhatIsKept) {
  const std::string secret = "a rather long secret value";
  ExecOutput output({{"TOKEN", secret}});
  // The value stands where the first half of what is kept ends.
  const std::string before(kHalf - 5, 'x');
  static_cast<void>(output.feed(0, before + secret + std::string(3 * kKeptOutput, 'y'), kStart));
  static_cast<void>(output.flush(0));
  const std::string kept = output.kept(0).text();
  EXPECT_EQ(kept.find("rather"), std::string::npos);
  EXPECT_EQ(kept.substr(kHalf - 5, 5), "[reda");
}

}  // namespace
}  // namespace pyro::core
