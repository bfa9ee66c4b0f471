// The network policy of a workspace's record, over a fake machine. Not by the calls that refuse
// every network while there is no engine, but by what stands below them.
#include "client/workspace_network.h"

#include "support/workspace_supervisor.h"

namespace pyro::testing {
namespace {

constexpr const char* kPolicy = "preset egress\ndeny 10.0.0.0/8:*\nallow github.com:443\n";

TEST_F(WorkspaceSupervisor, APolicyStaysThroughStartResetAndStop) {
  static_cast<void>(create(request()));
  const auto policy = policy::parse_policy_text(kPolicy);
  ASSERT_TRUE(policy) << policy.error().message;
  // Its supervisor has it open.
  EXPECT_EQ(client::put_policy(host_.dirs(), kId, *policy).error().code, Errc::kConflict);
  ASSERT_TRUE(library().workspaces().stop(kId));
  expect_ended();
  ASSERT_TRUE(client::put_policy(host_.dirs(), kId, *policy));
  const auto shown = library().workspaces().status("project");
  ASSERT_TRUE(shown) << shown.error().message;
  EXPECT_EQ(shown->network.policy, "egress");
  EXPECT_EQ(shown->network.allow, std::vector<std::string>{"github.com:443"});
  EXPECT_EQ(shown->network.deny, std::vector<std::string>{"10.0.0.0/8:*"});
  auto peer = reopen();
  ASSERT_TRUE(peer->call(proto::StartWorkspace::kName));
  EXPECT_EQ(record().network, *policy);
  const auto reset = peer->call(proto::ResetWorkspace::kName,
                                proto::encode(proto::ResetWorkspace{.snapshot = "baseline"}));
  ASSERT_TRUE(reset) << reset.error().message;
  EXPECT_EQ(record().network, *policy);
  ASSERT_TRUE(peer->call(proto::StopWorkspace::kName));
  peer.reset();
  expect_ended();
  EXPECT_EQ(record().network, *policy);
}

TEST_F(WorkspaceSupervisor, OnlyAStoppedWorkspaceGetsAnotherNetwork) {
  auto creator = create(request());
  client::Pyro pyro = library();
  const auto started = pyro.workspaces().set_network("project", {.policy = "off"}, {});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Errc::kConflict);
  EXPECT_NE(started.error().hint.find("pyro workspace stop " + std::string(kId)),
            std::string::npos);
  const auto wrong = pyro.workspaces().set_network("project", {.allow = {"a.b"}}, {});
  EXPECT_EQ(wrong.error().code, Errc::kInvalid);
  ASSERT_TRUE(pyro.workspaces().stop("project"));
  creator.reset();
  expect_ended();
  const auto stopped = pyro.workspaces().set_network("project", {.policy = "off"}, {});
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_EQ(stopped->network.policy, "off");
  EXPECT_EQ(pyro.workspaces().set_network("nobody", {}, {}).error().code, Errc::kNotFound);
}

}  // namespace
}  // namespace pyro::testing
