#include "mcp_serve/http_stream.h"

#include <boost/asio/post.hpp>

#include "mcp_serve/outbox.h"

namespace pyro::mcp_serve {

void HttpStream::push(mcp::Outgoing message) {
  {
    const std::scoped_lock lock(mutex_);
    const bool notice = message.kind == mcp::Outgoing::Kind::kNotice;
    const std::size_t size = message.text.size();
    if (gone_ || (notice && waiting_ + size > kNoticeRoom)) return;
    if (waiting_ + size > kMostWaiting) {
      gone_ = true;
      queue_.clear();
    } else {
      waiting_ += size;
      queue_.push_back(std::move(message));
    }
  }
  wake();
}

void HttpStream::wake() {
  boost::asio::post(loop_, [self = shared_from_this()] { self->changes_.notify(); });
}

std::optional<mcp::Outgoing> HttpStream::take() {
  const std::scoped_lock lock(mutex_);
  if (queue_.empty()) return std::nullopt;
  mcp::Outgoing first = std::move(queue_.front());
  queue_.pop_front();
  waiting_ -= first.text.size();
  return first;
}

void HttpStream::set_gone() {
  {
    const std::scoped_lock lock(mutex_);
    gone_ = true;
    queue_.clear();
    waiting_ = 0;
  }
  changes_.notify();
}

io::Task<HttpStream::State> HttpStream::wait(std::chrono::milliseconds limit) {
  for (;;) {
    const std::uint64_t seen = changes_.count();
    {
      const std::scoped_lock lock(mutex_);
      if (gone_) co_return State::kGone;
      if (!queue_.empty()) co_return State::kMessage;
    }
    const Result<void> changed = co_await changes_.after(seen, limit);
    if (changed) continue;
    co_return changed.error().code == Errc::kDeadline ? State::kQuiet : State::kGone;
  }
}

}  // namespace pyro::mcp_serve
