#include "agent/worker.h"

#include <boost/asio/post.hpp>
#include <system_error>

namespace pyro::agent {

Worker::~Worker() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  wanted_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Worker::work(const Call& call) {
  result_ = {};
  thrown_ = nullptr;
  try {
    result_ = call();
  } catch (...) {
    thrown_ = std::current_exception();
  }
}

void Worker::serve() {
  for (;;) {
    Call call;
    {
      std::unique_lock lock(mutex_);
      wanted_.wait(lock, [this] { return call_ || over_; });
      if (!call_) return;
      call = std::exchange(call_, nullptr);
    }
    work(call);
    // The loop sees the result through its own queue, which orders the two threads.
    boost::asio::post(ex_, [this] { done_.set(); });
  }
}

void Worker::begin(Call call) {
  done_.clear();
  if (!thread_.joinable()) {
    try {
      thread_ = std::thread([this] { serve(); });
    } catch (const std::system_error&) {  // no thread is to be had: slow is better than never
      work(call);
      done_.set();
      return;
    }
  }
  {
    const std::lock_guard lock(mutex_);
    call_ = std::move(call);
  }
  wanted_.notify_one();
}

io::Task<void> Worker::wait() {
  co_await done_.wait_regardless();
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
  co_return std::move(result_);
}

io::Task<void> Worker::run(Call call) {
  begin(std::move(call));
  co_return co_await wait();
}

}  // namespace pyro::agent
