// A workspace over fake machines: its states, its record, its layers, and what goes wrong.
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

using core::Workspace;
using store::WorkspaceState;

// ---- states

TEST_F(WorkspaceTest, IsCreatedStartedStoppedAndDeleted) {
  ASSERT_TRUE(create(wanted("project")));
  expect_state(WorkspaceState::kCreating);
  EXPECT_EQ(layers(), std::vector<std::string>{"1.qcow2"});
  EXPECT_EQ(*core::resolve_workspace(host_.dirs(), "project"), kId);
  ASSERT_TRUE(start());
  expect_state(WorkspaceState::kStarted);
  EXPECT_TRUE(workspace_->has_machine());
  ASSERT_TRUE(start());  // nothing to do
  EXPECT_EQ(calls("mount"), 1);
  ASSERT_TRUE(driver_.run(workspace_->stop()));
  expect_state(WorkspaceState::kStopped);
  EXPECT_EQ(record().last_error, "");
  EXPECT_FALSE(workspace_->has_machine());
  EXPECT_EQ(calls("sync_disks"), 1);
  ASSERT_TRUE(driver_.run(workspace_->stop()));
  ASSERT_TRUE(start());
  ASSERT_TRUE(driver_.run(workspace_->remove()));
  EXPECT_TRUE(workspace_->removed());
  expect_no_trace();
  EXPECT_TRUE(driver_.run(workspace_->remove()));
  EXPECT_EQ(start().error().code, Errc::kNotFound);
}

TEST_F(WorkspaceTest, ItsIdAndItsNameAreItsOwn) {
  ASSERT_TRUE(create(wanted("project")));
  const auto other = [this](const std::string& id, const std::string& name) {
    auto what = wanted(name);
    what.record.id = id;
    return Workspace::create(std::move(what), deps(), driver_.executor()).error();
  };
  EXPECT_EQ(other(kId, "").code, Errc::kConflict);
  EXPECT_EQ(other("ws-hgfedcba", "project").code, Errc::kConflict);
  EXPECT_EQ(other("../../etc", "").code, Errc::kInvalid);
  EXPECT_EQ(Host::names(host_.dirs().sandboxes()), std::vector<std::string>{kId});
  EXPECT_EQ(*core::resolve_workspace(host_.dirs(), "project"), kId);
  EXPECT_EQ(Workspace::open(kId, deps(), driver_.executor()).error().code, Errc::kConflict);
}

TEST_F(WorkspaceTest, OneThatCannotBeFurnishedLeavesNothing) {
  auto what = wanted("project");
  ASSERT_EQ(::unlink(what.baseline.c_str()), 0);
  EXPECT_FALSE(create(std::move(what)));
  expect_no_trace();
  auto secret = wanted("project");
  secret.secrets["TOKEN"] = "abc";
  EXPECT_EQ(create(std::move(secret)).error().code, Errc::kInvalid);
  auto many = wanted("project");
  for (int i = 0; i < 65; ++i) many.secrets["S" + std::to_string(i)] = "value";
  EXPECT_EQ(create(std::move(many)).error().code, Errc::kLimit);
  expect_no_trace();
  EXPECT_TRUE(create(wanted("project")));
}

TEST_F(WorkspaceTest, AStartThatFailsIsRecordedAndCanBeRepeated) {
  ASSERT_TRUE(create(wanted()));
  tell_guest("refuse-mount");
  const auto refused = start();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("mount is refused"), std::string::npos);
  expect_state(WorkspaceState::kStopped);
  EXPECT_EQ(record().last_error, refused.error().message);
  EXPECT_FALSE(workspace_->has_machine());
  tell_guest("die-mount");
  const auto died = start();
  ASSERT_FALSE(died);
  EXPECT_NE(died.error().message.find("panicked"), std::string::npos) << died.error().message;
  tell_guest_no_more("die-mount");
  tell_guest_no_more("refuse-mount");
  ASSERT_TRUE(start());
  EXPECT_EQ(record().last_error, "");
}

TEST_F(WorkspaceTest, ASecretIsGivenToEachMachineAndIsInNoMessage) {
  auto what = wanted();
  what.secrets["TOKEN"] = "very secret value";
  ASSERT_TRUE(create(std::move(what)));
  ASSERT_TRUE(start());
  EXPECT_EQ(*sys::read_file(guest_ + "/secrets/TOKEN", 100), "very secret value");
  close();
  EXPECT_EQ(sys::stamp(folder() + "/secrets.json")->mode & 07777U, 0600U);
  ASSERT_TRUE(open());
  tell_guest("refuse-secrets");
  const auto refused = start();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message.find("very secret"), std::string::npos);
  tell_guest_no_more("refuse-secrets");
  ASSERT_TRUE(start());
  EXPECT_EQ(calls("secrets"), 3);
}

TEST_F(WorkspaceTest, AMachineThatDiesIsNoticedAndRecorded) {
  Workspace& w = started();
  w.changed().clear();
  // As when QEMU crashes: from outside, at a time of its own.
  tell_guest("die-freeze");
  EXPECT_FALSE(driver_.run(w.take_snapshot("s")));
  EXPECT_TRUE(driver_.until([&] { return w.changed().is_set(); }));
  EXPECT_FALSE(w.has_machine());
  expect_state(WorkspaceState::kStopped);
  EXPECT_NE(record().last_error.find("its machine ended"), std::string::npos);
  EXPECT_NE(record().last_error.find("panicked"), std::string::npos) << record().last_error;
  EXPECT_TRUE(snapshots().empty());
  EXPECT_EQ(layers(), std::vector<std::string>{"1.qcow2"});
  tell_guest_no_more("die-freeze");
  ASSERT_TRUE(start());
  EXPECT_EQ(record().last_error, "");
}

TEST_F(WorkspaceTest, AGuestThatDoesNotShutDownIsStoppedAllTheSame) {
  boot_.call_limit = std::chrono::seconds(2);  // also of the calls of its start
  Workspace& w = started();
  tell_guest("hang-sync_disks");
  const auto stopped = driver_.run(w.stop());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Errc::kUnavailable);
  EXPECT_FALSE(w.has_machine());
  expect_state(WorkspaceState::kStopped);
  EXPECT_EQ(record().last_error, stopped.error().message);
  EXPECT_NE(record().last_error.find("did not say that everything was written"), std::string::npos);
}

TEST_F(WorkspaceTest, WhoeverStopsWaitingDoesNotLeaveItHalfStopped) {
  Workspace& w = started();
  const auto begun = driver_.begin(w.stop());
  int turns = 0;
  EXPECT_TRUE(driver_.until([&] { return turns++ == 3; }));
  EXPECT_FALSE(begun->done);
  begun->cancel();
  EXPECT_TRUE(driver_.until([&] { return begun->done; }));
  EXPECT_FALSE(w.has_machine());
  expect_state(WorkspaceState::kStopped);
  EXPECT_EQ(record().last_error, "");
}

TEST_F(WorkspaceTest, ADeletionWaitsForTheStartAndThenWins) {
  ASSERT_TRUE(create(wanted("project")));
  const auto starting = driver_.begin(workspace_->start({}));
  EXPECT_TRUE(driver_.until([&] { return workspace_->has_machine(); }));
  const auto removing = driver_.begin(workspace_->remove());
  const auto again = driver_.begin(workspace_->start({}));
  EXPECT_TRUE(driver_.end(starting));
  EXPECT_TRUE(driver_.end(removing));
  EXPECT_EQ(driver_.end(again).error().code, Errc::kNotFound);
  expect_no_trace();
}

TEST_F(WorkspaceTest, AStartThatIsCancelledLeavesItStopped) {
  ASSERT_TRUE(create(wanted()));
  tell_guest("hang-mount");
  const auto starting = driver_.begin(workspace_->start({}));
  EXPECT_TRUE(driver_.until([&] { return calls("mount") == 1; }));
  starting->cancel();
  EXPECT_FALSE(driver_.end(starting));
  EXPECT_FALSE(workspace_->has_machine());
  expect_state(WorkspaceState::kStopped);
  tell_guest_no_more("hang-mount");
  EXPECT_TRUE(start());
}

// ---- snapshots and resets

TEST_F(WorkspaceTest, SnapshotsPutALayerOnTopAndResetsGoBack) {
  Workspace& w = started();
  const auto first = driver_.run(w.take_snapshot("one"));
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_GT(first->bytes_written, 0);
  EXPECT_EQ(vmm_.launches("layer"), 1);
  EXPECT_EQ(calls("freeze"), 1);
  EXPECT_EQ(calls("thaw"), 1);
  EXPECT_EQ(sys::stamp(folder() + "/layers/1.qcow2")->mode & 07777U, 0400U);
  ASSERT_TRUE(driver_.run(w.take_snapshot("two")));
  EXPECT_EQ(layers().size(), 3U);
  EXPECT_EQ(driver_.run(w.take_snapshot("two")).error().code, Errc::kConflict);
  for (const char* bad : {"", "baseline", ".x", "a/b", "a b", "\xff"})
    EXPECT_EQ(driver_.run(w.take_snapshot(bad)).error().code, Errc::kInvalid) << bad;
  EXPECT_EQ(driver_.run(w.take_snapshot(std::string(64, 'a'))).error().code, Errc::kInvalid);
  EXPECT_EQ(layers().size(), 3U);

  ASSERT_TRUE(driver_.run(w.reset("one", {})));
  EXPECT_EQ(record().reset_count, 1);
  EXPECT_TRUE(w.has_machine());
  EXPECT_EQ(snapshots(), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(layers().size(), 3U);  // that of the run before is gone
  ASSERT_TRUE(driver_.run(w.drop_snapshot("two")));
  EXPECT_EQ(layers().size(), 2U);
  EXPECT_EQ(driver_.run(w.drop_snapshot("two")).error().code, Errc::kNotFound);
  EXPECT_EQ(driver_.run(w.reset("two", {})).error().code, Errc::kNotFound);
  ASSERT_TRUE(driver_.run(w.stop()));
  EXPECT_EQ(driver_.run(w.take_snapshot("three")).error().code, Errc::kConflict);
  ASSERT_TRUE(driver_.run(w.reset("baseline", {})));  // starts it, too
  expect_state(WorkspaceState::kStarted);
  ASSERT_TRUE(driver_.run(w.drop_snapshot("one")));
  EXPECT_EQ(layers().size(), 1U);
}

TEST_F(WorkspaceTest, ASnapshotThatTheGuestRefusesChangesNothing) {
  Workspace& w = started();
  tell_guest("refuse-freeze");
  const auto refused = driver_.run(w.take_snapshot("s"));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("freezing the workspace"), std::string::npos);
  EXPECT_EQ(vmm_.launches("layer"), 0);
  EXPECT_TRUE(snapshots().empty());
  EXPECT_EQ(layers(), std::vector<std::string>{"1.qcow2"});
  expect_state(WorkspaceState::kStarted);
  tell_guest_no_more("refuse-freeze");
  EXPECT_TRUE(driver_.run(w.take_snapshot("s")));
}

TEST_F(WorkspaceTest, ALayerThatTheMachineDoesNotTakeChangesNothing) {
  vmm_.refuses_layers = true;
  Workspace& w = started();
  const auto refused = driver_.run(w.take_snapshot("s"));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("refused"), std::string::npos);
  EXPECT_EQ(calls("thaw"), 1);  // the guest writes on
  EXPECT_TRUE(snapshots().empty());
  EXPECT_EQ(layers(), std::vector<std::string>{"1.qcow2"});
  expect_state(WorkspaceState::kStarted);
  EXPECT_TRUE(w.has_machine());
}

TEST_F(WorkspaceTest, AMachineOfWhichNobodyKnowsWhereItWritesIsStopped) {
  vmm_.loses_layers = true;
  Workspace& w = started();
  w.changed().clear();
  const auto lost = driver_.run(w.take_snapshot("s"));
  ASSERT_FALSE(lost);
  EXPECT_NE(lost.error().message.find("the workspace was stopped"), std::string::npos)
      << lost.error().message;
  EXPECT_FALSE(w.has_machine());
  EXPECT_TRUE(w.changed().is_set());
  expect_state(WorkspaceState::kStopped);
  EXPECT_EQ(record().last_error, lost.error().message);
  EXPECT_TRUE(snapshots().empty());
  EXPECT_EQ(layers(), std::vector<std::string>{"1.qcow2"});
  vmm_.loses_layers = false;
  ASSERT_TRUE(start());
  EXPECT_TRUE(driver_.run(w.take_snapshot("s")));
}

TEST_F(WorkspaceTest, AReleaseThatFailsCostsTheSnapshotItsName) {
  Workspace& w = started();
  tell_guest("refuse-thaw");
  const auto refused = driver_.run(w.take_snapshot("s"));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("the snapshot could not be taken"), std::string::npos);
  EXPECT_EQ(refused.error().hint, "try again");
  EXPECT_TRUE(snapshots().empty());
  EXPECT_EQ(layers().size(), 2U);  // the machine stands on both
  expect_state(WorkspaceState::kStarted);
  tell_guest_no_more("refuse-thaw");
  close();
  ASSERT_TRUE(open());
  EXPECT_EQ(layers().size(), 2U);
  EXPECT_TRUE(start());
}

TEST_F(WorkspaceTest, AMachineWhoseNewLayerIsInNoRecordIsStopped) {
  static_cast<void>(started());
  const std::string layer = folder() + "/layers/1.qcow2";
  vmm_.on_layer = [layer] { ::unlink(layer.c_str()); };  // it cannot be closed then
  close();
  ASSERT_TRUE(open());
  ASSERT_TRUE(start());
  workspace_->changed().clear();
  const auto lost = driver_.run(workspace_->take_snapshot("s"));
  ASSERT_FALSE(lost);
  EXPECT_NE(lost.error().message.find("its record could not be written"), std::string::npos)
      << lost.error().message;
  EXPECT_FALSE(workspace_->has_machine());
  EXPECT_TRUE(workspace_->changed().is_set());
  expect_state(WorkspaceState::kStopped);
  EXPECT_EQ(record().last_error, lost.error().message);
  EXPECT_TRUE(snapshots().empty());
  EXPECT_TRUE(layers().empty());  // that nobody knows of
  const auto damaged = start();
  EXPECT_EQ(damaged.error().code, Errc::kDamaged) << damaged.error().message;
  EXPECT_NE(damaged.error().hint.find("reset"), std::string::npos);
  EXPECT_TRUE(driver_.run(workspace_->reset("baseline", {})));
}

TEST_F(WorkspaceTest, AResetToADamagedSnapshotLosesNothing) {
  Workspace& w = started();
  ASSERT_TRUE(driver_.run(w.take_snapshot("s")));
  const std::string layer = folder() + "/layers/1.qcow2";
  ASSERT_EQ(::chmod(layer.c_str(), 0600), 0);  // touched by somebody
  const auto refused = driver_.run(w.reset("s", {}));
  EXPECT_EQ(refused.error().code, Errc::kDamaged);
  EXPECT_NE(refused.error().message.find(layer), std::string::npos);
  EXPECT_TRUE(w.has_machine());
  expect_state(WorkspaceState::kStarted);
  EXPECT_EQ(record().reset_count, 0);
}

TEST_F(WorkspaceTest, AResetThatFailsWithoutAMachineSaysThatItIsStopped) {
  Workspace& w = started();
  const std::string layer = folder() + "/layers/1.qcow2";
  ASSERT_EQ(::unlink(layer.c_str()), 0);
  ASSERT_TRUE(sys::make_dirs(layer));  // no file that could be removed
  const auto failed = driver_.run(w.reset("baseline", {}));
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find(layer), std::string::npos) << failed.error().message;
  EXPECT_FALSE(w.has_machine());
  expect_state(WorkspaceState::kStopped);
  EXPECT_EQ(record().last_error, failed.error().message);
  EXPECT_EQ(record().reset_count, 1);
  EXPECT_TRUE(start());
}

TEST_F(WorkspaceTest, ABaselineThatWasChangedIsNotUsed) {
  ASSERT_TRUE(create(wanted()));
  const std::string baseline = folder() + "/baseline.erofs";
  ASSERT_EQ(::chmod(baseline.c_str(), 0600), 0);
  ASSERT_EQ(::chmod(baseline.c_str(), 0644), 0);
  const auto refused = start();
  EXPECT_EQ(refused.error().code, Errc::kDamaged);
  EXPECT_NE(refused.error().message.find("baseline"), std::string::npos);
}

// ---- settings

TEST_F(WorkspaceTest, WhatIsShownOfItHasNoSecret) {
  const auto refused_with = [&](auto change) {
    auto what = wanted();
    what.secrets["TOKEN"] = "s3cret";
    change(what.record);
    return create(std::move(what)).error().code;
  };
  EXPECT_EQ(refused_with([](auto& r) { r.name = "a-s3cret"; }), Errc::kInvalid);
  EXPECT_EQ(refused_with([](auto& r) { r.labels["k"] = "s3cret"; }), Errc::kInvalid);
  EXPECT_EQ(refused_with([](auto& r) { r.labels["s3cret"] = "v"; }), Errc::kInvalid);
  EXPECT_EQ(refused_with([](auto& r) { r.env["K"] = "a s3cret b"; }), Errc::kInvalid);
  EXPECT_FALSE(sys::exists(folder()));
  auto what = wanted();
  what.secrets["TOKEN"] = "s3cret";
  ASSERT_TRUE(create(std::move(what)));
  EXPECT_FALSE(workspace_->update({.name = "s3cret"}, 0));
  const auto refused = workspace_->update({.labels = {{{"k", "s3cret"}}}}, 0);
  EXPECT_EQ(refused.error().code, Errc::kInvalid);
  EXPECT_EQ(refused.error().message.find("s3cret"), std::string::npos);
  EXPECT_TRUE(record().labels.empty());
}

TEST_F(WorkspaceTest, ItCanBeRenamed) {
  ASSERT_TRUE(create(wanted("project")));
  ASSERT_TRUE(workspace_->update({.name = "other"}, 0));
  EXPECT_FALSE(core::resolve_workspace(host_.dirs(), "project"));
  EXPECT_EQ(*core::resolve_workspace(host_.dirs(), "other"), kId);
  ASSERT_TRUE(workspace_->update({.labels = {{{"k", "v"}}}, .ttl_seconds = 60}, 1000));
  EXPECT_EQ(record().expires_at, 1060);
  EXPECT_EQ(record().labels.at("k"), "v");
  EXPECT_EQ(record().name, "other");
  EXPECT_FALSE(workspace_->update({.name = "not a name"}, 0));
  EXPECT_EQ(record().name, "other");
  ASSERT_TRUE(workspace_->update({.name = "", .ttl_seconds = 0}, 0));
  EXPECT_FALSE(core::resolve_workspace(host_.dirs(), "other"));
  EXPECT_FALSE(record().expires_at || record().ttl_seconds);
}

TEST_F(WorkspaceTest, OneWhoseTimeIsOverIsNotStarted) {
  ASSERT_TRUE(create(wanted()));
  ASSERT_TRUE(workspace_->update({.ttl_seconds = 60}, core::now_seconds() - 61));
  const auto refused = start();
  EXPECT_EQ(refused.error().code, Errc::kConflict);
  EXPECT_NE(refused.error().hint.find("--ttl-seconds"), std::string::npos);
  ASSERT_TRUE(workspace_->update({.ttl_seconds = 60}, core::now_seconds()));
  EXPECT_TRUE(start());
}

TEST_F(WorkspaceTest, OneWhoseTimeIsOverIsNotReset) {
  Workspace& w = started();
  ASSERT_TRUE(w.update({.ttl_seconds = 60}, core::now_seconds() - 61));
  const auto refused = driver_.run(w.reset("baseline", {}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kConflict);
  EXPECT_NE(refused.error().hint.find("--ttl-seconds"), std::string::npos);
  EXPECT_TRUE(w.has_machine());
  EXPECT_EQ(record().reset_count, 0);
  ASSERT_TRUE(driver_.run(w.stop()));
  EXPECT_EQ(driver_.run(w.reset("baseline", {})).error().code, Errc::kConflict);
  EXPECT_FALSE(w.has_machine());
  ASSERT_TRUE(w.update({.ttl_seconds = 60}, core::now_seconds()));
  EXPECT_TRUE(driver_.run(w.reset("baseline", {})));
}

// ---- rest

TEST_F(WorkspaceTest, AMachineThatNobodyUsesRestsAndIsWokenByTheNextCall) {
  ASSERT_TRUE(sys::make_dirs(guest_ + "/rests"));
  Workspace& w = started();
  EXPECT_TRUE(driver_.until([&] { return vmm_.launches("pause") == 1; }));
  EXPECT_EQ(calls("set_clock"), 0);
  ASSERT_TRUE(driver_.run(w.take_snapshot("s")));
  EXPECT_EQ(calls("set_clock"), 1);
  EXPECT_TRUE(driver_.until([&] { return vmm_.launches("pause") == 2; }));
  ASSERT_TRUE(driver_.run(w.stop()));  // also while it rests
  EXPECT_EQ(calls("set_clock"), 2);
  EXPECT_EQ(record().last_error, "");
}

}  // namespace
}  // namespace pyro::testing
