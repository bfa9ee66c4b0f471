// Threads for calls that block.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace pyro::mcp_serve {

// Bytes that may wait for a thread.
inline constexpr std::size_t kMostQueued = std::size_t{64} << 20;

// Runs what it is given, in that order, on at most `most` threads that it starts when they are
// needed. The destructor runs what is left and waits for all of it: whoever wants that to be short
// gives the calls up first.
class Workers {
 public:
  explicit Workers(std::size_t most) : most_(most) {}
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers();

  using Ticket = std::uint64_t;
  // `work` throws nothing; `weight`: the bytes that it keeps while it waits. nullopt: there is no
  // thread and none could be made, or none is free and more than kMostQueued bytes would wait.
  std::optional<Ticket> post(std::function<void()> work, std::size_t weight);
  // Forgets what has not begun. False: it has.
  bool withdraw(Ticket ticket);

 private:
  struct Work {
    std::function<void()> run;
    std::size_t weight = 0;
  };
  void loop();

  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::map<Ticket, Work> queue_;  // in the order of the tickets
  Ticket next_ = 0;
  std::size_t queued_ = 0;  // the weights in it
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool ending_ = false;
};

}  // namespace pyro::mcp_serve
