// Baseline images: what is in them, and that there is never half of one.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <functional>

#include "seed/testing.h"
#include "sys/staging.h"

namespace pyro::seed {
namespace {

using testing::tar;
using testing::TarEntry;
using testing::write_file;

class Baseline : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(sys::make_dirs(parent()));
    ASSERT_TRUE(sys::make_dirs(folder(), 0755));
  }
  std::string folder() { return dir_ / "folder"; }
  std::string parent() { return dir_ / "state"; }
  std::string image() { return dir_ / "state/baseline"; }
  std::string archive(const std::vector<TarEntry>& entries) {
    write_file(dir_ / "a.tar", tar(entries));
    return dir_ / "a.tar";
  }
  Result<Summary> build(const std::string& source, const Progress& progress = {}) {
    return build_baseline({.path = source}, parent(), image(), progress);
  }
  // Nothing but the lock of the staging folders, and the image when there is to be one.
  void expect_clean(const std::vector<std::string>& left) {
    EXPECT_EQ(*sys::list_dir(parent()), left);
  }
  static std::string run(std::vector<std::string> words) {
    const std::string program = *sys::find_program(words[0], "/usr/bin:/bin:/usr/sbin:/sbin");
    const auto done = sys::run_captured({.program = program, .argv = std::move(words), .env = {}});
    EXPECT_TRUE(done && done->status.shell_code() == 0) << done->err;
    return done->out + done->err;
  }
  // Takes the image apart as root of nothing but these files.
  std::string extract() {
    const std::string out = dir_ / "extracted";
    run({"fsck.erofs", "--extract=" + out, "--preserve-perms", image()});
    return out + "/tree";
  }
  static struct stat stat_of(const std::string& path) {
    struct stat st{};
    EXPECT_EQ(::lstat(path.c_str(), &st), 0) << path;
    return st;
  }
  testing::TempDir dir_;
};

const std::vector<std::string> kNothing = {};
const std::vector<std::string> kOnlyImage = {"baseline"};

TEST_F(Baseline, KeepsModesTimesLinksNamesAndBigFiles) {
  const std::string big = std::string(5'000'000, 'b') + "end";
  const std::string odd = "new\nline \xff\xfe";
  write_file(folder() + "/d/big", big, 0640);
  write_file(folder() + "/d/" + odd, "odd", 0444);
  write_file(folder() + "/d/tiny", "", 04711);
  ASSERT_EQ(::mkdir((folder() + "/empty").c_str(), 0755), 0);
  ASSERT_EQ(::symlink("../d/big", (folder() + "/empty/link").c_str()), 0);
  ASSERT_EQ(::mkdir((folder() + "/closed").c_str(), 01555), 0);
  ASSERT_EQ(::chmod((folder() + "/closed").c_str(), 01555), 0);
  ASSERT_EQ(::chmod((folder() + "/d").c_str(), 0750), 0);
  const timespec times[2] = {{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 1'234'567'890, .tv_nsec = 9}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (folder() + "/d").c_str(), times, 0), 0);
  const auto made = build(folder());
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->entry_count, 7U);
  expect_clean(kOnlyImage);
  const struct stat st = stat_of(image());
  EXPECT_EQ(static_cast<std::uint64_t>(st.st_size), kBaselineBytes);
  EXPECT_EQ(st.st_mode & 07777U, 0400U);
  EXPECT_LT(st.st_blocks * 512, 8 << 20);

  const std::string tree = extract();
  EXPECT_EQ(*sys::read_file(tree + "/d/big", 10U << 20), big);
  EXPECT_EQ(*sys::read_file(tree + "/d/" + odd), "odd");
  EXPECT_EQ(stat_of(tree + "/d/" + odd).st_mode & 07777U, 0444U);
  EXPECT_EQ(stat_of(tree + "/d/tiny").st_mode & 07777U, 0711U);
  EXPECT_EQ(stat_of(tree + "/closed").st_mode & 07777U, 01555U);
  EXPECT_EQ(stat_of(tree + "/d").st_mode & 07777U, 0750U);
  EXPECT_EQ(stat_of(tree).st_mode & 07777U, 0755U);
  std::string target(100, '\0');
  EXPECT_EQ(::readlink((tree + "/empty/link").c_str(), target.data(), target.size()), 8);
  const std::string dump = run({"dump.erofs", "--path=/tree/d", image()});
  EXPECT_NE(dump.find("Uid: 0   Gid: 0"), std::string::npos) << dump;
  EXPECT_NE(dump.find("2009-02-13 23:31:30.000000009"), std::string::npos) << dump;
}

TEST_F(Baseline, OfNothingHasAnEmptyTree) {
  const auto made = build_baseline({}, parent(), image(), {});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->mode, "empty");
  const std::string tree = extract();
  EXPECT_TRUE(sys::list_dir(tree)->empty());
  EXPECT_EQ(stat_of(tree).st_mode & 07777U, 0755U);
}

TEST_F(Baseline, OfAnArchiveHasCopiesAndTheLastOfEqualEntries) {
  const auto made = build(archive({{.name = "f", .content = "old"},
                                   {.name = "h", .type = '1', .link = "f"},
                                   {.name = "f", .content = "new"},
                                   {.name = "l", .type = '2', .link = "f"},
                                   {.name = "l", .type = '2', .link = "h"}}));
  ASSERT_TRUE(made) << made.error().message;
  const std::string tree = extract();
  EXPECT_EQ(*sys::read_file(tree + "/f"), "new");
  EXPECT_EQ(*sys::read_file(tree + "/h"), "old");
  EXPECT_EQ(*sys::read_file(tree + "/l"), "old");
}

TEST_F(Baseline, ModesThatDenyTheirOwnerAreKeptAndRemoved) {
  const std::vector<TarEntry> entries = {{.name = "d", .type = '5', .mode = 0000},
                                         {.name = "d/none", .content = "n", .mode = 0000},
                                         {.name = "d/e/x", .mode = 0200}};
  const auto look = [&]() -> int {
    const auto made = build(archive(entries));
    if (!made) return made.error().hint.find("user namespaces") == std::string::npos ? 2 : 77;
    return *sys::list_dir(parent()) == kOnlyImage ? 0 : 3;
  };
  int status = look();
  EXPECT_EQ(status, 0);
  if (::geteuid() == 0) {
    const std::string dump = run({"dump.erofs", "--path=/tree/d/none", image()});
    EXPECT_NE(dump.find("0000/---------"), std::string::npos) << dump;
    ASSERT_EQ(::unlink(image().c_str()), 0);
    // And as somebody whom modes mean something to.
    run({"chown", "-R", "65534:65534", dir_.path()});
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(::setgid(65534) == 0 && ::setuid(65534) == 0 ? look() : 4);
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "this host has no user namespaces";
    EXPECT_EQ(status, 0);
  }
}

TEST_F(Baseline, NamesThatMkfsLeavesOutAreRefused) {
  write_file(folder() + "/d/lost+foundation", "x");
  const auto made = build(folder());
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("\"d/lost+foundation\" has a name that mkfs.erofs leaves"),
            std::string::npos);
  expect_clean(kNothing);
}

TEST_F(Baseline, PathsThatDoNotFitBelowTheStagingFolderAreRefused) {
  std::string at = folder();
  for (int i = 0; i < 18; ++i) at += "/" + std::string(220, 'p');
  std::string path = at.substr(folder().size() + 1) + "/x";
  ASSERT_LT(path.size(), wire::kMaxPath);
  const std::string link =
      testing::tar_entry({.name = "././@LongLink", .type = 'L', .content = path + '\0'});
  write_file(dir_ / "long.tar", link + tar({{.name = "n"}}));
  ASSERT_TRUE(build(dir_ / "long.tar")) << "a long path";
  path += std::string(4080 - path.size(), 'x');
  write_file(dir_ / "long.tar",
             testing::tar_entry({.name = "././@LongLink", .type = 'L', .content = path + '\0'}) +
                 tar({{.name = "n"}}));
  const auto made = build(dir_ / "long.tar");
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("which is what fits here"), std::string::npos);
}

TEST_F(Baseline, AFailureLeavesTheOldImageAndNothingElse) {
  ASSERT_TRUE(sys::write_file_atomic(image(), "old", 0400));
  ASSERT_FALSE(build(archive({{.name = "a"}, {.name = "p", .type = '6'}})));
  expect_clean(kOnlyImage);
  EXPECT_EQ(*sys::read_file(image()), "old");
}

TEST_F(Baseline, AnInterruptLeavesNothing) {
  write_file(folder() + "/big", std::string(4'000'000, 'b'));
  write_file(folder() + "/later", "x");
  auto pipe = sys::make_pipe();
  ASSERT_TRUE(pipe);
  Progress progress{.interrupt_fd = pipe->read.get()};
  int reports = 0;
  progress.report = [&](const Counts&) {
    if (++reports == 2) EXPECT_TRUE(sys::write_all(pipe->write.get(), "x"));
  };
  const auto made = build(folder(), progress);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message, "interrupted");
  expect_clean(kNothing);
}

TEST_F(Baseline, WhatAKilledProcessLeavesIsSweptAndNothingThatIsInUse) {
  write_file(folder() + "/a", "x");
  ASSERT_EQ(::mkdir((folder() + "/closed").c_str(), 0755), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    Progress progress;
    progress.report = [](const Counts& counts) {
      if (counts.entries == 2) ::raise(SIGKILL);
    };
    (void)build(folder(), progress);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_EQ(sys::list_dir(parent())->size(), 2U);
  const auto used = sys::Staging::create(parent());
  ASSERT_TRUE(used);
  const auto swept = sys::sweep_staging(parent());
  ASSERT_TRUE(swept);
  EXPECT_EQ(swept->paths.size(), 1U);
  EXPECT_TRUE(sys::exists(used->out()));
  EXPECT_FALSE(sys::exists(image()));
}

TEST_F(Baseline, RemovalOpensFoldersThatDenyTheirOwner) {
  write_file(folder() + "/closed/deep/file", "x");
  ASSERT_EQ(::chmod((folder() + "/closed/deep").c_str(), 0000), 0);
  ASSERT_EQ(::chmod((folder() + "/closed").c_str(), 0500), 0);
  const auto remove = [&] { return sys::remove_tree(folder()).has_value() ? 0 : 1; };
  if (::geteuid() != 0) {
    EXPECT_EQ(remove(), 0);
    return;
  }
  run({"chown", "-R", "65534:65534", dir_.path()});
  EXPECT_EXIT(::_exit(::setuid(65534) == 0 ? remove() : 3), ::testing::ExitedWithCode(0), "");
}

class FullDisk : public Baseline {
 protected:
  // Runs `body` in a process that sees a disk of that size where the image goes.
  void on_small_disk(int mib, const std::function<void()>& body) {
    constexpr int kCannot = 77;
    const pid_t pid = ::fork();
    if (pid == 0) {
      const std::string size = "size=" + std::to_string(mib) + "m";
      const bool mounted = ::unshare(CLONE_NEWNS) == 0 &&
                           ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                           ::mount("tmpfs", parent().c_str(), "tmpfs", 0, size.c_str()) == 0;
      if (!mounted) ::_exit(kCannot);
      body();
      ::_exit(HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    if (WEXITSTATUS(status) == kCannot) GTEST_SKIP() << "only root may mount a tmpfs here";
    EXPECT_EQ(status, 0);
  }
};

TEST_F(FullDisk, IsNamedAndLeavesNothing) {
  write_file(folder() + "/small", std::string(300'000, 's'));
  write_file(folder() + "/big", std::string(6 << 20, 'b'));
  for (const int mib : {4, 9}) {  // full while staging, and in mkfs.erofs
    on_small_disk(mib, [&] {
      const auto made = build(folder());
      ASSERT_FALSE(made);
      EXPECT_EQ(made.error().code, Errc::kLimit) << made.error().message;
      EXPECT_NE(made.error().hint.find("free some disk space"), std::string::npos);
      expect_clean(kNothing);
    });
  }
}

}  // namespace
}  // namespace pyro::seed
