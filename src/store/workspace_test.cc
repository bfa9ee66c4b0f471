#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/workspace_record.h"
#include "sys/file.h"

namespace pyro::store {
namespace {

using Mode = Database::Mode;

constexpr const char* kPolicy =
    "preset egress\nallow-udp\ndeny 10.0.0.0/8:*\nallow *.example.com:80,443-445\n";

WorkspaceRecord sample() {
  return {.id = "ws-1",
          .name = "it's \"mine\"",
          .environment = "debian:12",
          .execution_mode = "guest_serial",
          .network = *policy::parse_policy_text(kPolicy),
          .allow_host_compat = true,
          .vcpu_count = 2,
          .mem_mib = 512,
          .seed = {.mode = "directory", .source = "/a\nb", .entry_count = 3, .bytes_written = 7},
          .labels = {{"team", "a"}, {"empty", ""}},
          .env = {{"LANG", "C"}},
          .secrets = {{.name = "KEY", .source_kind = "file"}},
          .created_at = 1.5,
          .last_activity_at = 2.5,
          .ttl_seconds = {},
          .expires_at = {},
          .last_reset_at = {},
          .work_base = "1-0123456789abcdef",
          .baseline = {.size = 1, .inode = 2, .ctime_ns = 3},
          .folder = "4:5"};
}

class Workspace : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/pyro-store-XXXXXX";
    dir_ = ::mkdtemp(name.data());
  }
  void TearDown() override { (void)sys::remove_tree(dir_); }
  WorkspaceStore make() {
    auto store = WorkspaceStore::create(dir_, sample());
    EXPECT_TRUE(store) << store.error().message;
    return *std::move(store);
  }
  // With two snapshots: base <- 1 "one" <- 2 "two" <- 3.
  WorkspaceStore with_snapshots() {
    WorkspaceStore store = make();
    EXPECT_EQ(*store.next_layer_id(), 1);
    EXPECT_TRUE(store.add_first_layer(1));
    for (const char* name : {"one", "two"}) {
      const std::int64_t layer = *store.next_layer_id();
      EXPECT_TRUE(
          store.add_snapshot({.name = name}, {.size = layer, .inode = 5, .ctime_ns = 6}, layer));
    }
    return store;
  }
  std::string dir_;
};

TEST_F(Workspace, EverythingIsReadAsItWasWritten) {
  static_cast<void>(make());
  auto store = WorkspaceStore::open(dir_, Mode::kReadOnly);
  ASSERT_TRUE(store) << store.error().message;
  const auto r = store->record();
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ(r->name, sample().name);
  EXPECT_EQ(r->mem_mib, 512);
  EXPECT_EQ(r->seed.source, "/a\nb");
  EXPECT_EQ(r->seed.bytes_written, 7);
  EXPECT_EQ(r->labels, sample().labels);
  EXPECT_EQ(r->env, sample().env);
  ASSERT_EQ(r->secrets.size(), 1U);
  EXPECT_EQ(r->secrets[0].source_kind, "file");
  EXPECT_EQ(r->state, WorkspaceState::kCreating);
  EXPECT_FALSE(r->ttl_seconds || r->expires_at || r->last_reset_at);
  EXPECT_EQ(r->network, sample().network);
  EXPECT_EQ(r->work_base, sample().work_base);
  EXPECT_EQ(r->baseline, sample().baseline);
  EXPECT_EQ(WorkspaceStore::create(dir_, sample()).error().code, Errc::kConflict);
}

TEST_F(Workspace, SettingsAndStateChange) {
  WorkspaceStore store = make();
  WorkspaceRecord r = *store.record();
  r.name = "";
  r.labels = {{"only", "one"}};
  r.ttl_seconds = 60;
  r.expires_at = 99.5;
  r.ttl_action = "delete";
  ASSERT_TRUE(store.set_settings(r));
  ASSERT_TRUE(store.set_state(WorkspaceState::kStopped, "it fell over"));
  ASSERT_TRUE(store.add_event("sync", "{}", 7e9));
  r = *store.record();
  EXPECT_EQ(r.name, "");
  EXPECT_EQ(r.labels.size(), 1U);
  EXPECT_EQ(r.ttl_seconds, 60);
  EXPECT_EQ(r.expires_at, 99.5);
  EXPECT_EQ(r.ttl_action, "delete");
  EXPECT_EQ(r.state, WorkspaceState::kStopped);
  EXPECT_EQ(r.last_error, "it fell over");
  EXPECT_EQ(r.last_activity_at, 7e9);
}

TEST_F(Workspace, MissingDamagedAndForeignRecordsAreToldApart) {
  EXPECT_EQ(WorkspaceStore::open(dir_, Mode::kReadWrite).error().code, Errc::kNotFound);
  EXPECT_FALSE(sys::exists(dir_ + "/workspace.db"));
  static_cast<void>(make());
  {
    auto db = Database::open(dir_ + "/workspace.db", Mode::kReadWrite,
                             std::array<const char*, kWorkspaceSchemas>{});
    ASSERT_TRUE(db && db->execute("PRAGMA user_version = 1000"));
  }
  EXPECT_EQ(WorkspaceStore::open(dir_, Mode::kReadWrite).error().code, Errc::kConflict);
  ASSERT_TRUE(sys::write_file_atomic(dir_ + "/workspace.db", std::string(8192, 'x')));
  EXPECT_EQ(WorkspaceStore::open(dir_, Mode::kReadOnly).error().code, Errc::kDamaged);
}

TEST_F(Workspace, AStateThatThereIsNotIsDamage) {
  static_cast<void>(make());
  {
    auto db = Database::open(dir_ + "/workspace.db", Mode::kReadWrite,
                             std::array<const char*, kWorkspaceSchemas>{});
    ASSERT_TRUE(db);
    ASSERT_TRUE(db->execute("UPDATE workspace SET state = 'flying'"));
  }
  EXPECT_EQ(WorkspaceStore::open(dir_, Mode::kReadOnly)->record().error().code, Errc::kDamaged);
}

TEST_F(Workspace, ANetworkPolicyThatIsNoneIsDamage) {
  for (const char* text : {"", "off", "preset off", "preset egress\nallow a.b\n"}) {
    (void)sys::remove_tree(dir_);
    ASSERT_TRUE(sys::make_dirs(dir_));
    static_cast<void>(make());
    {
      auto db = Database::open(dir_ + "/workspace.db", Mode::kReadWrite,
                               std::array<const char*, kWorkspaceSchemas>{});
      ASSERT_TRUE(db);
      auto update = db->prepare("UPDATE workspace SET network_policy = ?");
      ASSERT_TRUE(update && update->bind(1, text).step());
    }
    const auto read = WorkspaceStore::open(dir_, Mode::kReadOnly)->record();
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Errc::kDamaged) << text;
  }
}

TEST_F(Workspace, TheNetworkPolicyChangesAndOutlivesStopStartAndReset) {
  WorkspaceStore store = with_snapshots();
  const auto other = *policy::parse_policy_text("preset egress+published-ports\n");
  ASSERT_TRUE(store.set_network(other));
  EXPECT_EQ(store.record()->network, other);
  ASSERT_TRUE(store.set_state(WorkspaceState::kStopped, ""));
  ASSERT_TRUE(store.set_state(WorkspaceState::kStarted, ""));
  ASSERT_TRUE(store.reset(0, *store.next_layer_id(), 5));
  EXPECT_EQ(WorkspaceStore::open(dir_, Mode::kReadOnly)->record()->network, other);
  ASSERT_TRUE(store.set_network({}));
  EXPECT_EQ(store.record()->network, policy::Policy{});
}

TEST_F(Workspace, FilesThatWereCopiedAreFoundAsTheyAreNow) {
  WorkspaceStore store = with_snapshots();
  EXPECT_EQ(store.record()->folder, "4:5");
  auto layers = *store.layers();
  layers[0].frozen = LayerStamp{.size = 2, .inode = 50, .ctime_ns = 60};
  ASSERT_TRUE(store.set_files("40:5", {.size = 1, .inode = 20, .ctime_ns = 30}, layers));
  EXPECT_EQ(store.record()->folder, "40:5");
  EXPECT_EQ(store.record()->baseline, (LayerStamp{.size = 1, .inode = 20, .ctime_ns = 30}));
  const auto now = *store.layers();
  EXPECT_EQ(now[0].frozen, layers[0].frozen);
  EXPECT_EQ(now[1].frozen, layers[1].frozen);
  EXPECT_FALSE(now[2].frozen);
}

TEST_F(Workspace, SnapshotsFreezeTheLayerBelow) {
  WorkspaceStore store = with_snapshots();
  EXPECT_EQ(store.record()->current_layer, 3);
  const auto layers = *store.layers();
  ASSERT_EQ(layers.size(), 3U);
  EXPECT_EQ(layers[0].parent, 0);
  EXPECT_EQ(layers[1].parent, 1);
  EXPECT_EQ(layers[1].frozen, (LayerStamp{.size = 3, .inode = 5, .ctime_ns = 6}));
  EXPECT_FALSE(layers[2].frozen);
  const auto again = store.add_snapshot({.name = "one"}, {}, 9);
  EXPECT_EQ(again.error().code, Errc::kConflict);
  EXPECT_EQ(store.record()->current_layer, 3);  // nothing of it happened
  EXPECT_EQ(store.layers()->size(), 3U);
  EXPECT_EQ(store.snapshots()->size(), 2U);
}

TEST_F(Workspace, ALayerGoesWhenNothingStandsOnIt) {
  WorkspaceStore store = with_snapshots();
  EXPECT_TRUE(store.unneeded_layers()->empty());
  ASSERT_TRUE(store.remove_snapshot("one"));  // in the middle of the chain
  EXPECT_EQ(store.remove_snapshot("one").error().code, Errc::kNotFound);
  EXPECT_TRUE(store.unneeded_layers()->empty());
  const std::int64_t fresh = *store.next_layer_id();
  EXPECT_EQ(fresh, 4);
  ASSERT_TRUE(store.reset(/*base=*/0, fresh, 5));
  EXPECT_EQ(*store.unneeded_layers(), std::vector<std::int64_t>{3});  // 1 and 2 carry "two"
  ASSERT_TRUE(store.remove_snapshot("two"));
  EXPECT_EQ(*store.unneeded_layers(), (std::vector<std::int64_t>{3, 2, 1}));
  for (const std::int64_t id : *store.unneeded_layers()) ASSERT_TRUE(store.forget_layer(id));
  EXPECT_TRUE(store.unneeded_layers()->empty());
  EXPECT_EQ(store.layers()->size(), 1U);
  EXPECT_EQ(*store.next_layer_id(), 5);  // numbers are never used again
}

TEST_F(Workspace, TheJournalKeepsBytesAndCountsUntilAReset) {
  WorkspaceStore store = with_snapshots();
  EXPECT_EQ(*store.begin_command("true", "/workspace", 1), 1);
  EXPECT_EQ(*store.begin_command("printf '\\0'", "/workspace", 2), 2);
  const std::string bytes("a\0\xff", 3);
  ASSERT_TRUE(store.end_command({.sequence = 2,
                                 .ended_at = 3.5,
                                 .exit_code = 137,
                                 .timed_out = true,
                                 .duration_ms = 1500,
                                 .out = bytes,
                                 .err = "",
                                 .out_bytes = 9,
                                 .err_bytes = 0}));
  ASSERT_TRUE(store.add_event("sync", "{}", 4));
  const auto all = *store.commands_with_outputs();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_FALSE(all[0].ended_at);  // interrupted, or still running
  EXPECT_FALSE(all[0].exit_code);
  EXPECT_EQ(all[1].out, bytes);
  EXPECT_EQ(all[1].out_bytes, 9);
  EXPECT_TRUE(all[1].timed_out);
  EXPECT_EQ(store.commands()->at(1).out, "");
  const auto numbers = [&](std::optional<std::int64_t> tail, std::optional<std::int64_t> sequence) {
    std::vector<std::int64_t> out;
    for (const auto& c : *store.commands_with_outputs(tail, sequence)) out.push_back(c.sequence);
    return out;
  };
  EXPECT_EQ(numbers(1, {}), std::vector<std::int64_t>{2});
  EXPECT_EQ(numbers(5, {}), (std::vector<std::int64_t>{1, 2})) << "the oldest first, as ever";
  EXPECT_EQ(numbers({}, 1), std::vector<std::int64_t>{1});
  EXPECT_TRUE(numbers({}, 3).empty());
  EXPECT_EQ((*store.last_command())->sequence, 2);
  EXPECT_EQ(store.events()->at(0).kind, "sync");
  ASSERT_TRUE(store.reset(2, *store.next_layer_id(), 8));
  EXPECT_EQ(*store.command_count(), 0);
  EXPECT_FALSE(*store.last_command());
  EXPECT_TRUE(store.events()->empty());
  const WorkspaceRecord r = *store.record();
  EXPECT_EQ(r.reset_count, 1);
  EXPECT_EQ(r.last_reset_at, 8);
  EXPECT_EQ(store.snapshots()->size(), 2U);
  EXPECT_EQ(*store.begin_command("true", "/workspace", 9), 1);
}

TEST_F(Workspace, WhatReturnedSurvivesAKill) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto store = WorkspaceStore::create(dir_, sample());
    const bool wrote =
        store && store->begin_command("last", "/", 1) && store->add_event("sync", "{}", 42);
    ::kill(::getpid(), wrote ? SIGKILL : SIGTERM);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  auto store = WorkspaceStore::open(dir_, Mode::kReadWrite);
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ(store->record()->last_activity_at, 42);
  EXPECT_EQ((*store->last_command())->command, "last");
}

TEST_F(Workspace, ReadersSeeWholeChangesBesideAWriter) {
  WorkspaceStore writer = with_snapshots();
  auto reader = WorkspaceStore::open(dir_, Mode::kReadOnly);
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ(reader->record()->reset_count, 0);
  ASSERT_TRUE(writer.reset(1, *writer.next_layer_id(), 3));
  EXPECT_EQ(reader->record()->reset_count, 1);
  EXPECT_FALSE(reader->add_event("sync", "{}", 1));  // it may only read
}

// Written by the first schema. Whatever the newest is, it must still be read.
TEST_F(Workspace, ARecordOfTheFirstSchemaIsRead) {
  const auto stored =
      sys::read_file(std::string(PYRO_SOURCE_DIR) + "/tests/golden/workspace_v1.db");
  ASSERT_TRUE(stored) << stored.error().message;
  ASSERT_TRUE(sys::write_file_atomic(dir_ + "/workspace.db", *stored));
  auto store = WorkspaceStore::open(dir_, Mode::kReadWrite);
  ASSERT_TRUE(store) << store.error().message;
  const auto r = store->record();
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ(r->id, "ws-1");
  EXPECT_EQ(r->labels, sample().labels);
  EXPECT_EQ(r->current_layer, 3);
  EXPECT_FALSE(r->allow_host_compat);
  EXPECT_EQ(r->folder, "");
  EXPECT_EQ(store->snapshots()->size(), 2U);
  EXPECT_EQ(store->commands_with_outputs()->at(0).out, "kept");
  EXPECT_EQ(r->network, policy::Policy{});
}

// Written by the second one, which had only the name of a preset.
TEST_F(Workspace, ARecordOfTheSecondSchemaIsRead) {
  const auto stored =
      sys::read_file(std::string(PYRO_SOURCE_DIR) + "/tests/golden/workspace_v2.db");
  ASSERT_TRUE(stored) << stored.error().message;
  ASSERT_TRUE(sys::write_file_atomic(dir_ + "/workspace.db", *stored));
  auto store = WorkspaceStore::open(dir_, Mode::kReadWrite);
  ASSERT_TRUE(store) << store.error().message;
  const auto r = store->record();
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ(r->network, policy::Policy{});
  EXPECT_EQ(r->env, sample().env);
  EXPECT_EQ(store->shells()->size(), 1U);
  EXPECT_EQ(store->service("web")->restart_count, 4);
}

// ---- shells and services

TEST_F(Workspace, ShellsHaveNumbersThatAreNeverUsedAgain) {
  WorkspaceStore store = make();
  const ShellRecord opened{.cwd = "/workspace", .cols = 120, .rows = 30, .started_at = 5.5};
  EXPECT_EQ(store.add_shell(opened).value(), 1);
  EXPECT_EQ(store.add_shell(opened).value(), 2);
  ASSERT_TRUE(store.resize_shell(2, 80, 24));
  ASSERT_TRUE(store.end_shell(1, 6.5, 3, "exited"));
  ASSERT_TRUE(store.end_shell(1, 9.5, {}, "closed"));  // it has an end
  const auto first = store.shell(1);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->ended_at, 6.5);
  EXPECT_EQ(first->exit_code, 3);
  EXPECT_EQ(first->end_reason, "exited");
  const auto shells = store.shells();
  ASSERT_TRUE(shells && shells->size() == 2);
  EXPECT_EQ(shells->back().cols, 80);
  EXPECT_FALSE(shells->back().ended_at);
  EXPECT_EQ(store.shell(3).error().code, Errc::kNotFound);
  ASSERT_TRUE(store.add_first_layer(store.next_layer_id().value()));
  ASSERT_TRUE(store.reset(0, store.next_layer_id().value(), 7));
  EXPECT_TRUE(store.shells()->empty());
  EXPECT_EQ(store.add_shell(opened).value(), 3);
}

TEST_F(Workspace, OfShellsThatHaveEndedTheLastAreKept) {
  WorkspaceStore store = make();
  const ShellRecord opened{.cwd = "/workspace", .cols = 120, .rows = 30, .started_at = 5.5};
  const std::int64_t all = kMostEndedShells + 3;
  for (std::int64_t id = 1; id <= all; ++id) ASSERT_EQ(store.add_shell(opened).value(), id);
  // The first one ends last, the last one not at all.
  for (std::int64_t id = 2; id < all; ++id)
    ASSERT_TRUE(store.end_shell(id, static_cast<double>(id), 0, "exited"));
  ASSERT_TRUE(store.end_shell(1, 1000, 0, "exited"));
  const auto shells = store.shells();
  ASSERT_TRUE(shells);
  EXPECT_EQ(shells->size(), static_cast<std::size_t>(kMostEndedShells) + 1);
  EXPECT_EQ(shells->front().id, 1);
  EXPECT_EQ(shells->at(1).id, 4);
  EXPECT_EQ(shells->back().id, all);
  EXPECT_EQ(store.shell(2).error().code, Errc::kNotFound);
}

ServiceRecord web(ServiceState state) {
  return {.name = "web",
          .definition = "{}",
          .state = state,
          .started_at = 1.5,
          .ready_at = 2.5,
          .ended_at = {},
          .exit_code = {},
          .pid = 77,
          .stop_reason = "",
          .restart_count = 4,
          .last_error = "it's \"so\""};
}

TEST_F(Workspace, AServiceIsReadAsItWasWritten) {
  WorkspaceStore store = make();
  ASSERT_TRUE(store.put_service(web(ServiceState::kStarting)));
  ASSERT_TRUE(store.put_service(web(ServiceState::kRunning)));
  ServiceRecord done = web(ServiceState::kFailed);
  done.name = "a";
  done.ended_at = 3.5;
  done.exit_code = 137;
  done.pid.reset();
  done.stop_reason = "exited";
  ASSERT_TRUE(store.put_service(done));
  const auto all = store.services();
  ASSERT_TRUE(all && all->size() == 2);
  EXPECT_EQ(all->front().name, "a");
  EXPECT_EQ(all->front().state, ServiceState::kFailed);
  EXPECT_EQ(all->front().ended_at, 3.5);
  EXPECT_EQ(all->front().exit_code, 137);
  EXPECT_FALSE(all->front().pid);
  EXPECT_EQ(all->front().stop_reason, "exited");
  const auto one = store.service("web");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->state, ServiceState::kRunning);
  EXPECT_EQ(one->ready_at, 2.5);
  EXPECT_EQ(one->pid, 77);
  EXPECT_EQ(one->restart_count, 4);
  EXPECT_EQ(one->last_error, "it's \"so\"");
  EXPECT_EQ(store.service_counts()->total, 2);
  EXPECT_EQ(store.service_counts()->running, 1);
  EXPECT_EQ(store.service("db").error().code, Errc::kNotFound);
}

TEST_F(Workspace, WhatRunsEndsWithTheMachine) {
  WorkspaceStore store = make();
  ASSERT_TRUE(store.set_state(WorkspaceState::kStarted, ""));
  ASSERT_TRUE(store.add_shell({.cwd = "/", .cols = 1, .rows = 1, .started_at = 1}));
  ASSERT_TRUE(store.add_shell({.cwd = "/", .cols = 1, .rows = 1, .started_at = 1}));
  ASSERT_TRUE(store.end_shell(1, 2, 0, "exited"));
  ASSERT_TRUE(store.put_service(web(ServiceState::kRunning)));
  ServiceRecord over = web(ServiceState::kExited);
  over.name = "over";
  ASSERT_TRUE(store.put_service(over));
  ASSERT_TRUE(store.set_state(WorkspaceState::kStopped, "", {.reason = "machine_lost", .at = 9}));
  EXPECT_EQ(store.shell(1)->end_reason, "exited");
  EXPECT_EQ(store.shell(2)->end_reason, "machine_lost");
  EXPECT_EQ(store.shell(2)->ended_at, 9);
  EXPECT_EQ(store.service("web")->state, ServiceState::kStopped);
  EXPECT_EQ(store.service("web")->stop_reason, "machine_lost");
  EXPECT_FALSE(store.service("web")->pid);
  EXPECT_EQ(store.service("over")->state, ServiceState::kExited);
}

}  // namespace
}  // namespace pyro::store
