#include "wire/tree_stream.h"

#include <gtest/gtest.h>

#include <vector>

#include "wire/bytes.h"

namespace pyro::wire {
namespace {

TreeEntry entry(EntryKind kind, std::string path, std::string target = {}) {
  return {.kind = kind,
          .path = std::move(path),
          .mode = 0644,
          .mtime_ns = -1'500'000'000,
          .target = std::move(target)};
}

struct Parsed {
  std::vector<TreeItem> items;
  Result<void> outcome;
};
Parsed parse(TreeParser& parser) {
  Parsed out;
  for (;;) {
    auto item = parser.next();
    if (!item) {
      out.outcome = std::unexpected(item.error());
      return out;
    }
    if (!*item) return out;
    out.items.push_back(**std::move(item));
  }
}
Result<void> outcome_of(const std::string& bytes) {
  TreeParser parser;
  parser.feed(bytes);
  return parse(parser).outcome;
}

std::string sample() {
  std::string out;
  append_entry(out, entry(EntryKind::kDirectory, "."));
  append_entry(out, entry(EntryKind::kFile, "a"));
  append_data(out, std::string(kMaxChunk + 1, 'x'));
  append_file_end(out, true);
  append_entry(out, entry(EntryKind::kFile, "cut short"));
  append_file_end(out, false);
  append_entry(out, entry(EntryKind::kSymlink, "dir/link\n\xff", "../a"));
  append_entry(out, entry(EntryKind::kOther, "pipe"));
  append_entry(out, entry(EntryKind::kRemoved, "gone"));
  append_entry(out, {});
  return out;
}

TEST(TreeStream, ComesBackWholeAndByteByByte) {
  TreeParser whole;
  whole.feed(sample());
  const Parsed a = parse(whole);
  ASSERT_TRUE(a.outcome) << a.outcome.error().message;
  EXPECT_TRUE(whole.ended());
  EXPECT_FALSE(whole.has_more());
  ASSERT_EQ(a.items.size(), 11U);
  EXPECT_EQ(std::get<TreeEntry>(a.items[0]), entry(EntryKind::kDirectory, "."));
  EXPECT_EQ(std::get<TreeData>(a.items[2]).bytes.size(), kMaxChunk);
  EXPECT_EQ(std::get<TreeData>(a.items[3]).bytes, "x");
  EXPECT_TRUE(std::get<TreeFileEnd>(a.items[4]).complete);
  EXPECT_FALSE(std::get<TreeFileEnd>(a.items[6]).complete);
  EXPECT_EQ(std::get<TreeEntry>(a.items[7]), entry(EntryKind::kSymlink, "dir/link\n\xff", "../a"));
  EXPECT_EQ(std::get<TreeEntry>(a.items[10]).kind, EntryKind::kEnd);

  TreeParser bytewise;
  std::size_t count = 0;
  for (const char c : sample()) {
    bytewise.feed({&c, 1});
    count += parse(bytewise).items.size();
  }
  EXPECT_EQ(count, a.items.size());
}

TEST(TreeStream, SaysWhenSomethingComesAfterTheEnd) {
  TreeParser parser;
  parser.feed(sample() + "x");
  EXPECT_TRUE(parse(parser).outcome);
  EXPECT_TRUE(parser.has_more());
}

TEST(TreeStream, RefusesPathsThatLeadElsewhere) {
  for (const std::string& path :
       {std::string(), std::string("/etc"), std::string(".."), std::string("a/../b"),
        std::string("a//b"), std::string("a/"), std::string("./a"), std::string("a/."),
        std::string("a\0b", 3), std::string(kMaxPath + 1, 'a'), std::string(256, 'a')}) {
    std::string bytes;
    append_entry(bytes, entry(EntryKind::kFile, path));
    const auto outcome = outcome_of(bytes);
    ASSERT_FALSE(outcome) << path;
    EXPECT_EQ(outcome.error().code, Errc::kInvalid) << path;
    EXPECT_FALSE(check_tree_path(path)) << path;
  }
  EXPECT_TRUE(check_tree_path("..a/b.. /.hidden"));
}

TEST(TreeStream, RefusesWhatNoTreeHas) {
  std::string root_removed;
  append_entry(root_removed, entry(EntryKind::kRemoved, "."));
  std::string odd_mode;
  TreeEntry device = entry(EntryKind::kFile, "a");
  device.mode = 0100644;
  append_entry(odd_mode, device);
  std::string empty_link;
  append_entry(empty_link, entry(EntryKind::kSymlink, "a"));
  std::string long_end;
  append_entry(long_end, entry(EntryKind::kEnd, "a"));
  std::string huge_chunk;
  append_entry(huge_chunk, entry(EntryKind::kFile, "a"));
  ByteWriter(huge_chunk).be32(kMaxChunk + 1);
  for (const std::string& bytes : {root_removed, odd_mode, empty_link, long_end, huge_chunk,
                                   std::string(15, '\0'), std::string(15, '\x07')}) {
    EXPECT_FALSE(outcome_of(bytes));
  }
}

TEST(TreeStream, TheFirstErrorIsFinal) {
  TreeParser parser;
  parser.feed(std::string(15, '\0'));
  EXPECT_FALSE(parser.next());
  parser.feed(sample());
  EXPECT_FALSE(parser.next());
}

}  // namespace
}  // namespace pyro::wire
