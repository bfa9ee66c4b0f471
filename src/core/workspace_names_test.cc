#include "core/workspace_names.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

#include "core/sandbox_folder.h"
#include "sys/file.h"

namespace pyro::core {
namespace {

class Names : public ::testing::Test {
 protected:
  Names() {
    std::string name = "/tmp/pyro-names-XXXXXX";
    dirs_.state = ::mkdtemp(name.data());
  }
  ~Names() override { (void)sys::remove_tree(dirs_.state); }
  std::string workspace() {
    std::string id = *new_workspace_id();
    EXPECT_TRUE(sys::make_dirs(folder_of(dirs_, id)));
    return id;
  }
  sys::Dirs dirs_;
};

TEST(WorkspaceIds, HaveOneForm) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = *new_workspace_id();
    EXPECT_TRUE(is_workspace_id(id)) << id;
    EXPECT_FALSE(is_vm_id(id));
    seen.insert(id);
  }
  EXPECT_EQ(seen.size(), 1000U);
  for (const char* bad : {"", "ws-", "ws-abc", "ws-abcdefg!", "ws-../../x", "vm-abcdefgh",
                          "ws-abcdefghi", "ws-ABCDEFGH", "ws-abcdefg\n"}) {
    EXPECT_FALSE(is_workspace_id(bad)) << bad;
  }
}

TEST(WorkspaceNames, AreCheckedBeforeTheyBecomePaths) {
  for (const char* good : {"a", "9", "my.repo_2-x", "ws-abc", "WS-abcdefgh"}) {
    EXPECT_TRUE(check_workspace_name(good)) << good;
  }
  for (const std::string& bad :
       {std::string(), std::string("."), std::string("-a"), std::string("a/b"), std::string("a b"),
        std::string("a\nb"), std::string("\xc3\xa4"), std::string(64, 'a'), *new_workspace_id()}) {
    EXPECT_FALSE(check_workspace_name(bad)) << bad;
  }
}

TEST_F(Names, BelongToOneWorkspaceAtATime) {
  const std::string a = workspace();
  const std::string b = workspace();
  ASSERT_TRUE(take_name(dirs_, "repo", a));
  ASSERT_TRUE(take_name(dirs_, "repo", a));  // it has it already
  const auto taken = take_name(dirs_, "repo", b);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Errc::kConflict);
  EXPECT_NE(taken.error().message.find(a), std::string::npos);
  EXPECT_EQ(*resolve_workspace(dirs_, "repo"), a);
  EXPECT_EQ(*resolve_workspace(dirs_, b), b);
  ASSERT_TRUE(give_name_back(dirs_, "repo", b));  // not its own: nothing happens
  EXPECT_EQ(*resolve_workspace(dirs_, "repo"), a);
  ASSERT_TRUE(give_name_back(dirs_, "repo", a));
  ASSERT_TRUE(take_name(dirs_, "repo", b));
  EXPECT_EQ(*resolve_workspace(dirs_, "repo"), b);
}

TEST_F(Names, WhatIsNotThereIsNotFound) {
  for (const std::string& unknown : {std::string("nobody"), *new_workspace_id(),
                                     std::string("../../etc"), std::string("a\nb")}) {
    const auto found = resolve_workspace(dirs_, unknown);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Errc::kNotFound);
    EXPECT_EQ(found.error().message.find('\n'), std::string::npos);
  }
}

TEST_F(Names, AnEntryThatACrashLeftIsTakenOver) {
  const std::string gone = workspace();
  ASSERT_TRUE(take_name(dirs_, "repo", gone));
  ASSERT_TRUE(sys::remove_tree(folder_of(dirs_, gone)));
  EXPECT_FALSE(resolve_workspace(dirs_, "repo"));
  const std::string next = workspace();
  ASSERT_TRUE(take_name(dirs_, "repo", next));
  EXPECT_EQ(*resolve_workspace(dirs_, "repo"), next);
  EXPECT_EQ(sys::list_dir(dirs_.state + "/names")->size(), 1U);
  // Also one that no pyro wrote.
  ASSERT_EQ(::symlink("../../etc/passwd", (dirs_.state + "/names/odd").c_str()), 0);
  EXPECT_FALSE(resolve_workspace(dirs_, "odd"));
  ASSERT_TRUE(take_name(dirs_, "odd", next));
  EXPECT_EQ(*resolve_workspace(dirs_, "odd"), next);
}

TEST_F(Names, OfManyAtOnceOneGetsIt) {
  const std::string gone = workspace();
  ASSERT_TRUE(take_name(dirs_, "repo", gone));
  ASSERT_TRUE(sys::remove_tree(folder_of(dirs_, gone)));
  constexpr int kMany = 8;
  std::vector<std::string> ids;
  ids.reserve(kMany);
  for (int i = 0; i < kMany; ++i) ids.push_back(workspace());
  std::atomic<int> got = 0;
  std::vector<std::thread> threads;
  threads.reserve(ids.size());
  for (const std::string& id : ids) {
    threads.emplace_back([&, id] {
      if (take_name(dirs_, "repo", id)) ++got;
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(got, 1);
  EXPECT_TRUE(resolve_workspace(dirs_, "repo"));
}

}  // namespace
}  // namespace pyro::core
