// File calls that may block for long, beside the loop: a disk that is slow or frozen must not keep
// the agent from answering.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "io/scope.h"
#include "io/task.h"

namespace pyro::agent {

// One thread, started when it is first needed and ended with the worker. Calls run one at a time.
class Worker {
 public:
  using Call = std::function<Result<void>()>;
  explicit Worker(boost::asio::any_io_executor ex) : ex_(ex), done_(ex) {}
  ~Worker();  // waits for a call that is under way
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Starts `call`; the one before must have been waited for.
  void begin(Call call);
  // Waits for the end of that call, also when the task is cancelled. What it threw is thrown.
  io::Task<void> wait();
  io::Task<void> run(Call call);

 private:
  void serve();
  void work(const Call& call);

  boost::asio::any_io_executor ex_;
  io::Event done_;
  std::mutex mutex_;  // for the next two
  std::condition_variable wanted_;
  Call call_;
  bool over_ = false;
  Result<void> result_;
  std::exception_ptr thrown_;
  std::thread thread_;
};

}  // namespace pyro::agent
