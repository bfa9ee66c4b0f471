// A workspace machine's disks on a real guest, driven without the command line. Not part of ctest:
// it needs an environment that was pulled, the agent (PYRO_LIBEXEC) and minutes.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>

#include "guest/machines.h"
#include "image/sha256.h"
#include "sys/file.h"
#include "vmm/qcow2.h"

namespace pyro::testing {
namespace {

constexpr const char* kMountWork =
    "mkdir -p /mnt/work && mount -t ext4 -o noatime $(find_disk pyro-work) /mnt/work && ";

class WorkspaceDisksTest : public GuestTest {
 protected:
  static std::string hash(const std::string& path) {
    const auto fd = sys::open_file(path, O_RDONLY);
    return image::hash_file(fd->get())->sha256;
  }
  // Of each descriptor that a process may write a regular file through, the file's inode.
  static std::vector<std::uint64_t> writable_files(int pid) {
    std::vector<std::uint64_t> inodes;
    const std::string folder = fmt::format("/proc/{}/", pid);
    for (const std::string& fd : *sys::list_dir(folder + "fd")) {
      const auto info = sys::read_file(folder + "fdinfo/" + fd).value_or("");
      const auto at = info.find("flags:");
      struct stat st{};
      if (at == std::string::npos || ::stat((folder + "fd/" + fd).c_str(), &st) != 0) continue;
      const auto flags = std::stoul(info.substr(at + 6), nullptr, 8);
      if (S_ISREG(st.st_mode) && (flags & O_ACCMODE) != O_RDONLY) inodes.push_back(st.st_ino);
    }
    return inodes;
  }
  static bool writes_to(int pid, const std::string& path) {
    return std::ranges::count(writable_files(pid), sys::stamp(path)->inode) > 0;
  }
};

constexpr const char* kSizes =
    "for s in scratch baseline work; do d=$(find_disk pyro-$s); echo $s $(cat "
    "/sys/block/${d##*/}/size) $(cat /sys/block/${d##*/}/ro); done";

TEST_F(WorkspaceDisksTest, GuestSeesThemAndItsRootGoesWithIt) {
  const std::string work = layer("work");
  expect_said({work}, kSizes, "scratch 16777216 0\nbaseline 33554432 1\nwork 33554432 0\n");
  expect_said({work}, "echo kept > /root/note && sync && cat /root/note", "kept\n");
  expect_said({work}, "ls /root/note 2>/dev/null || echo gone", "gone\n");
  // What is free is that of a file system of 8 GiB, and more than the memory can be written.
  expect_said({work}, "[ $(df -k --output=size / | tail -n 1) -gt 8000000 ] && echo large",
              "large\n");
  expect_said(
      {work},
      "dd if=/dev/zero of=/root/big bs=1M count=1200 2>/dev/null && rm /root/big && echo fits",
      "fits\n");
}

TEST_F(WorkspaceDisksTest, ARunCloneHasNone) {
  expect_in_clone(
      {.layers = {}, .baseline = {}, .kind = vmm::Disks::kNone},
      [](core::Guest& guest) { return says(guest, "ls /sys/block | grep -c vd", "1\n"); });
}

// What the live snapshots of the next test found out.
struct Seen {
  std::string below, below_later;
  double small_ms = 0, busy_ms = 0, large_ms = 0;
};

class LiveLayers : public WorkspaceDisksTest {
 protected:
  io::Task<void> write_and_add(core::Guest& guest) {
    const int pid = guest.vm().host_pid();
    PYRO_CO_TRY(std::string ignored,
                co_await shell(guest, std::string(kMountWork) +
                                          "echo before > /mnt/work/before && dd if=/dev/urandom "
                                          "of=/mnt/work/data bs=1M count=10 2>/dev/null && sync"));
    EXPECT_TRUE(writes_to(pid, first_));
    PYRO_CO_TRY(seen_.small_ms, co_await add(guest, second_));
    seen_.below = hash(first_);
    EXPECT_FALSE(writes_to(pid, first_));
    EXPECT_TRUE(writes_to(pid, second_));
    PYRO_CO_TRY(ignored, co_await shell(guest,
                                        "echo after > /mnt/work/after && dd if=/dev/zero "
                                        "of=/mnt/work/data bs=1M count=20 2>/dev/null && sync"));
    seen_.below_later = hash(first_);
    PYRO_CO_CHECK(co_await add_to_a_busy_one(guest));
    PYRO_CO_TRY(
        ignored,
        co_await shell(guest,
                       "dd if=/dev/zero of=/mnt/work/large bs=1M count=1024 2>/dev/null && sync"));
    PYRO_CO_TRY(seen_.large_ms, co_await add(guest, layer("fourth")));
    EXPECT_EQ(writable_files(pid).size(), 2U * 2);  // scratch and top layer: QEMU's, and in its set
    co_return Result<void>{};
  }
  // While a program of the guest writes and syncs without a pause.
  io::Task<void> add_to_a_busy_one(core::Guest& guest) {
    const std::string loop = "while :; do echo line >> /mnt/work/log; sync; done";
    proto::Exec request{.argv = proto::to_bytes({"/bin/sh", "-c", loop}), .tty = {}};
    PYRO_CO_TRY(const auto stream,
                guest.session().open(proto::Exec::kName, proto::encode(request)));
    PYRO_CO_TRY(std::string ignored,
                co_await shell(guest, "until [ -s /mnt/work/log ]; do :; done"));
    PYRO_CO_TRY(seen_.busy_ms, co_await add(guest, third_));
    seen_busy_ = hash(second_);
    PYRO_CO_TRY(ignored, co_await shell(guest,
                                        "n=$(wc -l < /mnt/work/log); until [ $(wc -l < "
                                        "/mnt/work/log) -gt $((n + 5)) ]; do :; done; sync"));
    EXPECT_EQ(hash(second_), seen_busy_) << "the closed layer was written to";
    stream->abandon({.code = Errc::kDeadline, .message = "enough", .hint = {}});
    co_return Result<void>{};
  }
  static io::Task<void> refused(core::Guest& guest, std::string path) {
    PYRO_CO_TRY(sys::UniqueFd fd, sys::open_file(path, O_RDWR));
    const auto r = co_await guest.vm().add_work_layer(std::move(fd));
    EXPECT_FALSE(r);
    co_return co_await says(
        guest, std::string(kMountWork) + "echo on > /mnt/work/still && sync && cat /mnt/work/still",
        "on\n");
  }
  std::string first_, second_, third_, seen_busy_;
  Seen seen_;
};

TEST_F(LiveLayers, CloseTheLayerBelowAndEachIsAStateOfItsOwn) {
  first_ = layer("first");
  second_ = layer("second");
  third_ = layer("third");
  expect_in_clone({.layers = {first_}, .baseline = {}},
                  [this](core::Guest& guest) { return write_and_add(guest); });
  std::printf("add_work_layer: after 10 MB %.1f ms, busy guest %.1f ms, after 1 GB %.1f ms\n",
              seen_.small_ms, seen_.busy_ms, seen_.large_ms);
  EXPECT_EQ(seen_.below, seen_.below_later) << "the closed layer was written to";
  for (const std::string& path : {first_, second_, third_}) {
    const auto fd = sys::open_file(path, O_RDONLY);
    EXPECT_TRUE(vmm::check_layer(fd->get())) << path;
  }
  const std::string look =
      std::string(kMountWork) +
      "cd /mnt/work && ls -d before after large 2>/dev/null | tr '\\n' ' '; stat -c %s data";
  expect_said({first_, layer("on-first")}, look, "before 10485760\n");
  expect_said({first_, second_, layer("on-second")}, look, "after before 20971520\n");
  expect_said({first_, second_, third_, layer("on-third")}, look, "after before large 20971520\n");
}

TEST_F(LiveLayers, ALayerThatIsNoneLeavesTheMachineOnItsOld) {
  const std::string bad = dir_ + "/bad";
  ASSERT_TRUE(sys::write_file_atomic(bad, "no layer"));
  expect_in_clone({.layers = {layer("first")}, .baseline = {}},
                  [&](core::Guest& guest) { return refused(guest, bad); });
}

}  // namespace
}  // namespace pyro::testing
