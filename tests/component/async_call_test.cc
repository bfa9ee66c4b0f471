// Calls of the library on threads of their own, against a supervisor whose machines are fake and
// whose commands are real.
#include <latch>

#include "pyro/call.hpp"
#include "support/workspace_supervisor.h"

namespace pyro::testing {
namespace {

class AsyncCall : public WorkspaceSupervisor {
 protected:
  // What a command prints, and that it has begun to.
  struct Output {
    std::string text;
    std::latch begun{1};
  };
  static WorkspaceObserver observer(Output& output) {
    WorkspaceObserver out;
    out.run.on_stdout = [&output](std::string_view bytes) -> Result<void> {
      if (output.text.empty()) output.begun.count_down();
      output.text += bytes;
      return {};
    };
    return out;
  }
  std::unique_ptr<Peer> creator_ = create(request());
  Pyro pyro_ = library();
  Workspaces& workspaces_ = pyro_.workspaces();
};

TEST_F(AsyncCall, CancelIsSigintForTheCommandWhoseResultComesAllTheSame) {
  Output output;
  Call call = start([&](int interrupt_fd) {
    WorkspaceObserver watched = observer(output);
    watched.run.interrupt_fd = interrupt_fd;
    watched.run.interrupt_grace = 60s;
    return workspaces_.exec(
        kId, shell("trap 'echo caught; exit 7' INT; echo ready; while :; do :; done"), watched);
  });
  output.begun.wait();
  EXPECT_FALSE(call.wait_for(0ms));
  call.cancel();
  const auto result = call.get();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->exit_code, 7);
  EXPECT_EQ(output.text, "ready\ncaught\n");
  EXPECT_EQ(journal().entries.at(0).exit_code, 7);
}

TEST_F(AsyncCall, ACommandThatIgnoresSigintIsEnded) {
  Output output;
  Call call = start([&](int interrupt_fd) {
    WorkspaceObserver watched = observer(output);
    watched.run.interrupt_fd = interrupt_fd;
    watched.run.interrupt_grace = 20ms;
    return workspaces_.exec(kId, shell("trap '' INT; echo ready; exec sleep 1000"), watched);
  });
  output.begun.wait();
  call.cancel();
  const auto result = call.get();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->exit_code, 128 + SIGTERM);  // SIGKILL would come next
  EXPECT_EQ(result->signal, SIGTERM);
  EXPECT_TRUE(journal().entries.at(0).ended_at);
  EXPECT_TRUE(exec(shell("true")));
}

TEST_F(AsyncCall, TheEndOfTheHandleEndsTheCommand) {
  Output output;
  {
    Call call = start(workspaces_, &Workspaces::exec, kId, shell("echo ready; exec sleep 1000"),
                      observer(output));
    output.begun.wait();
  }
  EXPECT_TRUE(journal().entries.at(0).ended_at);
}

TEST_F(AsyncCall, ManyCallsOfOneObjectDoNotCross) {
  constexpr int kMany = 8;
  std::array<Output, kMany> outputs;
  std::vector<Call<WorkspaceExecResult>> calls;
  for (int n = 0; n < kMany; ++n) {
    const std::string me = std::to_string(n);
    calls.push_back(start(workspaces_, &Workspaces::exec, kId,
                          shell("echo in " + me + "; exit " + me),
                          observer(outputs.at(static_cast<std::size_t>(n)))));
  }
  for (int n = 0; n < kMany; ++n) {
    const auto result = calls.at(static_cast<std::size_t>(n)).get();
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->exit_code, n);
    EXPECT_EQ(outputs.at(static_cast<std::size_t>(n)).text, "in " + std::to_string(n) + "\n");
  }
}

TEST_F(AsyncCall, ASupervisorThatDiesIsAnErrorAndNoSignal) {
  ::signal(SIGPIPE, SIG_DFL);
  Output output;
  Call call = start(workspaces_, &Workspaces::exec, kId, shell("echo ready; exec sleep 1000"),
                    observer(output));
  output.begun.wait();
  ASSERT_TRUE(supervisor_->signal(SIGKILL));
  EXPECT_FALSE(call.get());
}

}  // namespace
}  // namespace pyro::testing
