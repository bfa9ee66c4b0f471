// What an export and a diff say of a real overlay.
#include "agent/workspace_diff.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "agent/workspace_testing.h"

namespace pyro::agent {
namespace {

namespace fs = std::filesystem;
using wire::EntryKind;

struct Seen {
  std::string path;
  EntryKind kind = EntryKind::kEnd;
  std::uint32_t mode = 0;
  std::string content;  // of a file; a link's target
  bool complete = true;
};

Result<std::vector<Seen>> collect(TreeProducer& producer) {
  wire::TreeParser parser;
  std::vector<Seen> out;
  for (bool more = true; more;) {
    std::string bytes;
    PYRO_TRY(more, producer.fill(bytes));
    EXPECT_LT(bytes.size(), 40U << 20);
    parser.feed(bytes);
    for (;;) {
      PYRO_TRY(const auto item, parser.next());
      if (!item) break;
      if (const auto* entry = std::get_if<wire::TreeEntry>(&*item)) {
        if (entry->kind == EntryKind::kEnd) break;
        out.push_back({entry->path, entry->kind, entry->mode, entry->target});
      } else if (const auto* data = std::get_if<wire::TreeData>(&*item)) {
        out.back().content += data->bytes;
      } else {
        out.back().complete = std::get<wire::TreeFileEnd>(*item).complete;
      }
    }
  }
  EXPECT_TRUE(parser.ended());
  EXPECT_FALSE(parser.has_more());
  return out;
}

class DiffTest : public WorkspaceTest {
 protected:
  void world() {
    format();
    fs::create_directories(baseline("a/b"));
    fs::create_directories(baseline("gone/inner"));
    fs::create_directories(baseline("moved/sub"));
    fs::create_directories(baseline("replaced"));
    write_file(baseline("a/one"), "one");
    write_file(baseline("a/two"), "two");
    write_file(baseline("a/b/three"), "three");
    write_file(baseline("gone/inner/f"), "gone f");
    write_file(baseline("moved/sub/f"), "moved f");
    write_file(baseline("replaced/x"), "x");
    write_file(baseline("replaced/same"), "same");
    write_file(baseline("big"), std::string(300'000, 'b'));
    fs::create_symlink("a", baseline("l"));
    mount();
  }
  std::vector<std::string> diff(std::int64_t max_content = 1 << 20) {
    TreeDiff producer(dirs_, max_content);
    const auto seen = collect(producer);
    EXPECT_TRUE(seen) << seen.error().message;
    counts_ = producer.counts();
    std::vector<std::string> out;
    for (const Seen& one : *seen) {
      static const char* const kKinds[] = {"", "dir", "file", "link", "other", "removed"};
      std::string text = one.path + " " + kKinds[static_cast<int>(one.kind)];
      if (one.kind == EntryKind::kFile || one.kind == EntryKind::kSymlink) {
        text += " " + brief(one.content);
      }
      if (!one.complete) text += " (broken)";
      out.push_back(text);
    }
    return out;
  }
  Result<std::vector<Seen>> exported(const proto::WorkspaceExport& request) {
    PYRO_TRY(auto producer, TreeExport::open(dirs_.tree.get(), request));
    auto seen = collect(producer);
    counts_ = producer.counts();
    return seen;
  }
  proto::TreeCounts counts_;
};
using Lines = std::vector<std::string>;

TEST_F(DiffTest, NothingChangedIsNoChange) {
  world();
  EXPECT_EQ(diff(), Lines());
  EXPECT_EQ(counts_.entries, 0);
}

TEST_F(DiffTest, FilesThatAreNewChangedAndGone) {
  world();
  write_file(tree("a/one"), "ONE!");
  write_file(tree("a/new"), "new");
  fs::remove(tree("a/b/three"));
  ASSERT_EQ(::chmod(tree("a/two").c_str(), 0600), 0);
  fs::remove(tree("l"));
  fs::create_symlink("b", tree("l"));
  EXPECT_EQ(diff(),
            (Lines{"a/b/three file three", "a/b/three removed", "a/new file new", "a/one file one",
                   "a/one file ONE!", "a/two file two", "a/two file two", "l link a", "l link b"}));
  EXPECT_EQ(counts_.entries, 5);
}

TEST_F(DiffTest, WhatWasOnlyTouchedIsNoChange) {
  world();
  age(tree("a/one"));
  age(tree("a"));
  write_file(tree("a/two"), "two");      // written anew with what it had
  write_file(tree("a/b/passing"), "x");  // and gone again
  fs::remove(tree("a/b/passing"));
  write_file(tree("big"), std::string(300'000, 'b'));
  EXPECT_EQ(diff(), Lines());
  std::string changed(300'000, 'b');
  changed.back() = 'c';
  write_file(tree("big"), changed);
  EXPECT_EQ(diff().size(), 2U);
}

TEST_F(DiffTest, AFoldersOwnModeIsAChange) {
  world();
  ASSERT_EQ(::chmod(tree("a").c_str(), 0700), 0);
  EXPECT_EQ(diff(), (Lines{"a dir", "a dir"}));
}

TEST_F(DiffTest, OfARemovedFolderEveryEntryComes) {
  world();
  fs::remove_all(tree("gone"));
  EXPECT_EQ(diff(), (Lines{"gone dir", "gone removed", "gone/inner dir", "gone/inner removed",
                           "gone/inner/f file gone f", "gone/inner/f removed"}));
}

TEST_F(DiffTest, AFolderThatWasMadeAnewIsComparedWhole) {
  world();
  fs::remove_all(tree("replaced"));
  fs::create_directory(tree("replaced"));
  write_file(tree("replaced/same"), "same");
  write_file(tree("replaced/y"), "y");
  EXPECT_EQ(diff(), (Lines{"replaced/x file x", "replaced/x removed", "replaced/y file y"}));
}

TEST_F(DiffTest, AFolderThatWasRenamedIsGoneAndNew) {
  world();
  // Programs expect this to work, and it must not copy what is in it.
  ASSERT_EQ(::rename(tree("moved").c_str(), tree("a/here").c_str()), 0);
  write_file(tree("a/here/sub/g"), "g");
  EXPECT_EQ(diff(),
            (Lines{"a/here dir", "a/here/sub dir", "a/here/sub/f file moved f",
                   "a/here/sub/g file g", "moved dir", "moved removed", "moved/sub dir",
                   "moved/sub removed", "moved/sub/f file moved f", "moved/sub/f removed"}));
  ASSERT_EQ(::rename(tree("a/here").c_str(), tree("moved").c_str()), 0);
  EXPECT_EQ(diff(), (Lines{"moved/sub/g file g"}));
}

TEST_F(DiffTest, AFileInPlaceOfAFolderAndTheReverse) {
  world();
  fs::remove_all(tree("replaced"));
  write_file(tree("replaced"), "file");
  fs::remove(tree("big"));
  fs::create_directory(tree("big"));
  write_file(tree("big/in"), "in");
  EXPECT_EQ(diff(),
            (Lines{"big file " + brief(std::string(300'000, 'b')), "big dir", "big/in file in",
                   "replaced dir", "replaced file file", "replaced/same file same",
                   "replaced/same removed", "replaced/x file x", "replaced/x removed"}));
}

TEST_F(DiffTest, LargeFilesComeWithoutContentOnEitherSide) {
  world();
  write_file(tree("big"), "small now");
  EXPECT_EQ(diff(1000), (Lines{"big file  (broken)", "big file  (broken)"}));
}

TEST_F(DiffTest, NamesMayBeAnything) {
  world();
  write_file(baseline("never seen"), "");
  const std::string name = "a/\n\xff\x1b[31m -> x";
  write_file(tree(name), "1");
  // A whiteout of something that was never there, as a hostile guest can write to its disk.
  unmount();
  ASSERT_EQ(::mknod((top_ + "/work/upper/tree/.wh..opq").c_str(), S_IFCHR, 0), 0);
  ASSERT_EQ(::mknod((top_ + "/work/upper/tree/a/b\n").c_str(), S_IFCHR, 0), 0);
  mount();
  EXPECT_EQ(diff(), (Lines{name + " file 1"}));
}

TEST_F(DiffTest, CostsWhatTheChangeCosts) {
  world();
  for (int i = 0; i < 3000; ++i) write_file(baseline("gone/f" + std::to_string(i)), "x");
  unmount();
  mount();
  write_file(tree("gone/f7"), "changed");
  TreeDiff producer(dirs_, 1 << 20);
  std::string bytes;
  int fills = 0;
  for (bool more = true; more; ++fills) {
    const auto filled = producer.fill(bytes);
    ASSERT_TRUE(filled);
    more = *filled;
  }
  EXPECT_EQ(fills, 1);
  EXPECT_EQ(producer.counts().entries, 1);
}

// --- export -------------------------------------------------------------------------------------

TEST_F(DiffTest, AnExportHasEverythingOnceAndFoldersFirst) {
  world();
  write_file(tree("a/upper"), "up", 0755);
  const auto seen = exported({});
  ASSERT_TRUE(seen) << seen.error().message;
  std::map<std::string, Seen> by_path;
  for (const Seen& one : *seen) {
    if (one.path != ".") EXPECT_TRUE(by_path.contains(std::string(split_path(one.path).folder)));
    EXPECT_TRUE(by_path.emplace(one.path, one).second) << one.path;
    EXPECT_TRUE(one.complete);
  }
  EXPECT_EQ(by_path.size(), snapshot().size() + 1);
  EXPECT_EQ(by_path["a/upper"].content, "up");
  EXPECT_EQ(by_path["a/upper"].mode, 0755U);
  EXPECT_EQ(by_path["big"].content, std::string(300'000, 'b'));
  EXPECT_EQ(by_path["l"].content, "a");
  EXPECT_EQ(counts_.entries, static_cast<std::int64_t>(by_path.size()) - 1);
}

TEST_F(DiffTest, AnExportOfOneFileLinkOrFolder) {
  world();
  auto seen = exported({.path = "a/one"});
  ASSERT_EQ(seen->size(), 1U);
  EXPECT_EQ(seen->front().path, ".");
  EXPECT_EQ(seen->front().content, "one");
  EXPECT_EQ(counts_.entries, 0);
  EXPECT_EQ(counts_.bytes, 3);
  seen = exported({.path = "l"});
  EXPECT_EQ(seen->front().kind, EntryKind::kSymlink);
  seen = exported({.path = "a", .content = false, .recursive = false});
  ASSERT_EQ(seen->size(), 4U);
  for (const Seen& one : *seen) EXPECT_EQ(one.content, "");
  EXPECT_EQ(exported({.path = "a/none"}).error().code, Errc::kNotFound);
  EXPECT_EQ(exported({.path = "l/one"}).error().code, Errc::kInvalid);
  EXPECT_EQ(exported({.path = "../x"}).error().code, Errc::kInvalid);
  EXPECT_EQ(exported({.max_bytes = 1000}).error().code, Errc::kLimit);
}

TEST_F(DiffTest, WhatIsNoFileIsNamedAndNotOpened) {
  world();
  ASSERT_EQ(::mkfifo(tree("fifo").c_str(), 0600), 0);  // opening it would wait for a writer
  const sys::UniqueFd sock(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  tree("socket").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(sock.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_FALSE(open_regular(dirs_.tree.get(), "fifo"));
  const auto seen = exported({});
  ASSERT_TRUE(seen);
  int others = 0;
  for (const Seen& one : *seen) others += one.kind == EntryKind::kOther ? 1 : 0;
  EXPECT_EQ(others, 2);
}

// The stream of a file that changes after its first batch was made.
std::string bytes_of(int tree, const std::string& path, const std::function<void()>& change) {
  auto producer = TreeExport::open(tree, {.path = path});
  std::string all;
  for (bool more = true, first = true; more; first = false) {
    std::string bytes;
    more = *producer->fill(bytes);
    all += bytes;
    if (first) change();
  }
  return all;
}

TEST_F(DiffTest, AFileThatGrowsOrShrinksDoesNotHoldAnExport) {
  world();
  write_file(tree("f"), std::string(400'000, 'x'));
  const std::string grown = bytes_of(dirs_.tree.get(), "f", [this] {
    std::ofstream(tree("f"), std::ios::app) << std::string(400'000, 'y');
  });
  EXPECT_LT(grown.size(), 401'000U);
  const std::string cut = bytes_of(dirs_.tree.get(), "f", [this] { write_file(tree("f"), "cut"); });
  // The broken end, then the end of the tree.
  EXPECT_EQ(cut.substr(cut.size() - 19, 4), "\xff\xff\xff\xff");
}

TEST_F(DiffTest, AFolderOf20000EntriesComesInPieces) {
  world();
  fs::create_directory(tree("many"));
  for (int i = 0; i < 20'000; ++i) {
    const sys::UniqueFd fd(
        ::open(tree("many/file-number-" + std::to_string(i)).c_str(), O_CREAT | O_WRONLY, 0644));
    ASSERT_TRUE(fd);
  }
  auto producer = TreeExport::open(dirs_.tree.get(), {.path = "many"});
  std::size_t largest = 0;
  for (bool more = true; more;) {
    std::string bytes;
    more = *producer->fill(bytes);
    largest = std::max(largest, bytes.size());
  }
  EXPECT_LT(largest, 300U << 10);
  EXPECT_EQ(producer->counts().entries, 20'000);
}

TEST_F(DiffTest, TreesThatAreTooDeepAreRefused) {
  world();
  int dir = ::open(tree().c_str(), O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < 600; ++i) {
    ASSERT_EQ(::mkdirat(dir, "d", 0755), 0);
    const int next = ::openat(dir, "d", O_RDONLY | O_DIRECTORY);
    ::close(dir);
    dir = next;
  }
  ::close(dir);
  EXPECT_EQ(exported({}).error().code, Errc::kLimit);
  TreeDiff producer(dirs_, 0);
  EXPECT_EQ(collect(producer).error().code, Errc::kLimit);
}

TEST(SecretsTest, NamesAreChecked) {
  EXPECT_TRUE(check_secrets({{"A", "x"}, {"_b9", ""}, {std::string(128, 'z'), "x"}}));
  for (const std::string name : {"", "9a", "a-b", "../x", "a b", "\xc3\xa4"}) {
    EXPECT_EQ(check_secrets({{name, "x"}}).error().code, Errc::kInvalid) << name;
  }
  EXPECT_FALSE(check_secrets({{std::string(129, 'z'), "x"}}));
}

}  // namespace
}  // namespace pyro::agent
