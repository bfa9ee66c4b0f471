#include "client/diff_reader.h"

#include <gtest/gtest.h>

namespace pyro::client {
namespace {

using wire::EntryKind;

// What a guest sends, and what comes of it.
class Sent {
 public:
  Sent& entry(EntryKind kind, const std::string& path, std::uint32_t mode = 0644,
              const std::string& target = "") {
    wire::append_entry(bytes_, {.kind = kind, .path = path, .mode = mode, .target = target});
    return *this;
  }
  Sent& file(const std::string& path, std::string_view content, std::uint32_t mode = 0644,
             bool complete = true) {
    entry(EntryKind::kFile, path, mode);
    wire::append_data(bytes_, content);
    wire::append_file_end(bytes_, complete);
    return *this;
  }
  Sent& link(const std::string& path, const std::string& target) {
    return entry(EntryKind::kSymlink, path, 0777, target);
  }
  Sent& folder(const std::string& path, std::uint32_t mode = 0755) {
    return entry(EntryKind::kDirectory, path, mode);
  }
  Sent& removed(const std::string& path) { return entry(EntryKind::kRemoved, path, 0); }
  Sent& end() { return entry(EntryKind::kEnd, "", 0); }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

  // Fed in pieces of `step` bytes.
  [[nodiscard]] Result<DiffResult> read(std::size_t step = std::string::npos) const {
    DiffReader reader;
    for (std::size_t at = 0; at < bytes_.size();) {
      const std::string_view piece = std::string_view(bytes_).substr(at, step);
      PYRO_CHECK(reader.feed(piece));
      at += piece.size();
    }
    return reader.finish();
  }

 private:
  std::string bytes_;
};

// The only entry of a diff, as "status kind [was kind] [mode->mode] [text]".
std::string told(const Sent& sent) {
  const auto result = sent.read();
  if (!result) return result.error().message;
  if (result->entries.size() != 1) return std::to_string(result->entries.size()) + " entries";
  const DiffEntry& e = result->entries.front();
  std::string text = e.status + " " + e.kind;
  if (e.old_kind) text += " was " + *e.old_kind;
  if (e.old_mode && e.new_mode)
    text += " " + std::to_string(*e.old_mode) + "->" + std::to_string(*e.new_mode);
  return e.text ? text + " text" : text;
}

TEST(DiffReader, NothingDiffers) {
  const auto result = Sent().end().read();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_FALSE(result->changed);
  EXPECT_EQ(result->summary.total, 0);
  EXPECT_EQ(result->patch, "");
}

TEST(DiffReader, NamesWhatHappenedToAFile) {
  EXPECT_EQ(told(Sent().file("f", "x\n").end()), "added file text");
  EXPECT_EQ(told(Sent().file("f", "").end()), "added file text");
  EXPECT_EQ(told(Sent().file("f", "a\n").file("f", "b\n").end()), "modified file text");
  EXPECT_EQ(told(Sent().file("f", "a\n").removed("f").end()), "deleted file text");
  EXPECT_EQ(told(Sent().file("f", "a\n", 0644).file("f", "a\n", 0755).end()),
            "mode_changed file 420->493 text");
  EXPECT_EQ(told(Sent().file("f", "a\n", 0644).file("f", "b\n", 0755).end()),
            "modified file 420->493 text");
  // git has no word for these bits, so the patch says nothing.
  EXPECT_EQ(told(Sent().file("f", "a\n", 0644).file("f", "a\n", 0600).end()),
            "mode_changed file 420->384");
}

TEST(DiffReader, NamesWhatHappenedToWhatIsNoFile) {
  EXPECT_EQ(told(Sent().link("l", "to").end()), "added symlink text");
  EXPECT_EQ(told(Sent().link("l", "to").link("l", "there").end()), "modified symlink text");
  EXPECT_EQ(told(Sent().link("l", "to").removed("l").end()), "deleted symlink text");
  EXPECT_EQ(told(Sent().link("l", "\xff").end()), "added symlink");
  EXPECT_EQ(told(Sent().folder("d").end()), "added directory");
  EXPECT_EQ(told(Sent().folder("d", 0755).folder("d", 0700).end()),
            "mode_changed directory 493->448");
  EXPECT_EQ(told(Sent().folder("d").removed("d").end()), "deleted directory");
  EXPECT_EQ(told(Sent().entry(EntryKind::kOther, "fifo").end()), "added other");
  EXPECT_EQ(told(Sent().file("x", "a\n").link("x", "to").end()),
            "type_changed symlink was file 420->511 text");
  EXPECT_EQ(told(Sent().file("x", "a\n").entry(EntryKind::kOther, "x", 0644).end()),
            "type_changed other was file");
  EXPECT_EQ(told(Sent().folder("x", 0755).file("x", "a\n", 0755).end()),
            "type_changed file was directory text");
  EXPECT_EQ(told(Sent().removed("never seen").end()), "deleted other");
}

TEST(DiffReader, WhatIsNoTextHasNoPatch) {
  EXPECT_EQ(told(Sent().file("f", "\xff").end()), "added file");
  EXPECT_EQ(told(Sent().file("f", "a\n").file("f", std::string_view("b\0", 2)).end()),
            "modified file");
  EXPECT_EQ(told(Sent().file("f", "\xff").removed("f").end()), "deleted file");
  EXPECT_EQ(told(Sent().file("f", "", 0644, /*complete=*/false).end()), "added file");
  // Too large to be carried: nobody here knows whether it is the same.
  EXPECT_EQ(told(Sent().file("f", "", 0644, false).file("f", "", 0644, false).end()),
            "modified file");
}

TEST(DiffReader, CountsAndPutsThePatchesTogether) {
  const Sent sent = Sent()
                        .file("a", "1\n")
                        .file("b", "1\n")
                        .file("b", "2\n")
                        .file("c", "1\n")
                        .removed("c")
                        .folder("d", 0755)
                        .folder("d", 0700)
                        .folder("e")
                        .link("e", "a")
                        .file("g", "\xff")
                        .end();
  for (const std::size_t step : {std::string::npos, std::size_t{1}, std::size_t{7}}) {
    const auto result = sent.read(step);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_TRUE(result->changed);
    const auto& s = result->summary;
    EXPECT_EQ(s.total, 6);
    EXPECT_EQ(s.added, 2);
    EXPECT_EQ(s.modified, 1);
    EXPECT_EQ(s.deleted, 1);
    EXPECT_EQ(s.mode_changed, 1);
    EXPECT_EQ(s.type_changed, 1);
    EXPECT_EQ(s.text_patched, 4);
    EXPECT_EQ(s.non_text, 2);
    ASSERT_EQ(result->entries.size(), 6U);
    EXPECT_EQ(result->entries[1].path, "b");
    EXPECT_EQ(
        result->patch,
        "diff --git a/a b/a\nnew file mode 100644\n--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+1\n"
        "diff --git a/b b/b\n--- a/b\n+++ b/b\n@@ -1 +1 @@\n-1\n+2\n"
        "diff --git a/c b/c\ndeleted file mode 100644\n--- a/c\n+++ /dev/null\n"
        "@@ -1 +0,0 @@\n-1\n"
        "diff --git a/e b/e\nnew file mode 120000\n--- /dev/null\n+++ b/e\n"
        "@@ -0,0 +1 @@\n+a\n\\ No newline at end of file\n");
  }
}

// What a patch says of each path, in its order: "-path" is gone, "+path" is new.
std::string patched(const Sent& sent) {
  const auto result = sent.read();
  if (!result) return result.error().message;
  std::string out;
  for (std::size_t at = 0; at < result->patch.size();) {
    const std::size_t end = result->patch.find('\n', at);
    const std::string line = result->patch.substr(at, end - at);
    if (line.starts_with("--- a/")) out += " -" + line.substr(6);
    if (line.starts_with("+++ b/")) out += " +" + line.substr(6);
    at = end + 1;
  }
  return out;
}

TEST(DiffReader, WhatIsInAFolderComesAfterWhatWasThereAndGoesBeforeWhatIs) {
  EXPECT_EQ(patched(Sent().file("x", "a\n").folder("x").file("x/in", "b\n").end()), " -x +x/in");
  EXPECT_EQ(patched(Sent().link("x", "a").folder("x").file("x/in", "b\n").end()), " -x +x/in");
  const auto was_folder = [](std::string_view content) {
    return Sent()
        .folder("x")
        .file("x", "now\n")
        .folder("x/d")
        .removed("x/d")
        .file("x/d/in", content)
        .removed("x/d/in");
  };
  EXPECT_EQ(patched(was_folder("b\n").end()), " -x/d/in +x");
  EXPECT_EQ(patched(was_folder("b\n").file("y", "1\n").end()), " -x/d/in +x +y");
  EXPECT_EQ(patched(was_folder("b\n").folder("y").file("y", "1\n").end()), " -x/d/in +x +y");
}

// A patch that names only half of what would have to go or come is one that does not apply.
TEST(DiffReader, WhatCannotBePatchedTakesWhatDependsOnItAlong) {
  EXPECT_EQ(
      patched(Sent().file("x", "\xff").folder("x").file("x/in", "b\n").file("xy", "b\n").end()),
      " +xy");
  const auto result = Sent()
                          .folder("x")
                          .file("x", "now\n")
                          .file("x/a", "text\n")
                          .removed("x/a")
                          .file("x/b", "\xff")
                          .removed("x/b")
                          .file("y", "b\n")
                          .end()
                          .read();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->patch.find("b/x\n"), std::string::npos) << result->patch;
  EXPECT_FALSE(result->entries[0].text);
  EXPECT_TRUE(result->entries[1].text);
  EXPECT_EQ(result->summary.text_patched, 2);
}

TEST(DiffReader, NamesAreBytes) {
  const auto result = Sent().file("caf\xe9\n", "x\n").end().read();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->entries[0].path, "caf\xe9\n");
  EXPECT_NE(result->patch.find("+++ \"b/caf\\351\\012\"\n"), std::string::npos) << result->patch;
}

TEST(DiffReader, ContentOfOneSideIsBounded) {
  const std::string most(kMostDiffContent, 'x');
  EXPECT_EQ(told(Sent().file("f", most).file("f", most + "y").end()),
            "the guest sent more of a file than it was asked for");
  // Of each version by itself.
  EXPECT_EQ(told(Sent().file("f", most).file("f", most, 0755).end()),
            "mode_changed file 420->493 text");
}

TEST(DiffReader, BeyondItsLimitThePatchStaysAsItIs) {
  Sent sent;
  const std::string large(kMostDiffContent, 'x');
  for (std::size_t i = 0; i < kMostPatch / kMostDiffContent; ++i)
    sent.file(std::to_string(100 + i), large);
  sent.file("small", "x\n").end();
  const auto result = sent.read(64U << 10);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_LE(result->patch.size(), kMostPatch);
  EXPECT_FALSE(result->entries[result->entries.size() - 2].text);
  EXPECT_TRUE(result->entries.back().text);
  EXPECT_EQ(result->summary.non_text, 1);
}

TEST(DiffReader, AStreamThatIsCutOffIsNoDiff) {
  const std::string whole = Sent().file("f", "a\n").file("f", "b\n").end().bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    DiffReader reader;
    ASSERT_TRUE(reader.feed(std::string_view(whole).substr(0, size)));
    EXPECT_EQ(reader.finish().error().code, Errc::kInvalid) << size;
  }
  DiffReader reader;
  ASSERT_TRUE(reader.feed(whole + "more"));
  EXPECT_EQ(reader.finish().error().code, Errc::kInvalid);
}

TEST(DiffReader, HostileStreamsAreRefused) {
  EXPECT_NE(told(Sent().file("../../etc/passwd", "x").end()).find("leads elsewhere"),
            std::string::npos);
  EXPECT_NE(told(Sent().file("/etc/passwd", "x").end()).find("absolute"), std::string::npos);
  EXPECT_FALSE(Sent().file("f", "x", 0100644).end().read());
  // Data where an entry must be: there is no file that it could be of.
  std::string stray;
  wire::append_data(stray, "bytes of no file");
  DiffReader reader;
  EXPECT_FALSE(reader.feed(stray));
  EXPECT_FALSE(reader.finish());
  EXPECT_FALSE(Sent().folder("d").removed(".").end().read());
}

TEST(DiffReader, OneThatIsToldThreeTimesIsTwoChanges) {
  const auto result = Sent().file("f", "a\n").file("f", "b\n").file("f", "c\n").end().read();
  ASSERT_TRUE(result);
  ASSERT_EQ(result->entries.size(), 2U);
  EXPECT_EQ(result->entries[0].status, "modified");
  EXPECT_EQ(result->entries[1].status, "added");
  EXPECT_EQ(result->summary.total, 2);
}

}  // namespace
}  // namespace pyro::client
