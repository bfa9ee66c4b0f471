#include "mcp_serve/workers.h"

#include <system_error>
#include <utility>

namespace pyro::mcp_serve {

Workers::~Workers() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  more_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool Workers::post(std::function<void()> work) {
  const std::scoped_lock lock(mutex_);
  if (idle_ <= queue_.size() && threads_.size() < most_) {
    try {
      threads_.emplace_back([this] { loop(); });
    } catch (const std::system_error&) {
      if (threads_.empty()) return false;  // with one thread the queue still gets done
    }
  }
  queue_.push_back(std::move(work));
  more_.notify_one();
  return true;
}

void Workers::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    more_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;
    std::function<void()> work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
    work = nullptr;  // what it holds goes without the lock
    lock.lock();
  }
}

}  // namespace pyro::mcp_serve
