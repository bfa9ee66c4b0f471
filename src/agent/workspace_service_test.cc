// The requests as a host makes them, over a session.
#include "agent/workspace_service.h"

#include <sys/ioctl.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include "agent/workspace_testing.h"
#include "rpc/session.h"

namespace pyro::agent {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using namespace std::chrono_literals;

// A tmpfs cannot be frozen, so that is only noted.
class FakeMounts final : public WorkspaceMounts {
 public:
  Result<WorkspaceDirs> mount(const proto::WorkspaceMount& request) override {
    if (request.work != "pyro-work") return fail(Errc::kNotFound, "no disk is called that");
    return mount_overlay(top + "/baseline", top + "/work", top + "/overlay");
  }
  Result<void> show() override {
    ++shown;
    return {};
  }
  Result<void> freeze(int /*work*/) override {
    ++frozen;
    return {};
  }
  Result<void> thaw(int /*work*/) override {
    --frozen;
    ++thawed;
    return {};
  }
  Result<void> set_secrets(const std::map<std::string, proto::Bytes>& secrets) override {
    PYRO_CHECK(check_secrets(secrets));
    fs_secrets = top + "/secrets";
    std::filesystem::remove_all(fs_secrets);
    std::filesystem::create_directory(fs_secrets);
    PYRO_TRY(const sys::UniqueFd dir, sys::open_file(fs_secrets, O_RDONLY | O_DIRECTORY));
    return write_secrets(dir.get(), secrets);
  }
  std::string top, fs_secrets;
  int shown = 0, frozen = 0, thawed = 0;
};

void rethrow(std::exception_ptr e) {
  if (e) std::rethrow_exception(e);
}

class ServiceTest : public WorkspaceTest {
 protected:
  using Body = awaitable<void> (ServiceTest::*)(rpc::Session*);
  void run(Body body) {
    format();
    write_file(baseline("old"), "old");
    mounts_.top = top_;
    asio::io_context loop(1);
    service_ = std::make_unique<WorkspaceService>(loop.get_executor(), mounts_);
    auto control = sys::make_socket_pair();
    auto data = sys::make_socket_pair();
    asio::co_spawn(loop, serve(std::move(control->theirs), std::move(data->theirs)), rethrow);
    asio::co_spawn(loop, host(std::move(control->ours), std::move(data->ours), body), rethrow);
    loop.run();
    service_.reset();
    abandoned_.reset();  // it must not outlive the loop
  }
  awaitable<void> serve(sys::UniqueFd control, sys::UniqueFd data) {
    const auto ex = co_await asio::this_coro::executor;
    rpc::Session session(ex, std::move(control), std::move(data),
                         {.handler = [this](std::shared_ptr<rpc::Stream> stream) {
                           return service_->handle(std::move(stream));
                         }});
    const auto hello = co_await session.handshake_as_acceptor();
    EXPECT_TRUE(hello);
    const Error why = co_await session.closed();
    static_cast<void>(why);
    co_await session.close();
  }
  awaitable<void> host(sys::UniqueFd control, sys::UniqueFd data, Body body) {
    const auto ex = co_await asio::this_coro::executor;
    rpc::Session session(ex, std::move(control), std::move(data), {});
    const auto hello = co_await session.handshake_as_initiator(5s);
    EXPECT_TRUE(hello);
    co_await (this->*body)(&session);
    co_await session.close();
  }

  static awaitable<Errc> error_of(rpc::Session* host, std::string method,
                                  boost::json::object params) {
    const auto result = co_await host->call(std::move(method), std::move(params), 10s);
    EXPECT_FALSE(result);
    co_return result ? Errc::kInternal : result.error().code;
  }
  static io::Task<boost::json::object> send_tree(rpc::Session* host, std::string bytes) {
    auto stream = host->open("workspace.sync", {}).value();
    const auto sent = co_await stream->send(wire::kStdin, std::move(bytes), true);
    static_cast<void>(sent);  // a refused sync takes no more
    auto item = co_await stream->next();
    if (!item) co_return std::unexpected(std::move(item.error()));
    co_return std::get<rpc::Response>(*item).result;
  }
  struct Received {
    std::string bytes;
    proto::TreeCounts counts;
  };
  static io::Task<Received> receive(rpc::Session* host, std::string method,
                                    boost::json::object params) {
    auto stream = host->open(std::move(method), std::move(params)).value();
    Received out;
    for (;;) {
      auto item = co_await stream->next();
      if (!item) co_return std::unexpected(std::move(item.error()));
      if (auto* data = std::get_if<rpc::Data>(&*item)) out.bytes += data->bytes;
      if (auto* response = std::get_if<rpc::Response>(&*item)) {
        out.counts = *proto::decode<proto::TreeCounts>(response->result);
        co_return out;
      }
    }
  }

 public:  // what the tests run
  awaitable<void> refused_before_mount(rpc::Session* host) {
    for (const char* method : {"workspace.sync", "workspace.export", "workspace.diff",
                               "workspace.hold", "workspace.release"}) {
      const Errc code = co_await error_of(host, method, {});
      EXPECT_EQ(code, Errc::kConflict) << method;
    }
    Errc code = co_await error_of(host, "workspace.mount", {{"work", "other"}});
    EXPECT_EQ(code, Errc::kNotFound);
    const auto mounted = co_await host->call("workspace.mount", {}, 10s);
    EXPECT_EQ(mounted->at("interrupted_sync").as_string(), "none");
    code = co_await error_of(host, "workspace.mount", {});
    EXPECT_EQ(code, Errc::kConflict);
    code = co_await error_of(host, "workspace.nothing", {});
    EXPECT_EQ(code, Errc::kInvalid);
  }
  awaitable<void> round_trip(rpc::Session* host) {
    const auto mounted = co_await host->call("workspace.mount", {}, 10s);
    EXPECT_TRUE(mounted);
    const std::string big(1 << 20, 'z');
    Tree tree;
    tree.folder("dir").file("dir/big", big);
    for (int i = 0; i < 3000; ++i) tree.file("dir/f" + std::to_string(i), std::to_string(i));
    const auto result = co_await send_tree(host, tree.end());
    EXPECT_TRUE(result) << result.error().message;
    const auto exported = co_await receive(host, "workspace.export",
                                           proto::encode(proto::WorkspaceExport{.path = "dir"}));
    EXPECT_TRUE(exported);
    EXPECT_EQ(exported->counts.entries, 3001);
    EXPECT_NE(exported->bytes.find(big.substr(0, 100'000)), std::string::npos);
    const auto diff = co_await receive(host, "workspace.diff", {});
    EXPECT_EQ(diff->counts.entries, 3002);
    const auto bad = co_await send_tree(host, std::string(200'000, 'x'));
    EXPECT_EQ(bad.error().code, Errc::kInvalid);
    const auto again = co_await send_tree(host, Tree().file("after", "1").end());
    EXPECT_TRUE(again);
  }
  awaitable<void> one_sync_at_a_time(rpc::Session* host) {
    const auto mounted = co_await host->call("workspace.mount", {}, 10s);
    EXPECT_TRUE(mounted);
    const std::string stream = Tree().file("f", std::string(100, 'x')).end();
    auto first = host->open("workspace.sync", {}).value();
    const auto sent = co_await first->send(wire::kStdin, stream.substr(0, 50));
    EXPECT_TRUE(sent);
    Errc code = co_await error_of(host, "workspace.sync", {});
    EXPECT_EQ(code, Errc::kConflict);
    code = co_await error_of(host, "workspace.hold", {});
    EXPECT_EQ(code, Errc::kConflict);
    first->cancel();
    const auto end = co_await first->next();
    EXPECT_FALSE(end);
    const auto next = co_await send_tree(host, stream);
    EXPECT_TRUE(next);
  }
  awaitable<void> lost_while_syncing(rpc::Session* host) {
    const auto mounted = co_await host->call("workspace.mount", {}, 10s);
    EXPECT_TRUE(mounted);
    abandoned_ = host->open("workspace.sync", {}).value();
    const auto sent =
        co_await abandoned_->send(wire::kStdin, Tree().file("f", "x").end().substr(0, 40));
    EXPECT_TRUE(sent);
  }
  awaitable<void> held(rpc::Session* host) {
    const auto mounted = co_await host->call("workspace.mount", {}, 10s);
    EXPECT_TRUE(mounted);
    const auto usage = co_await host->call("workspace.hold", {}, 10s);
    EXPECT_TRUE(usage);
    EXPECT_GT(usage->at("entries").as_int64(), 4);
    EXPECT_EQ(mounts_.frozen, 1);
    Errc code = co_await error_of(host, "workspace.sync", {});
    EXPECT_EQ(code, Errc::kConflict);
    code = co_await error_of(host, "workspace.hold", {});
    EXPECT_EQ(code, Errc::kConflict);
    const auto released = co_await host->call("workspace.release", {}, 10s);
    EXPECT_TRUE(released);
    EXPECT_EQ(mounts_.frozen, 0);
    // Whoever does not come back finds it released.
    const auto again = co_await host->call("workspace.hold", {{"limit_ms", 1}}, 10s);
    EXPECT_TRUE(again);
    while (mounts_.frozen != 0) {
      const auto turn = co_await host->call("workspace.nothing", {}, 10s);
      EXPECT_FALSE(turn);
    }
    code = co_await error_of(host, "workspace.release", {});
    EXPECT_EQ(code, Errc::kConflict);
    code = co_await error_of(host, "workspace.hold", {{"limit_ms", 0}});
    EXPECT_EQ(code, Errc::kInvalid);
  }
  awaitable<void> secrets(rpc::Session* host) {
    proto::WorkspaceSecrets request;
    request.secrets["TOKEN"] = std::string("a\0b\xff", 4);
    const auto set = co_await host->call("workspace.secrets", proto::encode(request), 10s);
    EXPECT_TRUE(set);
    request.secrets["../etc/passwd"] = "x";
    const Errc code = co_await error_of(host, "workspace.secrets", proto::encode(request));
    EXPECT_EQ(code, Errc::kInvalid);
    struct stat st{};
    EXPECT_EQ(::stat((mounts_.fs_secrets + "/TOKEN").c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0400U);
    EXPECT_EQ(*sys::read_file(mounts_.fs_secrets + "/TOKEN"), std::string("a\0b\xff", 4));
  }

 protected:
  FakeMounts mounts_;
  std::unique_ptr<WorkspaceService> service_;
  std::shared_ptr<rpc::Stream> abandoned_;
};

TEST_F(ServiceTest, NothingWorksBeforeTheMountAndThatOnce) {
  run(&ServiceTest::refused_before_mount);
  EXPECT_EQ(mounts_.shown, 1);
}
TEST_F(ServiceTest, WhatIsSyncedComesBack) {
  run(&ServiceTest::round_trip);
  EXPECT_EQ(read("after"), "1");
  expect_tidy();
}
TEST_F(ServiceTest, OneSyncAtATime) {
  run(&ServiceTest::one_sync_at_a_time);
  EXPECT_EQ(read("f"), std::string(100, 'x'));
  expect_tidy();
}
TEST_F(ServiceTest, AHostThatGoesAwayLeavesNothingBehind) {
  run(&ServiceTest::lost_while_syncing);
  EXPECT_FALSE(std::filesystem::exists(tree("f")));
  expect_tidy();
}
TEST_F(ServiceTest, AHoldEndsByReleaseOrByTime) {
  run(&ServiceTest::held);
  EXPECT_EQ(mounts_.thawed, 2);
}
TEST_F(ServiceTest, SecretsAreFilesOfTheirOwn) {
  run(&ServiceTest::secrets);
  EXPECT_TRUE(std::filesystem::exists(mounts_.fs_secrets));
}

}  // namespace
}  // namespace pyro::agent
