// What the agent does about /workspace on a real guest's kernel. Not part of ctest; see machines.h.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "guest/workspace.h"
#include "image/sha256.h"

namespace pyro::testing {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

boost::json::object export_of(const std::string& path) {
  return proto::encode(proto::WorkspaceExport{.path = {path}});
}

using WorkspaceAgentTest = WorkspaceTest;

// --- mount --------------------------------------------------------------------------------------

Step looks_around(core::Guest& guest) {
  PYRO_CO_TRY(std::string said,
              co_await shell(guest,
                             "cd /workspace && stat -c '%A %U:%G %s %N' readme run.sh "
                             "private link empty docs/deep && cat readme link docs/deep/b "
                             "&& ./run.sh && ls set | wc -l && cat 'many words\n'"));
  EXPECT_EQ(said,
            "-rw-r--r-- root:root 8 'readme'\n-rwxr-xr-x root:root 19 'run.sh'\n"
            "-rw------- root:root 5 'private'\nlrwxrwxrwx root:root 6 'link' -> 'docs/a'\n"
            "drwx------ root:root 27 'empty'\ndrwxr-xr-x root:root 40 'docs/deep'\n"
            "read me\na\nb\nran\n300\nodd name\n");
  // The agent's own mounts stand nowhere.
  co_return co_await says(guest,
                          "ls /run; grep -c /workspace /proc/mounts; findmnt -no FSTYPE "
                          "/workspace; stat -c '%a %U' /workspace",
                          "1\noverlay\n755 root\n");
}

Step writes_and_commits(core::Guest& guest) {
  const std::string git =
      "cd /workspace && export HOME=/root && git config --global user.email a@b && "
      "git config --global user.name a && ";
  PYRO_CO_TRY(const std::string said,
              co_await shell(guest, git + "git init -q && git add . && git commit -qm first && "
                                          "echo more >> readme && git status --short"));
  EXPECT_EQ(said, " M readme\n");
  co_return co_await says(guest,
                          "cd /workspace && git commit -qam second && git log --oneline | wc -l && "
                          "git fsck 2>/dev/null && mv docs moved && cat moved/deep/b && "
                          "find . -xdev -name b -not -path './.git/*'",
                          "2\nb\n./moved/deep/b\n");
}

TEST_F(WorkspaceAgentTest, ShowsTheBaseline) {
  expect_in_workspace({layer("work")}, looks_around);
}

TEST_F(WorkspaceAgentTest, IsAFolderToWorkIn) {
  expect_in_workspace({layer("work")}, writes_and_commits);
}

// --- sync ---------------------------------------------------------------------------------------

class SyncTest : public WorkspaceTest {
 protected:
  void SetUp() override {
    WorkspaceTest::SetUp();
    put(tree("new/readme"), "new\n", 0640);
    put(tree("new/docs/c"), "c\n");
    put(tree("new/typed"), "a file now\n");
    put(tree("new/fresh/inner/d"), "d\n", 0700);
    fs::create_symlink("fresh", tree("new/way"));
    for (int i = 0; i < 1000; ++i) put(fmt::format("{}/{:04}", tree("small"), i), "small\n");
    for (int i = 0; i < 300; ++i) put(fmt::format("{}/set/{:03}", tree("over"), i), "new\n");
    put(tree("large/file"), std::string(10 << 20, 'x'));
  }
  Step replaces(core::Guest& guest) {
    PYRO_CO_CHECK(co_await sync_folder(guest, "new", "."));
    PYRO_CO_CHECK(
        co_await says(guest,
                      "cd /workspace && stat -c '%A %U %n' readme docs/c typed fresh/inner/d && "
                      "cat readme docs/a docs/c typed way/inner/d && readlink way && ls -A",
                      "-rw-r----- root readme\n-rw-r--r-- root docs/c\n-rw-r--r-- root typed\n"
                      "-rwx------ root fresh/inner/d\nnew\na\nc\na file now\nd\nfresh\n"
                      "docs\nempty\nfresh\ngone\nlink\nmany "
                      "words\n\nprivate\nreadme\nrun.sh\nset\ntyped\nway\n"));
    PYRO_CO_CHECK(co_await sync_folder(guest, "new", "docs/other/place"));
    PYRO_CO_CHECK(co_await says(guest, "cat /workspace/docs/other/place/fresh/inner/d", "d\n"));
    PYRO_CO_TRY(std::string bytes, stream_of(tree("new")));
    const auto through = co_await sync_tree(guest, std::move(bytes), "way/inner");
    EXPECT_FALSE(through);
    EXPECT_EQ(through.error().code, Errc::kInvalid) << through.error().message;
    co_return Result<void>{};
  }
  Step costs(core::Guest& guest) {
    PYRO_CO_CHECK(co_await sync_folder(guest, "small", "small"));
    PYRO_CO_CHECK(co_await sync_folder(guest, "small", "small"));
    PYRO_CO_CHECK(co_await sync_folder(guest, "over", "."));
    PYRO_CO_CHECK(co_await sync_folder(guest, "large", "large"));
    co_return co_await says(guest,
                            "cd /workspace && cat small/* | sort | uniq -c | xargs && cat set/* | "
                            "sort | uniq -c | xargs && tr -d x < large/file | wc -c",
                            "1000 small\n300 new\n0\n");
  }
  // What has come is neither in the tree nor in the stage afterwards.
  Step breaks_off(core::Guest& guest) {
    PYRO_CO_TRY(std::string bytes, stream_of(tree("large")));
    bytes.resize(5 << 20);
    const auto cut = co_await sync_tree(guest, bytes, "large");
    EXPECT_FALSE(cut);
    const proto::WorkspaceSync request{.destination = {"large"}};
    PYRO_CO_TRY(const auto stream,
                guest.session().open(proto::WorkspaceSync::kName, proto::encode(request)));
    PYRO_CO_CHECK(co_await stream->send(wire::kStdin, std::move(bytes)));
    stream->cancel();
    Result<rpc::Incoming> item = co_await stream->next();
    while (item) item = co_await stream->next();
    EXPECT_EQ(item.error().message, "cancelled");
    // The next sync waits until what came is gone.
    PYRO_CO_CHECK(co_await sync_folder(guest, "new", "after"));
    PYRO_CO_CHECK(
        co_await says(guest, "ls -d /workspace/large 2>/dev/null || echo none", "none\n"));
    co_return co_await says(
        guest,
        "mkdir /tmp/disk && mount -t ext4 -o noatime $(find_disk pyro-work) /tmp/disk && "
        "until [ -z \"$(ls -A /tmp/disk/upper/stage /tmp/disk/intent | grep -v :)\" ]; do :; done; "
        "umount /tmp/disk; echo clean",
        "clean\n");
  }
};

TEST_F(SyncTest, AddsAndReplaces) {
  expect_in_workspace({layer("work")}, [this](core::Guest& guest) { return replaces(guest); });
}
TEST_F(SyncTest, TakesManyAndLargeFiles) {
  expect_in_workspace({layer("work")}, [this](core::Guest& guest) { return costs(guest); });
}
TEST_F(SyncTest, ThatBreaksOffLeavesNothing) {
  expect_in_workspace({layer("work")}, [this](core::Guest& guest) { return breaks_off(guest); });
}

// --- export and diff ----------------------------------------------------------------------------

Step exports(core::Guest& guest) {
  const std::string name = proto::WorkspaceExport::kName;
  PYRO_CO_TRY(const std::string made,
              co_await shell(guest,
                             "cd /workspace && dd if=/dev/urandom of=large bs=1M count=10 "
                             "2>/dev/null && sha256sum < large | cut -d' ' -f1"));
  PYRO_CO_TRY(Fetched got, co_await fetch(guest, name, export_of("large")));
  EXPECT_EQ(got.names(), Names{"f ."});
  EXPECT_EQ(*image::sha256_hex(got.items.at(0).content) + "\n", made);
  EXPECT_TRUE(got.items.at(0).complete);
  PYRO_CO_TRY(got, co_await fetch(guest, name, export_of("link")));
  EXPECT_EQ(got.names(), Names{"l ."});
  EXPECT_EQ(got.items.at(0).entry.target, "docs/a");
  PYRO_CO_TRY(got, co_await fetch(guest, name, export_of("docs")));
  std::ranges::sort(got.items, {}, [](const Carried& c) { return c.entry.path; });
  EXPECT_EQ(got.names(), (Names{"d .", "f a", "d deep", "f deep/b"}));
  EXPECT_EQ(got.items.at(3).content, "b\n");
  EXPECT_EQ(got.items.at(3).entry.mode, 0644U);
  const auto missing = co_await fetch(guest, name, export_of("nowhere"));
  EXPECT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::kNotFound);
  proto::WorkspaceExport list{.path = {"."}, .content = false, .recursive = false};
  PYRO_CO_TRY(got, co_await fetch(guest, name, proto::encode(list)));
  EXPECT_EQ(got.items.size(), 1U + 11U);
  EXPECT_EQ(got.find("docs")->entry.kind, wire::EntryKind::kDirectory);
  EXPECT_EQ(got.find("readme")->content, "");
  EXPECT_EQ(got.find("set/000"), nullptr);
  PYRO_CO_TRY(got, co_await fetch(guest, name, export_of(".")));
  EXPECT_EQ(got.find("set/299")->content, "old\n");
  co_return Result<void>{};
}

Step differs(core::Guest& guest) {
  const std::string name = proto::WorkspaceDiff::kName;
  const auto all = proto::encode(proto::WorkspaceDiff{});
  PYRO_CO_TRY(Fetched got, co_await fetch(guest, name, all));
  EXPECT_EQ(got.names(), Names{});
  PYRO_CO_CHECK(
      co_await shell(guest,
                     "cd /workspace && echo more >> readme && rm gone && chmod 700 run.sh && "
                     "echo x > docs/new && mv docs/deep depth && rm -r empty && "
                     "echo file > empty && rm -r typed && mkdir typed && echo in > typed/in && "
                     "ln -sfn readme link && touch private set/000"));
  PYRO_CO_TRY(got, co_await fetch(guest, name, all));
  EXPECT_EQ(got.names(),
            (Names{"d depth", "f depth/b", "d docs/deep", "- docs/deep", "f docs/deep/b",
                   "- docs/deep/b", "f docs/new", "d empty", "f empty", "f gone", "- gone",
                   "l link", "l link", "f readme", "f readme", "f run.sh", "f run.sh"}));
  EXPECT_EQ(got.counts.entries, 10);
  EXPECT_EQ(got.find("depth/b")->content, "b\n");
  EXPECT_EQ(got.find("readme")->content, "read me\n");
  EXPECT_EQ(got.items.at(14).content, "read me\nmore\n");
  EXPECT_EQ(got.find("run.sh")->entry.mode, 0755U);
  EXPECT_EQ(got.items.at(16).entry.mode, 0700U);
  co_return Result<void>{};
}

TEST_F(WorkspaceAgentTest, ExportsWhatIsThere) {
  expect_in_workspace({layer("work")}, exports);
}
TEST_F(WorkspaceAgentTest, SaysWhatDiffersFromTheBaseline) {
  expect_in_workspace({layer("work")}, differs);
}

// --- secrets ------------------------------------------------------------------------------------

Step keeps_secrets(core::Guest& guest) {
  const std::string look =
      "cd /run/pyro-secrets && stat -c '%a %U' . && for f in *; do stat -c '%a %n' $f; cat $f; "
      "done";
  const auto set = [](std::map<std::string, proto::Bytes> secrets) {
    return proto::encode(proto::WorkspaceSecrets{.secrets = std::move(secrets)});
  };
  const std::string name = proto::WorkspaceSecrets::kName;
  PYRO_CO_TRY(boost::json::object done,
              co_await ask(guest, name, set({{"TOKEN", "first\n"}, {"_other", "two\n"}})));
  PYRO_CO_CHECK(co_await says(guest, look, "700 root\n400 TOKEN\nfirst\n400 _other\ntwo\n"));
  const auto refused = co_await ask(guest, name, set({{"../x", "bad"}}));
  EXPECT_FALSE(refused);
  PYRO_CO_CHECK(co_await says(guest, look, "700 root\n400 TOKEN\nfirst\n400 _other\ntwo\n"));
  PYRO_CO_TRY(done, co_await ask(guest, name, set({{"TOKEN", "second\n"}})));
  PYRO_CO_CHECK(co_await says(guest, look, "700 root\n400 TOKEN\nsecond\n"));
  PYRO_CO_TRY(done, co_await ask(guest, name, set({})));
  co_return co_await says(guest, "ls -A /run/pyro-secrets; grep -c pyro-secrets /proc/mounts",
                          "1\n");
}

TEST_F(WorkspaceAgentTest, KeepsSecretsAsFiles) {
  expect_in_workspace({layer("work")}, keeps_secrets);
}

}  // namespace
}  // namespace pyro::testing
