#include "image/environments.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "image/install_check.h"
#include "sys/file.h"

namespace pyro::image {
namespace {

namespace fs = std::filesystem;

// Writes small artefacts; can be told to fail, and to report one byte on a pipe and then wait for
// ever at one of its steps.
class FakeSource : public Source {
 public:
  std::string content = "content";
  bool fail = false;
  int stall_at = -1;     // step number
  int stalled_fd = -1;   // told when it stalls
  std::string log_path;  // one line per fetch, also from other processes

  Result<std::string> fetch(const CatalogEntry& entry, const std::string& dir,
                            const PullObserver& observer) override {
    if (!log_path.empty()) std::ofstream(log_path, std::ios::app) << entry.name << "\n";
    step(0);
    observer({.phase = "download", .detail = "a", .fraction = 0.5});
    PYRO_CHECK(write(dir + "/rootfs.erofs", content + " rootfs"));
    step(1);
    observer({.phase = "unpack", .detail = "b", .fraction = 0.2});  // goes back on purpose
    if (fail) return pyro::fail(Errc::kUnavailable, "the mirror is gone");
    PYRO_CHECK(write(dir + "/vmlinuz", content + " kernel"));
    PYRO_CHECK(sys::make_dirs(dir + "/work/deep"));
    step(2);
    PYRO_CHECK(write(dir + "/initramfs", content + " initramfs"));
    PYRO_CHECK(write(dir + "/packages", "bash\t5.2\ngit\t2.39\n"));
    PYRO_CHECK(write(dir + "/kernel-version", "6.1.0-test\n"));
    step(3);
    return "fake " + content;
  }

 private:
  static Result<void> write(const std::string& path, const std::string& text) {
    return sys::write_file_atomic(path, text, 0600);
  }
  void step(int number) const {
    if (number != stall_at) return;
    (void)!::write(stalled_fd, "x", 1);
    for (;;) ::pause();
  }
};

class EnvironmentsTest : public ::testing::Test {
 protected:
  EnvironmentsTest() : dirs_(make_dirs()), environments_(dirs_, &source_) {
    source_.log_path = dirs_.cache + "/log";
  }
  ~EnvironmentsTest() override { fs::remove_all(dirs_.cache); }

  [[nodiscard]] std::string platform() const { return dirs_.cache + "/environments/linux-x86_64"; }
  [[nodiscard]] std::string install() const { return platform() + "/debian_12-1.0.0"; }
  [[nodiscard]] std::size_t fetches() const {
    std::ifstream in(source_.log_path);
    std::string line;
    std::size_t count = 0;
    while (std::getline(in, line)) ++count;
    return count;
  }
  [[nodiscard]] std::vector<std::string> staging() const {
    std::vector<std::string> found;
    for (const auto& item : fs::directory_iterator(platform())) {
      const std::string name = item.path().filename();
      if (name.starts_with(".staging-")) found.push_back(name);
    }
    return found;
  }
  void pull_ok() {
    const auto info = environments_.pull("debian:12", {});
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_TRUE(info->installed);
    EXPECT_EQ(info->damage, "");
  }

  // In another process; the child ends with 0 when the pull worked.
  pid_t fork_pull(FakeSource source) {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    source.log_path = source_.log_path;
    Environments environments(dirs_, &source);
    ::_exit(environments.pull("debian:12", {}) ? 0 : 1);
  }

  sys::Dirs dirs_;
  FakeSource source_;
  Environments environments_;

 private:
  static sys::Dirs make_dirs() {
    std::string pattern = ::testing::TempDir() + "/envXXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    sys::Dirs dirs;
    dirs.cache = pattern;
    return dirs;
  }
};

int exit_code(pid_t pid) {
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST_F(EnvironmentsTest, InstallsAndOpens) {
  const auto missing = environments_.open("debian:12");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::kNotFound);
  EXPECT_EQ(missing.error().hint, "run: pyro env pull debian:12");

  std::vector<std::string> phases;
  double last = 0;
  const auto info = environments_.pull("debian:12", [&](const PullProgress& progress) {
    if (progress.fraction >= 0) {
      EXPECT_GE(progress.fraction, last);
      last = progress.fraction;
    }
    if (phases.empty() || phases.back() != progress.phase) phases.push_back(progress.phase);
  });
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(phases, (std::vector<std::string>{"resolve", "download", "unpack", "verify", "ready"}));
  EXPECT_EQ(last, 1.0);
  EXPECT_EQ(info->source, "fake content");
  EXPECT_EQ(info->install_dir, install());
  EXPECT_EQ(info->size_bytes, 14U + 14U + 17U);
  EXPECT_TRUE(staging().empty());

  const auto open = environments_.open("debian:12");
  ASSERT_TRUE(open) << open.error().message;
  EXPECT_EQ(sys::read_file(open->rootfs).value_or(""), "content rootfs");
  EXPECT_EQ(fs::status(open->kernel).permissions(), fs::perms(0444));
  const auto text = sys::read_file(install() + "/environment.json");
  ASSERT_TRUE(text);
  const auto manifest = parse_manifest(*text);
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->packages.size(), 2U);
  EXPECT_EQ(manifest->kernel_version, "6.1.0-test");
  std::vector<std::string> files;
  for (const auto& item : fs::directory_iterator(install()))
    files.push_back(item.path().filename());
  std::ranges::sort(files);
  EXPECT_EQ(files, (std::vector<std::string>{"environment.json", "initramfs", "rootfs.erofs",
                                             "verified.json", "vmlinuz"}));
}

TEST_F(EnvironmentsTest, UnknownNamesGetAHint) {
  const auto result = environments_.pull("debian:13", {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::kNotFound);
  EXPECT_NE(result.error().hint.find("did you mean debian:12?"), std::string::npos);
}

TEST_F(EnvironmentsTest, ASecondPullIsANoOpAndStampsAvoidHashing) {
  pull_ok();
  const auto after_install = environments_.full_hashes();
  EXPECT_EQ(after_install, 3U);
  pull_ok();
  ASSERT_TRUE(environments_.open("debian:12"));
  EXPECT_EQ(fetches(), 1U);
  EXPECT_EQ(environments_.full_hashes(), after_install);
  // A changed stamp: that one file is read again, once.
  fs::permissions(install() + "/vmlinuz", fs::perms(0400));
  ASSERT_TRUE(environments_.open("debian:12"));
  EXPECT_EQ(environments_.full_hashes(), after_install + 1);
  ASSERT_TRUE(environments_.open("debian:12"));
  EXPECT_EQ(environments_.full_hashes(), after_install + 1);
  // Without the record everything is.
  fs::remove(install() + "/verified.json");
  ASSERT_TRUE(environments_.open("debian:12"));
  EXPECT_EQ(environments_.full_hashes(), after_install + 4);
  const auto deep = environments_.inspect("debian:12", /*deep=*/true);
  ASSERT_TRUE(deep);
  EXPECT_TRUE(deep->installed);
  EXPECT_EQ(environments_.full_hashes(), after_install + 7);
}

TEST_F(EnvironmentsTest, AFailedPullLeavesNothingAndSaysWhy) {
  source_.fail = true;
  const auto result = environments_.pull("debian:12", {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "pull debian:12: the mirror is gone");
  EXPECT_FALSE(fs::exists(install()));
  EXPECT_TRUE(staging().empty());
  source_.fail = false;
  pull_ok();
}

TEST_F(EnvironmentsTest, TwoPullsAtOnceDoTheWorkOnce) {
  // The first stalls inside its fetch until the second is seen waiting.
  auto stalled = sys::make_pipe();
  auto waiting = sys::make_pipe();
  auto go = sys::make_pipe();
  ASSERT_TRUE(stalled && waiting && go);
  class GatedSource : public FakeSource {
   public:
    int told = -1, gate = -1;
    Result<std::string> fetch(const CatalogEntry& entry, const std::string& dir,
                              const PullObserver& observer) override {
      char c = 0;
      (void)!::write(told, "x", 1);
      (void)!::read(gate, &c, 1);
      return FakeSource::fetch(entry, dir, observer);
    }
  };
  const pid_t first = ::fork();
  if (first == 0) {
    GatedSource source;
    source.log_path = source_.log_path;
    source.told = stalled->write.get();
    source.gate = go->read.get();
    Environments environments(dirs_, &source);
    ::_exit(environments.pull("debian:12", {}) ? 0 : 1);
  }
  char c = 0;
  ASSERT_EQ(::read(stalled->read.get(), &c, 1), 1);
  const pid_t second = ::fork();
  if (second == 0) {
    Environments environments(dirs_, &source_);
    const auto result = environments.pull("debian:12", [&](const PullProgress& progress) {
      if (progress.phase == "wait") (void)!::write(waiting->write.get(), "x", 1);
    });
    ::_exit(result ? 0 : 1);
  }
  ASSERT_EQ(::read(waiting->read.get(), &c, 1), 1);
  ASSERT_EQ(::write(go->write.get(), "x", 1), 1);
  EXPECT_EQ(exit_code(first), 0);
  EXPECT_EQ(exit_code(second), 0);
  EXPECT_EQ(fetches(), 1U);
  EXPECT_TRUE(environments_.open("debian:12"));
}

TEST_F(EnvironmentsTest, AKilledPullIsRepairedByTheNext) {
  for (int step = 0; step < 4; ++step) {
    auto pipe = sys::make_pipe();
    ASSERT_TRUE(pipe);
    FakeSource stalling;
    stalling.stall_at = step;
    stalling.stalled_fd = pipe->write.get();
    const pid_t pid = fork_pull(stalling);
    char c = 0;
    ASSERT_EQ(::read(pipe->read.get(), &c, 1), 1);
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
    EXPECT_EQ(exit_code(pid), 128 + SIGKILL);
    EXPECT_FALSE(fs::exists(install())) << step;
    EXPECT_EQ(staging().size(), 1U) << step;
    pull_ok();
    EXPECT_TRUE(staging().empty()) << step;
    EXPECT_TRUE(environments_.open("debian:12"));
    fs::remove_all(install());
  }
}

TEST_F(EnvironmentsTest, DamageIsRefusedAndRepaired) {
  const std::string rootfs = install() + "/rootfs.erofs";
  const std::string record = install() + "/environment.json";
  const auto rewrite = [](const std::string& path, const std::string& text) {
    fs::permissions(path, fs::perms(0644));
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
    fs::permissions(path, fs::perms(0444));
  };
  const std::vector<std::pair<std::string, std::function<void()>>> damages = {
      {"truncated", [&] { fs::resize_file(rootfs, 3); }},
      {"one bit, same size", [&] { rewrite(rootfs, "content rootft"); }},
      {"missing artefact", [&] { fs::remove(install() + "/initramfs"); }},
      {"missing record", [&] { fs::remove(record); }},
      {"garbage record", [&] { rewrite(record, "{\x01garbage"); }},
      {"huge record", [&] { rewrite(record, std::string(2U << 20, ' ')); }},
      {"unknown field",
       [&] { rewrite(record, "{\"x\":1," + sys::read_file(record).value_or("").substr(1)); }},
      {"symbolic link",
       [&] {
         fs::rename(rootfs, dirs_.cache + "/elsewhere");
         fs::create_symlink(dirs_.cache + "/elsewhere", rootfs);
       }},
      {"pipe",
       [&] {
         fs::remove(rootfs);
         ASSERT_EQ(::mkfifo(rootfs.c_str(), 0444), 0);
       }},
      {"writable for others", [&] { fs::permissions(rootfs, fs::perms(0666)); }},
      {"linked folder",
       [&] {
         fs::rename(install(), dirs_.cache + "/folder");
         fs::create_directory_symlink(dirs_.cache + "/folder", install());
       }},
  };
  pull_ok();
  for (const auto& [what, damage] : damages) {
    damage();
    const auto open = environments_.open("debian:12");
    ASSERT_FALSE(open) << what;
    EXPECT_EQ(open.error().code, Errc::kDamaged) << what << ": " << open.error().message;
    EXPECT_EQ(open.error().hint, "run: pyro env pull debian:12") << what;
    const auto info = environments_.inspect("debian:12", /*deep=*/true);
    ASSERT_TRUE(info) << what;
    EXPECT_FALSE(info->installed) << what;
    EXPECT_NE(info->damage, "") << what;
    pull_ok();
    const auto again = environments_.open("debian:12");
    ASSERT_TRUE(again) << what << ": " << again.error().message;
    EXPECT_TRUE(staging().empty()) << what;
    EXPECT_FALSE(fs::is_symlink(install())) << what;
  }
  EXPECT_EQ(fetches(), 1 + damages.size());
}

TEST_F(EnvironmentsTest, PruneKeepsWhatIsGoodOrInUse) {
  EXPECT_TRUE(environments_.prune()->deleted.empty());
  pull_ok();
  // What a killed pull left, an environment no longer in the catalogue, and a damaged one in use.
  fs::create_directories(platform() + "/.staging-0123456789abcdef/out");
  ASSERT_TRUE(sys::write_file_atomic(platform() + "/.staging-0123456789abcdef/out/rootfs.erofs",
                                     std::string(100'000, 'x')));
  fs::create_directories(platform() + "/old_1-0.9.0");
  auto open = environments_.open("debian:12");
  ASSERT_TRUE(open);
  fs::remove(install() + "/vmlinuz");
  const auto first = environments_.prune();
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->deleted, (std::vector<std::string>{platform() + "/.staging-0123456789abcdef",
                                                      platform() + "/old_1-0.9.0"}));
  EXPECT_EQ(first->kept_in_use, std::vector<std::string>{install()});
  EXPECT_GE(first->freed_bytes, 100'000U);
  EXPECT_TRUE(fs::exists(install()));

  open->lease = sys::FileLock(sys::UniqueFd());
  const auto second = environments_.prune();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->deleted, std::vector<std::string>{install()});
  EXPECT_FALSE(fs::exists(install()));
  pull_ok();
  const auto third = environments_.prune();
  ASSERT_TRUE(third);
  EXPECT_TRUE(third->deleted.empty());
  EXPECT_TRUE(environments_.open("debian:12"));
}

TEST_F(EnvironmentsTest, PruneLeavesARunningPullAlone) {
  auto pipe = sys::make_pipe();
  ASSERT_TRUE(pipe);
  FakeSource stalling;
  stalling.stall_at = 2;
  stalling.stalled_fd = pipe->write.get();
  const pid_t pid = fork_pull(stalling);
  char c = 0;
  ASSERT_EQ(::read(pipe->read.get(), &c, 1), 1);
  const auto report = environments_.prune();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->deleted.empty());
  EXPECT_EQ(staging().size(), 1U);
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  EXPECT_EQ(exit_code(pid), 128 + SIGKILL);
  EXPECT_EQ(environments_.prune()->deleted.size(), 1U);
}

}  // namespace
}  // namespace pyro::image
