// How fast a terminal in the guest echoes, without pyro: the baseline of shell_echo.
//
//   pyro_bench_guest_pty ROUNDS PROGRAM [ARGUMENT]...
//
// Starts the program on a terminal of its own, types one letter after another and waits for each to
// come back. Prints the nanoseconds of each round, one in a line.
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
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
  if (argc < 3) return 2;
  const long rounds = ::strtol(argv[1], nullptr, 10);
  int master = -1;
  const winsize size{.ws_row = 30, .ws_col = 120, .ws_xpixel = 0, .ws_ypixel = 0};
  const pid_t child = ::forkpty(&master, nullptr, nullptr, &size);
  if (child < 0) return 1;
  if (child == 0) {
    ::execvp(argv[2], argv + 2);
    ::_exit(127);
  }
  drain(master, kQuietMs, '\0');
  int status = 0;
  for (long i = 0; i < rounds; ++i) {
    const char letter = static_cast<char>('a' + (i % 26));
    const long long before = now_ns();
    if (::write(master, &letter, 1) != 1 || !drain(master, kPatienceMs, letter)) {
      status = 1;
      break;
    }
    std::printf("%lld\n", now_ns() - before);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  return status;
}
