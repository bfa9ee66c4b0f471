#include "core/unified_diff.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <random>

#include "sys/file.h"
#include "sys/process.h"

namespace pyro::core {
namespace {

TEST(UnifiedDiff, IsWrittenAsDiffDoes) {
  EXPECT_EQ(
      unified_patch("src/note.txt", PatchSide{.content = "a\nb\nc\nd\ne\nf\ng\nh\ni\n"},
                    PatchSide{.content = "a\nb\nc\nd\nE\nf\ng\nh\ni"}),
      "diff --git a/src/note.txt b/src/note.txt\n"
      "--- a/src/note.txt\n"
      "+++ b/src/note.txt\n"
      "@@ -2,8 +2,8 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n-i\n+i\n\\ No newline at end of file\n");
}

TEST(UnifiedDiff, FilesComeAndGo) {
  EXPECT_EQ(unified_patch("new", std::nullopt, PatchSide{.content = "x\n", .mode = 0755}),
            "diff --git a/new b/new\nnew file mode 100755\n--- /dev/null\n+++ b/new\n"
            "@@ -0,0 +1 @@\n+x\n");
  EXPECT_EQ(unified_patch("old", PatchSide{.content = "x\ny\n"}, std::nullopt),
            "diff --git a/old b/old\ndeleted file mode 100644\n--- a/old\n+++ /dev/null\n"
            "@@ -1,2 +0,0 @@\n-x\n-y\n");
  EXPECT_EQ(unified_patch("empty", std::nullopt, PatchSide{.content = ""}),
            "diff --git a/empty b/empty\nnew file mode 100644\n");
}

TEST(UnifiedDiff, ModesCountAndEqualFilesDoNot) {
  const PatchSide plain{.content = "x\n", .mode = 0644};
  EXPECT_EQ(unified_patch("f", plain, PatchSide{.content = "x\n", .mode = 0755}),
            "diff --git a/f b/f\nold mode 100644\nnew mode 100755\n");
  EXPECT_EQ(unified_patch("f", plain, plain), "");
  EXPECT_EQ(unified_patch("f", plain, PatchSide{.content = "x\n", .mode = 0600}), "");
}

TEST(UnifiedDiff, TextIsUtf8WithoutNul) {
  EXPECT_TRUE(is_text("\xc3\xa4\n"));
  EXPECT_TRUE(is_text(""));
  EXPECT_FALSE(is_text("\xff"));
  EXPECT_FALSE(is_text(std::string_view("a\0b", 3)));
}

// Two texts that would take a full search for hours.
TEST(UnifiedDiff, TooManyEditsAreOneReplacement) {
  std::string before;
  std::string after;
  for (int i = 0; i < 200'000; ++i) {
    before += "a" + std::to_string(i % 977) + "\n";
    after += "a" + std::to_string(i * 7 % 983) + "\n";
  }
  const std::string patch =
      unified_patch("f", PatchSide{.content = before}, PatchSide{.content = after});
  std::size_t count = 0;
  for (std::size_t at = patch.find("\n@@ "); at != std::string::npos;
       at = patch.find("\n@@ ", at + 1))
    ++count;
  EXPECT_EQ(count, 1U);
}

// What the real programs make of it.
class Applied : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/pyro-patch-XXXXXX";
    dir_ = ::mkdtemp(name.data());
    const auto git = sys::find_program("git", "/usr/bin:/bin");
    const auto patch = sys::find_program("patch", "/usr/bin:/bin");
    ASSERT_TRUE(git && patch) << "git and patch are packages that dev/test installs";
    git_ = *git;
    patch_ = *patch;
  }
  void TearDown() override { (void)sys::remove_tree(dir_); }

  // Applies `patch` to a folder in which `path` holds `before`; gives what it holds then.
  std::string apply(const std::string& program, const std::string& path, const std::string& before,
                    const std::string& patch) {
    const std::string tree = dir_ + "/tree";
    EXPECT_TRUE(sys::remove_tree(tree) && sys::make_dirs(tree));
    EXPECT_TRUE(sys::write_file_atomic(tree + "/" + path, before));
    EXPECT_TRUE(sys::write_file_atomic(dir_ + "/the.patch", patch));
    std::vector<std::string> argv{program, "apply", "../the.patch"};
    if (program == patch_) argv = {program, "-s", "-p1", "-i", "../the.patch"};
    const auto done =
        sys::run_captured({.program = program,
                           .argv = argv,
                           .env = {"PATH=/usr/bin:/bin", "GIT_CEILING_DIRECTORIES=" + dir_},
                           .cwd = tree,
                           .fds = {}});
    EXPECT_TRUE(done) << done.error().message;
    if (done) EXPECT_EQ(done->status.shell_code(), 0) << done->out << patch;
    return sys::read_file(tree + "/" + path).value_or("(gone)");
  }
  std::string dir_, git_, patch_;
};

std::string random_text(std::mt19937& random, int lines) {
  std::string text;
  for (int i = 0; i < lines; ++i) text += "line " + std::to_string(random() % 8) + "\n";
  if (!text.empty() && random() % 4 == 0) text.pop_back();
  return text;
}

TEST_F(Applied, RandomTextsBecomeEachOther) {
  std::mt19937 random(7);  // the same on each run
  for (int i = 0; i < 60; ++i) {
    const std::string before = random_text(random, static_cast<int>(random() % 40) + 1);
    const std::string after = random_text(random, static_cast<int>(random() % 40) + 1);
    const std::string patch =
        unified_patch("f", PatchSide{.content = before}, PatchSide{.content = after});
    if (patch.empty()) continue;
    for (const std::string& program : {git_, patch_}) {
      EXPECT_EQ(apply(program, "f", before, patch), after) << program << "\n" << patch;
    }
  }
}

TEST_F(Applied, NamesOfAnyBytes) {
  for (const std::string name :
       {"with blank", "new\nline", "quote\"back\\slash", "\xc3\xa4", "\xff\x01"}) {
    const std::string patch =
        unified_patch(name, PatchSide{.content = "a\n"}, PatchSide{.content = "b\n"});
    for (const std::string& program : {git_, patch_}) {
      if (program == patch_ && name.find('\n') != std::string::npos) continue;  // refused by patch
      EXPECT_EQ(apply(program, name, "a\n", patch), "b\n") << program << "\n" << patch;
    }
  }
}

}  // namespace
}  // namespace pyro::core
