#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <thread>

#include "sys/clock.h"
#include "sys/dirs.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/process.h"

namespace pyro::sys {
namespace {

class TempDir {
 public:
  TempDir() {
    std::string name = "/tmp/pyro-test-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~TempDir() { (void)remove_tree(path_); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(UniqueFd, SelfMoveKeepsTheDescriptor) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  UniqueFd& alias = pipe->read;
  pipe->read = std::move(alias);
  EXPECT_GE(::fcntl(pipe->read.get(), F_GETFD), 0);
}

TEST(Clock, TimesBefore1970AndThoseThatDoNotFit) {
  EXPECT_EQ(to_timespec(-1).tv_sec, -1);
  EXPECT_EQ(to_timespec(-1).tv_nsec, 999'999'999);
  EXPECT_EQ(to_timespec(-2'000'000'000).tv_nsec, 0);
  for (const std::int64_t ns : {INT64_C(0), INT64_C(-1), INT64_C(1'500'000'000'000'000'042)}) {
    EXPECT_EQ(to_ns(to_timespec(ns)), ns);
  }
  EXPECT_EQ(to_ns({.tv_sec = INT64_MAX, .tv_nsec = 5}), INT64_MAX);
  EXPECT_EQ(to_ns({.tv_sec = INT64_MIN, .tv_nsec = 5}), INT64_MIN);
  EXPECT_GT(wall_clock_ns(), INT64_C(1'500'000'000'000'000'000));
}

TEST(File, AtomicWriteReplacesAndLeavesNoTemporary) {
  TempDir dir;
  const std::string path = dir.path() + "/a";
  ASSERT_TRUE(write_file_atomic(path, "one"));
  ASSERT_TRUE(write_file_atomic(path, "two", 0400));
  EXPECT_EQ(*read_file(path), "two");
  EXPECT_EQ(stamp(path)->mode & 0777U, 0400U);
  EXPECT_EQ(list_dir(dir.path())->size(), 1U);
}

TEST(File, ReadRefusesWhatIsTooLarge) {
  TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir.path() + "/a", std::string(100, 'x')));
  const auto r = read_file(dir.path() + "/a", 99);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::kLimit);
}

TEST(File, RemoveTreeDoesNotFollowLinks) {
  TempDir dir;
  ASSERT_TRUE(make_dirs(dir.path() + "/victim/deep"));
  ASSERT_TRUE(write_file_atomic(dir.path() + "/victim/keep", "x"));
  ASSERT_TRUE(make_dirs(dir.path() + "/doomed/sub"));
  ASSERT_EQ(::symlink((dir.path() + "/victim").c_str(), (dir.path() + "/doomed/sub/link").c_str()),
            0);
  ASSERT_TRUE(remove_tree(dir.path() + "/doomed"));
  EXPECT_FALSE(exists(dir.path() + "/doomed"));
  EXPECT_TRUE(exists(dir.path() + "/victim/keep"));
  EXPECT_TRUE(remove_tree(dir.path() + "/doomed"));  // missing is fine
}

TEST(File, OpenBeneathCannotLeave) {
  TempDir dir;
  ASSERT_TRUE(make_dirs(dir.path() + "/in"));
  ASSERT_TRUE(write_file_atomic(dir.path() + "/out", "x"));
  ASSERT_EQ(::symlink("/etc/passwd", (dir.path() + "/in/abs").c_str()), 0);
  const auto root = open_file(dir.path() + "/in", O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(root);
  EXPECT_FALSE(open_beneath(*root, "../out", O_RDONLY));
  EXPECT_FALSE(open_beneath(*root, "abs", O_RDONLY));
}

TEST(File, StampChangesWhenContentDoes) {
  TempDir dir;
  const std::string path = dir.path() + "/a";
  ASSERT_TRUE(write_file_atomic(path, "one"));
  const auto before = stamp(path);
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  struct stat old{};
  ASSERT_EQ(::fstat(fd.get(), &old), 0);
  const struct timespec keep[2] = {old.st_atim, old.st_mtim};
  ASSERT_TRUE(write_all(fd.get(), "two"));
  ASSERT_EQ(::futimens(fd.get(), keep), 0);  // a forged mtime does not hide it
  EXPECT_NE(*before, *stamp(path));
}

TEST(FileLock, OneThatWaitedForARemovedFileHoldsTheNewOne) {
  const TempDir dir;
  const std::string path = dir.path() + "/lock";
  auto first = FileLock::try_acquire(path, FileLock::Mode::kExclusive);
  ASSERT_TRUE(first);
  std::atomic<bool> waits = false;
  Result<FileLock> second = fail(Errc::kInternal, "");
  std::thread waiter([&] {
    waits = true;
    second = FileLock::acquire(path, FileLock::Mode::kExclusive);
  });
  while (!waits) std::this_thread::yield();
  FileLock::remove(*std::move(first), path);
  waiter.join();
  ASSERT_TRUE(second);
  EXPECT_TRUE(exists(path));
  EXPECT_FALSE(FileLock::try_acquire(path, FileLock::Mode::kShared));
}

TEST(FileLock, ExcludesAndReleases) {
  TempDir dir;
  const std::string path = dir.path() + "/lock";
  {
    const auto held = FileLock::acquire(path, FileLock::Mode::kExclusive);
    ASSERT_TRUE(held);
    const auto other = FileLock::try_acquire(path, FileLock::Mode::kShared);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, Errc::kConflict);
  }
  EXPECT_TRUE(FileLock::try_acquire(path, FileLock::Mode::kExclusive));
}

TEST(Process, CapturesOutputAndExitCode) {
  const auto r =
      run_captured({.program = "/bin/sh", .argv = {"sh", "-c", "echo out; echo err >&2; exit 7"}});
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ(r->out, "out\n");
  EXPECT_EQ(r->err, "err\n");
  EXPECT_EQ(r->status.shell_code(), 7);
}

TEST(Process, InheritsNoEnvironmentAndNoDescriptors) {
  ::setenv("PYRO_TEST_LEAK", "leaked", 1);
  const UniqueFd leak(::open("/dev/null", O_RDONLY));  // without CLOEXEC on purpose
  const auto r = run_captured({.program = "/bin/sh",
                               .argv = {"sh", "-c", "echo \"[$PYRO_TEST_LEAK]\"; ls /proc/self/fd"},
                               .env = {"PATH=/usr/bin:/bin"}});
  ::unsetenv("PYRO_TEST_LEAK");
  ASSERT_TRUE(r);
  EXPECT_EQ(r->out, "[]\n0\n1\n2\n3\n");  // 3 is ls reading its folder
}

TEST(Process, PassesDescriptorsUnderTheirNumbers) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  auto child = ChildProcess::spawn({.program = "/bin/sh",
                                    .argv = {"sh", "-c", "echo five >&5"},
                                    .fds = {{pipe->write.get(), 5}}});
  ASSERT_TRUE(child);
  ASSERT_TRUE(child->wait());
  char text[8]{};
  EXPECT_EQ(::read(pipe->read.get(), text, sizeof text), 5);
  EXPECT_STREQ(text, "five\n");
}

TEST(Process, MissingProgramIsAnErrorNotAnExitCode) {
  const auto r = ChildProcess::spawn({.program = "/nonexistent", .argv = {"x"}});
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::kNotFound);
}

TEST(Process, DroppingARunningChildKillsIt) {
  pid_t pid = -1;
  {
    auto child = ChildProcess::spawn({.program = "/bin/sleep", .argv = {"sleep", "600"}});
    ASSERT_TRUE(child);
    pid = child->pid();
    EXPECT_FALSE(*child->try_wait());
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(Process, FindProgramIgnoresRelativeFolders) {
  EXPECT_EQ(*find_program("sh", "relative::/bin"), "/bin/sh");
  EXPECT_FALSE(find_program("no-such-program", "/bin:/usr/bin"));
}

TEST(Dirs, TheModuleOfAProgramThatHoldsThisCodeIsTheProgram) {
  const auto module = module_dir();
  ASSERT_TRUE(module) << module.error().message;
  EXPECT_EQ(*module, *program_dir());
}

TEST(Dirs, FollowsXdgAndRefusesAForeignRuntimeFolder) {
  TempDir dir;
  std::map<std::string, std::string> vars{{"HOME", dir.path()},
                                          {"XDG_CACHE_HOME", "relative/is/ignored"},
                                          {"XDG_RUNTIME_DIR", dir.path() + "/run"}};
  const Environment env = [&](const std::string& n) -> std::optional<std::string> {
    const auto it = vars.find(n);
    return it == vars.end() ? std::nullopt : std::optional(it->second);
  };
  const auto dirs = resolve_dirs(env);
  ASSERT_TRUE(dirs) << dirs.error().message;
  EXPECT_EQ(dirs->cache, dir.path() + "/.cache/pyro");
  EXPECT_EQ(dirs->state, dir.path() + "/.local/state/pyro");
  EXPECT_EQ(stamp(dirs->runtime)->mode & 0777U, 0700U);
  vars["PYRO_RUNTIME_DIR"] = ::geteuid() == 0 ? dir.path() + "/foreign" : "/";
  if (::geteuid() == 0) {
    ASSERT_TRUE(make_dirs(dir.path() + "/foreign"));
    ASSERT_EQ(::chown((dir.path() + "/foreign").c_str(), 12345, 12345), 0);
  }
  EXPECT_FALSE(resolve_dirs(env));
}

}  // namespace
}  // namespace pyro::sys
