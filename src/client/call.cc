#include "pyro/call.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

#include "sys/fd.h"

namespace pyro::detail {

struct Background::Impl {
  std::mutex mutex;
  std::condition_variable ended;
  bool running = false;
  sys::Pipe interrupt;
  std::thread thread;
};

Background::Background() : impl_(std::make_unique<Impl>()) {}

Background::~Background() {
  interrupt();
  if (impl_->thread.joinable()) impl_->thread.join();
}

Result<void> Background::run(std::function<void(int interrupt_fd)> body) {
  PYRO_TRY(impl_->interrupt, sys::make_pipe());
  // Whoever interrupts a hundred thousand times does not wait.
  PYRO_CHECK(sys::retrying(
      "fcntl", [&] { return ::fcntl(impl_->interrupt.write.get(), F_SETFL, O_NONBLOCK); }));
  impl_->running = true;
  try {
    impl_->thread = std::thread([impl = impl_.get(), body = std::move(body)] {
      body(impl->interrupt.read.get());
      // Notified with the lock held: whoever waits may destroy this right after it.
      const std::scoped_lock lock(impl->mutex);
      impl->running = false;
      impl->ended.notify_all();
    });
  } catch (const std::system_error& e) {
    impl_->running = false;
    return fail(Errc::kLimit, std::string("start a thread: ") + e.what(), e.code().value());
  }
  return {};
}

void Background::interrupt() noexcept {
  if (impl_->interrupt.write)
    static_cast<void>(!::write(impl_->interrupt.write.get(), "!", 1));  // one byte will do
}

void Background::wait() {
  std::unique_lock lock(impl_->mutex);
  impl_->ended.wait(lock, [this] { return !impl_->running; });
}

bool Background::wait_for(std::chrono::milliseconds limit) {
  std::unique_lock lock(impl_->mutex);
  return impl_->ended.wait_for(lock, limit, [this] { return !impl_->running; });
}

}  // namespace pyro::detail
