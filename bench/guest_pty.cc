// How fast a terminal in the guest echoes, without pyro: the baseline of shell_echo.
//
//   pyro_bench_guest_pty PROGRAM [ARGUMENT]...
//
// Starts the program on a terminal of its own and prints "ready". Each letter that it reads from
// its standard input it types there, waits for it to come back and prints the nanoseconds, one
// round in a line.
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>

namespace {

constexpr int kQuietMs = 300;      // the program has said all that it says by itself
constexpr int kPatienceMs = 5000;  // for an echo

long long now_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return (t.tv_sec * 1'000'000'000LL) + t.tv_nsec;
}

// Whether there was something to read; it is thrown away.
bool drain(int fd, int patience_ms, char wanted) {
  char text[4096];
  pollfd watch{.fd = fd, .events = POLLIN, .revents = 0};
  while (::poll(&watch, 1, patience_ms) > 0) {
    const auto n = ::read(fd, text, sizeof text);
    if (n <= 0) return false;
    for (ssize_t i = 0; i < n; ++i) {
      if (text[i] == wanted && wanted != '\0') return true;
    }
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  int master = -1;
  const winsize size{.ws_row = 30, .ws_col = 120, .ws_xpixel = 0, .ws_ypixel = 0};
  const pid_t child = ::forkpty(&master, nullptr, nullptr, &size);
  if (child < 0) return 1;
  if (child == 0) {
    ::execvp(argv[1], argv + 1);
    ::_exit(127);
  }
  drain(master, kQuietMs, '\0');
  std::puts("ready");
  std::fflush(stdout);
  int status = 0;
  for (char letter = '\0'; ::read(STDIN_FILENO, &letter, 1) == 1;) {
    const long long before = now_ns();
    if (::write(master, &letter, 1) != 1 || !drain(master, kPatienceMs, letter)) {
      status = 1;
      break;
    }
    std::printf("%lld\n", now_ns() - before);
    std::fflush(stdout);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  return status;
}
