#include "cli/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <string_view>

#include "sys/fd.h"

namespace pyro::cli {
namespace {

// A handler can reach nothing else than globals.
std::atomic<int> g_write_fd{-1};
std::atomic<int> g_first{0};
std::atomic<int> g_count{0};
std::atomic<bool> g_forward{false};
static_assert(std::atomic<int>::is_always_lock_free);

// Async-signal-safe calls only.
void on_signal(int signo) {
  const int saved = errno;
  const int count = g_count.fetch_add(1) + 1;
  if (!g_forward.load() || count >= 3) {
    constexpr std::string_view kClear = "\r\033[K";
    if (::isatty(2) != 0 && ::write(2, kClear.data(), kClear.size()) < 0) errno = 0;
    ::_exit(128 + signo);
  }
  int none = 0;
  g_first.compare_exchange_strong(none, signo);
  const char byte = 1;
  if (::write(g_write_fd.load(), &byte, 1) < 0) errno = 0;  // full: it is readable anyhow
  errno = saved;
}

class ProcessInterrupts final : public Interrupts {
 public:
  explicit ProcessInterrupts(sys::Pipe pipe) : pipe_(std::move(pipe)) {
    g_write_fd = pipe_.write.get();
    g_first = 0;
    g_count = 0;
    g_forward = false;
    struct sigaction action{};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    // An ignored SIGINT (a background job of a shell script) stays ignored.
    for (std::size_t i = 0; i < std::size(kSignals); ++i) {
      ::sigaction(kSignals[i], nullptr, &before_[i]);
      if (before_[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
    }
  }
  ~ProcessInterrupts() override {
    for (std::size_t i = 0; i < std::size(kSignals); ++i) {
      ::sigaction(kSignals[i], &before_[i], nullptr);
    }
    g_write_fd = -1;
  }
  ProcessInterrupts(const ProcessInterrupts&) = delete;
  ProcessInterrupts& operator=(const ProcessInterrupts&) = delete;

  void set_mode(Mode mode) override { g_forward = mode == Mode::kForward; }
  [[nodiscard]] int fd() const override { return pipe_.read.get(); }
  [[nodiscard]] int received() const override { return g_first; }

 private:
  static constexpr int kSignals[] = {SIGINT, SIGTERM};
  sys::Pipe pipe_;
  struct sigaction before_[std::size(kSignals)]{};
};

}  // namespace

Result<std::unique_ptr<Interrupts>> watch_interrupts() {
  PYRO_TRY(sys::Pipe pipe, sys::make_pipe());
  PYRO_CHECK(sys::set_nonblocking(pipe.write.get(), true));
  return std::make_unique<ProcessInterrupts>(std::move(pipe));
}

}  // namespace pyro::cli
