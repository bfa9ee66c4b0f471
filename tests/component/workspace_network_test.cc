// The network of a workspace over fake machines: the real pyro-net, as long as the machine.
#include <gtest/gtest.h>
#include <signal.h>

#include "support/workspace_fixture.h"

namespace pyro::testing {
namespace {

using policy::Policy;

Policy policy_of(const std::string& text) {
  const auto policy = policy::parse_policy_text(text);
  EXPECT_TRUE(policy) << text;
  return policy.value_or(Policy{});
}
const char* const kEgress = "preset egress\nallow a.example:443\n";

class WorkspaceNetworkTest : public WorkspaceTest {
 protected:
  WorkspaceNetworkTest() {
    network_ = {.engine = PYRO_NET_PROGRAM, .resolv_conf = "/etc/resolv.conf"};
  }
  // Created with that policy, and started.
  core::Workspace& with(const std::string& policy) {
    core::NewWorkspace what = wanted("project");
    what.record.network = policy_of(policy);
    const auto made = create(std::move(what));
    EXPECT_TRUE(made) << made.error().message;
    const auto up = start();
    EXPECT_TRUE(up) << up.error().message;
    return *workspace_;
  }
  proto::NetworkState state() {
    auto known = driver_.run(workspace_->network_state());
    EXPECT_TRUE(known) << known.error().message;
    return known.value_or(proto::NetworkState{});
  }
  // What its engine decides by; empty: there is none.
  std::string in_force() {
    const proto::NetworkState known = state();
    return known.info ? known.info->policy : "";
  }
};

TEST_F(WorkspaceNetworkTest, OffIsNoDeviceAndNoEngine) {
  with("preset off\n");
  EXPECT_FALSE(state().running);
  EXPECT_EQ(vmm_.launches("link"), 0);
}

TEST_F(WorkspaceNetworkTest, OneWhoseNetworkDoesNotBeginIsStoppedAndSaysWhy) {
  with(kEgress);
  close();
  network_.engine = folder() + "/no-such-program";
  ASSERT_TRUE(open());
  const auto refused = start();
  ASSERT_FALSE(refused);
  expect_state(store::WorkspaceState::kStopped);
  EXPECT_EQ(record().last_error, refused.error().message);
  const auto reset = driver_.run(workspace_->reset(core::kBaseline, {}));
  ASSERT_FALSE(reset);
  EXPECT_FALSE(workspace_->has_machine());
  expect_state(store::WorkspaceState::kStopped);
  EXPECT_EQ(record().last_error, reset.error().message);
}

TEST_F(WorkspaceNetworkTest, AnEngineLivesAsLongAsTheMachine) {
  core::Workspace& w = with(kEgress);
  EXPECT_EQ(in_force(), kEgress);
  EXPECT_EQ(vmm_.launches("link"), 1);
  ASSERT_TRUE(driver_.run(w.stop()));
  EXPECT_EQ(driver_.run(w.network_state()).error().code, Errc::kConflict);
  ASSERT_TRUE(start());
  EXPECT_EQ(in_force(), kEgress);
  ASSERT_TRUE(driver_.run(w.reset(core::kBaseline, {})));
  EXPECT_EQ(in_force(), kEgress) << "a reset keeps the policy";
}

TEST_F(WorkspaceNetworkTest, WithoutAnEngineThereIsNoMachine) {
  network_.engine = "/bin/false";
  core::NewWorkspace what = wanted("project");
  what.record.network = policy_of(kEgress);
  ASSERT_TRUE(create(std::move(what)));
  const auto up = start();
  ASSERT_FALSE(up);
  EXPECT_NE(up.error().message.find("network engine"), std::string::npos) << up.error().message;
  EXPECT_FALSE(workspace_->has_machine());
  EXPECT_EQ(vmm_.launches("restore"), 0);
}

TEST_F(WorkspaceNetworkTest, AMachineThatDoesNotStartLeavesNoEngine) {
  with(kEgress);
  ASSERT_TRUE(driver_.run(workspace_->stop()));
  tell_guest("hang-mount");
  boot_.call_limit = std::chrono::milliseconds(300);
  close();
  ASSERT_TRUE(open());
  EXPECT_FALSE(start());
  EXPECT_EQ(driver_.run(workspace_->network_state()).error().code, Errc::kConflict);
}

TEST_F(WorkspaceNetworkTest, TheSamePolicyIsSetLiveAndForLater) {
  core::Workspace& w = with(kEgress);
  const std::string other = "preset egress+published-ports\nallow b.example:443\n";
  ASSERT_TRUE(driver_.run(w.set_network(policy_of(other))));
  EXPECT_EQ(in_force(), other);
  EXPECT_EQ(record().network, policy_of(other));
  ASSERT_TRUE(driver_.run(w.stop()));
  ASSERT_TRUE(driver_.run(w.set_network(policy_of(kEgress))));
  ASSERT_TRUE(start());
  EXPECT_EQ(in_force(), kEgress);
}

TEST_F(WorkspaceNetworkTest, ADeviceIsNeitherGivenNorTakenWhileItRuns) {
  core::Workspace& w = with(kEgress);
  const auto off = driver_.run(w.set_network(Policy{}));
  ASSERT_FALSE(off);
  EXPECT_EQ(off.error().code, Errc::kConflict);
  EXPECT_NE(off.error().hint.find("workspace stop"), std::string::npos) << off.error().hint;
  EXPECT_EQ(in_force(), kEgress);
  ASSERT_TRUE(driver_.run(w.stop()));
  ASSERT_TRUE(driver_.run(w.set_network(Policy{})));
  ASSERT_TRUE(start());
  EXPECT_FALSE(state().running);
  EXPECT_EQ(driver_.run(w.set_network(policy_of(kEgress))).error().code, Errc::kConflict);
  EXPECT_EQ(record().network, Policy{});
}

TEST_F(WorkspaceNetworkTest, APolicyThatIsNoneChangesNothing) {
  core::Workspace& w = with(kEgress);
  Policy bad{.preset = policy::Preset::kEgress, .allow_udp = true};
  EXPECT_EQ(driver_.run(w.set_network(bad)).error().code, Errc::kInvalid);
  EXPECT_EQ(in_force(), kEgress);
  EXPECT_EQ(record().network, policy_of(kEgress));
}

}  // namespace
}  // namespace pyro::testing
