#include "pyro/call.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <stdexcept>

namespace pyro {
namespace {

using namespace std::chrono_literals;

// What an operation does that waits for its interrupt.
Result<int> until_interrupted(int interrupt_fd) {
  pollfd waits{.fd = interrupt_fd, .events = POLLIN, .revents = 0};
  if (::poll(&waits, 1, 30'000) != 1) return fail(Errc::kDeadline, "no interrupt came");
  return 1;
}

TEST(Call, GivesTheResultOnce) {
  Call call = start([](int) -> Result<std::string> { return "done"; });
  EXPECT_EQ(call.get(), "done");
  EXPECT_EQ(call.get().error().code, Errc::kInvalid);
}

TEST(Call, GivesTheErrorAndWhatWasThrown) {
  EXPECT_EQ(start([](int) -> Result<void> { return fail(Errc::kConflict, "busy"); })
                .get()
                .error()
                .message,
            "busy");
  const auto thrown = start([](int) -> Result<int> { throw std::runtime_error("oh"); }).get();
  ASSERT_FALSE(thrown);
  EXPECT_EQ(thrown.error().code, Errc::kInternal);
  EXPECT_NE(thrown.error().message.find("oh"), std::string::npos);
}

TEST(Call, WaitForSaysWhetherItHasEnded) {
  std::promise<void> go;
  Call call = start([gone = go.get_future()](int) -> Result<int> {
    gone.wait();
    return 7;
  });
  EXPECT_FALSE(call.wait_for(1ms));
  go.set_value();
  EXPECT_TRUE(call.wait_for(30s));
  EXPECT_EQ(call.get(), 7);
}

TEST(Call, CancelInterruptsWhatRunsAndWhatHasHardlyBegun) {
  Call call = start(until_interrupted);
  call.cancel();
  call.cancel();
  EXPECT_EQ(call.get(), 1);
}

TEST(Call, CancelAfterTheEndIsNothing) {
  Call call = start([](int) -> Result<int> { return 1; });
  call.wait();
  for (int i = 0; i < 100'000; ++i) call.cancel();  // more than the pipe holds
  EXPECT_EQ(call.get(), 1);
}

TEST(Call, TheEndOfTheHandleCancelsAndWaits) {
  std::atomic<bool> ended = false;
  {
    Call call = start([&](int fd) {
      auto n = until_interrupted(fd);
      ended = n.has_value();
      return n;
    });
  }
  EXPECT_TRUE(ended);
}

TEST(Call, AssigningCancelsWhatWasThereAndWaits) {
  std::atomic<bool> ended = false;
  Call call = start([&](int fd) {
    auto n = until_interrupted(fd);
    ended = n.has_value();
    return n;
  });
  call = start([](int) -> Result<int> { return 5; });
  EXPECT_TRUE(ended);
  EXPECT_EQ(call.get(), 5);
}

// An object with operations of every shape that the library has.
struct Operations {
  Result<int> of_run(const std::string& name, const RunObserver& o) const {
    if (o.interrupt_fd < 0 || o.interrupt_grace != kCancelGrace) return -1;
    return static_cast<int>(name.size());
  }
  Result<bool> of_workspace(const WorkspaceObserver& o) { return o.run.interrupt_fd >= 0; }
  Result<bool> of_events(const NetworkEventOptions& o) { return o.interrupt_fd >= 0; }
  Result<bool> of_list(const FileListOptions& o) { return o.interrupt_fd >= 0; }
  Result<bool> of_write(const FileWriteOptions& o) { return o.interrupt_fd >= 0; }
  Result<bool> of_open(const ShellOptions& o) { return o.interrupt_fd >= 0; }
  Result<bool> of_attach(const ShellKeys& k) { return k.stop_fd >= 0; }
  Result<bool> of_read(const ShellReadOptions& o) { return o.interrupt_fd >= 0; }
  Result<bool> of_number(const std::string&, int interrupt_fd) { return interrupt_fd >= 0; }
  virtual Result<void> of_nothing() { return {}; }
  virtual ~Operations() = default;
};

TEST(Call, AnOperationOfAnObjectGetsItsArgumentsAndTheInterrupt) {
  Operations object;
  EXPECT_EQ(start(object, &Operations::of_run, "three", RunObserver{}).get(), 5);
  EXPECT_EQ(start(object, &Operations::of_workspace, WorkspaceObserver{}).get(), true);
  EXPECT_EQ(start(object, &Operations::of_events, NetworkEventOptions{}).get(), true);
  EXPECT_EQ(start(object, &Operations::of_list, FileListOptions{}).get(), true);
  EXPECT_EQ(start(object, &Operations::of_write, FileWriteOptions{}).get(), true);
  EXPECT_EQ(start(object, &Operations::of_open, ShellOptions{}).get(), true);
  EXPECT_EQ(start(object, &Operations::of_attach, ShellKeys{}).get(), true);
  EXPECT_EQ(start(object, &Operations::of_read, ShellReadOptions{}).get(), true);
  EXPECT_EQ(start(object, &Operations::of_number, "x", kInterruptOfCall).get(), true);
  EXPECT_TRUE(start(object, &Operations::of_nothing).get());
}

}  // namespace
}  // namespace pyro
