// What a client sends for a program in the guest, until the guest takes it.
#pragma once

#include <deque>

#include "rpc/stream.h"

namespace pyro::core {

// Between the task that listens to the client, which must never wait for the guest, and the one
// that waits. The client's credit bounds it: its stream has manual_credit(). One loop, one pop().
class InputQueue {
 public:
  explicit InputQueue(const io::asio::any_io_executor& ex) : arrived_(ex) {}

  void push(rpc::Data data) {
    waiting_.push_back(std::move(data));
    arrived_.set();
  }
  // Waits for it. kUnavailable in a task that is cancelled meanwhile.
  io::Task<rpc::Data> pop() {
    while (waiting_.empty()) {
      arrived_.clear();
      PYRO_CO_CHECK(co_await arrived_.wait());
    }
    rpc::Data data = std::move(waiting_.front());
    waiting_.pop_front();
    co_return data;
  }

 private:
  std::deque<rpc::Data> waiting_;
  io::Event arrived_;
};

}  // namespace pyro::core
