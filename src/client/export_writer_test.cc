#include "client/export_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "sys/file.h"

namespace pyro::client {
namespace {

using wire::EntryKind;
namespace fs = std::filesystem;

constexpr std::int64_t kWhen = 1'700'000'000'123'456'789;
constexpr mode_t kAllBits = 07777;

struct Sent {
  std::string bytes;
  Sent& entry(EntryKind kind, const std::string& path, std::uint32_t mode = 0644,
              const std::string& target = "") {
    const bool end = kind == EntryKind::kEnd;
    wire::append_entry(
        bytes,
        {.kind = kind, .path = path, .mode = mode, .mtime_ns = end ? 0 : kWhen, .target = target});
    return *this;
  }
  Sent& file(const std::string& path, std::string_view content = "x", std::uint32_t mode = 0644,
             bool complete = true) {
    entry(EntryKind::kFile, path, mode);
    wire::append_data(bytes, content);
    wire::append_file_end(bytes, complete);
    return *this;
  }
  Sent& folder(const std::string& path, std::uint32_t mode = 0755) {
    return entry(EntryKind::kDirectory, path, mode);
  }
  Sent& link(const std::string& path, const std::string& target) {
    return entry(EntryKind::kSymlink, path, 0777, target);
  }
  Sent& end() { return entry(EntryKind::kEnd, "", 0); }
};

class ExportWriterTest : public ::testing::Test {
 protected:
  ExportWriterTest() {
    std::string name = "/tmp/pyro-test-XXXXXX";
    root_ = ::mkdtemp(name.data());
    EXPECT_TRUE(sys::make_dirs(root_ + "/outside", 0755));
    EXPECT_TRUE(sys::make_dirs(root_ + "/to", 0755));
  }
  ~ExportWriterTest() override { (void)sys::remove_tree(root_); }

  // "" or why it failed.
  std::string run(const Sent& sent, std::size_t step = std::string::npos) {
    auto writer = ExportWriter::open(target_(), {});
    if (!writer) return writer.error().message;
    for (std::size_t at = 0; at < sent.bytes.size();) {
      const std::string_view piece = std::string_view(sent.bytes).substr(at, step);
      if (const auto fed = writer->feed(piece); !fed) return fed.error().message;
      at += piece.size();
    }
    if (const auto done = writer->finish(); !done) return done.error().message;
    skipped_ = writer->skipped();
    type_ = writer->artifact_type();
    entries_ = writer->entries();
    bytes_ = writer->bytes();
    return "";
  }
  // It fails, and nothing is anywhere but what was there before.
  void expect_refused(const Sent& sent, std::string_view why) {
    const std::string message = run(sent);
    EXPECT_NE(message.find(why), std::string::npos) << message;
    EXPECT_EQ(message, printable(message));
    EXPECT_EQ(names("to"), std::vector<std::string>());
    EXPECT_EQ(names("outside"), std::vector<std::string>());
    EXPECT_EQ(names(""), (std::vector<std::string>{"outside", "to"}));
  }
  [[nodiscard]] std::string target_() const { return root_ + "/to/artifact"; }
  [[nodiscard]] std::vector<std::string> names(const std::string& below) const {
    auto found = sys::list_dir(root_ + "/" + below).value_or(std::vector<std::string>{"?"});
    std::ranges::sort(found);
    return found;
  }
  [[nodiscard]] std::string content(const std::string& below = "") const {
    return sys::read_file(target_() + below, 1U << 20).value_or("unreadable");
  }
  [[nodiscard]] struct stat stat_of(const std::string& below = "") const {
    struct stat st{};
    EXPECT_EQ(::lstat((target_() + below).c_str(), &st), 0) << below;
    return st;
  }
  [[nodiscard]] mode_t mode_of(const std::string& below = "") const {
    return stat_of(below).st_mode & kAllBits;
  }

  std::string root_, type_;
  std::vector<std::string> skipped_;
  std::int64_t entries_ = 0, bytes_ = 0;
};

TEST_F(ExportWriterTest, AFolderWithAllThatIsInIt) {
  const Sent sent = Sent()
                        .folder(".", 0750)
                        .folder("d", 0700)
                        .file("d/f", "content", 0640)
                        .link("d/l", "../outside")
                        .folder("e", 0500)
                        .file("e/g", "")
                        .end();
  for (const std::size_t step : {std::string::npos, std::size_t{1}}) {
    EXPECT_EQ(run(sent, step), "");
    EXPECT_EQ(type_, "directory");
    EXPECT_EQ(entries_, 5);
    EXPECT_EQ(bytes_, 7);
    EXPECT_EQ(names("to"), std::vector<std::string>{"artifact"});  // and no staging folder
    EXPECT_EQ(content("/d/f"), "content");
    EXPECT_EQ(content("/e/g"), "");
    EXPECT_EQ(fs::read_symlink(target_() + "/d/l"), "../outside");
    EXPECT_EQ(mode_of(), 0750U);
    EXPECT_EQ(mode_of("/d"), 0700U);
    EXPECT_EQ(mode_of("/d/f"), 0640U);
    EXPECT_EQ(mode_of("/e"), 0500U);
    for (const char* below : {"", "/d", "/d/f", "/d/l", "/e", "/e/g"}) {
      EXPECT_EQ(stat_of(below).st_mtim.tv_sec, kWhen / 1'000'000'000) << below;
      EXPECT_EQ(stat_of(below).st_mtim.tv_nsec, kWhen % 1'000'000'000) << below;
    }
    ASSERT_TRUE(sys::remove_tree(target_()));
  }
}

TEST_F(ExportWriterTest, AFileOrALinkByItself) {
  EXPECT_EQ(run(Sent().file(".", "alone", 0755).end()), "");
  EXPECT_EQ(type_, "file");
  EXPECT_EQ(entries_, 0);
  EXPECT_EQ(content(), "alone");
  EXPECT_EQ(mode_of(), 0755U);
  ASSERT_TRUE(sys::remove_tree(target_()));
  EXPECT_EQ(run(Sent().link(".", "/etc/passwd").end()), "");
  EXPECT_EQ(type_, "symlink");
  EXPECT_EQ(fs::read_symlink(target_()), "/etc/passwd");
  EXPECT_EQ(names("to"), std::vector<std::string>{"artifact"});
}

TEST_F(ExportWriterTest, ProgressIsTold) {
  std::int64_t entries = -1, bytes = -1;
  auto writer = ExportWriter::open(target_(), [&](std::int64_t e, std::int64_t b) {
    entries = e;
    bytes = b;
  });
  ASSERT_TRUE(writer);
  ASSERT_TRUE(writer->feed(Sent().folder(".").file("f", "12345").file("g").end().bytes));
  ASSERT_TRUE(writer->finish());
  EXPECT_EQ(entries, 2);
  EXPECT_EQ(bytes, 5);  // as of the last entry's start
}

TEST_F(ExportWriterTest, NothingIsAtTheTargetBeforeTheEnd) {
  auto writer = ExportWriter::open(target_(), {});
  ASSERT_TRUE(writer);
  ASSERT_TRUE(writer->feed(Sent().folder(".").file("f").end().bytes));
  EXPECT_FALSE(sys::exists(target_()));
  ASSERT_TRUE(writer->finish());
  EXPECT_TRUE(sys::exists(target_()));
}

TEST_F(ExportWriterTest, SetUserIdBitsAreDropped) {
  EXPECT_EQ(run(Sent().folder(".", 07777).file("su", "x", 06755).folder("t", 01777).end()), "");
  EXPECT_EQ(mode_of(), 0777U);
  EXPECT_EQ(mode_of("/su"), 0755U);
  EXPECT_EQ(mode_of("/t"), 0777U);
}

TEST_F(ExportWriterTest, DevicesAreLeftOutAndNamed) {
  Sent sent;
  sent.folder(".").entry(EntryKind::kOther, "null").file("f");
  for (int i = 0; i < 200; ++i) sent.entry(EntryKind::kOther, "o" + std::to_string(i));
  EXPECT_EQ(run(sent.end()), "");
  ASSERT_EQ(skipped_.size(), 100U);
  EXPECT_EQ(skipped_[0], "null");
  EXPECT_EQ(names("to/artifact"), std::vector<std::string>{"f"});
}

TEST_F(ExportWriterTest, ADeviceByItselfIsNoExport) {
  expect_refused(Sent().entry(EntryKind::kOther, ".").end(), "device");
  expect_refused(Sent().folder(".").entry(EntryKind::kRemoved, "f", 0).end(), "not exported");
}

TEST_F(ExportWriterTest, AWrongOrderIsRefused) {
  expect_refused(Sent().file("f").end(), "wrong order");
  expect_refused(Sent().folder(".").folder(".").end(), "wrong order");
  expect_refused(Sent().folder(".").file(".").end(), "wrong order");
  expect_refused(Sent().folder(".").file("d/f").end(), "d");
  expect_refused(Sent().end(), "no proper end");
  // What would be found there if the next name were not checked.
  expect_refused(Sent().folder(".").file("artifact/f").end(), "artifact");
}

TEST_F(ExportWriterTest, NamesThatLeadElsewhereAreRefused) {
  expect_refused(Sent().folder(".").file("../outside/f").end(), "elsewhere");
  expect_refused(Sent().folder(".").folder("d").file("d/../../outside/f").end(), "elsewhere");
  expect_refused(Sent().folder(".").file(root_ + "/outside/f").end(), "absolute");
  expect_refused(Sent().folder(".").file(std::string("a\0b", 3)).end(), "NUL");
}

TEST_F(ExportWriterTest, NothingIsWrittenBelowALinkOrAFile) {
  const std::string outside = root_ + "/outside";
  expect_refused(Sent().folder(".").link("l", outside).file("l/f").end(), "l");
  expect_refused(Sent().folder(".").link("l", "../../../outside").folder("l/d").end(), "l");
  expect_refused(Sent().link(".", outside).file("f").end(), "artifact");
  expect_refused(Sent().folder(".").file("f").file("f/g").end(), "f");
  expect_refused(Sent().file(".").file("g").end(), "artifact");
  // Neither through a folder that gives way to a link, nor when it was entered before.
  expect_refused(Sent().folder(".").folder("d").file("d/a").link("d", outside).end(), "\"");
}

TEST_F(ExportWriterTest, NamesThatComeTwiceAreRefused) {
  expect_refused(Sent().folder(".").file("f").file("f").end(), "File exists");
  expect_refused(Sent().folder(".").folder("d").folder("d").end(), "File exists");
  expect_refused(Sent().folder(".").link("f", root_ + "/outside/x").file("f").end(), "File exists");
}

TEST_F(ExportWriterTest, MessagesAreFreeOfControlCharacters) {
  expect_refused(Sent().folder(".").file("\x1b[31m/f").end(), "artifact/");
  expect_refused(Sent().folder(".").file("\x1b[31m", "x", 0644, false).end(), "to its end");
}

TEST_F(ExportWriterTest, ABrokenFileIsNoFile) {
  expect_refused(Sent().folder(".").file("f", "half", 0644, /*complete=*/false).end(),
                 "could not be read to its end");
  expect_refused(Sent().file(".", "half", 0644, false).end(), "could not be read to its end");
}

TEST_F(ExportWriterTest, AStreamThatIsCutOffLeavesNothing) {
  const Sent whole = Sent().folder(".").folder("d").file("d/f", "content").end();
  for (std::size_t size = 0; size < whole.bytes.size(); ++size)
    expect_refused({.bytes = whole.bytes.substr(0, size)}, "no proper end");
  expect_refused({.bytes = whole.bytes + "more"}, "no proper end");
}

TEST_F(ExportWriterTest, OneThatIsGivenUpLeavesNothing) {
  {
    auto writer = ExportWriter::open(target_(), {});
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->feed(Sent().folder(".", 0).folder("d", 0).file("d/f").bytes));
  }
  EXPECT_EQ(names("to"), std::vector<std::string>());
}

TEST_F(ExportWriterTest, AFileReplacesAFileOrALinkAndNotWhatTheLinkNames) {
  ASSERT_TRUE(sys::write_file_atomic(target_(), "old"));
  EXPECT_EQ(run(Sent().file(".", "new").end()), "");
  EXPECT_EQ(content(), "new");
  const std::string precious = root_ + "/outside/precious";
  ASSERT_TRUE(sys::write_file_atomic(precious, "precious"));
  ASSERT_EQ(::unlink(target_().c_str()), 0);
  ASSERT_EQ(::symlink(precious.c_str(), target_().c_str()), 0);
  EXPECT_EQ(run(Sent().file(".", "newer").end()), "");
  EXPECT_EQ(content(), "newer");
  EXPECT_EQ(*sys::read_file(precious, 100), "precious");
}

TEST_F(ExportWriterTest, WhatIsThereIsNotReplacedByOrWithAFolder) {
  ASSERT_TRUE(sys::make_dirs(target_(), 0755));
  for (const Sent& sent :
       {Sent().folder(".").file("f").end(), Sent().file(".").end(), Sent().link(".", "x").end()}) {
    EXPECT_NE(run(sent).find("exists already"), std::string::npos);
    EXPECT_EQ(names("to/artifact"), std::vector<std::string>());
    EXPECT_EQ(names("to"), std::vector<std::string>{"artifact"});
  }
  ASSERT_EQ(::rmdir(target_().c_str()), 0);
  ASSERT_TRUE(sys::write_file_atomic(target_(), "old"));
  EXPECT_NE(run(Sent().folder(".").end()).find("exists already"), std::string::npos);
  EXPECT_EQ(content(), "old");
}

TEST_F(ExportWriterTest, TheFolderAboveMustBeThere) {
  EXPECT_EQ(ExportWriter::open(root_ + "/missing/artifact", {}).error().code, Errc::kNotFound);
  ASSERT_TRUE(sys::write_file_atomic(root_ + "/file", ""));
  EXPECT_EQ(ExportWriter::open(root_ + "/file/artifact", {}).error().code, Errc::kNotFound);
  EXPECT_EQ(ExportWriter::open(root_ + "/no\x1b[31m/x", {}).error().message.find('\x1b'),
            std::string::npos);
}

TEST_F(ExportWriterTest, NamesThatAreNoUtf8StayAsTheyAre) {
  EXPECT_EQ(run(Sent().folder(".").folder("caf\xe9").file("caf\xe9/\xff\n", "x").end()), "");
  EXPECT_EQ(content("/caf\xe9/\xff\n"), "x");
}

TEST_F(ExportWriterTest, NamesOfAnImagesOwnAreFine) {
  EXPECT_EQ(run(Sent().folder(".").folder("lost+found").file("lost+found/f").end()), "");
  EXPECT_EQ(content("/lost+found/f"), "x");
}

TEST_F(ExportWriterTest, AFolderOfTheUsersOwnIsNoLeftover) {
  const std::string own = root_ + "/to/.staging-area";
  ASSERT_TRUE(sys::make_dirs(own, 0755));
  ASSERT_TRUE(sys::write_file_atomic(own + "/precious", "precious"));
  EXPECT_EQ(run(Sent().file(".").end()), "");
  EXPECT_EQ(*sys::read_file(own + "/precious", 100), "precious");
}

// As a user for whom modes count; root is not kept by any.
TEST_F(ExportWriterTest, FoldersThatTheirOwnerCannotWriteAreMade) {
  constexpr uid_t kNobody = 65534;
  ASSERT_EQ(::chmod(root_.c_str(), 0777), 0);
  ASSERT_EQ(::chmod((root_ + "/to").c_str(), 0777), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::geteuid() == 0 && (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)) ::_exit(2);
    std::string why = run(Sent().folder(".", 0555).folder("d", 0).end());
    if (why.empty() && mode_of() != 0555) why = "its mode is another";
    if (why.empty() && run(Sent().folder(".", 0).folder("d", 0).end()).empty())
      why = "it was replaced";
    if (why.empty() && names("to").size() != 1) why = "something was left beside it";
    (void)::write(STDERR_FILENO, why.data(), why.size());
    ::_exit(why.empty() ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace pyro::client
