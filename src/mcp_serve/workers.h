// Threads for calls that block.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace pyro::mcp_serve {

// Runs what it is given, in that order, on at most `most` threads that it starts when they are
// needed. The destructor runs what is left and waits for all of it: whoever wants that to be short
// gives the calls up first.
class Workers {
 public:
  explicit Workers(std::size_t most) : most_(most) {}
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers();

  // `work` throws nothing. False: there is no thread, and none could be made.
  bool post(std::function<void()> work);

 private:
  void loop();

  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool ending_ = false;
};

}  // namespace pyro::mcp_serve
