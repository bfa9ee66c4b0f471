#include "isolate/jail.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>

#include "io/scope.h"
#include "sys/file.h"

namespace pyro::isolate {
namespace {

const std::vector<std::string> kFolders{"/usr", "/lib", "/lib64", "/bin"};

struct Outcome {
  std::string out;
  int code = -1;
};

boost::asio::awaitable<void> serve(const sys::UniqueFd& requests, std::vector<OpenGrant> grants) {
  (void)co_await serve_opens(requests, std::move(grants));
}

// Runs a shell script in the jail with the broker answering, and returns what it printed.
Outcome run(const std::string& script, std::vector<OpenGrant> grants = {},
            std::vector<std::pair<std::string, int>> files = {}) {
  auto pipe = sys::make_pipe();
  auto jailed = start_jailed({.program = "/bin/sh",
                              .argv = {"sh", "-c", script},
                              .env = {"PATH=/usr/bin:/bin"},
                              .folders = kFolders,
                              .files = std::move(files),
                              .fds = {{pipe->write.get(), 1}, {pipe->write.get(), 2}}});
  if (!jailed) return {.out = jailed.error().message};
  pipe->write = sys::UniqueFd();
  boost::asio::io_context loop(1);
  io::TaskScope scope(loop.get_executor());
  scope.spawn(serve(jailed->open_requests, std::move(grants)));
  loop.run();
  Outcome result;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(pipe->read.get(), buffer, sizeof buffer)) > 0;) {
    result.out.append(buffer, static_cast<std::size_t>(n));
  }
  result.code = jailed->process.wait()->shell_code();
  return result;
}

TEST(Jail, ShowsOnlyTheListedFolders) {
  EXPECT_EQ(run("ls /").out, "bin\nlib\nlib64\nusr\n");
  EXPECT_EQ(run("ls /etc /home /proc /dev 2>&-").out, "");
}

TEST(Jail, HasNoRootNoCapabilitiesAndNoOtherProcesses) {
  EXPECT_EQ(run("id -u; echo $$").out, "1000\n1\n");
  EXPECT_NE(run("mount -t tmpfs x /usr").code, 0);
  EXPECT_NE(run("unshare -U true").code, 0);
}

TEST(Jail, NeverRunsAsRootOfTheHost) {
  auto jailed =
      start_jailed({.program = "/bin/sleep", .argv = {"sleep", "600"}, .folders = kFolders});
  ASSERT_TRUE(jailed) << jailed.error().message;
  struct stat st{};
  const std::string proc = "/proc/" + std::to_string(jailed->process.pid());
  ASSERT_EQ(::stat(proc.c_str(), &st), 0);
  EXPECT_EQ(st.st_uid, jailed->identity.uid);
  EXPECT_NE(st.st_uid, 0U);
  const auto status = sys::read_file(proc + "/status");
  ASSERT_TRUE(status);
  EXPECT_NE(status->find("CapEff:\t0000000000000000"), std::string::npos);
  EXPECT_NE(status->find("NoNewPrivs:\t1"), std::string::npos);
  EXPECT_NE(status->find("Seccomp:\t2"), std::string::npos);
}

// Whatever numbers are free when it starts.
TEST(Jail, HasItsDescriptorsUnderAnyNumber) {
  constexpr int kLast = 9;  // that dash knows
  for (int number = 3; number <= kLast; ++number) {
    auto pipe = sys::make_pipe();
    ASSERT_TRUE(pipe);
    auto jailed = start_jailed({.program = "/bin/sh",
                                .argv = {"sh", "-c", "echo here >&" + std::to_string(number)},
                                .folders = kFolders,
                                .fds = {{pipe->write.get(), number}}});
    ASSERT_TRUE(jailed) << jailed.error().message;
    pipe->write = sys::UniqueFd();
    char text[16]{};
    EXPECT_EQ(::read(pipe->read.get(), text, sizeof text), 5) << number;
    EXPECT_EQ(jailed->process.wait()->shell_code(), 0) << number;
  }
}

TEST(Jail, CannotWriteAnywhere) {
  EXPECT_NE(run("echo x > /file").code, 0);
  EXPECT_NE(run("echo x > /usr/file").code, 0);
  EXPECT_NE(run("mkdir /d").code, 0);
}

TEST(Jail, HasANetworkNamespaceOfItsOwn) {
  auto jailed =
      start_jailed({.program = "/bin/sleep", .argv = {"sleep", "600"}, .folders = kFolders});
  ASSERT_TRUE(jailed) << jailed.error().message;
  const std::string proc = "/proc/" + std::to_string(jailed->process.pid());
  for (const char* name : {"net", "user", "mnt", "pid", "ipc", "uts"}) {
    char ours[64]{};
    char its[64]{};
    const std::string ns = std::string("/ns/") + name;
    ASSERT_GT(::readlink(("/proc/self" + ns).c_str(), ours, sizeof ours - 1), 0);
    ASSERT_GT(::readlink((proc + ns).c_str(), its, sizeof its - 1), 0);
    EXPECT_STRNE(ours, its) << name;
  }
  // Every interface there is (the network namespace's own loopback) is down: no address at all.
  const auto routes = sys::read_file(proc + "/net/fib_trie");
  ASSERT_TRUE(routes);
  EXPECT_EQ(routes->find("127.0.0.1"), std::string::npos);
}

TEST(Jail, CopiesFilesIntoTheRoot) {
  char name[] = "/tmp/pyro-jail-XXXXXX";
  const sys::UniqueFd file(::mkstemp(name));
  ::unlink(static_cast<const char*>(name));
  ASSERT_TRUE(sys::write_all(file.get(), "kernel"));
  EXPECT_EQ(run("cat /vmlinuz", {}, {{"vmlinuz", file.get()}}).out, "kernel");
}

TEST(Jail, CopiesFilesWhoseDescriptorsHaveTheNumbersOfTheProgramsOwn) {
  auto out = sys::make_pipe();
  auto file = sys::make_pipe();
  const sys::UniqueFd content(::memfd_create("content", MFD_CLOEXEC));
  ASSERT_TRUE(sys::write_all(content.get(), "kernel"));
  // The program gets something else under the file's number, and its highest number lies above it.
  const int number = content.get();
  auto jailed = start_jailed(
      {.program = "/bin/cat",
       .argv = {"cat", "/file"},
       .env = {},
       .folders = kFolders,
       .files = {{"file", number}},
       .fds = {
           {out->write.get(), 1}, {file->read.get(), number}, {file->read.get(), number + 20}}});
  ASSERT_TRUE(jailed) << jailed.error().message;
  out->write = sys::UniqueFd();
  boost::asio::io_context loop(1);
  io::TaskScope scope(loop.get_executor());
  scope.spawn(serve(jailed->open_requests, {}));
  loop.run();
  char buffer[64];
  const ssize_t n = ::read(out->read.get(), buffer, sizeof buffer);
  EXPECT_EQ(std::string_view(buffer, static_cast<std::size_t>(std::max<ssize_t>(n, 0))), "kernel");
  EXPECT_EQ(jailed->process.wait()->shell_code(), 0);
}

TEST(OpenBroker, GivesTheGrantedDescriptorWithItsOwnAccessMode) {
  char name[] = "/tmp/pyro-jail-XXXXXX";
  {
    const sys::UniqueFd file(::mkstemp(name));
    ASSERT_TRUE(sys::write_all(file.get(), "template"));
  }
  const auto read_only = sys::open_file(name, O_RDONLY);
  ASSERT_TRUE(read_only);
  // `<>` opens for reading and writing; the write must fail although the open did not.
  const Outcome r = run("exec 5<>/pyro/ram && cat <&5 && { echo x >&5 || echo refused; }",
                        {{.path = "/pyro/ram", .fd = read_only->get()}});
  EXPECT_NE(r.out.find("template"), std::string::npos) << r.out;
  EXPECT_NE(r.out.find("refused"), std::string::npos) << r.out;
  EXPECT_EQ(*sys::read_file(name), "template");
  ::unlink(static_cast<const char*>(name));
}

TEST(OpenBroker, RefusesWhatWasNotGranted) {
  EXPECT_NE(run("exec 5<>/pyro/other").code, 0);
  EXPECT_NE(run("exec 5<>/usr/bin/env").code, 0);
  EXPECT_NE(run("exec 5>/usr/bin/env").code, 0);
}

TEST(Jail, DiesWithItsLauncher) {
  // A middle process starts a jail and is killed; the jailed program must go as well.
  auto pipe = sys::make_pipe();
  const pid_t middle = ::fork();
  if (middle == 0) {
    auto jailed = start_jailed({.program = "/bin/sleep",
                                .argv = {"sleep", "600"},
                                .folders = kFolders,
                                .fds = {{pipe->write.get(), 1}}});
    (void)!::write(pipe->write.get(), jailed ? "+" : "-", 1);
    ::pause();
    ::_exit(0);
  }
  pipe->write = sys::UniqueFd();
  char c = 0;
  ASSERT_EQ(::read(pipe->read.get(), &c, 1), 1);
  ASSERT_EQ(c, '+');
  ::kill(middle, SIGKILL);
  ::waitpid(middle, nullptr, 0);
  EXPECT_EQ(::read(pipe->read.get(), &c, 1), 0);  // end of file: the jailed copy is closed too
}

TEST(Jail, NamesAProgramThatIsMissing) {
  const auto r = start_jailed({.program = "/usr/bin/no-such", .argv = {"x"}, .folders = kFolders});
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().message.find("/usr/bin/no-such"), std::string::npos);
}

TEST(JailSupport, TellsWhatThisHostHas) {
  const JailSupport s = probe_jail_support();
  EXPECT_TRUE(s.user_namespaces);
  EXPECT_TRUE(s.seccomp_notify);
}

}  // namespace
}  // namespace pyro::isolate
