// A sync is made wholly or not at all, whatever fails and wherever it stops.
#include "agent/workspace_sync.h"

#include "agent/workspace_testing.h"
#include "sys/clock.h"

namespace pyro::agent {
namespace {

namespace fs = std::filesystem;
using wire::EntryKind;

struct Crash {};

class SyncTest : public WorkspaceTest {
 protected:
  // A tree with a layer of changes over its baseline, so that a sync meets entries of either layer
  // and of both.
  void old_world(const std::string& options = "size=64m") {
    format(options);
    fs::create_directories(baseline("merged/deep"));
    fs::create_directories(baseline("becomes-file/inner"));
    fs::create_directories(baseline("untouched"));
    fs::create_directories(baseline("goes/low"));
    write_file(baseline("merged/deep/low.txt"), "low");
    write_file(baseline("merged/same.txt"), "old");
    write_file(baseline("merged/stays.txt"), "stays");
    write_file(baseline("becomes-file/inner/f"), "inner");
    write_file(baseline("becomes-folder"), "a file of the baseline");
    write_file(baseline("untouched/f"), "u");
    write_file(baseline("goes/low/f"), "of the baseline");
    write_file(baseline("goes/stays"), "stays");
    fs::create_symlink("/etc", baseline("link"));
    for (const auto& entry : fs::recursive_directory_iterator(baseline())) age(entry.path());
    mount();
    write_file(tree("upper.txt"), "upper old");
    write_file(tree("becomes-file/new"), "made by the user");
    fs::create_directories(tree("upper-folder"));
    write_file(tree("upper-folder/f"), "f");
    write_file(tree("goes/up"), "made by the user");
    fs::remove(tree("untouched/f"));
    for (const char* path : {"upper.txt", "becomes-file/new", "becomes-file", "upper-folder/f",
                             "upper-folder", "untouched", "goes/up", "goes"}) {
      age(tree(path));
    }
  }
  static std::string new_tree() {
    return Tree()
        .folder("merged", 0700)
        .file("merged/same.txt", "new", 0755)
        .file("merged/added.txt", std::string(3000, 'a'))
        .folder("merged/deep")
        .file("merged/deep/low.txt", "lower")
        .file("becomes-file", "now a file")
        .folder("becomes-folder", 01777)
        .file("becomes-folder/f", "in it")
        .file("link", "no link any more")
        .link("upper.txt", "../../etc/passwd")
        .folder("upper-folder")
        .folder("brand-new", 02755)
        .folder("brand-new/x")
        .file("brand-new/x/\xff\n", "odd name", 04755)
        .file("empty", "")
        .removal("goes/low")
        .removal("goes/up")
        .file("unnamed/way/f", "in folders that the tree does not name")
        .file("goes/too", "the same, where one is")
        .end();
  }
  void remount() {
    unmount();
    mount();
  }
};

// The k-th call that changes something does not happen, and nothing after it.
Changes crash_before(int k) {
  auto left = std::make_shared<int>(k);
  return Changes([left](const char*) -> int {
    if ((*left)-- == 0) throw Crash();
    return 0;
  });
}
Changes fail_at(int k, int times, int error) {
  auto at = std::make_shared<int>(0);
  return Changes([=](const char*) {
    const int now = (*at)++;
    return now >= k && now < k + times ? error : 0;
  });
}

TEST_F(SyncTest, PutsWhatTheTreeHasAndKeepsTheRest) {
  old_world();
  const auto counts = sync(new_tree());
  ASSERT_TRUE(counts) << counts.error().message;
  EXPECT_EQ(counts->entries, 19);
  EXPECT_FALSE(fs::exists(tree("goes/low")) || fs::exists(tree("goes/up")));
  EXPECT_EQ(read("goes/stays"), "stays");
  EXPECT_EQ(read("goes/too"), "the same, where one is");
  EXPECT_EQ(read("unnamed/way/f"), "in folders that the tree does not name");
  EXPECT_EQ(read("merged/same.txt"), "new");
  EXPECT_EQ(read("merged/stays.txt"), "stays");
  EXPECT_EQ(read("merged/deep/low.txt"), "lower");
  EXPECT_EQ(read("becomes-file"), "now a file");
  EXPECT_EQ(read("becomes-folder/f"), "in it");
  EXPECT_EQ(read("link"), "no link any more");
  EXPECT_EQ(fs::read_symlink(tree("upper.txt")), "../../etc/passwd");
  EXPECT_EQ(read("upper-folder/f"), "f");
  struct stat st{};
  ASSERT_EQ(::stat(tree("brand-new/x/\xff\n").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 04755U);
  EXPECT_EQ(sys::to_ns(st.st_mtim), 1'000'000'000'123'456'789);
  ASSERT_EQ(::stat(tree("brand-new").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 02755U);
  EXPECT_EQ(sys::to_ns(st.st_mtim), 1'000'000'000'123'456'789);
  ASSERT_EQ(::stat(tree("merged").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0700U);
  expect_tidy();
}

TEST_F(SyncTest, ACrashAnywhereLeavesTheOldTreeOrTheNewOne) {
  old_world();
  const auto after = [&] {
    EXPECT_TRUE(sync(new_tree()));
    return snapshot();
  }();
  // Folders that the tree does not name have the time of the sync.
  const auto timeless = [](std::map<std::string, std::string> all) {
    for (const char* path : {"goes", "unnamed", "unnamed/way"}) {
      std::string& text = all.at(path);
      text.resize(text.rfind(' '));
    }
    return all;
  };
  int undone = 0, completed = 0;
  for (int k = 0;; ++k) {
    old_world();
    const auto before = snapshot();
    Changes changes = crash_before(k);
    bool crashed = false;
    try {
      const auto result = sync(new_tree(), changes);
      EXPECT_TRUE(result);
    } catch (const Crash&) {
      crashed = true;
    }
    if (!crashed) break;
    remount();
    Changes plain;
    const auto outcome = recover_sync(dirs_, plain);
    ASSERT_TRUE(outcome) << k << ": " << outcome.error().message;
    const auto now = snapshot();
    const bool made = *outcome == "completed";
    EXPECT_TRUE(made ? timeless(now) == timeless(after) : now == before) << "before call " << k;
    if (*outcome == "none") EXPECT_LT(k, 3);  // not even a stage was made
    undone += *outcome == "undone" ? 1 : 0;
    completed += *outcome == "completed" ? 1 : 0;
    expect_tidy();
  }
  EXPECT_GT(undone, 60);
  EXPECT_GT(completed, 10);
}

TEST_F(SyncTest, ACrashOfTheRecoveryItselfDoesNoHarm) {
  old_world();
  const auto before = snapshot();
  int last = 0;  // how many calls a sync makes before it is committed
  {
    Changes counting([&last](const char*) {
      ++last;
      return 0;
    });
    SyncJob job(dirs_, counting, 1);
    ASSERT_TRUE(put(job, new_tree(), "."));
  }
  for (int j = 0;; ++j) {
    old_world();
    const auto old = snapshot();
    Changes changes = crash_before(last - 2);  // every move is made, and the log not yet marked
    EXPECT_THROW(static_cast<void>(sync(new_tree(), changes)), Crash);
    remount();
    Changes again = crash_before(j);
    bool crashed = false;
    try {
      const auto outcome = recover_sync(dirs_, again);
      EXPECT_TRUE(outcome);
    } catch (const Crash&) {
      crashed = true;
    }
    remount();
    Changes plain;
    const auto outcome = recover_sync(dirs_, plain);
    ASSERT_TRUE(outcome) << outcome.error().message;
    EXPECT_EQ(snapshot(), old) << "crash before call " << j << " of the recovery";
    expect_tidy();
    if (!crashed) break;
  }
}

TEST_F(SyncTest, AFailureAnywhereLeavesTheOldTree) {
  int failures = 0;
  for (int k = 0;; ++k) {
    old_world();
    const auto before = snapshot();
    bool reached = false;
    Changes once([k, &reached, at = 0](const char*) mutable {
      const bool now = at++ == k;
      reached = reached || now;
      return now ? EIO : 0;
    });
    const auto result = sync(new_tree(), once);
    if (!reached) break;
    if (result) continue;  // it failed while it tidied up
    ++failures;
    EXPECT_EQ(snapshot(), before) << "failure of call " << k << ": " << result.error().message;
    EXPECT_NE(result.error().code, Errc::kDamaged) << k;
    EXPECT_TRUE(sync(new_tree())) << k;
  }
  EXPECT_GT(failures, 60);
}

TEST_F(SyncTest, WhenUndoingFailsTooTheNextMountUndoes) {
  int stuck = 0;
  for (int k = 0;; ++k) {
    old_world();
    const auto before = snapshot();
    Changes failing = fail_at(k, 1'000'000, EIO);
    SyncJob job(dirs_, failing, 1);
    const auto result = put(job, new_tree(), ".");
    if (result) break;
    stuck += job.stuck() ? 1 : 0;
    EXPECT_EQ(job.stuck(), result.error().code == Errc::kDamaged);
    const auto discarded = job.discard();
    static_cast<void>(discarded);
    remount();
    Changes plain;
    const auto outcome = recover_sync(dirs_, plain);
    ASSERT_TRUE(outcome) << outcome.error().message;
    // Committed, and the disk failed to say so: then it stays.
    if (*outcome == "completed") {
      EXPECT_EQ(read("becomes-file"), "now a file");
    } else {
      EXPECT_EQ(snapshot(), before) << k;
    }
    expect_tidy();
  }
  EXPECT_GT(stuck, 10);
}

TEST_F(SyncTest, AFullDiskLeavesTheOldTree) {
  old_world("size=1m");
  const auto before = snapshot();
  const auto result = sync(Tree().file("big", std::string(4 << 20, 'x')).end());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().os_errno, ENOSPC);
  EXPECT_EQ(snapshot(), before);
  expect_tidy();
}

TEST_F(SyncTest, MakesItsDestination) {
  old_world();
  ASSERT_TRUE(sync(Tree(0750).file("f", "1").end(), "merged/new/dir"));
  EXPECT_EQ(read("merged/new/dir/f"), "1");
  struct stat st{};
  ASSERT_EQ(::stat(tree("merged/new/dir").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0750U);
  // A destination that is there keeps what it has.
  ASSERT_TRUE(sync(Tree(0700).file("f", "2").end(), "merged/new"));
  ASSERT_EQ(::stat(tree("merged/new").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0755U);
}

TEST_F(SyncTest, ALinkOnTheWayToTheDestinationIsRefusedByName) {
  old_world();
  fs::create_directory_symlink("/tmp", tree("merged/out"));
  const auto before = snapshot();
  const auto result = sync(Tree().file("f", "1").end(), "merged/out/there");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::kInvalid);
  EXPECT_NE(result.error().message.find("\"merged/out\" is a link"), std::string::npos)
      << result.error().message;
  EXPECT_FALSE(sync(Tree().end(), "merged/same.txt"));
  EXPECT_EQ(snapshot(), before);
}

// Whoever swaps a folder for a link while the sync moves things in gains nothing.
TEST_F(SyncTest, AFolderThatBecomesALinkDuringTheMovesUndoesTheSync) {
  for (int k = 1; k < 200; ++k) {
    old_world();
    fs::create_directory(top_ + "/outside");
    int at = 0;
    Changes racing([&](const char* call) {
      if (std::string_view(call) == "renameat2" && ++at == k) {
        fs::rename(tree("upper-folder"), tree("elsewhere"));
        fs::create_directory_symlink(top_ + "/outside", tree("upper-folder"));
      }
      return 0;
    });
    const auto result = sync(
        Tree().folder("upper-folder").file("upper-folder/x", "1").file("y", "2").end(), racing);
    if (at < k) break;
    EXPECT_TRUE(fs::is_empty(top_ + "/outside")) << k;
    EXPECT_TRUE(fs::is_symlink(tree("upper-folder"))) << k;
    if (!result) EXPECT_FALSE(fs::exists(tree("y"))) << k;
  }
}

TEST_F(SyncTest, RefusesTreesThatAreNone) {
  old_world();
  const auto before = snapshot();
  std::string head;
  wire::append_entry(head, {.kind = EntryKind::kFile, .path = "."});
  wire::append_file_end(head, true);
  const std::string no_end = new_tree().substr(0, new_tree().size() - 1);
  const std::string broken = Tree().add(EntryKind::kFile, "f", 0644).raw("\xff\xff\xff\xff").end();
  for (const std::string& stream :
       {head, no_end, broken, std::string("garbage"), new_tree() + "more",
        Tree().add(EntryKind::kOther, "dev", 0644).end(),
        Tree().file("upper.txt/x", "below a file").end(),
        Tree().file("link/x", "below a link").end(), Tree().folder("both").removal("both").end(),
        Tree().file("twice", "x").folder("twice").end(),
        Tree().folder("twice").file("twice", "x").end(), Tree().folder(".").end(),
        Tree().link("l", "merged").file("l/x", "through a link").end()}) {
    const auto result = sync(stream);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::kInvalid) << result.error().message;
  }
  EXPECT_FALSE(sync(Tree().end(), "../x"));
  for (const char* missing : {"nothing-here", "nowhere/at/all", "upper.txt/x"}) {
    const auto result = sync(Tree().file("made", "x").removal(missing).end());
    ASSERT_FALSE(result) << missing;
    EXPECT_FALSE(fs::exists(tree("made")));
  }
  EXPECT_EQ(snapshot(), before);
  expect_tidy();
}

// An archive may carry a path again, and the last one counts.
TEST_F(SyncTest, TheLastOfARepeatedPathCounts) {
  old_world();
  const auto result = sync(Tree()
                               .folder("d")
                               .file("d/f", "first")
                               .link("l", "d")
                               .folder("d")
                               .file("d/f", "second and longer")
                               .file("l", "now a file")
                               .end());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->entries, 3);
  EXPECT_EQ(result->bytes, 17 + 10);  // of what is there now
  const auto now = snapshot();
  EXPECT_NE(now.at("d/f").find("second and longer"), std::string::npos) << now.at("d/f");
  EXPECT_NE(now.at("l").find("now a file"), std::string::npos) << now.at("l");
  expect_tidy();
}

TEST_F(SyncTest, TreesCanBe512FoldersDeepAndNoMore) {
  old_world();
  const auto deep = [](std::size_t levels) {
    Tree tree;
    std::string path;
    for (std::size_t i = 0; i < levels; ++i)
      tree.folder(path = join_path(i == 0 ? "." : path, "d"));
    return tree.end();
  };
  EXPECT_TRUE(sync(deep(512)));
  const auto result = sync(deep(513));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::kLimit);
}

TEST_F(SyncTest, AFolderDeeperThanAnyPathCanBeReplaced) {
  old_world();
  int dir = ::open(tree("upper-folder").c_str(), O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < 4000; ++i) {
    ASSERT_EQ(::mkdirat(dir, "level", 0755), 0);
    const int next = ::openat(dir, "level", O_RDONLY | O_DIRECTORY);
    ::close(dir);
    dir = next;
  }
  ::close(dir);
  ASSERT_TRUE(sync(Tree().file("upper-folder", "flat").end()));
  EXPECT_EQ(read("upper-folder"), "flat");
  expect_tidy();
}

TEST_F(SyncTest, ADamagedLogIsNotActedOn) {
  old_world();
  write_file(top_ + "/work/intent/log", "pyroSYN1 and nothing more");
  const auto before = snapshot();
  Changes plain;
  const auto outcome = recover_sync(dirs_, plain);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::kDamaged);
  EXPECT_EQ(snapshot(), before);
}

TEST(IntentTest, SurvivesEncoding) {
  const Intent intent{.sync = 7,
                      .folders = {{.path = ".", .mode = 0755, .mtime_ns = -5},
                                  {.path = "a", .mode = 01777, .mtime_ns = INT64_MAX}},
                      .moves = {{.path = "a/\xff\n"}, {.path = "b", .removal = true}}};
  const std::string bytes = *encode_intent(intent);
  EXPECT_EQ(*decode_intent(bytes), intent);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string bad = bytes;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    const auto decoded = decode_intent(bad);
    ASSERT_FALSE(decoded) << i;
    EXPECT_EQ(decoded.error().code, Errc::kDamaged);
    EXPECT_FALSE(decode_intent(bytes.substr(0, i)));
  }
}

TEST(IntentTest, RefusesPathsThatLeadElsewhere) {
  const auto refused = [](Intent intent) { return !decode_intent(*encode_intent(intent)); };
  EXPECT_TRUE(refused({.folders = {{.path = "."}}, .moves = {{.path = "../x"}}}));
  EXPECT_TRUE(refused({.folders = {{.path = "."}}, .moves = {{.path = "/x"}}}));
  EXPECT_TRUE(refused({.folders = {{.path = "."}}, .moves = {{.path = "x/y"}}}));
  EXPECT_TRUE(refused({.folders = {{.path = "."}}, .moves = {{.path = "x"}, {.path = "x"}}}));
  EXPECT_TRUE(refused({.folders = {{.path = "."}, {.path = "a"}}, .moves = {{.path = "a"}}}));
  EXPECT_TRUE(refused({.folders = {{.path = "a/b"}}}));
  EXPECT_FALSE(refused({.folders = {{.path = "."}}, .moves = {{.path = "x"}}}));
}

}  // namespace
}  // namespace pyro::agent
