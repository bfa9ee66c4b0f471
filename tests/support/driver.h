// Coroutines from blocking code: a loop that turns only while somebody waits for something.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <functional>
#include <memory>

#include "io/task.h"

namespace pyro::testing {

// A task under way.
template <class T>
struct Begun {
  bool done = false;
  Result<T> result = fail(Errc::kInternal, "not done");
  boost::asio::cancellation_signal stop;
  void cancel() { stop.emit(boost::asio::cancellation_type::terminal); }
};

class Driver {
 public:
  static constexpr std::chrono::seconds kPatience{30};
  static constexpr std::chrono::milliseconds kGlance{5};

  boost::asio::any_io_executor executor() { return loop_.get_executor(); }

  template <class T>
  std::shared_ptr<Begun<T>> begin(io::Task<T> task) {
    auto begun = std::make_shared<Begun<T>>();
    boost::asio::co_spawn(
        loop_, keep(std::move(task), begun),
        boost::asio::bind_cancellation_slot(begun->stop.slot(), [begun](std::exception_ptr e) {
          begun->done = true;
          if (e) begun->result = fail(Errc::kInternal, "it threw");
        }));
    return begun;
  }
  template <class T>
  Result<T> end(const std::shared_ptr<Begun<T>>& begun) {
    EXPECT_TRUE(until([&] { return begun->done; })) << "it does not end";
    return std::move(begun->result);
  }
  template <class T>
  Result<T> run(io::Task<T> task) {
    return end(begin(std::move(task)));
  }
  void run(boost::asio::awaitable<void> task) {
    bool done = false;
    boost::asio::co_spawn(loop_, std::move(task), [&done](std::exception_ptr) { done = true; });
    EXPECT_TRUE(until([&] { return done; })) << "it does not end";
  }
  // Turns the loop until `there`, which is looked at after each event, and now and then for what
  // other processes do. False: it took too long.
  bool until(const std::function<bool()>& there) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!there()) {
      if (std::chrono::steady_clock::now() > end) return false;
      loop_.restart();
      loop_.run_one_for(kGlance);
    }
    return true;
  }

 private:
  template <class T>
  static boost::asio::awaitable<void> keep(io::Task<T> task, std::shared_ptr<Begun<T>> begun) {
    // As in the programs: see TaskScope.
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    begun->result = co_await std::move(task);
  }
  boost::asio::io_context loop_{1};
};

}  // namespace pyro::testing
