// The network of a disposable VM over fake machines: an engine that is slow to come up meets other
// requests.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "proto/network_requests.h"
#include "support/workspace_supervisor.h"

namespace pyro::testing {
namespace {

constexpr const char* kVm = "vm-0123456789";

class VmNetworkTest : public WorkspaceSupervisor {
 protected:
  VmNetworkTest() {
    agent_ = real_agent();
    // The real one, once it may. It says that it was begun.
    const std::string program = host_.dirs().libexec + "/pyro-net";
    EXPECT_TRUE(sys::make_dirs(host_.dirs().libexec));
    EXPECT_TRUE(sys::write_file_atomic(
        program, fmt::format("#!/bin/sh\n: > {}\nuntil [ -e {} ]; do sleep 0.01; done\nexec {}\n",
                             begun_, may_go_, PYRO_NET_PROGRAM)));
    EXPECT_EQ(::chmod(program.c_str(), 0700), 0);
  }
  std::unique_ptr<Peer> create_vm() {
    auto peer = fork_supervisor();
    const proto::CreateVm wanted{.vm_id = kVm,
                                 .environment = "debian:12-base",
                                 .mem_mib = 128,
                                 .ttl_seconds = 600,
                                 .lease = true,
                                 .network = "preset egress\n",
                                 .host = settings()};
    const auto made = peer->call(proto::CreateVm::kName, proto::encode(wanted));
    EXPECT_TRUE(made) << made.error().message;
    return peer;
  }
  void wait_for_the_engine(Peer& peer) {
    // Each call turns the loop, which sends what was said before.
    for (int i = 0; i < 1000 && !sys::exists(begun_); ++i) {
      EXPECT_TRUE(peer.call(proto::StatusVm::kName));
      ::usleep(10'000);  // lint: sleep, the program of the engine only makes a file
    }
    EXPECT_TRUE(sys::exists(begun_));
  }
  // What is opened after wait_for_the_engine() has been heard by the next call's answer: only then
  // the engine comes up.
  rpc::Stream& open_before_it_goes(Peer& peer, const char* method) {
    auto& stream = peer.open(method);
    EXPECT_TRUE(peer.call(proto::StatusVm::kName));
    EXPECT_TRUE(sys::write_file_atomic(may_go_, ""));
    return stream;
  }
  static bool is_running(Peer& peer) {
    const auto answer = peer.call(proto::AskNetwork::kName);
    if (!answer) return false;
    const auto state = proto::decode<proto::NetworkState>(*answer);
    return state && state->running;
  }

  std::string begun_ = host_.dirs().cache + "/begun", may_go_ = host_.dirs().cache + "/may-go";
};

TEST_F(VmNetworkTest, ADeleteWhileTheEngineComesUpEndsTheStart) {
  const auto peer = create_vm();
  auto& start = peer->open(proto::StartVm::kName);
  wait_for_the_engine(*peer);
  const auto deleted =
      peer->next<rpc::Response>(open_before_it_goes(*peer, proto::DeleteVm::kName));
  EXPECT_TRUE(deleted) << deleted.error().message;
  const auto started = peer->next<rpc::Response>(start);
  EXPECT_FALSE(started);
  EXPECT_EQ(supervisor_->wait()->shell_code(), 0);
  expect_no_trace();
}

TEST_F(VmNetworkTest, AStopWhileTheEngineComesUpLeavesNoNetworkAndAnotherStartWorks) {
  const auto peer = create_vm();
  peer->open(proto::StartVm::kName);
  wait_for_the_engine(*peer);
  const auto stopped = peer->next<rpc::Response>(open_before_it_goes(*peer, proto::StopVm::kName));
  EXPECT_TRUE(stopped) << stopped.error().message;
  EXPECT_FALSE(is_running(*peer));
  const auto again = peer->call(proto::StartVm::kName);
  EXPECT_TRUE(again) << again.error().message;
  EXPECT_TRUE(is_running(*peer));
}

TEST_F(VmNetworkTest, ASecondStartLeavesTheFirstItsNetwork) {
  const auto peer = create_vm();
  peer->open(proto::StartVm::kName);
  wait_for_the_engine(*peer);
  const auto second = peer->next<rpc::Response>(open_before_it_goes(*peer, proto::StartVm::kName));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kConflict);
  EXPECT_TRUE(is_running(*peer));
}

}  // namespace
}  // namespace pyro::testing
