// A workspace machine's disks on a real guest, driven without the command line. Not part of ctest:
// it needs an environment that was pulled, the agent (PYRO_LIBEXEC) and minutes.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "base/stopwatch.h"
#include "core/disks.h"
#include "core/guest.h"
#include "core/templates.h"
#include "image/sha256.h"
#include "support/host.h"
#include "sys/dirs.h"
#include "sys/file.h"
#include "sys/sparse.h"
#include "vmm/host_facts.h"
#include "vmm/qcow2.h"
#include "vmm/qemu.h"

namespace pyro::testing {
namespace {

using io::asio::any_io_executor;
using io::asio::awaitable;

// Prints the device of that serial name.
constexpr const char* kFind =
    "find_disk() { for d in /sys/block/*; do [ \"$(cat $d/serial 2>/dev/null)\" = \"$1\" ] && "
    "echo /dev/${d##*/}; done; }; ";
constexpr const char* kMountWork =
    "mkdir -p /mnt/work && mount -t ext4 -o noatime $(find_disk pyro-work) /mnt/work && ";

class Machines {
 public:
  static Result<std::unique_ptr<Machines>> make() {
    const sys::Environment env = sys::process_environment();
    PYRO_TRY(const sys::Dirs dirs, sys::resolve_dirs(env));
    PYRO_TRY(const auto facts,
             vmm::host_facts(dirs.cache, /*fresh=*/false, env("PYRO_ACCELERATOR").value_or("")));
    const std::string path = env("PATH").value_or("/usr/bin");
    PYRO_TRY(auto qemu, vmm::known_qemu(dirs.cache, env("PYRO_QEMU").value_or(""), path));
    image::Environments environments(dirs);
    PYRO_TRY(auto environment,
             environments.open(env("PYRO_TEST_ENVIRONMENT").value_or("debian:12")));
    auto made = std::make_unique<Machines>(dirs, std::move(qemu), path, std::move(environment));
    made->shape.accelerator = facts.accelerator;
    made->boot.tsc_khz = facts.tsc_khz;
    return made;
  }
  Machines(const sys::Dirs& dirs, vmm::QemuProgram qemu, const std::string& path,
           image::InstalledEnvironment opened)
      : boot{.agent_path = dirs.libexec + "/pyro-agent"},
        environment(std::move(opened)),
        vmm(std::move(qemu)),
        disks(dirs.disks(), path),
        templates(dirs.templates(), vmm) {}

  core::TemplateRequest request(vmm::Disks kind) {
    shape.disks = kind;
    return {
        .environment = environment, .shape = shape, .boot = boot, .disks = &disks, .on_phase = {}};
  }

  vmm::Shape shape;
  core::BootConfig boot;
  image::InstalledEnvironment environment;
  vmm::QemuVmm vmm;
  core::Disks disks;
  core::Templates templates;
};

io::Task<std::string> shell(core::Guest& guest, std::string script) {
  proto::Exec request{.argv = proto::to_bytes({"/bin/sh", "-c", kFind + script + " 2>&1"}),
                      .tty = {}};
  PYRO_CO_TRY(const auto stream, guest.session().open(proto::Exec::kName, proto::encode(request)));
  std::string text;
  for (;;) {
    PYRO_CO_TRY(rpc::Incoming item, co_await stream->next());
    if (auto* data = std::get_if<rpc::Data>(&item)) text += data->bytes;
    if (auto* response = std::get_if<rpc::Response>(&item)) {
      PYRO_CO_TRY(const auto result, proto::decode<proto::ExecResult>(response->result));
      if (result.shell_code() == 0) co_return text;
      co_return fail(Errc::kInternal,
                     fmt::format("{} ended with {}: {}", script, result.shell_code(), text));
    }
  }
}

class WorkspaceDisksTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto made = Machines::make();
    ASSERT_TRUE(made) << made.error().message << "\nhint: " << made.error().hint;
    machines_ = *std::move(made);
  }
  static void TearDownTestSuite() { machines_.reset(); }
  void SetUp() override {
    ASSERT_TRUE(machines_);
    std::string name = "/var/tmp/pyro-disks-XXXXXX";
    dir_ = ::mkdtemp(name.data());
  }
  void TearDown() override { (void)sys::remove_tree(dir_); }

  // A clone on the layers, bottom to top; the last one is written to. kNone: as `run` has it.
  io::Task<std::unique_ptr<core::Guest>> start(std::vector<std::string> layers,
                                               vmm::Disks kind = vmm::Disks::kWorkspace) {
    Machines& m = *machines_;
    PYRO_CO_TRY(core::Template base, co_await m.templates.ensure(m.request(kind)));
    Stopwatch watch;
    vmm::LaunchSpec spec{.shape = m.shape,
                         .start = vmm::Restore{.state = std::move(base.state)},
                         .memory = std::move(base.memory)};
    PYRO_CO_TRY(spec.root_image, sys::open_file(m.environment.rootfs, O_RDONLY));
    if (kind == vmm::Disks::kWorkspace) {
      PYRO_CO_TRY(spec.disks, disks(base, layers));
    }
    const double disks_ms = watch.lap();
    PYRO_CO_TRY(auto vm, co_await m.vmm.launch(std::move(spec)));
    const auto times = vm->start_times();
    (void)watch.lap();
    auto guest = std::make_unique<core::Guest>(std::move(vm),
                                               co_await io::asio::this_coro::executor, m.boot);
    auto up = co_await guest->greet(m.boot.answer_limit);
    const double reply_ms = watch.lap();
    if (up) up = co_await guest->rejuvenate({.hostname = "disks"});
    std::printf("%s clone: disks %.1f ms, spawn %.1f, restore %.1f, first reply %.1f\n",
                kind == vmm::Disks::kNone ? "run" : "workspace", disks_ms, times.spawn_ms,
                times.restore_ms, reply_ms);
    if (!up) {
      co_await guest->end();
      co_return std::unexpected(std::move(up.error()));
    }
    co_return guest;
  }
  Result<vmm::WorkspaceDisks> disks(const core::Template& base,
                                    const std::vector<std::string>& layers) {
    vmm::WorkspaceDisks out;
    PYRO_TRY(out.scratch, sys::nameless_copy(base.scratch.get(), dir_));
    PYRO_TRY(out.baseline, core::empty_baseline(dir_));
    PYRO_TRY(core::WorkBase work, machines_->disks.work_base());
    out.work_base = std::move(work.file);
    for (const std::string& layer : layers) {
      PYRO_TRY(sys::UniqueFd fd,
               sys::open_file(layer, &layer == &layers.back() ? O_RDWR : O_RDONLY));
      out.work_layers.push_back(std::move(fd));
    }
    return out;
  }
  std::string layer(const std::string& name) {
    std::string path = dir_ + "/" + name;
    EXPECT_TRUE(vmm::create_layer(path));
    return path;
  }
  static std::string hash(const std::string& path) {
    const auto fd = sys::open_file(path, O_RDONLY);
    return image::hash_file(fd->get())->sha256;
  }
  // Adds a layer while the guest runs.
  io::Task<double> add(core::Guest& guest, std::string path) {
    PYRO_CO_TRY(sys::UniqueFd fd, sys::open_file(path, O_RDWR));
    Stopwatch watch;
    PYRO_CO_CHECK(co_await guest.vm().add_work_layer(std::move(fd)));
    co_return watch.lap();
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
  using GuestPtr = std::unique_ptr<core::Guest>;
  using Work = std::function<io::Task<void>(core::Guest&)>;
  // Starts a clone, lets `work` use it and ends it.
  io::Task<void> with_guest(std::vector<std::string> layers, vmm::Disks kind, Work work) {
    PYRO_CO_TRY(const GuestPtr guest, co_await start(std::move(layers), kind));
    auto done = co_await work(*guest);
    co_await guest->end();
    co_return done;
  }
  awaitable<void> into(std::vector<std::string> layers, vmm::Disks kind, Work work,
                       Result<void>* out) {
    *out = co_await with_guest(std::move(layers), kind, std::move(work));
  }
  // An error of the clone or of `work` fails the test.
  void expect_in_clone(std::vector<std::string> layers, Work work,
                       vmm::Disks kind = vmm::Disks::kWorkspace) {
    Result<void> done = fail(Errc::kInternal, "did not run");
    run_loop([&](any_io_executor) { return into(layers, kind, work, &done); });
    EXPECT_TRUE(done) << done.error().message;
  }
  // Runs `script` in a clone and expects its output.
  void expect_said(std::vector<std::string> layers, std::string script, std::string expected) {
    expect_in_clone(std::move(layers),
                    [&](core::Guest& guest) { return says(guest, script, expected); });
  }
  static io::Task<void> says(core::Guest& guest, std::string script, std::string expected) {
    PYRO_CO_TRY(const std::string said, co_await shell(guest, script));
    EXPECT_EQ(said, expected) << script;
    co_return Result<void>{};
  }

  inline static std::unique_ptr<Machines> machines_;
  std::string dir_;
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
      {}, [](core::Guest& guest) { return says(guest, "ls /sys/block | grep -c vd", "1\n"); },
      vmm::Disks::kNone);
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
  expect_in_clone({first_}, [this](core::Guest& guest) { return write_and_add(guest); });
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
  expect_in_clone({layer("first")}, [&](core::Guest& guest) { return refused(guest, bad); });
}

}  // namespace
}  // namespace pyro::testing
