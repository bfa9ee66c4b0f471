#include "store/service_log.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>

#include "sys/file.h"

namespace pyro::store {
namespace {

class Log : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/pyro-log-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { ASSERT_TRUE(sys::remove_tree(dir_)); }
  [[nodiscard]] std::string folder() const { return dir_ + "/web"; }
  [[nodiscard]] ServiceLog open(bool fresh) const {
    auto log = ServiceLog::open(folder(), fresh);
    EXPECT_TRUE(log) << log.error().message;
    return *std::move(log);
  }
  [[nodiscard]] LogContent content() const {
    auto read = read_log(folder());
    EXPECT_TRUE(read) << read.error().message;
    return read ? *std::move(read) : LogContent{};
  }

  std::string dir_;
};

std::string text_of(const std::vector<LogRecord>& records) {
  std::string text;
  for (const LogRecord& r : records) text += r.text;
  return text;
}

TEST_F(Log, KeepsStreamsApartWithTheirTimes) {
  ServiceLog log = open(true);
  log.append(LogStream::kStdout, "out\n", 1'000'001);
  log.append(LogStream::kStderr, std::string("\0\xff", 2), 2'000'002);
  const LogContent read = content();
  const std::vector<LogRecord> expected{
      {.time_us = 1'000'001, .stream = LogStream::kStdout, .text = "out\n"},
      {.time_us = 2'000'002, .stream = LogStream::kStderr, .text = std::string("\0\xff", 2)}};
  EXPECT_EQ(read.records, expected);
  EXPECT_EQ(read.begin, 0U);
  EXPECT_EQ(read.end, log.end());
}

TEST_F(Log, OfNothingIsEmpty) {
  EXPECT_TRUE(content().records.empty());
}

TEST_F(Log, StaysWithinItsBoundAndLosesTheOldestFirst) {
  ServiceLog log = open(true);
  const std::string line(1023, 'x');
  for (int i = 0; i < 20'000; ++i) log.append(LogStream::kStdout, line + "\n", i);
  std::uint64_t on_disk = 0;
  for (const std::string& name : sys::list_dir(folder()).value())
    on_disk += sys::read_file(folder() + "/" + name, kLogBound)->size();
  EXPECT_LE(on_disk, kLogBound);
  const LogContent read = content();
  ASSERT_FALSE(read.records.empty());
  EXPECT_GT(read.begin, 0U);
  EXPECT_EQ(read.end, log.end());
  EXPECT_GT(log.end(), 20'000U * 1024);
  EXPECT_GE(read.end - read.begin, kLogSegment);
  EXPECT_EQ(read.records.back().time_us, 19'999);
}

TEST_F(Log, ALongTextBecomesSeveralRecords) {
  ServiceLog log = open(true);
  const std::string flood(3 * kMostLogText + 5, 'f');
  log.append(LogStream::kStdout, flood, 7);
  const LogContent read = content();
  EXPECT_EQ(read.records.size(), 4U);
  EXPECT_EQ(text_of(read.records), flood);
}

TEST_F(Log, GoesOnWithoutWhatACrashCutOff) {
  std::uint64_t end = 0;
  {
    ServiceLog log = open(true);
    log.append(LogStream::kStdout, "whole\n", 1);
    end = log.end();
  }
  const std::string segment = folder() + "/" + sys::list_dir(folder())->front();
  std::ofstream(segment, std::ios::app) << "\x09\0\0";
  ServiceLog log = open(false);
  EXPECT_EQ(log.end(), end);
  log.append(LogStream::kStdout, "next\n", 2);
  EXPECT_EQ(text_of(content().records), "whole\nnext\n");
}

TEST_F(Log, AFreshOneHasNewCursors) {
  std::uint64_t end = 0;
  {
    ServiceLog log = open(true);
    log.append(LogStream::kStdout, "old\n", 1);
    end = log.end();
  }
  ServiceLog log = open(true);
  EXPECT_EQ(log.end(), end);
  EXPECT_TRUE(content().records.empty());
  log.append(LogStream::kStdout, "new\n", 1);
  EXPECT_EQ(text_of(content().records), "new\n");
  EXPECT_EQ(content().begin, end);
}

TEST_F(Log, IsReadFromACursorOn) {
  ServiceLog log = open(true);
  log.append(LogStream::kStdout, "one\n", 1);
  const std::uint64_t between = log.end();
  log.append(LogStream::kStdout, "two\n", 2);
  const auto rest = read_log_bytes(folder(), between);
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->begin, between);
  EXPECT_EQ(rest->bytes,
            encode_log_record({.time_us = 2, .stream = LogStream::kStdout, .text = "two\n"}));
  const auto nothing = read_log_bytes(folder(), log.end());
  ASSERT_TRUE(nothing);
  EXPECT_EQ(nothing->bytes, "");
  const auto little = read_log_bytes(folder(), 0, 5);
  ASSERT_TRUE(little);
  EXPECT_EQ(little->bytes.size(), 5U);
}

TEST_F(Log, ACursorThatIsGoneLeadsToTheOldestThereIs) {
  ServiceLog log = open(true);
  const std::string text(kMostLogText, 'x');
  while (log.end() < 3 * kLogSegment) log.append(LogStream::kStdout, text, 1);
  const auto rest = read_log_bytes(folder(), 1);
  ASSERT_TRUE(rest);
  EXPECT_GT(rest->begin, 1U);
  LogParser parser;
  parser.feed(rest->bytes);
  const auto first = parser.next();
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((*first)->text, text);
}

TEST_F(Log, AFileOfAnotherKindIsDamaged) {
  ASSERT_TRUE(sys::make_dirs(folder()));
  std::ofstream(folder() + "/00000000000000000000.log") << "this is no log at all";
  const auto read = read_log(folder());
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::kDamaged);
}

TEST_F(Log, FilesOfOtherNamesAreNone) {
  ServiceLog log = open(true);
  std::ofstream(folder() + "/1.log") << "x";
  std::ofstream(folder() + "/0000000000000000000x.log") << "x";
  log.append(LogStream::kStdout, "one\n", 1);
  EXPECT_EQ(text_of(content().records), "one\n");
}

std::vector<LogRecord> records_of(const std::vector<std::string>& texts) {
  std::vector<LogRecord> out;
  out.reserve(texts.size());
  for (const std::string& text : texts)
    out.push_back({.time_us = 0, .stream = LogStream::kStdout, .text = text});
  return out;
}

TEST(LastLines, AreCountedOverRecords) {
  auto records = records_of({"a\nb", "c\nd\n", "e\n"});
  EXPECT_TRUE(keep_last_lines(records, 2));
  EXPECT_EQ(text_of(records), "d\ne\n");
  records = records_of({"a\nb", "c\nd\n", "e\n"});
  EXPECT_TRUE(keep_last_lines(records, 3));
  EXPECT_EQ(text_of(records), "bc\nd\ne\n");
  records = records_of({"a\nb", "c\nd\n", "e\n"});
  EXPECT_FALSE(keep_last_lines(records, 4));
  EXPECT_EQ(text_of(records), "a\nbc\nd\ne\n");
}

TEST(LastLines, OneWithoutItsNewlineIsALine) {
  auto records = records_of({"a\n", "b\nhalf"});
  EXPECT_TRUE(keep_last_lines(records, 1));
  EXPECT_EQ(text_of(records), "half");
}

TEST(LastLines, RemarksDoNotCount) {
  const LogRecord end{.time_us = 1, .stream = LogStream::kRemark, .text = "it has ended\n"};
  auto records = records_of({"a\n", "b\n"});
  records.insert(records.begin(), end);
  records.push_back(end);
  auto all = records;
  EXPECT_FALSE(keep_last_lines(all, 2));
  EXPECT_EQ(all, records);
  EXPECT_TRUE(keep_last_lines(records, 1));
  EXPECT_EQ(text_of(records), "b\nit has ended\n");
}

TEST(LastLines, NoneAtAll) {
  auto records = records_of({"a\n"});
  EXPECT_TRUE(keep_last_lines(records, 0));
  EXPECT_TRUE(records.empty());
  EXPECT_FALSE(keep_last_lines(records, 0));
}

}  // namespace
}  // namespace pyro::store
