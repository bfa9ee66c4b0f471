// Snapshots of a workspace and machines that die, on a real guest's kernel. Not part of ctest; see
// machines.h.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>

#include "base/stopwatch.h"
#include "guest/workspace.h"
#include "sys/file.h"
#include "vmm/qcow2.h"

namespace pyro::testing {
namespace {

// How often ext4 had to bring a disk up to date from its journal.
constexpr const char* kRecoveries = "dmesg | grep -c 'EXT4-fs (vd.*recovery complete' || true";

// --- snapshots ----------------------------------------------------------------------------------

class SnapshotTest : public WorkspaceTest {
 protected:
  static Step snapshot(core::Guest& guest, std::string layer) {
    Stopwatch watch;
    PYRO_CO_TRY(auto answer, co_await ask(guest, proto::WorkspaceHold::kName,
                                          proto::encode(proto::WorkspaceHold{})));
    PYRO_CO_TRY(const auto usage, proto::decode<proto::WorkspaceUsage>(answer));
    EXPECT_GT(usage.used_bytes, 0);
    EXPECT_GT(usage.entries, 0);
    PYRO_CO_TRY(const double ms, co_await add(guest, std::move(layer)));
    report("add_work_layer", ms);
    PYRO_CO_TRY(answer, co_await ask(guest, proto::WorkspaceRelease::kName,
                                     proto::encode(proto::WorkspaceRelease{})));
    report("hold, layer and release", watch.lap());
    co_return Result<void>{};
  }
  // Nobody syncs before the snapshot: the hold does.
  Step writes_around_a_snapshot(core::Guest& guest) {
    PYRO_CO_TRY(std::string said,
                co_await shell(guest,
                               "cd /workspace && echo first > state && rm gone && mv docs "
                               "papers && dd if=/dev/zero of=big bs=1M count=20 2>&1 | "
                               "tail -n 1 | cut -d' ' -f1"));
    EXPECT_EQ(said, "20971520\n");
    PYRO_CO_CHECK(co_await snapshot(guest, second_));
    PYRO_CO_CHECK(co_await says(guest,
                                "cd /workspace && echo second > state && rm big && sync && ls -A "
                                "papers && cat state",
                                "a\ndeep\nsecond\n"));
    co_return co_await snapshot(guest, third_);
  }
  // A program that writes without a pause goes on after each of them, and loses nothing.
  Step is_busy(core::Guest& guest) {
    const std::string loop =
        "cd /workspace; i=0; while :; do i=$((i + 1)); echo $i >> log; echo $i > at; done";
    proto::Exec request{.argv = proto::to_bytes({"/bin/sh", "-c", loop}), .tty = {}};
    PYRO_CO_TRY(const auto stream,
                guest.session().open(proto::Exec::kName, proto::encode(request)));
    for (const std::string& name : {second_, third_}) {
      PYRO_CO_CHECK(co_await shell(guest,
                                   "cd /workspace; n=$(cat log 2>/dev/null | wc -l); until [ "
                                   "$(cat log 2>/dev/null | wc -l) -gt $((n + 5)) ]; do :; "
                                   "done"));
      PYRO_CO_CHECK(co_await snapshot(guest, name));
    }
    PYRO_CO_CHECK(co_await says(guest,
                                "cd /workspace; n=$(wc -l < log); until [ $(wc -l < log) -gt $((n "
                                "+ 5)) ]; do :; done; echo on",
                                "on\n"));
    stream->abandon({.code = Errc::kDeadline, .message = "enough", .hint = {}});
    co_return Result<void>{};
  }
  static Step hold_ends(core::Guest& guest) {
    const auto hold = proto::encode(proto::WorkspaceHold{.limit_ms = 10'000});
    PYRO_CO_TRY(const auto usage, co_await ask(guest, proto::WorkspaceHold::kName, hold));
    const auto again = co_await ask(guest, proto::WorkspaceHold::kName, hold);
    EXPECT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::kConflict);
    // It waits for the end of the hold, and reading does not.
    PYRO_CO_CHECK(co_await says(guest, "cat /workspace/readme", "read me\n"));
    PYRO_CO_CHECK(co_await says(guest, "echo x > /workspace/x && cat /workspace/x", "x\n"));
    const auto late = co_await ask(guest, proto::WorkspaceRelease::kName,
                                   proto::encode(proto::WorkspaceRelease{}));
    EXPECT_FALSE(late);
    EXPECT_EQ(late.error().code, Errc::kConflict);
    co_return Result<void>{};
  }
  void SetUp() override {
    WorkspaceTest::SetUp();
    first_ = layer("first");
    second_ = layer("second");
    third_ = layer("third");
  }
  static void expect_whole(const std::string& path) {
    const auto fd = sys::open_file(path, O_RDONLY);
    EXPECT_TRUE(vmm::check_layer(fd->get())) << path;
  }
  // What a layer holds when a clone starts on it, whose disk was closed in order.
  void expect_state(std::vector<std::string> layers, std::string script, std::string expected) {
    expect_in_workspace(std::move(layers), [&](core::Guest& guest) {
      return says(guest, script + "; " + kRecoveries, expected + "0\n");
    });
  }
  std::string first_, second_, third_;
};

TEST_F(SnapshotTest, IsTheStateAtThatTime) {
  expect_in_workspace({first_},
                      [this](core::Guest& guest) { return writes_around_a_snapshot(guest); });
  for (const std::string& path : {first_, second_, third_}) expect_whole(path);
  const std::string look =
      "cd /workspace && cat state papers/deep/b && ls -d big gone docs papers 2>/dev/null | xargs";
  expect_state({first_, layer("on-first")}, look, "first\nb\nbig papers\n");
  expect_state({first_, second_, layer("on-second")}, look, "second\nb\npapers\n");
}
TEST_F(SnapshotTest, OfABusyWorkspaceIsWhole) {
  expect_in_workspace({first_}, [this](core::Guest& guest) { return is_busy(guest); });
  // The numbers up to some moment, and none left out.
  const std::string look =
      "cd /workspace && seq $(wc -l < log) | cmp - log && [ $(wc -l < log) -gt 5 ] && echo whole";
  expect_state({first_, layer("on-first")}, look, "whole\n");
  expect_state({first_, second_, layer("on-second")}, look, "whole\n");
}
TEST_F(SnapshotTest, AHoldEndsByItself) {
  expect_in_workspace({first_}, hold_ends);
}

// --- machines that die --------------------------------------------------------------------------

class CrashTest : public WorkspaceTest {
 protected:
  void SetUp() override {
    WorkspaceTest::SetUp();
    for (int i = 0; i < 300; ++i) put(fmt::format("{}/set/{:03}", tree("new"), i), "new\n");
    for (int i = 0; i < 20; ++i) {
      put(fmt::format("{}/data/{:02}", tree("new"), i), std::string(1 << 20, 'x'));
    }
    work_ = layer("work");
  }
  // Kills the machine and waits until it is gone.
  static Step die(core::Guest& guest) {
    EXPECT_EQ(::kill(guest.vm().host_pid(), SIGKILL), 0);
    co_await guest.vm().ended().wait_regardless();
    co_return Result<void>{};
  }
  // With half of the tree on the disk.
  Step dies_while_it_receives(core::Guest& guest) {
    PYRO_CO_TRY(std::string bytes, stream_of(tree("new")));
    bytes.resize(bytes.size() / 2);
    const proto::WorkspaceSync request{};
    PYRO_CO_TRY(const auto stream,
                guest.session().open(proto::WorkspaceSync::kName, proto::encode(request)));
    PYRO_CO_CHECK(co_await stream->send(wire::kStdin, std::move(bytes)));
    PYRO_CO_CHECK(co_await shell(guest, "sync"));
    co_return co_await die(guest);
  }
  // The machine ends when a program of the guest sees that script succeed: killed from here, or by
  // that program, so that nobody has to be quick for it.
  enum class Killer { kHost, kGuest };
  Step dies_when(core::Guest& guest, std::string script, Killer killer) {
    const char* const then = killer == Killer::kHost ? "echo now" : "echo b > /proc/sysrq-trigger";
    const std::string wait = "until " + script + "; do :; done; " + then;
    proto::Exec exec{.argv = proto::to_bytes({"/bin/sh", "-c", wait}), .tty = {}};
    PYRO_CO_TRY(const auto watcher, guest.session().open(proto::Exec::kName, proto::encode(exec)));
    PYRO_CO_TRY(std::string bytes, stream_of(tree("new")));
    const proto::WorkspaceSync request{};
    PYRO_CO_TRY(const auto stream,
                guest.session().open(proto::WorkspaceSync::kName, proto::encode(request)));
    PYRO_CO_CHECK(co_await stream->send(wire::kStdin, std::move(bytes), true));
    if (killer == Killer::kGuest) {
      co_await guest.vm().ended().wait_regardless();
      co_return Result<void>{};
    }
    for (bool seen = false; !seen;) {
      PYRO_CO_TRY(const rpc::Incoming item, co_await watcher->next());
      const auto* data = std::get_if<rpc::Data>(&item);
      seen = data != nullptr && !data->bytes.empty();
    }
    co_return co_await die(guest);
  }
  Step dies_after_the_answer(core::Guest& guest) {
    PYRO_CO_CHECK(co_await sync_folder(guest, "new", "."));
    co_return co_await die(guest);
  }
  // What a clone finds on the layer afterwards: the old tree or the new one, as it is told, and a
  // workspace that can be used.
  Step finds(core::Guest& guest, std::vector<std::string> outcomes) const {
    PYRO_CO_TRY(const std::string outcome, co_await mount(guest));
    EXPECT_EQ(std::ranges::count(outcomes, outcome), 1) << outcome;
    const bool is_new = outcome != "undone";
    const char* const files = is_new ? "300 new\n20971520\n" : "300 old\n0\n";
    PYRO_CO_CHECK(co_await says(guest,
                                "cd /workspace && cat set/* | sort | uniq -c | xargs && cat data/* "
                                "2>/dev/null | wc -c",
                                files));
    PYRO_CO_CHECK(co_await says(guest, kRecoveries, "1\n"));
    PYRO_CO_CHECK(co_await says(guest,
                                "mkdir /tmp/disk && mount -t ext4 -o noatime $(find_disk "
                                "pyro-work) /tmp/disk && ls -A /tmp/disk/upper/stage "
                                "/tmp/disk/intent | grep -v :; umount /tmp/disk",
                                "\n"));
    PYRO_CO_TRY(const Fetched got, co_await fetch(guest, proto::WorkspaceDiff::kName,
                                                  proto::encode(proto::WorkspaceDiff{})));
    EXPECT_EQ(got.counts.entries, is_new ? 321 : 0);
    PYRO_CO_CHECK(co_await sync_folder(guest, "new", "."));
    co_return co_await says(guest, "cat /workspace/set/* | sort | uniq -c | xargs", "300 new\n");
  }
  void expect_found(std::vector<std::string> outcomes) {
    expect_in_clone({.layers = {work_}, .baseline = baseline_},
                    [&](core::Guest& guest) { return finds(guest, outcomes); });
  }
  std::string work_;
};

TEST_F(CrashTest, WhileTheTreeComes) {
  expect_in_workspace({work_},
                      [this](core::Guest& guest) { return dies_while_it_receives(guest); });
  expect_found({"undone"});
}
TEST_F(CrashTest, AmongTheMoves) {
  expect_in_workspace({work_}, [this](core::Guest& guest) {
    return dies_when(guest, "grep -qs new /workspace/set/100", Killer::kGuest);
  });
  expect_found({"undone"});
}
// From outside, where the guest may have gone on meanwhile.
TEST_F(CrashTest, KilledAmongTheMoves) {
  expect_in_workspace({work_}, [this](core::Guest& guest) {
    return dies_when(guest, "grep -qs new /workspace/set/100", Killer::kHost);
  });
  expect_found({"undone", "completed", "none"});
}
TEST_F(CrashTest, KilledAfterTheLastMove) {
  expect_in_workspace({work_}, [this](core::Guest& guest) {
    return dies_when(guest, "grep -qs new /workspace/set/299", Killer::kHost);
  });
  expect_found({"undone", "completed", "none"});
}
TEST_F(CrashTest, WhenItWasAnswered) {
  expect_in_workspace({work_}, [this](core::Guest& guest) { return dies_after_the_answer(guest); });
  expect_found({"completed", "none"});
}

}  // namespace
}  // namespace pyro::testing
