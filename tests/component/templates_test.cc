// The template cache over fake machines.
#include "core/templates.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "support/host.h"
#include "sys/file.h"

namespace pyro::testing {
namespace {

using io::asio::any_io_executor;
using io::asio::awaitable;

class TemplatesTest : public ::testing::Test {
 protected:
  static std::unexpected<Error> nothing() { return fail(Errc::kInternal, "none"); }
  core::TemplateRequest request() {
    return {.environment = *environment_,
            .shape = {.mem_mib = mem_mib_},
            .boot = boot_,
            .on_phase = {}};
  }
  static awaitable<void> ensure(core::Templates* templates, core::TemplateRequest request,
                                Result<core::Template>* out) {
    *out = co_await templates->ensure(std::move(request));
  }
  // Two caches on the same folder, at the same time when `both`.
  void ensure_all(bool both) {
    run_loop([this, both](any_io_executor ex) { return ensure_in_scope(ex, both); });
  }
  awaitable<void> ensure_in_scope(any_io_executor ex, bool both) {
    io::TaskScope scope(ex);
    scope.spawn(ensure(&templates_, request(), &first_));
    if (both) scope.spawn(ensure(&other_, request(), &second_));
    co_await scope.join();
  }

  // Opens or builds the template of another key; its lease goes with it.
  core::Template get(core::Templates& templates, int mem_mib) {
    auto wanted = request();
    wanted.shape.mem_mib = mem_mib;
    Result<core::Template> got = nothing();
    run_loop([&](any_io_executor) { return ensure(&templates, wanted, &got); });
    EXPECT_TRUE(got) << got.error().message;
    return *std::move(got);
  }
  // Builds one, lets it go, and says that it was last used in that second of 1970.
  std::string make(core::Templates& templates, int mem_mib, time_t last_use) {
    const std::string key = get(templates, mem_mib).key;
    const timespec then[2] = {{.tv_sec = last_use, .tv_nsec = 0},
                              {.tv_sec = last_use, .tv_nsec = 0}};
    EXPECT_EQ(::utimensat(AT_FDCWD, (dir() + "/" + key + ".lease").c_str(), then, 0), 0);
    return key;
  }
  [[nodiscard]] std::string dir() const { return host_.dirs().templates(); }
  [[nodiscard]] std::uint64_t size_of(const std::string& key) const {
    return *sys::disk_usage(dir() + "/" + key + "/memory") +
           *sys::disk_usage(dir() + "/" + key + "/state");
  }
  // Builds one, which must fail, and expects that nothing is left of it.
  Error build_fails() {
    ensure_all(false);
    EXPECT_FALSE(first_);
    const Error error = first_ ? Error{} : first_.error();
    first_ = nothing();
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a machine's process is still there";
    EXPECT_TRUE(sys::FileLock::try_acquire(dir() + "/" + *templates_.key_of(request()) + ".build",
                                           sys::FileLock::Mode::kExclusive));
    return error;
  }

  Host host_;
  FakeVmm vmm_{host_.log()};
  core::BootConfig boot_ = host_.boot();
  int mem_mib_ = 128;
  core::Templates templates_{host_.dirs().templates(), vmm_},
      other_{host_.dirs().templates(), vmm_};
  Result<image::InstalledEnvironment> environment_ = host_.environments().open("debian:12-base");
  Result<core::Template> first_ = nothing(), second_ = nothing();
};

TEST_F(TemplatesTest, TwoBuildersAtOnceBuildOnce) {
  ensure_all(true);
  ASSERT_TRUE(first_ && second_);
  EXPECT_EQ(vmm_.launches("fresh"), 1);
  EXPECT_NE(first_->built, second_->built);
  char byte = 'x';
  EXPECT_EQ(::pwrite(first_->memory.get(), &byte, 1, 0), -1);  // cannot be written through
}

TEST_F(TemplatesTest, TheKeyFollowsEveryPart) {
  const auto key = *templates_.key_of(request());
  EXPECT_EQ(*other_.key_of(request()), key);
  auto memory = request();
  memory.shape.mem_mib = 256;
  EXPECT_NE(*templates_.key_of(memory), key);
  auto cpus = request();
  cpus.shape.vcpus = 2;
  EXPECT_NE(*templates_.key_of(cpus), key);
  auto network = request();
  network.shape.mac = vmm::MacAddress{2, 0, 0, 0, 0, 1};
  EXPECT_NE(*templates_.key_of(network), key);
  auto clock = request();
  clock.boot.tsc_khz = 2'900'000;
  EXPECT_NE(*templates_.key_of(clock), key);
  environment_->rootfs_sha256 += "0";
  EXPECT_NE(*templates_.key_of(request()), key);
  environment_->rootfs_sha256.pop_back();
  EXPECT_EQ(*templates_.key_of(request()), key);
  environment_->entry.warm_up.push_back({"git"});
  EXPECT_NE(*templates_.key_of(request()), key);
  environment_->entry.warm_up.pop_back();
  const std::string agent = host_.dirs().libexec + "/pyro-agent";
  ASSERT_TRUE(sys::write_file_atomic(agent, "agent", 0700));  // the same one, installed again
  EXPECT_EQ(*templates_.key_of(request()), key);
  ASSERT_TRUE(sys::write_file_atomic(agent, "newer", 0700));
  EXPECT_NE(*templates_.key_of(request()), key);
  ASSERT_TRUE(sys::write_file_atomic(agent, "agent", 0700));
  vmm_.build = "two";
  EXPECT_NE(*templates_.key_of(request()), key);
}

TEST_F(TemplatesTest, PruneLeavesNoLockFile) {
  ensure_all(false);
  ASSERT_TRUE(first_);
  const std::string dir = host_.dirs().templates();
  first_ = nothing();
  ASSERT_TRUE(core::Templates::prune(dir, 0));
  EXPECT_EQ(*sys::list_dir(dir), std::vector<std::string>{});
}

TEST_F(TemplatesTest, ADamagedOneIsBuiltAgain) {
  ensure_all(false);
  ASSERT_TRUE(first_);
  const std::string memory = host_.dirs().templates() + "/" + first_->key + "/memory";
  ASSERT_EQ(::chmod(memory.c_str(), 0600), 0);
  ensure_all(false);
  ASSERT_TRUE(first_);
  EXPECT_TRUE(first_->built);
  EXPECT_EQ(vmm_.launches("fresh"), 2);
  EXPECT_TRUE(core::Templates::verify(host_.dirs().templates())->empty());
}

TEST_F(TemplatesTest, PruneLeavesWhatIsLeasedAndSweepsOldBuilds) {
  ensure_all(false);
  ASSERT_TRUE(first_);
  const std::string dir = host_.dirs().templates();
  ASSERT_TRUE(sys::make_dirs(dir + "/.building-old"));
  ASSERT_TRUE(sys::make_dirs(dir + "/.building-new"));
  const timespec long_ago[2] = {{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 1, .tv_nsec = 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (dir + "/.building-old").c_str(), long_ago, 0), 0);
  const auto kept = core::Templates::prune(dir, 0);
  EXPECT_EQ(kept->kept_in_use, std::vector<std::string>{first_->key});
  EXPECT_EQ(host_.templates(), (std::vector<std::string>{".building-new", first_->key}));
  const std::string key = first_->key;
  first_ = nothing();
  EXPECT_TRUE(core::Templates::prune(dir, 1ULL << 30)->deleted.empty());
  EXPECT_EQ(core::Templates::prune(dir, 1)->deleted, std::vector<std::string>{key});
  EXPECT_EQ(host_.templates(), std::vector<std::string>{".building-new"});
}

using Keys = std::vector<std::string>;

TEST_F(TemplatesTest, TheLeastRecentlyUsedGoesFirst) {
  const std::string a = make(templates_, 128, 1), b = make(templates_, 129, 2),
                    c = make(templates_, 130, 3);
  const std::uint64_t two = size_of(a) + size_of(b);
  ASSERT_GT(two, 0U);
  EXPECT_FALSE(get(other_, 128).built);  // used again: now b is the oldest
  EXPECT_TRUE(core::Templates::prune(dir(), 2 * two)->deleted.empty());
  EXPECT_EQ(core::Templates::prune(dir(), two)->deleted, Keys{b});
  EXPECT_EQ(core::Templates::prune(dir(), two - 1)->deleted, Keys{c});
  EXPECT_EQ(host_.templates(), Keys{a});
}

TEST_F(TemplatesTest, OneInUseStaysHoweverOldItIs) {
  const std::string a = make(templates_, 128, 1), b = make(templates_, 129, 2);
  const core::Template used = get(other_, 128);
  (void)make(templates_, 130, 3);
  const timespec long_ago[2] = {{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 1, .tv_nsec = 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (dir() + "/" + a + ".lease").c_str(), long_ago, 0), 0);
  const auto report = core::Templates::prune(dir(), size_of(a) + size_of(b));
  EXPECT_EQ(report->kept_in_use, Keys{a});
  EXPECT_EQ(report->deleted, Keys{b});
  EXPECT_EQ(core::Templates::prune(dir(), 1)->kept_in_use, Keys{a});
  EXPECT_EQ(host_.templates(), Keys{a});
}

TEST_F(TemplatesTest, EachBuildKeepsTheCacheWithinItsBound) {
  const std::string a = make(templates_, 128, 1), b = make(templates_, 129, 2);
  const core::Template used = get(templates_, 128);
  core::Templates bounded(dir(), vmm_, size_of(a) + size_of(b));
  const core::Template built = get(bounded, 130);
  Keys left{a, built.key};
  std::ranges::sort(left);
  EXPECT_EQ(host_.templates(), left);
}

struct Silence {
  const char* name;
  const char* method;  // what the agent does not answer
  const char* stage;   // what the error says
};
class SilentBuild : public TemplatesTest, public ::testing::WithParamInterface<Silence> {};

TEST_P(SilentBuild, IsBoundedNamesItsStageAndLeavesNothing) {
  using namespace std::chrono_literals;
  environment_->entry.warm_up = {{"/bin/true"}};
  boot_.call_limit = boot_.warm_up_limit = 3s;  // also of the stages before
  boot_.silence_limit = 100ms;
  vmm_.fresh = [](const Ports& p) {
    mute_agent(GetParam().method)(p);
    for (;;) ::pause();
  };
  const auto before = std::chrono::steady_clock::now();
  const Error e = build_fails();
  EXPECT_LT(std::chrono::steady_clock::now() - before, 40s);
  EXPECT_EQ(e.code, Errc::kDeadline) << e.message;
  EXPECT_TRUE(e.message.starts_with(GetParam().stage)) << e.message;
  EXPECT_TRUE(host_.templates().empty());
  vmm_.fresh = real_agent();
  boot_ = host_.boot();
  EXPECT_TRUE(get(templates_, mem_mib_).built);
}
INSTANTIATE_TEST_SUITE_P(
    Of, SilentBuild,
    ::testing::Values(Silence{"prepare", "prepare", "preparing the guest's root: "},
                      Silence{"warm_up", "exec", "warming up the template: "},
                      Silence{"freeze", "freeze", "freezing the guest: "},
                      // Its answer comes, but not the end of the session that is to follow.
                      Silence{"frozen", "none", "freezing the guest: "}),
    [](const auto& info) { return info.param.name; });

TEST_F(TemplatesTest, AGuestThatEndsWhenItIsGivenUpShowsItsConsoleOnce) {
  boot_.call_limit = std::chrono::seconds(3);  // also of the stages before
  boot_.end_limit = std::chrono::seconds(20);
  vmm_.fresh = [](const Ports& p) {
    mute_agent("none")(p);  // until the host ends the session that the agent should have ended
    die(p, kPowersOff, "last words\n");
  };
  const Error e = build_fails();
  EXPECT_NE(e.message.find("freezing the guest: the guest powered off"), std::string::npos);
  EXPECT_NE(e.message.find("last words"), std::string::npos) << e.message;
  EXPECT_EQ(e.message.find("last words"), e.message.rfind("last words")) << e.message;
}

// Every later path below `dir` is on a file system of that size, for this process only.
bool small_disk(const std::string& dir, int mib) {
  const uid_t uid = ::geteuid();
  if (::unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  if (uid != 0) {  // the same id inside
    const auto map = sys::open_file("/proc/self/uid_map", O_WRONLY);
    const std::string line = std::to_string(uid) + " " + std::to_string(uid) + " 1";
    if (!map || !sys::write_all(map->get(), line)) return false;
  }
  const std::string size = "size=" + std::to_string(mib) + "m";
  return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("tmpfs", dir.c_str(), "tmpfs", 0, size.c_str()) == 0;
}

class FullDisk : public TemplatesTest {
 protected:
  // Runs `body` in a process of its own, whose template folder has a disk of 24 MiB.
  void on_small_disk(const std::function<void()>& body) {
    constexpr int kCannot = 77;
    ASSERT_TRUE(sys::make_dirs(dir()));
    const pid_t pid = ::fork();
    if (pid == 0) {
      if (!small_disk(dir(), 24)) ::_exit(kCannot);
      body();
      ::_exit(HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    if (WEXITSTATUS(status) == kCannot) GTEST_SKIP() << "this host lets us mount no tmpfs";
    EXPECT_EQ(status, 0);
  }
  void expect_no_space(const Error& e) {
    EXPECT_EQ(e.code, Errc::kLimit) << e.message;
    EXPECT_NE(e.message.find("not enough space for a template in " + dir()), std::string::npos)
        << e.message;
    EXPECT_NE(e.hint.find("pyro env prune"), std::string::npos) << e.hint;
    EXPECT_NE(e.hint.find("PYRO_CACHE_DIR"), std::string::npos) << e.hint;
  }
  // Writes until the disk is full.
  static void fill(const std::string& path) {
    const auto file = sys::open_file(path, O_WRONLY | O_CREAT);
    const std::string block(64U << 10, 'x');
    while (sys::write_all(file->get(), block)) {
    }
  }
};

TEST_F(FullDisk, WithTooLittleSpaceNothingIsBooted) {
  on_small_disk([this] {
    const Error e = build_fails();
    expect_no_space(e);
    EXPECT_NE(e.message.find("MiB are free, 128 MiB are needed"), std::string::npos) << e.message;
    EXPECT_EQ(vmm_.launches("fresh"), 0);
    EXPECT_TRUE(host_.templates().empty());
  });
}

TEST_F(FullDisk, ThatGetsFullDuringABuildIsNamedAndTheNextOneWorks) {
  on_small_disk([this] {
    mem_mib_ = 16;
    const std::string filler = dir() + "/filler";
    // As QEMU's write to a full disk ends: by a signal.
    const Agent dies = real_agent([filler](const Ports&, std::string_view) {
      fill(filler);
      ::raise(SIGKILL);
    });
    // Or the device state does not fit any more.
    const Agent goes_on = real_agent([filler](const Ports&, std::string_view) { fill(filler); });
    for (const Agent& agent : {dies, goes_on}) {
      vmm_.fresh = agent;
      const Error e = build_fails();
      expect_no_space(e);
      EXPECT_NE(e.message.find("it got full during the build"), std::string::npos) << e.message;
      EXPECT_EQ(host_.templates(), Keys{"filler"});
      ASSERT_EQ(::unlink(filler.c_str()), 0);
    }
    vmm_.fresh = real_agent();
    EXPECT_TRUE(get(templates_, mem_mib_).built);
    EXPECT_FALSE(get(other_, mem_mib_).built);
  });
}

}  // namespace
}  // namespace pyro::testing
