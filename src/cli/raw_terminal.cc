#include "cli/raw_terminal.h"

#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "proto/limits.h"

namespace pyro::cli {
namespace {

// A handler can reach nothing else than globals. Both settings are written before the first handler
// is installed.
std::atomic<int> g_terminal{-1};
std::atomic<int> g_stop_fd{-1};
std::atomic<int> g_resized_fd{-1};
std::atomic<int> g_first{0};
std::atomic<int> g_count{0};
termios g_before{};
termios g_raw{};

constexpr std::array kStopSignals{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
constexpr std::array kFaults{SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
constexpr std::array kOthers{SIGWINCH, SIGCONT, SIGTSTP};
constexpr int kMostStops = 3;

std::array<struct sigaction, kStopSignals.size() + kFaults.size() + kOthers.size()> g_actions{};

// ---- async-signal-safe calls only (signal-safety(7) lists tcsetattr)

void put_back() {
  ::tcsetattr(g_terminal.load(), TCSANOW, &g_before);
}

void mark(int fd) {
  const char byte = 1;
  if (::write(fd, &byte, 1) < 0) errno = 0;  // full: it is readable anyhow
}

void on_stop(int signo) {
  const int saved = errno;
  if (g_count.fetch_add(1) + 1 >= kMostStops) {
    put_back();
    ::_exit(128 + signo);
  }
  int none = 0;
  g_first.compare_exchange_strong(none, signo);
  mark(g_stop_fd.load());
  errno = saved;
}

// Raised again it does what it always does, as soon as this handler returns.
void on_fault(int signo) {
  put_back();
  ::signal(signo, SIG_DFL);
  ::raise(signo);
}

void on_other(int signo) {
  const int saved = errno;
  // The shell that stopped and continued us has set its own modes in between.
  if (signo == SIGCONT) ::tcsetattr(g_terminal.load(), TCSANOW, &g_raw);
  if (signo != SIGTSTP) mark(g_resized_fd.load());
  errno = saved;
}

// ----

template <class F>
void each_signal(F call) {
  std::size_t i = 0;
  for (const int signo : kStopSignals) call(signo, on_stop, g_actions.at(i++));
  for (const int signo : kFaults) call(signo, on_fault, g_actions.at(i++));
  for (const int signo : kOthers) call(signo, on_other, g_actions.at(i++));
}

}  // namespace

std::pair<int, int> terminal_size(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {80, 24};
  const auto most = static_cast<int>(proto::kTerminalRange.high);
  return {std::min<int>(size.ws_col, most), std::min<int>(size.ws_row, most)};
}

Result<std::unique_ptr<RawTerminal>> RawTerminal::open(TerminalFds fds) {
  PYRO_TRY(sys::Pipe stop, sys::make_pipe());
  PYRO_TRY(sys::Pipe resized, sys::make_pipe());
  for (const int fd : {stop.write.get(), resized.write.get(), resized.read.get()}) {
    PYRO_CHECK(sys::set_nonblocking(fd, true));
  }
  PYRO_CHECK(sys::retrying("reading the modes of the terminal",
                           [&] { return ::tcgetattr(fds.input, &g_before); }));
  g_raw = g_before;
  ::cfmakeraw(&g_raw);
  g_terminal = fds.input;
  std::unique_ptr<RawTerminal> terminal(new RawTerminal(std::move(stop), std::move(resized)));
  terminal->take_signals();
  // From here on the destructor puts it back.
  PYRO_CHECK(sys::retrying("making the terminal raw",
                           [&] { return ::tcsetattr(fds.input, TCSANOW, &g_raw); }));
  return terminal;
}

void RawTerminal::take_signals() {
  g_stop_fd = stop_.write.get();
  g_resized_fd = resized_.write.get();
  g_first = 0;
  g_count = 0;
  each_signal([](int signo, void (*handler)(int), struct sigaction& before) {
    struct sigaction action{};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    ::sigaction(signo, nullptr, &before);
    // An ignored one (nohup) stays ignored.
    if (before.sa_handler != SIG_IGN) ::sigaction(signo, &action, nullptr);
  });
}

RawTerminal::~RawTerminal() {
  // A process in the background may set the modes of its terminal only while SIGTTOU is blocked.
  sigset_t ttou{};
  sigset_t before{};
  sigemptyset(&ttou);
  sigaddset(&ttou, SIGTTOU);
  ::pthread_sigmask(SIG_BLOCK, &ttou, &before);
  put_back();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  each_signal([](int signo, void (*)(int), struct sigaction& action) {
    ::sigaction(signo, &action, nullptr);
  });
  g_terminal = g_stop_fd = g_resized_fd = -1;
}

int RawTerminal::stopped_by() const {
  return g_first;
}

}  // namespace pyro::cli
