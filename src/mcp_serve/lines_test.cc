#include "mcp_serve/lines.h"

#include <gtest/gtest.h>

#include <vector>

namespace pyro::mcp_serve {
namespace {

std::vector<std::string> read_all(std::string_view text, std::size_t piece, std::size_t most) {
  LineReader reader(most);
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    std::string_view bytes = text.substr(at, piece);
    while (const auto line = reader.next(bytes)) {
      out.push_back(line->too_long ? "(too long)" : line->text);
    }
  }
  return out;
}

std::string shown(const std::optional<LineReader::Line>& line) {
  if (!line) return "(none)";
  return line->too_long ? "(too long)" : line->text;
}

TEST(LineReader, CutsTheSameHoweverTheBytesCome) {
  const std::string text = "one\r\n\ntwo\nthis one is longer than ten\nthree\nunfinished";
  const std::vector<std::string> expected{"one", "", "two", "(too long)", "three"};
  for (const std::size_t piece : {1U, 2U, 3U, 7U, 100U}) {
    auto got = read_all(text, piece, 10);
    // The unfinished end is over the limit when enough of it has come.
    got.resize(std::min<std::size_t>(got.size(), expected.size()));
    EXPECT_EQ(got, expected) << piece;
  }
}

TEST(LineReader, WhatNoNewlineEndedIsGivenAtTheEnd) {
  LineReader reader(10);
  EXPECT_FALSE(reader.rest());
  std::string_view bytes = "one\ntwo\r";
  EXPECT_EQ(shown(reader.next(bytes)), "one");
  EXPECT_FALSE(reader.next(bytes));
  EXPECT_EQ(shown(reader.rest()), "two");
  EXPECT_FALSE(reader.rest());
  bytes = "longer than ten";
  EXPECT_EQ(shown(reader.next(bytes)), "(too long)");
  EXPECT_FALSE(reader.rest()) << "it was told already";
}

TEST(LineReader, ALineThatNeverEndsIsToldOnceAndNotKept) {
  LineReader reader(1000);
  std::size_t told = 0;
  const std::string piece(1000, 'x');
  for (int i = 0; i < 10'000; ++i) {
    std::string_view bytes = piece;
    while (const auto line = reader.next(bytes)) told += line->too_long ? 1 : 100;
  }
  EXPECT_EQ(told, 1U);
  std::string_view rest = "end\nnext\n";
  EXPECT_EQ(shown(reader.next(rest)), "next");
}

}  // namespace
}  // namespace pyro::mcp_serve
