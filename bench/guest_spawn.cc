// What starting a program costs inside the guest, without pyro: the baseline of exec_latency.
//
// Prints "ready", then answers each byte on standard input with one line, the nanoseconds from the
// start to the end of one /bin/true: 'f' fork+exec+waitpid, 'v' vfork+exec+waitpid, 's'
// posix_spawn+waitpid.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>

namespace {

char g_program[] = "/bin/true";
char* g_argv[] = {g_program, nullptr};
char g_self[] = "/proc/self/exe";
char g_end[] = "end";
char* g_self_argv[] = {g_self, g_end, nullptr};
char* g_env[] = {nullptr};

long long now_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1'000'000'000LL + t.tv_nsec;
}

pid_t start(char how) {
  pid_t pid = -1;
  if (how == 's')
    return ::posix_spawn(&pid, g_program, nullptr, nullptr, g_argv, g_env) == 0 ? pid : -1;
  if (how == 'v') {
    // What vfork costs is measured here, and the child does nothing but execve() and _exit().
    pid = ::vfork();  // NOLINT(bugprone-unsafe-functions,clang-analyzer-security.insecureAPI.vfork)
  } else {
    pid = ::fork();
  }
  if (pid == 0) {
    if (how == 't') {
      ::execve(g_self, g_self_argv, g_env);
    } else {
      ::execve(g_program, g_argv, g_env);
    }
    ::_exit(127);
  }
  return pid;
}

}  // namespace

int main(int argc, char**) {
  if (argc > 1) return 0;
  std::puts("ready");
  std::fflush(stdout);
  char how = 0;
  while (::read(0, &how, 1) == 1) {
    const long long before = now_ns();
    const pid_t pid = start(how);
    int status = -1;
    if (pid < 0 || ::waitpid(pid, &status, 0) != pid) return 1;
    const long long took = now_ns() - before;
    if (status != 0) return 1;
    std::printf("%lld\n", took);
    std::fflush(stdout);
  }
  return 0;
}
