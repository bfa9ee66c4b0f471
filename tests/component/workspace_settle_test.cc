// What is made of a workspace that nobody has open: after a crash, at the end of its time.
#include "core/workspace.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "core/clock.h"
#include "core/workspace_names.h"
#include "support/workspace_fixture.h"
#include "sys/file.h"
#include "vmm/qcow2.h"

namespace pyro::testing {
namespace {

using store::WorkspaceState;

class SettleTest : public WorkspaceTest {
 protected:
  // One in that state, of which no process knows any more.
  void left(WorkspaceState state) {
    ASSERT_TRUE(create(wanted("project")));
    workspace_.reset();
    auto store = store::WorkspaceStore::open(folder(), store::Database::Mode::kReadWrite);
    ASSERT_TRUE(store->set_state(state, ""));
  }
  Result<void> settle(double now = 0) { return core::settle_workspace(host_.dirs(), kId, now); }
};

TEST_F(SettleTest, ACreationOrADeletionThatWasCutShortGoes) {
  for (const WorkspaceState state : {WorkspaceState::kCreating, WorkspaceState::kDeleting}) {
    left(state);
    EXPECT_TRUE(settle());
    expect_no_trace();
    EXPECT_EQ(settle().error().code, Errc::kNotFound);
  }
}

TEST_F(SettleTest, OneThatHadAMachineIsStoppedAndSaysWhy) {
  left(WorkspaceState::kStarted);
  EXPECT_TRUE(settle());
  expect_state(WorkspaceState::kStopped);
  EXPECT_NE(record().last_error.find("its supervisor was ended"), std::string::npos);
  EXPECT_TRUE(settle());
  ASSERT_TRUE(open());
  EXPECT_TRUE(start());
}

TEST_F(SettleTest, OneThatSomebodyHasOpenIsLeftAlone) {
  ASSERT_TRUE(create(wanted("project")));
  EXPECT_TRUE(settle());
  EXPECT_TRUE(core::settle_workspaces(host_.dirs(), 0));
  expect_state(WorkspaceState::kCreating);
  EXPECT_EQ(core::remove_workspace(host_.dirs(), kId).error().code, Errc::kConflict);
}

TEST_F(SettleTest, TheTimeOfOneThatStopsAtItsEndIsADayLonger) {
  left(WorkspaceState::kStopped);
  ASSERT_TRUE(open());
  ASSERT_TRUE(workspace_->update({.ttl_seconds = 60}, 1000));
  close();
  EXPECT_TRUE(settle(1061));
  EXPECT_TRUE(settle(1060 + 86'399));
  expect_state(WorkspaceState::kStopped);
  EXPECT_TRUE(settle(1060 + 86'400));
  expect_no_trace();
}

TEST_F(SettleTest, TheTimeOfOneThatIsDeletedAtItsEndIsNot) {
  left(WorkspaceState::kStopped);
  ASSERT_TRUE(open());
  ASSERT_TRUE(workspace_->update({.ttl_seconds = 60, .ttl_action = "delete"}, 1000));
  close();
  EXPECT_TRUE(settle(1059));
  expect_state(WorkspaceState::kStopped);
  EXPECT_TRUE(settle(1060));
  expect_no_trace();
}

TEST_F(SettleTest, ADamagedRecordIsReportedAndCanBeDeleted) {
  left(WorkspaceState::kStopped);
  const std::string record = folder() + "/workspace.db";
  ASSERT_TRUE(sys::write_file_atomic(record, std::string(8192, 'x')));
  EXPECT_EQ(settle().error().code, Errc::kDamaged);
  EXPECT_FALSE(core::settle_workspaces(host_.dirs(), 0));
  EXPECT_EQ(open().error().code, Errc::kDamaged);
  EXPECT_TRUE(sys::exists(folder()));  // what is in it may still be of use
  EXPECT_TRUE(core::remove_workspace(host_.dirs(), kId));
  expect_no_trace();
}

TEST_F(SettleTest, AFolderWithoutARecordNeverCameToBe) {
  {
    ASSERT_TRUE(core::SandboxFolder::create(host_.dirs(), kId));
  }
  ASSERT_TRUE(core::take_name(host_.dirs(), "project", kId));
  EXPECT_TRUE(settle());
  expect_no_trace();
}

TEST_F(SettleTest, WhatAKilledDeletionLeftGoesAndThatOfACreationOnceItIsOld) {
  const std::string top = host_.dirs().sandboxes() + "/";
  for (const char* name : {".gone-ws-abcdefgh/layers", ".new-ws-abcdefgh", ".new-ws-hgfedcba"})
    ASSERT_TRUE(sys::make_dirs(top + name));
  // Somebody is still at it.
  const auto lock =
      sys::FileLock::acquire(top + ".new-ws-hgfedcba/lock", sys::FileLock::Mode::kExclusive);
  ASSERT_TRUE(lock);
  const double now = core::now_seconds();
  EXPECT_TRUE(core::settle_workspaces(host_.dirs(), now));
  EXPECT_EQ(Host::names(host_.dirs().sandboxes()),
            (std::vector<std::string>{".new-ws-abcdefgh", ".new-ws-hgfedcba"}));
  EXPECT_TRUE(core::settle_workspaces(host_.dirs(), now + 120));
  EXPECT_EQ(Host::names(host_.dirs().sandboxes()), std::vector<std::string>{".new-ws-hgfedcba"});
}

// Of a record: its only row, its tables, all that is in its file, the file.
enum class Lost : std::uint8_t { kRow, kTables, kContent, kFile };
constexpr std::array kLost{Lost::kRow, Lost::kTables, Lost::kContent, Lost::kFile};
void lose(const std::string& record, Lost what) {
  if (what == Lost::kFile) {
    ASSERT_EQ(::unlink(record.c_str()), 0);
    return;
  }
  if (what != Lost::kRow) ASSERT_EQ(::truncate(record.c_str(), 0), 0);
  if (what == Lost::kContent) return;
  auto db =
      store::Database::open(record, store::Database::Mode::kCreate,
                            std::array<const char*, store::kWorkspaceSchemas>{"", "", "", "", ""});
  ASSERT_TRUE(db) << db.error().message;
  ASSERT_TRUE(
      db->execute(what == Lost::kRow ? "DELETE FROM workspace" : "PRAGMA user_version = 0"));
}

TEST_F(SettleTest, AnEmptyRecordWithoutALayerIsThatOfOneThatNeverCameToBe) {
  for (const Lost what : kLost) {
    left(WorkspaceState::kStopped);
    lose(folder() + "/workspace.db", what);
    ASSERT_EQ(::unlink((folder() + "/layers/1.qcow2").c_str()), 0);
    EXPECT_TRUE(settle());
    expect_no_trace();
  }
}

TEST_F(SettleTest, ALayerWithoutARecordIsDamageAndStays) {
  for (const Lost what : kLost) {
    left(WorkspaceState::kStopped);
    lose(folder() + "/workspace.db", what);
    for (int look = 0; look < 2; ++look) {
      const auto settled = settle();
      ASSERT_FALSE(settled) << static_cast<int>(what);
      EXPECT_EQ(settled.error().code, Errc::kDamaged);
      EXPECT_NE(settled.error().message.find("workspace.db is damaged"), std::string::npos);
    }
    EXPECT_EQ(open().error().code, Errc::kDamaged);
    EXPECT_EQ(layers(), std::vector<std::string>{"1.qcow2"});
    ASSERT_TRUE(core::remove_workspace(host_.dirs(), kId));
    expect_no_trace();
  }
}

TEST_F(SettleTest, ARecordThatForgotALayerIsDamaged) {
  left(WorkspaceState::kCreating);
  ASSERT_TRUE(vmm::create_layer(folder() + "/layers/2.qcow2"));
  EXPECT_EQ(settle().error().code, Errc::kDamaged);
  EXPECT_EQ(layers(), (std::vector<std::string>{"1.qcow2", "2.qcow2"}));
}

TEST_F(SettleTest, ThatItCameToBeIsNotOnlyInTheLogOfItsRecord) {
  static_cast<void>(started());
  const std::string record = folder() + "/workspace.db";
  const auto as_when_killed = sys::read_file(record, 1U << 20);
  ASSERT_TRUE(as_when_killed);
  close();
  ASSERT_EQ(::unlink((record + "-wal").c_str()) + ::unlink((record + "-shm").c_str()), -2);
  ASSERT_TRUE(sys::write_file_atomic(record, *as_when_killed));
  EXPECT_TRUE(settle());
  expect_state(WorkspaceState::kStopped);
}

TEST_F(SettleTest, LayersThatNoRecordNamesGoWhenItIsOpened) {
  left(WorkspaceState::kStopped);
  {
    auto store = store::WorkspaceStore::open(folder(), store::Database::Mode::kReadWrite);
    for (int burnt = 0; burnt < 6; ++burnt) ASSERT_TRUE(store && store->next_layer_id());
  }
  ASSERT_TRUE(vmm::create_layer(folder() + "/layers/7.qcow2"));
  ASSERT_TRUE(sys::write_file_atomic(folder() + "/layers/.unnamed-1", ""));
  ASSERT_TRUE(open());
  EXPECT_EQ(layers(), std::vector<std::string>{"1.qcow2"});
}

}  // namespace
}  // namespace pyro::testing
