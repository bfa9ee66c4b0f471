#include "core/patch.h"

#include <gtest/gtest.h>

#include "core/unified_diff.h"

namespace pyro::core {
namespace {

constexpr const char* kSimple =
    "diff --git a/dir/f.txt b/dir/f.txt\n"
    "index 1..2 100644\n"
    "--- a/dir/f.txt\n"
    "+++ b/dir/f.txt\n"
    "@@ -2,3 +2,3 @@ context\n"
    " b\n"
    "-c\n"
    "+C\n"
    " d\n";

std::string applied(const std::string& patch, std::string_view content) {
  const auto files = parse_patch(patch);
  if (!files) return "parse: " + files.error().message;
  const auto out = apply_hunks(files->at(0), content);
  return out ? *out : "apply: " + out.error().message;
}

TEST(Patch, ReplacesALine) {
  EXPECT_EQ(applied(kSimple, "a\nb\nc\nd\ne\n"), "a\nb\nC\nd\ne\n");
  EXPECT_EQ(parse_patch(kSimple)->at(0).new_path, "dir/f.txt");
}

TEST(Patch, FindsItsPlaceByTheContext) {
  EXPECT_EQ(applied(kSimple, "x\ny\nz\na\nb\nc\nd\n"), "x\ny\nz\na\nb\nC\nd\n");
  EXPECT_EQ(applied(kSimple, "b\nc\nd\n"), "b\nC\nd\n");
}

TEST(Patch, AnotherContextIsAConflict) {
  const auto files = parse_patch(kSimple);
  ASSERT_TRUE(files);
  const auto out = apply_hunks(files->at(0), "a\nb\nc\nD\n");
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code, Errc::kConflict);
  EXPECT_NE(out.error().message.find("hunk 1 of 1"), std::string::npos);
}

TEST(Patch, WithoutANewlineAtTheEnd) {
  const std::string patch =
      "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-old\n\\ No newline at end of file\n+new\n"
      "\\ No newline at end of file\n";
  EXPECT_EQ(applied(patch, "old"), "new");
  const std::string gains = "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+x\n";
  EXPECT_EQ(applied(gains, "x"), "x\n");
}

TEST(Patch, NewAndGoneFiles) {
  const auto fresh = parse_patch(
      "diff --git a/n b/n\nnew file mode 100755\n--- /dev/null\n+++ b/n\n@@ -0,0 +1,2 "
      "@@\n+1\n+2\n");
  ASSERT_TRUE(fresh) << fresh.error().message;
  EXPECT_EQ(fresh->at(0).old_path, "");
  EXPECT_EQ(fresh->at(0).mode, 0755U);
  EXPECT_EQ(*apply_hunks(fresh->at(0), ""), "1\n2\n");
  const auto gone = parse_patch("--- a/n\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-1\n-2\n");
  ASSERT_TRUE(gone) << gone.error().message;
  EXPECT_EQ(gone->at(0).new_path, "");
  EXPECT_EQ(*apply_hunks(gone->at(0), "1\n2\n"), "");
}

TEST(Patch, WhatDiffWritesOfMissingFiles) {
  const auto paths = [](const std::string& patch) {
    const auto files = parse_patch(patch);
    if (!files) return files.error().message;
    return files->at(0).old_path + ">" + files->at(0).new_path;
  };
  const std::string now = "\t2026-01-02 03:04:05.678901234 +0100\n";
  for (const char* epoch :
       {"\t1970-01-01 00:00:00.000000000 +0000\n", "\t1970-01-01 05:30:00.000000000 +0530\n",
        "\t1969-12-31 16:30:00.000000000 -0730\n"}) {
    EXPECT_EQ(paths("--- a/f" + std::string(epoch) + "+++ b/f" + now + "@@ -0,0 +1 @@\n+x\n"),
              ">f");
    EXPECT_EQ(paths("--- a/f" + now + "+++ b/f" + epoch + "@@ -1 +0,0 @@\n-x\n"), "f>");
    // Its time is that, and it is there.
    EXPECT_EQ(paths("--- a/f" + std::string(epoch) + "+++ b/f" + epoch + "@@ -1 +1 @@\n-x\n+y\n"),
              "f>f");
  }
  for (const char* other :
       {"\t1970-01-01 00:00:00.000000000 +0100\n", "\t1970-01-01 00:00:01.000000000 +0000\n",
        "\t1970-01-01 00:00:00.500000000 +0000\n", "\t1970-01-01\n", "\n"}) {
    EXPECT_EQ(paths("--- a/f" + std::string(other) + "+++ b/f" + now + "@@ -0,0 +1 @@\n+x\n"),
              "f>f");
  }
}

TEST(Patch, EmptyFilesModesAndRenamesHaveNoHunks) {
  const auto files = parse_patch(
      "diff --git a/empty b/empty\nnew file mode 100644\nindex 0..e\n"
      "diff --git a/run b/run\nold mode 100644\nnew mode 100755\n"
      "diff --git a/from here b/to\nsimilarity index 100%\nrename from from here\nrename to to\n"
      "diff --git a/away b/away\ndeleted file mode 100644\nindex e..0\n");
  ASSERT_TRUE(files) << files.error().message;
  ASSERT_EQ(files->size(), 4U);
  EXPECT_TRUE(files->at(0).old_path.empty() && files->at(0).new_path == "empty");
  EXPECT_EQ(files->at(1).mode, 0755U);
  EXPECT_EQ(files->at(2).old_path, "from here");
  EXPECT_EQ(files->at(2).new_path, "to");
  EXPECT_TRUE(files->at(3).new_path.empty() && files->at(3).old_path == "away");
}

TEST(Patch, ALinkIsItsTarget) {
  const auto files = parse_patch(unified_patch("l", PatchSide{.content = "old", .mode = kLinkMode},
                                               PatchSide{.content = "new", .mode = kLinkMode}));
  ASSERT_TRUE(files) << files.error().message;
  ASSERT_EQ(files->size(), 2U);
  EXPECT_EQ(files->at(0).mode, kLinkMode);
  EXPECT_EQ(*apply_hunks(files->at(0), "old"), "");
  EXPECT_EQ(files->at(1).mode, kLinkMode);
  EXPECT_EQ(*apply_hunks(files->at(1), ""), "new");
}

TEST(Patch, QuotedNames) {
  const auto files = parse_patch(
      "--- \"a/t\\303\\244\\n\\\"x\"\n+++ \"b/t\\303\\244\\n\\\"x\"\n@@ -1 +1 @@\n-a\n+b\n");
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_EQ(files->at(0).new_path, "t\303\244\n\"x");
}

TEST(Patch, RefusalsNameTheLine) {
  struct Case {
    const char* patch;
    const char* said;
  };
  constexpr const char* kBody = "@@ -1 +1 @@\n-a\n+b\n";
  const std::string escape = std::string("--- a/../x\n+++ b/../x\n") + kBody;
  const std::string absolute = std::string("--- a//etc/x\n+++ b//etc/x\n") + kBody;
  for (const Case& c : {
           Case{"hello\n", "no patch"},
           Case{"--- a/f\n+++ b/f\n", "no hunk"},
           Case{"--- a/f\n+++ b/f\n@@ -1,2 +1 @@\n-a\n", "ends within"},
           Case{"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n*b\n", "begins with none"},
           Case{"--- a/f\n+++ b/f\n@@ -x +1 @@\n-a\n+b\n", "not understood"},
           Case{"--- a/f\n+++ b/f\n@@ \n-a\n+b\n", "not understood"},
           Case{"--- a/f\n+++ b/f\n@@ -1 +1,2 @@\n+a\n-b\n-c\n", "more lines"},
           Case{"--- f\n+++ f\n@@ -1 +1 @@\n-a\n+b\n", "first component"},
           Case{"diff --git a/l b/l\nnew file mode 160000\n", "no submodules"},
           Case{"diff --git a/x b/y\ncopy from x\ncopy to y\n", "copies"},
           Case{"diff --git a/b b/b\nGIT binary patch\n", "binary"},
           Case{escape.c_str(), "line 1"},
           Case{absolute.c_str(), "line 1"},
       }) {
    const auto files = parse_patch(c.patch);
    ASSERT_FALSE(files) << c.patch;
    EXPECT_NE(files.error().message.find(c.said), std::string::npos) << files.error().message;
  }
}

TEST(Patch, WhatUnifiedPatchWritesCanBeApplied) {
  std::string before, after;
  for (int i = 0; i < 300; ++i) {
    before += "line " + std::to_string(i) + "\n";
    if (i % 37 != 5) after += "line " + std::to_string(i) + (i % 50 == 3 ? " changed\n" : "\n");
    if (i % 90 == 1) after += "and more\n";
  }
  after.pop_back();
  const std::string patch =
      unified_patch("some name", PatchSide{.content = before}, PatchSide{.content = after});
  EXPECT_EQ(applied(patch, before), after);
}

}  // namespace
}  // namespace pyro::core
