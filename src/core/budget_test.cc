#include "core/budget.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "sys/file.h"

namespace pyro::core {
namespace {

class Budget : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/pyro-budget-XXXXXX";
    dir_ = ::mkdtemp(name.data());
  }
  void TearDown() override { (void)sys::remove_tree(dir_); }
  BudgetRequest request(int mem_mib, int cancel_fd = -1) {
    return {.runtime_dir = dir_,
            .totals = {.mem_mib = 256, .vcpus = 4},
            .mem_mib = mem_mib,
            .vcpus = 1,
            .on_wait =
                [this](const std::string& why) {
                  waits_.push_back(why);
                  waited_ = true;
                },
            .cancel_fd = cancel_fd};
  }
  std::string dir_;
  std::vector<std::string> waits_;
  std::atomic<bool> waited_ = false;  // for another thread
};

TEST_F(Budget, GrantsUpToTheTotalWithoutWaiting) {
  std::vector<Reservation> held;
  for (int i = 0; i < 4; ++i) {
    auto r = reserve(request(64));
    ASSERT_TRUE(r);
    held.push_back(std::move(*r));
  }
  EXPECT_TRUE(waits_.empty());
}

TEST_F(Budget, WaitsUntilSomethingIsReleasedAndSaysSoOnce) {
  auto first = reserve(request(256));
  ASSERT_TRUE(first);
  std::thread releaser([&] {
    while (!waited_) std::this_thread::yield();
    first->memory = sys::UniqueFd();
    first->vcpus = sys::UniqueFd();
  });
  const auto second = reserve(request(128));
  releaser.join();
  EXPECT_TRUE(second);
  EXPECT_EQ(waits_.size(), 1U);
}

TEST_F(Budget, ASignalThatIsHandledIsNoCancel) {
  auto first = reserve(request(256));
  ASSERT_TRUE(first);
  struct sigaction before{};
  struct sigaction nothing{};
  nothing.sa_handler = [](int) {};
  ASSERT_EQ(::sigaction(SIGUSR1, &nothing, &before), 0);
  std::thread releaser([&, waiter = ::pthread_self()] {
    while (!waited_) std::this_thread::yield();
    for (int i = 0; i < 100; ++i) {
      ::pthread_kill(waiter, SIGUSR1);
      std::this_thread::yield();
    }
    first->memory = sys::UniqueFd();
    first->vcpus = sys::UniqueFd();
  });
  const auto second = reserve(request(128));
  releaser.join();
  EXPECT_TRUE(second) << second.error().message;
  ::sigaction(SIGUSR1, &before, nullptr);
}

TEST_F(Budget, CpusAreABudgetToo) {
  auto r = request(64);
  r.vcpus = 4;
  const auto all = reserve(r);
  ASSERT_TRUE(all);
  auto pipe = sys::make_pipe();
  ASSERT_TRUE(sys::write_all(pipe->write.get(), "x"));
  const auto none = reserve(request(64, pipe->read.get()));
  ASSERT_FALSE(none);
  EXPECT_NE(waits_.at(0).find("vCPU"), std::string::npos);
}

TEST_F(Budget, RefusesWhatCanNeverFit) {
  const auto r = reserve(request(320));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Errc::kLimit);
  EXPECT_FALSE(r.error().hint.empty());
}

TEST_F(Budget, ALockThatFailedHalfwayHoldsNothing) {
  const auto some = reserve(request(192));
  ASSERT_TRUE(some);
  auto pipe = sys::make_pipe();
  ASSERT_TRUE(sys::write_all(pipe->write.get(), "x"));
  EXPECT_FALSE(reserve(request(128, pipe->read.get())));
  EXPECT_TRUE(reserve(request(64)));
}

TEST_F(Budget, IsFreedWhenItsHolderIsKilled) {
  auto pipe = sys::make_pipe();
  const pid_t child = ::fork();
  if (child == 0) {
    const auto r = reserve(request(256));
    (void)!::write(pipe->write.get(), r ? "+" : "-", 1);
    ::pause();
    ::_exit(0);
  }
  char c = 0;
  ASSERT_EQ(::read(pipe->read.get(), &c, 1), 1);
  ASSERT_EQ(c, '+');
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(reserve(request(256)));
  EXPECT_TRUE(waits_.empty());
}

}  // namespace
}  // namespace pyro::core
