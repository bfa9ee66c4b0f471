// The agent's service over a socket pair, as an ordinary process, for tests of what it runs.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "agent/exec.h"
#include "agent/service.h"
#include "sys/file.h"

namespace pyro::agent {

class FakeMachine final : public Machine {
 public:
  Result<std::unique_ptr<CgroupPool>> prepare(const proto::Prepare& request) override {
    calls.push_back("prepare " + request.root);
    return std::unique_ptr<CgroupPool>();
  }
  Result<void> rejuvenate(const proto::Rejuvenate& request) override {
    calls.push_back("rejuvenate " + request.hostname);
    return {};
  }
  Result<void> set_clock(std::int64_t) override { return {}; }
  void sync_disks() override { calls.emplace_back("sync"); }
  void power_off() override { calls.emplace_back("off"); }
  std::vector<std::string> calls;
};

// Where a control group folder of our own may be.
inline std::vector<std::string> cgroup_paths() {
  const std::string name = "/pyro-agent-test-" + std::to_string(::getpid());
  return {"/sys/fs/cgroup" + name, "/sys/fs/cgroup/unified" + name};
}

// A control group folder of our own, where this host lets us make one.
inline sys::UniqueFd cgroup_folder() {
  for (const std::string& path : cgroup_paths()) {
    if (!sys::exists(sys::parent_of(path) + "/cgroup.procs")) continue;
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) continue;
    if (!sys::exists(path + "/cgroup.kill")) continue;
    auto dir = sys::open_file(path, O_RDONLY | O_DIRECTORY);
    if (dir) return *std::move(dir);
  }
  return {};
}

// Who was killed in it leaves it a moment later.
inline void remove_cgroup_folder() {
  for (const std::string& path : cgroup_paths()) {
    if (!sys::exists(path)) continue;
    const auto removed = [&path] {
      for (const auto& group : std::filesystem::directory_iterator(path)) {
        if (group.is_directory()) ::rmdir(group.path().c_str());
      }
      return ::rmdir(path.c_str()) == 0;
    };
    int tries = 1000;
    while (!removed() && --tries > 0) ::usleep(10'000);
    EXPECT_GT(tries, 0) << path;
  }
}

inline void rethrow(std::exception_ptr e) {
  if (e) std::rethrow_exception(e);
}

using Body = boost::asio::awaitable<void> (*)(rpc::Session&);

class AgentTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    Reaper::block_child_signals();
    ::signal(SIGPIPE, [](int) {});  // as the agent does
  }
  static void TearDownTestSuite() { remove_cgroup_folder(); }
  // Runs `body` as the host, then shuts the agent down. `grouped`: with control groups, if the
  // host has them.
  void run(Body body, bool grouped = true) {
    boost::asio::io_context loop(1);
    auto control = sys::make_socket_pair();
    auto data = sys::make_socket_pair();
    Reaper reaper(loop.get_executor(), *Reaper::make_signal_fd());
    auto folder = grouped ? cgroup_folder() : sys::UniqueFd();
    ExecService exec(reaper,
                     folder ? std::make_unique<CgroupPool>(std::move(folder), "t") : nullptr);
    GuestWorkspaceMounts mounts;
    WorkspaceService workspace(loop.get_executor(), mounts);
    Service service(loop.get_executor(), machine_, exec, workspace, [](const std::string&) {});
    io::TaskScope scope(loop.get_executor());
    scope.spawn(reaper.run());
    boost::asio::co_spawn(loop, service.serve(std::move(control->theirs), std::move(data->theirs)),
                          rethrow);
    boost::asio::co_spawn(loop, host(std::move(control->ours), std::move(data->ours), body, scope),
                          rethrow);
    loop.run();
    EXPECT_EQ(exec.running(), 0);
  }
  static boost::asio::awaitable<void> host(sys::UniqueFd control, sys::UniqueFd data, Body body,
                                           io::TaskScope& scope) {
    const auto ex = co_await boost::asio::this_coro::executor;
    rpc::Session session(ex, *sys::duplicate(control.get()), *sys::duplicate(data.get()), {});
    const auto hello = co_await session.handshake_as_initiator(std::chrono::seconds(5));
    EXPECT_TRUE(hello);
    co_await body(session);
    co_await session.close();
    rpc::Session last(ex, std::move(control), std::move(data), {});
    const auto again = co_await last.handshake_as_initiator(std::chrono::seconds(5));
    EXPECT_TRUE(again);
    const auto down = co_await last.call("shutdown", {}, std::chrono::seconds(5));
    EXPECT_TRUE(down);
    const Error why = co_await last.closed();
    EXPECT_EQ(why.code, Errc::kUnavailable);
    co_await last.close();
    const auto failure = co_await scope.close();
    EXPECT_FALSE(failure);
  }
  FakeMachine machine_;
};

inline proto::Exec exec_of(std::vector<std::string> argv) {
  proto::Exec e;
  e.argv = proto::to_bytes(std::move(argv));
  return e;
}
inline proto::Exec shell(std::string script) {
  return exec_of({"/bin/sh", "-c", std::move(script)});
}

struct Output {
  std::string out, err;
  std::optional<pid_t> started;
  bool started_first = false;
  std::optional<proto::ExecResult> result;
  std::optional<Error> error;
};
inline void take(rpc::Incoming item, Output& o) {
  if (auto* data = std::get_if<rpc::Data>(&item)) {
    (data->channel == wire::kStdout ? o.out : o.err) += data->bytes;
  } else if (const auto* event = std::get_if<rpc::Event>(&item)) {
    if (event->name != proto::Started::kName) return;
    o.started = static_cast<pid_t>(proto::decode<proto::Started>(event->params)->pid);
    o.started_first = o.out.empty() && o.err.empty();
  } else if (auto* response = std::get_if<rpc::Response>(&item)) {
    o.result = *proto::decode<proto::ExecResult>(response->result);
  }
}
inline boost::asio::awaitable<Output> finish(std::shared_ptr<rpc::Stream> stream) {
  Output o;
  while (!o.result) {
    auto item = co_await stream->next();
    if (!item) {
      o.error = item.error();
      break;
    }
    take(std::move(*item), o);
  }
  co_return o;
}
inline std::shared_ptr<rpc::Stream> open(rpc::Session& host, proto::Exec request) {
  return host.open("exec", proto::encode(std::move(request))).value();
}
inline boost::asio::awaitable<Output> run_exec(rpc::Session& host, proto::Exec request) {
  co_return co_await finish(open(host, std::move(request)));
}
inline boost::asio::awaitable<void> feed(std::shared_ptr<rpc::Stream> stream, std::string bytes) {
  const auto sent = co_await stream->send(wire::kStdin, std::move(bytes), true);
  static_cast<void>(sent);  // the program may end before it has read everything
}
// Until the program has printed `text`.
inline boost::asio::awaitable<void> wait_for(std::shared_ptr<rpc::Stream> stream, std::string text,
                                             Output& o) {
  while (o.out.find(text) == std::string::npos) {
    auto item = co_await stream->next();
    if (!item) co_return ADD_FAILURE() << item.error().message;
    take(std::move(*item), o);
  }
}

}  // namespace pyro::agent
