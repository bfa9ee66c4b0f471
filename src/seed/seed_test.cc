// What is carried and what is refused, from folders and from archives, seen in the tree stream.
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "seed/checks.h"
#include "seed/testing.h"
#include "seed/tracked.h"

namespace pyro::seed {
namespace {

using testing::Packer;
using testing::refusal;
using testing::tar;
using testing::TarEntry;
using testing::tree_of;
using testing::write_file;
using Paths = std::vector<std::string>;

class Seed : public ::testing::Test {
 protected:
  std::string archive(std::string_view bytes, const std::string& name = "a.tar") {
    write_file(dir_ / name, bytes);
    return dir_ / name;
  }
  std::string archive(const std::vector<TarEntry>& entries) { return archive(tar(entries)); }
  std::string refused(const std::vector<TarEntry>& entries, const Limits& limits = {}) {
    return refusal({.path = archive(entries)}, limits);
  }
  std::string folder() { return dir_ / "folder"; }
  void file(const std::string& name, std::string_view bytes = "x", mode_t mode = 0644) {
    write_file(folder() + "/" + name, bytes, mode);
  }
  testing::TempDir dir_;
};

void expect_says(const std::string& text, const std::vector<std::string>& words) {
  for (const std::string& word : words) EXPECT_NE(text.find(word), std::string::npos) << text;
}

TEST_F(Seed, FolderIsCarriedWithModesTimesAndLinksInTheOrderOfNames) {
  const std::string big(3'000'001, 'b');
  file("b/big", big, 0600);
  file("a file", "hello", 04755);
  file("new\nline\xff", "bytes");
  ASSERT_EQ(::mkdir((folder() + "/b/empty").c_str(), 0711), 0);
  ASSERT_EQ(::symlink("../a file", (folder() + "/b/link").c_str()), 0);
  const timespec times[2] = {{.tv_sec = 7, .tv_nsec = 9}, {.tv_sec = 1'500'000'000, .tv_nsec = 42}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (folder() + "/a file").c_str(), times, 0), 0);
  const auto tree = tree_of({.path = folder()});
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(tree->paths(), (Paths{"a file", "b", "b/big", "b/empty", "b/link", "new\nline\xff"}));
  EXPECT_EQ(tree->items[0].entry.mode, 0755U);  // setuid is gone
  EXPECT_EQ(tree->items[0].entry.mtime_ns, 1'500'000'000'000'000'042);
  EXPECT_EQ(tree->items[2].content, big);
  EXPECT_EQ(tree->items[3].entry.mode, 0711U);
  EXPECT_EQ(tree->items[4].entry.target, "../a file");
  EXPECT_EQ(tree->summary, (Summary{.mode = "directory",
                                    .source = folder(),
                                    .entry_count = 6,
                                    .bytes_written = 5 + big.size() + 5}));
}

TEST_F(Seed, NoSourceIsAnEmptyTree) {
  const auto tree = tree_of({});
  ASSERT_TRUE(tree);
  EXPECT_TRUE(tree->items.empty());
  EXPECT_EQ(tree->summary.mode, "empty");
}

TEST_F(Seed, ArchivesAreKnownByTheirContent) {
  const std::string plain =
      tar({{.name = "./"}, {.name = "./d/f", .content = "hello", .mode = 06640}});
  const std::string gzip = testing::compressed(plain, Packer::kGzip);
  const std::string zstd = testing::compressed(plain, Packer::kZstd);
  for (const auto& [name, bytes] : std::map<std::string, std::string>{{"a.tar", plain},
                                                                      {"a.tgz", gzip},
                                                                      {"a.tar.gz", plain},
                                                                      {"zip", zstd},
                                                                      {"b.tar", gzip}}) {
    const auto tree = tree_of({.path = archive(bytes, name)});
    ASSERT_TRUE(tree) << name << tree.error().message;
    EXPECT_EQ(tree->paths(), (Paths{"d", "d/f"}));
    EXPECT_EQ(tree->items[1].content, "hello");
    EXPECT_EQ(tree->items[1].entry.mode, 0640U);
    EXPECT_EQ(tree->items[1].entry.mtime_ns, 1'600'000'000'000'000'000);
    EXPECT_EQ(tree->summary.mode, "archive");
  }
  EXPECT_TRUE(tree_of({.path = archive(std::string(1024, '\0'), "none.tar")}));
}

TEST_F(Seed, OtherFilesAreRefusedWithWhatIsSupported) {
  for (const std::string bytes : {"PK\x03\x04zip", "text", "",
                                  "\xfd"
                                  "7zXZ"}) {
    expect_says(refusal({.path = archive(bytes, "a.tar")}),
                {"a.tar\" is no archive", ".tar.gz, .tgz, .tar.zst"});
  }
  const std::string text = testing::compressed("no tar in here", Packer::kGzip);
  expect_says(refusal({.path = archive(text)}), {"is no archive"});
  const auto missing = tree_of({.path = dir_ / "missing"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::kNotFound);
}

TEST_F(Seed, ADamagedArchiveIsNamed) {
  const std::string whole = tar({{.name = "a", .content = std::string(5000, 'a')}});
  expect_says(refusal({.path = archive(whole.substr(0, 3000))}), {"a.tar\" is damaged"});
  const std::string packed = testing::compressed(whole + whole, Packer::kGzip);
  EXPECT_NE(refusal({.path = archive(packed.substr(0, packed.size() / 2))}), "(not refused)");
}

TEST_F(Seed, PathsThatLeadOutAreRefused) {
  expect_says(refused({{.name = "/etc/passwd"}}),
              {"\"/etc/passwd\" is an absolute path", "tar -C"});
  expect_says(refused({{.name = "../x"}}), {"\"../x\" has \"..\""});
  expect_says(refused({{.name = "a/../../x"}}), {"has \"..\""});
  expect_says(refused({{.name = "a/.."}}), {"has \"..\""});
  expect_says(refused({{.name = "a\033[2J\nb/../x"}}), {"\\n"});
  EXPECT_EQ(refused({{.name = "a\033[2J\nb/../x"}}).find('\033'), std::string::npos);
  EXPECT_TRUE(tree_of({.path = archive({{.name = "./a//b/./c"}})})->find("a/b/c"));
}

TEST_F(Seed, PathsThatAreTooLongOrTooDeepAreRefused) {
  const std::string name(256, 'n');
  const std::string longlink =
      testing::tar_entry({.name = "././@LongLink", .type = 'L', .content = name + '\0'});
  expect_says(refusal({.path = archive(longlink + tar({{.name = "n"}}))}), {"more than 255 bytes"});
  std::string deep;
  for (int i = 0; i < 300; ++i) deep += "d/";
  const std::string deeplink =
      testing::tar_entry({.name = "././@LongLink", .type = 'L', .content = deep + "f" + '\0'});
  expect_says(refusal({.path = archive(deeplink + tar({{.name = "n"}}))}),
              {"more than 256 folders"});
  std::string pathlink;
  while (pathlink.size() < 5000) pathlink += std::string(200, 'p') + "/";
  const std::string whole =
      testing::tar_entry({.name = "././@LongLink", .type = 'L', .content = pathlink + '\0'});
  expect_says(refusal({.path = archive(whole + tar({{.name = "n"}}))}), {"longer than 4095 bytes"});
}

TEST_F(Seed, ANulEndsANameSoThatNothingHidesBehindIt) {
  const std::string longlink = testing::tar_entry(
      {.name = "././@LongLink", .type = 'L', .content = std::string("a\0/../../x\0", 11)});
  const auto tree = tree_of({.path = archive(longlink + tar({{.name = "n"}}))});
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(tree->paths(), (Paths{"a"}));
  EXPECT_FALSE(check_target("a", std::string_view("b\0c", 3)));
}

TEST_F(Seed, LinksThatLeadOutAreRefused) {
  const auto link = [&](const std::string& name, const std::string& target) {
    return refused({{.name = name, .type = '2', .link = target}});
  };
  expect_says(link("l", "/etc/passwd"),
              {"\"l\" is a symlink to the absolute path \"/etc/passwd\""});
  expect_says(link("l", ".."), {"leads out of the tree"});
  expect_says(link("a/l", "../../x"), {"leads out of the tree"});
  expect_says(link("a/l", "b/../x"), {"\"..\" behind a name"});
  expect_says(link("l", ""), {"symlink to nothing"});
  for (const char* fine : {"..", "../x", ".", "./y", "../.", "x//y", "gone"}) {
    EXPECT_EQ(link("a/l", fine), "(not refused)") << fine;
  }
  ASSERT_TRUE(sys::make_dirs(folder()));
  ASSERT_EQ(::symlink("/etc", (folder() + "/l").c_str()), 0);
  expect_says(refusal({.path = folder()}), {"\"l\" is a symlink to the absolute path"});
}

TEST_F(Seed, DevicesSocketsAndPipesAreRefused) {
  expect_says(refused({{.name = "c", .type = '3'}}), {"\"c\" is a device"});
  expect_says(refused({{.name = "b", .type = '4'}}), {"\"b\" is a device"});
  expect_says(refused({{.name = "p", .type = '6'}}), {"\"p\" is a pipe", "leave it out"});
  ASSERT_TRUE(sys::make_dirs(folder()));
  ASSERT_EQ(::mkfifo((folder() + "/pipe").c_str(), 0600), 0);
  expect_says(refusal({.path = folder()}), {"\"pipe\" is a pipe"});
  expect_says(refusal({.path = folder() + "/pipe"}), {"neither a folder nor an archive"});
  ASSERT_EQ(::unlink((folder() + "/pipe").c_str()), 0);
  const sys::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  (folder() + "/sock").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  expect_says(refusal({.path = folder()}), {"\"sock\" is a socket"});
}

TEST_F(Seed, HardLinksBecomeCopiesOfWhatCameEarlier) {
  const std::string content(300'000, 'c');
  const std::vector<TarEntry> entries = {{.name = "a", .content = "first"},
                                         {.name = "one", .type = '1', .link = "./a"},
                                         {.name = "a", .content = content},
                                         {.name = "two", .type = '1', .link = "a"},
                                         {.name = "three", .type = '1', .link = "two"},
                                         {.name = "l", .type = '2', .link = "a"},
                                         {.name = "four", .type = '1', .link = "l"}};
  const auto tree = tree_of({.path = archive(testing::compressed(tar(entries), Packer::kGzip))});
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(tree->find("one")->content, "first");
  EXPECT_EQ(tree->find("two")->content, content);
  EXPECT_EQ(tree->find("three")->content, content);
  EXPECT_EQ(tree->find("four")->entry.target, "a");
  EXPECT_EQ(tree->summary.entry_count, 6U);
  expect_says(refused({{.name = "x", .type = '1', .link = "later"}, {.name = "later"}}),
              {"\"x\" is a hard link to \"later\"", "no file that came before"});
  expect_says(refused({{.name = "x", .type = '1', .link = "/etc/passwd"}}), {"hard link"});
  expect_says(refused({{.name = "d", .type = '5'}, {.name = "x", .type = '1', .link = "d"}}),
              {"hard link"});
}

TEST_F(Seed, CopiesOfHardLinksCountForTheLimit) {
  std::vector<TarEntry> entries = {{.name = "a", .content = std::string(60'000, 'a')}};
  for (int i = 0; i < 20; ++i) {
    entries.push_back({.name = "l" + std::to_string(i), .type = '1', .link = "a"});
  }
  expect_says(refused(entries, {.bytes = 1'000'000}), {"\"l15\"", "the files have more than"});
}

TEST_F(Seed, EntriesBelowWhatIsNoFolderAreRefused) {
  expect_says(refused({{.name = "f"}, {.name = "f/x"}}),
              {"\"f/x\" lies below \"f\", which is a file"});
  expect_says(refused({{.name = "l", .type = '2', .link = "d"}, {.name = "l/x"}}),
              {"lies below \"l\", which is a symlink"});
}

TEST_F(Seed, TheLastOfEqualEntriesWinsAndADifferentKindIsRefused) {
  const auto tree = tree_of({.path = archive({{.name = "d/", .type = '5', .mode = 0700},
                                              {.name = "f", .content = "old"},
                                              {.name = "f", .content = "new"},
                                              {.name = "d", .type = '5', .mode = 0750}})});
  ASSERT_TRUE(tree);
  EXPECT_EQ(tree->find("f")->content, "new");
  EXPECT_EQ(tree->find("d")->entry.mode, 0750U);
  EXPECT_EQ(tree->summary.entry_count, 2U);
  expect_says(refused({{.name = "x"}, {.name = "x", .type = '5'}}),
              {"\"x\" is there twice, as a file and as a folder"});
  expect_says(refused({{.name = "d/x"}, {.name = "d", .type = '2', .link = "y"}}),
              {"twice, as a folder and as a symlink"});
}

TEST_F(Seed, LimitsStopBombs) {
  expect_says(refused({{.name = "huge", .declared = 8LL << 30}}, {.bytes = 1000}),
              {"\"huge\"", "the files have more than 1000 B"});
  const std::string zeros(20U << 20, '\0');
  const std::string bomb =
      testing::compressed(tar({{.name = "z", .content = zeros}}), Packer::kZstd);
  EXPECT_LT(bomb.size(), 100'000U);
  std::uint64_t written = 0;
  const auto stopped = write_tree({.path = archive(bomb)},
                                  [&](std::string_view bytes) -> Result<void> {
                                    written += bytes.size();
                                    return {};
                                  },
                                  {}, {.bytes = 1U << 20});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Errc::kLimit);
  EXPECT_LE(written, 1U << 20);
  std::vector<TarEntry> many(50, TarEntry{.name = "same"});
  expect_says(refused(many, {.entries = 49}), {"more than 49 entries", "\"same\""});
  expect_says(refused(many, {.name_bytes = 100}), {"names together have more than 100 B"});
  file("a", std::string(100, 'a'));
  expect_says(refusal({.path = folder()}, {.bytes = 99}), {"more than 99 B", "\"a\""});
}

TEST_F(Seed, SparseFilesAreCarriedWithTheirHoles) {
  file("sparse");
  ASSERT_EQ(::truncate((folder() + "/sparse").c_str(), 700'000), 0);
  const auto packed =
      sys::run_captured({.program = "/bin/tar",
                         .argv = {"tar", "--sparse", "-cf", dir_ / "s.tar", "-C", folder(), "."},
                         .env = {}});
  ASSERT_TRUE(packed && packed->status.shell_code() == 0) << packed->err;
  const auto tree = tree_of({.path = dir_ / "s.tar"});
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(tree->find("sparse")->content, "x" + std::string(699'999, '\0'));
}

TEST_F(Seed, NamesOfPaxArchivesStayTheBytesTheyAre) {
  const std::string name = "e\xcc\x81-\xc3\xa9-\xff" + std::string(120, 'x');  // not normalised
  file(name, "x");
  const auto packed = sys::run_captured(
      {.program = "/bin/tar",
       .argv = {"tar", "--format=pax", "-cf", dir_ / "p.tar", "-C", folder(), "."},
       .env = {"LC_ALL=C.UTF-8"}});
  ASSERT_TRUE(packed && packed->status.shell_code() == 0) << packed->err;
  const auto tree = tree_of({.path = dir_ / "p.tar"});
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(tree->paths(), Paths{name});
}

TEST_F(Seed, WhatCannotBeReadIsNamedWithItsErrno) {
  file("d/secret", "x", 0000);
  file("d/readable");
  const auto look = [&] {
    const auto tree = tree_of({.path = folder()});
    if (tree || tree.error().os_errno != EACCES) return 1;
    return tree.error().message.find("\"d/secret\" cannot be read") == std::string::npos ? 2 : 0;
  };
  if (::geteuid() != 0) {
    EXPECT_EQ(look(), 0);
    return;
  }
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(folder().c_str(), 0755), 0);
  EXPECT_EXIT(::_exit(::setuid(65534) == 0 ? look() : 3), ::testing::ExitedWithCode(0), "");
}

TEST_F(Seed, AFileThatGrowsIsCarriedAsItWasRead) {
  file("a", "begin");
  file("b", "b");
  Progress progress;
  progress.report = [&](const Counts&) { write_file(folder() + "/b", "grown"); };
  const auto tree = tree_of({.path = folder()}, {}, progress);
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(tree->find("b")->content, "grown");
}

TEST_F(Seed, AFileThatBecomesALinkDuringTheWalkIsNotFollowed) {
  file("a");
  file("b");
  Progress progress;
  progress.report = [&](const Counts&) {
    ::unlink((folder() + "/b").c_str());
    EXPECT_EQ(::symlink("/etc/passwd", (folder() + "/b").c_str()), 0);
    progress.report = {};
  };
  const auto tree = tree_of({.path = folder()}, {}, progress);
  ASSERT_FALSE(tree);
  expect_says(tree.error().message, {"\"b\" became a symlink"});
}

TEST_F(Seed, AnInterruptStopsIt) {
  file("a");
  auto pipe = sys::make_pipe();
  ASSERT_TRUE(pipe && sys::write_all(pipe->write.get(), "x"));
  for (const std::string& source : {folder(), archive({{.name = "a"}})}) {
    const auto tree = tree_of({.path = source}, {}, {.interrupt_fd = pipe->read.get()});
    ASSERT_FALSE(tree);
    EXPECT_EQ(tree.error().code, Errc::kUnavailable);
    EXPECT_EQ(tree.error().message, "interrupted");
  }
}

class Tracked : public Seed {
 protected:
  void git(std::vector<std::string> words) {
    words.insert(words.begin(), {"git", "-c", "user.name=t", "-c", "user.email=t@t"});
    const auto run = sys::run_captured(
        {.program = "/usr/bin/git",
         .argv = std::move(words),
         .env = {"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "PATH=/usr/bin:/bin"},
         .cwd = folder()});
    ASSERT_TRUE(run && run->status.shell_code() == 0) << run->err;
  }
  void SetUp() override {
    if (::access("/usr/bin/git", X_OK) != 0) GTEST_SKIP() << "git is not installed here";
    file("a");
    file("sub/dir/b");
    file("sub/new\nname");
    file("ignored/c");
    git({"init", "-q"});
    git({"add", "a", "sub"});
  }
};

TEST_F(Tracked, OnlyWhatGitTracksIsCarried) {
  const auto tree = tree_of({.path = folder(), .git_tracked = true});
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_EQ(tree->paths(), (Paths{"a", "sub", "sub/dir", "sub/dir/b", "sub/new\nname"}));
  const auto below = tree_of({.path = folder() + "/sub", .git_tracked = true});
  ASSERT_TRUE(below) << below.error().message;
  EXPECT_EQ(below->paths(), (Paths{"dir", "dir/b", "new\nname"}));
}

TEST_F(Tracked, MissingFilesAndSubmodulesAreNamed) {
  git({"update-index", "--add", "--cacheinfo", "160000," + std::string(40, '1') + ",mod"});
  expect_says(refusal({.path = folder(), .git_tracked = true}), {"\"mod\" is a submodule"});
  git({"rm", "-q", "--cached", "mod"});
  ASSERT_EQ(::unlink((folder() + "/sub/dir/b").c_str()), 0);
  expect_says(refusal({.path = folder(), .git_tracked = true}),
              {"\"sub/dir/b\" is tracked by git and is not there", "git restore"});
  ASSERT_EQ(::mkdir((folder() + "/sub/dir/b").c_str(), 0700), 0);
  expect_says(refusal({.path = folder(), .git_tracked = true}), {"is not what git tracks"});
}

TEST_F(Tracked, NoCheckoutIsAnError) {
  ASSERT_TRUE(sys::remove_tree(folder() + "/.git"));
  expect_says(refusal({.path = folder(), .git_tracked = true}),
              {"git cannot say what is tracked", "not a git repository"});
  expect_says(refusal({.path = archive({{.name = "a"}}), .git_tracked = true}), {"is a file"});
}

}  // namespace
}  // namespace pyro::seed
