// What a running QEMU is told when a layer comes on top, and how it is brought back when it
// refuses.
#include "vmm/work_disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>

#include "sys/file.h"
#include "sys/process.h"
#include "sys/sparse.h"
#include "vmm/qcow2.h"

namespace pyro::vmm {
namespace {

using io::asio::awaitable;

// Answers every command with success, except the named one, and appends what it got to `log`. With
// "never " before its name that one gets no answer.
[[noreturn]] void play_qemu(int fd, std::string refuses, const std::string& log) {
  const bool silent = refuses.starts_with("never ");
  if (silent) refuses.erase(0, 6);
  const auto out = sys::open_file(log, O_WRONLY | O_CREAT | O_APPEND);
  std::string line;
  char c = 0;
  while (::read(fd, &c, 1) == 1) {
    line += c;
    if (c != '\n') continue;
    (void)sys::write_all(out->get(), line);
    const bool no = line.find("\"" + refuses + "\"") != std::string::npos;
    line.clear();
    if (no && silent) continue;
    (void)sys::write_all(fd, no ? "{\"error\":{\"desc\":\"not today\"}}\n" : "{\"return\":{}}\n");
  }
  ::_exit(0);
}

class WorkDiskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/pyro-work-XXXXXX";
    dir_ = ::mkdtemp(name.data());
  }
  void TearDown() override { (void)sys::remove_tree(dir_); }
  static awaitable<void> talk(WorkDisk* disk, Qmp* qmp, sys::UniqueFd layer, Result<void>* out,
                              io::TaskScope* scope) {
    *out = co_await disk->add_layer(*qmp, std::move(layer));
    scope->cancel();
  }
  awaitable<void> use(io::asio::any_io_executor ex, WorkDisk* disk, sys::UniqueFd socket,
                      sys::UniqueFd layer, Result<void>* out) const {
    Qmp qmp(
        ex, std::move(socket), [](const std::string&, const boost::json::object&) {}, reply_limit_);
    io::TaskScope scope(ex);
    scope.spawn(qmp.read_loop());
    scope.spawn(talk(disk, &qmp, std::move(layer), out, &scope));
    co_await scope.join();
  }
  // Adds a layer to `disk` while QEMU refuses the named command.
  Result<void> add(WorkDisk& disk, const std::string& refuses, sys::UniqueFd layer) {
    auto pair = sys::make_socket_pair();
    const pid_t pid = ::fork();
    if (pid == 0) {
      pair->ours = sys::UniqueFd();
      play_qemu(pair->theirs.get(), refuses, dir_ + "/log");
    }
    const auto pidfd =
        sys::retrying("pidfd_open", [pid] { return ::syscall(SYS_pidfd_open, pid, 0); });
    const sys::ChildProcess peer(sys::UniqueFd(*pidfd), pid);
    pair->theirs = sys::UniqueFd();
    Result<void> result = fail(Errc::kInternal, "did not run");
    io::asio::io_context loop(1);
    io::asio::co_spawn(
        loop, use(loop.get_executor(), &disk, std::move(pair->ours), std::move(layer), &result),
        [](std::exception_ptr e) {
          if (e) std::rethrow_exception(e);
        });
    loop.run();
    return result;
  }
  sys::UniqueFd layer() {
    return create_layer(dir_ + "/layer" + std::to_string(layers_++)).value_or(sys::UniqueFd());
  }
  // The commands in order, without what belongs to each.
  std::string commands() {
    const std::string log = sys::read_file(dir_ + "/log").value_or("");
    std::string out;
    constexpr std::string_view kKey = "\"execute\":\"";
    for (auto at = log.find(kKey); at != std::string::npos; at = log.find(kKey, at + 1)) {
      const auto from = at + kKey.size();
      out += log.substr(from, log.find('"', from) - from) + " ";
    }
    return out;
  }
  std::string log() { return sys::read_file(dir_ + "/log").value_or(""); }
  std::string dir_;
  int layers_ = 0;
  std::chrono::milliseconds reply_limit_{60'000};  // longer than the test may take
};

TEST_F(WorkDiskTest, ALayerGoesOnTopAndTheOneBelowIsClosed) {
  WorkDisk disk(2);
  const auto r = add(disk, "", layer());
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ(commands(), "add-fd add-fd blockdev-add blockdev-snapshot remove-fd ");
  EXPECT_NE(log().find(R"("node":"work-1","overlay":"work-2")"), std::string::npos) << log();
  EXPECT_NE(log().find(R"("backing":null)"), std::string::npos) << log();
  EXPECT_NE(log().find(R"("remove-fd","arguments":{"fdset-id":6})"), std::string::npos) << log();
}

TEST_F(WorkDiskTest, RefusedWhenStackedItIsTakenOutAgainAndTheNextOneGoesOnTheOld) {
  WorkDisk disk(1);
  const auto r = add(disk, "blockdev-snapshot", layer());
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().message.find("not today"), std::string::npos) << r.error().message;
  EXPECT_EQ(commands(), "add-fd add-fd blockdev-add blockdev-snapshot blockdev-del remove-fd ");
  EXPECT_NE(log().find(R"("remove-fd","arguments":{"fdset-id":6})"), std::string::npos) << log();
  ASSERT_EQ(::unlink((dir_ + "/log").c_str()), 0);
  EXPECT_TRUE(add(disk, "", layer()));
  EXPECT_NE(log().find(R"("node":"work-0","overlay":"work-1")"), std::string::npos) << log();
  EXPECT_NE(log().find(R"("remove-fd","arguments":{"fdset-id":5})"), std::string::npos) << log();
}

TEST_F(WorkDiskTest, RefusedWhenOpenedItsDescriptorsAreTakenBack) {
  WorkDisk disk(1);
  EXPECT_FALSE(add(disk, "blockdev-add", layer()));
  EXPECT_EQ(commands(), "add-fd add-fd blockdev-add remove-fd ");
  EXPECT_NE(log().find(R"("remove-fd","arguments":{"fdset-id":6})"), std::string::npos) << log();
}

TEST_F(WorkDiskTest, WhatQemuRefusesLeavesTheMachineOnItsOldLayer) {
  for (const char* command : {"add-fd", "blockdev-add", "blockdev-snapshot"}) {
    WorkDisk disk(1);
    EXPECT_FALSE(add(disk, command, layer()));
    EXPECT_FALSE(disk.must_end()) << command;
  }
}

TEST_F(WorkDiskTest, TheOneBelowStillOpenForWritingEndsTheMachine) {
  WorkDisk disk(1);
  EXPECT_FALSE(add(disk, "remove-fd", layer()));
  EXPECT_TRUE(disk.must_end());
  EXPECT_EQ(add(disk, "", layer()).error().code, Errc::kUnavailable);
}

TEST_F(WorkDiskTest, NoAnswerEndsTheMachine) {
  reply_limit_ = std::chrono::milliseconds(500);
  for (const char* command : {"add-fd", "blockdev-add", "blockdev-snapshot", "remove-fd"}) {
    WorkDisk disk(1);
    const auto r = add(disk, std::string("never ") + command, layer());
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().code, Errc::kDeadline) << r.error().message;
    EXPECT_TRUE(disk.must_end()) << command;
  }
}

TEST_F(WorkDiskTest, WhatIsNoLayerNeverReachesQemu) {
  WorkDisk disk(1);
  ASSERT_TRUE(sys::write_file_atomic(dir_ + "/bad", "no layer"));
  EXPECT_EQ(add(disk, "", *sys::open_file(dir_ + "/bad", O_RDWR)).error().code, Errc::kDamaged);
  const auto good = layer();
  const auto read_only = add(disk, "", *sys::reopen(good.get(), O_RDONLY));
  EXPECT_EQ(read_only.error().code, Errc::kInternal);
  WorkDisk none(0);
  EXPECT_EQ(add(none, "", layer()).error().code, Errc::kConflict);
  WorkDisk full(kMostWorkLayers);
  EXPECT_EQ(add(full, "", layer()).error().code, Errc::kLimit);
  EXPECT_EQ(commands(), "");
}

class CheckDisks : public WorkDiskTest {
 protected:
  sys::UniqueFd raw(std::uint64_t bytes, bool writable) {
    auto file = sys::nameless_file(dir_);
    EXPECT_EQ(::ftruncate(file->get(), static_cast<off_t>(bytes)), 0);
    return writable ? *std::move(file) : *sys::reopen(file->get(), O_RDONLY);
  }
  WorkspaceDisks good() {
    WorkspaceDisks d;
    d.scratch = raw(kScratchBytes, true);
    d.baseline = raw(kBaselineBytes, false);
    d.work_base = raw(kWorkBytes, false);
    const auto below = layer();
    d.work_layers.push_back(*sys::reopen(below.get(), O_RDONLY));
    d.work_layers.push_back(layer());
    return d;
  }
};

TEST_F(CheckDisks, TakesWhatFitsAndNothingElse) {
  EXPECT_TRUE(check_disks(good()));
  auto d = good();
  d.scratch = raw(kScratchBytes - 1, true);
  EXPECT_EQ(check_disks(d).error().code, Errc::kDamaged);
  d = good();
  d.baseline = raw(kBaselineBytes, true);
  EXPECT_EQ(check_disks(d).error().code, Errc::kInternal);
  d = good();
  d.work_base = raw(kWorkBytes, true);
  EXPECT_EQ(check_disks(d).error().code, Errc::kInternal);
  d = good();
  d.work_layers[0] = layer();  // a lower layer that could be written
  EXPECT_EQ(check_disks(d).error().code, Errc::kInternal);
  d = good();
  d.work_layers[0] = raw(1 << 20, false);
  EXPECT_EQ(check_disks(d).error().code, Errc::kDamaged);
  d = good();
  d.work_layers.clear();
  EXPECT_FALSE(check_disks(d));
  d.work_layers.push_back(layer());
  while (d.work_layers.size() < kMostWorkLayers + 1) {  // all, and that of a machine that reads
    d.work_layers.insert(d.work_layers.begin(),
                         *sys::reopen(d.work_layers.front().get(), O_RDONLY));
  }
  EXPECT_TRUE(check_disks(d));
  d.work_layers.insert(d.work_layers.begin(), *sys::reopen(d.work_layers.front().get(), O_RDONLY));
  EXPECT_EQ(check_disks(d).error().code, Errc::kLimit);
}

}  // namespace
}  // namespace pyro::vmm
