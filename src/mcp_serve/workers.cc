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

std::optional<Workers::Ticket> Workers::post(std::function<void()> work, std::size_t weight) {
  const std::scoped_lock lock(mutex_);
  bool at_once = idle_ > queue_.size();
  if (!at_once && threads_.size() < most_) {
    try {
      threads_.emplace_back([this] { loop(); });
      at_once = true;
    } catch (const std::system_error&) {
      if (threads_.empty()) return std::nullopt;  // with one thread the queue still gets done
    }
  }
  if (!at_once && queued_ + weight > kMostQueued) return std::nullopt;
  const Ticket ticket = next_++;
  queue_[ticket] = {.run = std::move(work), .weight = weight};
  queued_ += weight;
  more_.notify_one();
  return ticket;
}

bool Workers::withdraw(Ticket ticket) {
  std::map<Ticket, Work>::node_type taken;  // goes without the lock
  const std::scoped_lock lock(mutex_);
  taken = queue_.extract(ticket);
  if (taken.empty()) return false;
  queued_ -= taken.mapped().weight;
  return true;
}

void Workers::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    more_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;
    auto first = queue_.extract(queue_.begin());
    queued_ -= first.mapped().weight;
    lock.unlock();
    first.mapped().run();
    first = {};  // what it holds goes without the lock
    lock.lock();
  }
}

}  // namespace pyro::mcp_serve
