// Sandbox, Guest, relay and templates over fake machines.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <chrono>

#include "core/sandbox.h"
#include "net/link_addresses.h"
#include "support/host.h"
#include "sys/file.h"

namespace pyro::testing {
namespace {

using namespace std::chrono_literals;
using core::Sandbox;
using core::SandboxState;
using io::asio::any_io_executor;
using io::asio::awaitable;

// A client's connection to a sandbox, both ends on one loop.
class Link {
 public:
  Link(any_io_executor ex, Sandbox& sandbox) : sandbox_(sandbox), scope_(ex) {
    auto pair = sys::make_socket_pair();
    client_ = std::make_unique<rpc::Session>(ex, std::move(pair->ours), sys::UniqueFd(),
                                             rpc::SessionOptions{});
    server_ = std::make_unique<rpc::Session>(
        ex, std::move(pair->theirs), sys::UniqueFd(),
        rpc::SessionOptions{.handler = [this](auto stream) { return serve(std::move(stream)); },
                            .software = "test"});
  }
  awaitable<void> open() {
    scope_.spawn(accept());
    const auto hello = co_await client_->handshake_as_initiator(5s);
    EXPECT_TRUE(hello);
  }
  Result<std::shared_ptr<rpc::Stream>> exec(std::string script, std::int64_t timeout_ms = 20'000,
                                            bool with_stdin = false) {
    const proto::ExecVm request{.argv = proto::to_bytes({"/bin/sh", "-c", std::move(script)}),
                                .stdin_open = with_stdin,
                                .timeout_ms = timeout_ms};
    return client_->open(proto::ExecVm::kName, proto::encode(request));
  }
  awaitable<void> close() {
    co_await client_->close();
    co_await server_->close();
    static_cast<void>(co_await scope_.close());
  }
  rpc::Session& server() { return *server_; }

 private:
  awaitable<void> accept() { static_cast<void>(co_await server_->handshake_as_acceptor()); }
  awaitable<void> serve(std::shared_ptr<rpc::Stream> stream) {
    auto request = proto::decode<proto::ExecVm>(stream->params());
    auto result = co_await sandbox_.exec(std::move(*request), stream);
    if (result) {
      static_cast<void>(stream->respond(proto::encode(std::move(*result))));
    } else {
      static_cast<void>(stream->respond(std::move(result.error())));
    }
  }
  Sandbox& sandbox_;
  std::unique_ptr<rpc::Session> client_, server_;
  io::TaskScope scope_;
};

struct Output {
  std::string out, err;
  Result<proto::ExecVmResult> result = fail(Errc::kInternal, "none");
};
awaitable<Output> finish(std::shared_ptr<rpc::Stream> stream) {
  Output o;
  for (;;) {
    auto item = co_await stream->next();
    if (!item) {
      o.result = std::unexpected(item.error());
      co_return o;
    }
    if (auto* data = std::get_if<rpc::Data>(&*item)) {
      (data->channel == wire::kStderr ? o.err : o.out) += data->bytes;
    } else if (auto* response = std::get_if<rpc::Response>(&*item)) {
      o.result = proto::decode<proto::ExecVmResult>(response->result);
      co_return o;
    }
  }
}
awaitable<void> until_output(std::shared_ptr<rpc::Stream> stream, std::string text) {
  std::string seen;
  while (seen.find(text) == std::string::npos) {
    auto item = co_await stream->next();
    if (!item) {
      ADD_FAILURE() << item.error().message;
      co_return;
    }
    if (auto* data = std::get_if<rpc::Data>(&*item)) seen += data->bytes;
  }
}
awaitable<void> start_into(Sandbox* sandbox, std::string* error) {
  const auto started = co_await sandbox->start({});
  *error = started ? "started" : started.error().message;
}
awaitable<void> stop_it(Sandbox* sandbox) {
  co_await sandbox->stop();
}

class SandboxTest : public ::testing::Test {
 protected:
  core::SandboxSpec spec() {
    return {.vm_id = "vm-0123456789",
            .environment = "debian:12-base",
            .shape = {.mem_mib = 128, .mac = mac_},
            .cold = cold_,
            .boot = boot_,
            .make_link = make_link_};
  }
  // Runs `body` on a sandbox and stops it.
  void run(std::function<awaitable<void>(any_io_executor, Sandbox&)> body) {
    run_loop([&](any_io_executor ex) { return with_sandbox(ex, body); });
  }
  awaitable<void> with_sandbox(any_io_executor ex,
                               std::function<awaitable<void>(any_io_executor, Sandbox&)> body) {
    Sandbox sandbox(
        spec(), {.vmm = vmm_, .templates = templates_, .environments = host_.environments()}, ex);
    co_await body(ex, sandbox);
    co_await sandbox.stop();
  }
  // Starts a sandbox, which must fail, and returns the error.
  Error start_fails() {
    Error error;
    run([&](any_io_executor, Sandbox& s) { return failing_start(s, &error); });
    return error;
  }
  static awaitable<void> failing_start(Sandbox& s, Error* error) {
    auto started = co_await s.start({});
    EXPECT_FALSE(started);
    if (!started) *error = std::move(started.error());
    EXPECT_EQ(s.state(), SandboxState::kFailed);
    EXPECT_EQ(s.last_error(), error->message);
  }
  // Starts a sandbox, runs a script in it and returns what came.
  Output run_script(std::string script, std::int64_t timeout_ms = 20'000) {
    Output output;
    run([&](any_io_executor ex, Sandbox& s) {
      return scripted(ex, s, script, timeout_ms, &output);
    });
    return output;
  }
  static awaitable<void> scripted(any_io_executor ex, Sandbox& s, std::string script,
                                  std::int64_t timeout_ms, Output* output) {
    const auto started = co_await s.start({});
    EXPECT_TRUE(started) << started.error().message;
    if (!started) co_return;
    Link link(ex, s);
    co_await link.open();
    *output = co_await finish(*link.exec(script, timeout_ms));
    co_await link.close();
  }

  Host host_;
  FakeVmm vmm_{host_.log()};
  core::Templates templates_{host_.dirs().templates(), vmm_};
  core::BootConfig boot_ = host_.boot();
  bool cold_ = false;
  std::optional<vmm::MacAddress> mac_;
  core::MakeLink make_link_;
};

TEST_F(SandboxTest, TheTemplateIsBuiltOnceAndCloned) {
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(run_script("echo one").out, "one\n");
  EXPECT_EQ(run_script("echo two").out, "two\n");
  // Nothing waits for a limit: those are a minute here.
  EXPECT_LT(std::chrono::steady_clock::now() - before, 30s);
  EXPECT_EQ(vmm_.launches("fresh"), 1);
  EXPECT_EQ(vmm_.launches("restore"), 2);
  EXPECT_EQ(host_.templates().size(), 1U);
}

awaitable<void> start_twice(Sandbox& s) {
  for (int i = 0; i < 2; ++i) {
    const auto started = co_await s.start({});
    EXPECT_TRUE(started) << started.error().message;
    co_await s.stop();
  }
}
TEST_F(SandboxTest, EachMachineAsksForALink) {
  mac_ = net::kGuestMac;
  int links = 0;
  std::vector<sys::UniqueFd> ours;
  make_link_ = [&]() -> Result<sys::UniqueFd> {
    if (++links == 3) return fail(Errc::kLimit, "no more links");
    PYRO_TRY(auto link, vmm::make_link());
    ours.push_back(std::move(link.ours));
    return std::move(link.theirs);
  };
  run([](any_io_executor, Sandbox& s) { return start_twice(s); });
  EXPECT_EQ(links, 2);
  EXPECT_EQ(vmm_.launches("fresh"), 1);
  EXPECT_EQ(vmm_.launches("restore"), 2);
  EXPECT_EQ(start_fails().message, "no more links");
  make_link_ = {};
  EXPECT_EQ(start_fails().code, Errc::kInternal) << "a network device without a link";
}

TEST_F(SandboxTest, AColdStartLeavesNoTemplate) {
  cold_ = true;
  EXPECT_EQ(run_script("echo cold").out, "cold\n");
  EXPECT_EQ(vmm_.launches("restore"), 0);
  EXPECT_TRUE(host_.templates().empty());
}

TEST_F(SandboxTest, OutputExitCodeAndSignalAreTheCommands) {
  const Output o = run_script("printf 'a\\000b'; echo err >&2; exit 7");
  EXPECT_EQ(o.out, std::string("a\0b", 3));
  EXPECT_EQ(o.err, "err\n");
  EXPECT_EQ(o.result->exit_code, 7);
  const Output killed = run_script("kill -9 $$");
  EXPECT_EQ(killed.result->exit_code, 137);
  EXPECT_EQ(killed.result->signal, 9);
}

TEST_F(SandboxTest, TheAgentEndsACommandAtItsTimeout) {
  const Output o = run_script("echo before; sleep 100", 2'000);
  EXPECT_EQ(o.out, "before\n");
  EXPECT_TRUE(o.result->timed_out);
  EXPECT_EQ(o.result->exit_code, 124);
}

TEST_F(SandboxTest, AnAgentThatIsStoppedCountsAsATimeout) {
  boot_.silence_limit = 200ms;
  const Output o = run_script("kill -STOP $PPID; exec sleep 3", 100);
  EXPECT_TRUE(o.result->timed_out);
  EXPECT_EQ(o.result->exit_code, 124);
}

TEST_F(SandboxTest, AMachineThatDiesUnderACommandIsNamed) {
  const Output o = run_script("kill -KILL $PPID; sleep 100");
  ASSERT_FALSE(o.result);
  EXPECT_NE(o.result.error().message.find("the command did not end"), std::string::npos);
  EXPECT_NE(o.result.error().message.find("killed"), std::string::npos) << o.result.error().message;
}

TEST_F(SandboxTest, ASilentGuestIsBoundedAndItsConsoleIsShownWithoutControlCharacters) {
  vmm_.fresh = silent_agent("\x1b[2J\x1b]0;owned\x07last words\r\n");
  boot_.boot_limit = 2s;  // in which it is to say its last words
  const Error e = start_fails();
  EXPECT_EQ(e.code, Errc::kDeadline);
  EXPECT_NE(e.message.find("did not answer within 2.0 s"), std::string::npos) << e.message;
  EXPECT_NE(e.message.find("last words\n"), std::string::npos);
  EXPECT_EQ(e.message.find('\x1b'), std::string::npos);
  EXPECT_EQ(e.message.find('\x07'), std::string::npos);
  EXPECT_TRUE(host_.templates().empty());
}

TEST_F(SandboxTest, AGuestThatDiesBeforeItAnswers) {
  vmm_.fresh = [](const Ports& p) { die(p, kPanics, "Kernel panic - not syncing\r\n"); };
  const Error e = start_fails();
  EXPECT_NE(e.message.find("panicked"), std::string::npos) << e.message;
  EXPECT_NE(e.message.find("not syncing"), std::string::npos);
  EXPECT_TRUE(host_.templates().empty());
}

TEST_F(SandboxTest, AGuestThatDiesInPrepareOrRejuvenate) {
  vmm_.fresh = real_agent([](const Ports& p, std::string_view) { die(p, kReboots, "in prepare"); });
  const Error prepare = start_fails();
  EXPECT_NE(prepare.message.find("preparing the guest's root"), std::string::npos);
  EXPECT_NE(prepare.message.find("rebooted"), std::string::npos) << prepare.message;
  EXPECT_NE(prepare.message.find("in prepare"), std::string::npos);
  EXPECT_TRUE(host_.templates().empty());
  vmm_.fresh = real_agent();
  vmm_.clone =
      real_agent([](const Ports& p, std::string_view) { die(p, kPanics, "in rejuvenate"); });
  const Error clone = start_fails();
  EXPECT_NE(clone.message.find("rejuvenating the guest"), std::string::npos);
  EXPECT_NE(clone.message.find("in rejuvenate"), std::string::npos) << clone.message;
  EXPECT_EQ(host_.templates().size(), 1U);
}

TEST_F(SandboxTest, AGuestThatHangsInACallIsBounded) {
  vmm_.clone = real_agent([](const Ports&, std::string_view) {
    for (;;) ::pause();
  });
  boot_.call_limit = 300ms;
  const Error e = start_fails();
  EXPECT_EQ(e.code, Errc::kDeadline) << e.message;
}

TEST_F(SandboxTest, CallsInTheWrongStateAreRefused) {
  run([](any_io_executor ex, Sandbox& s) -> awaitable<void> {
    EXPECT_EQ(s.check_exec().error().code, Errc::kConflict);
    EXPECT_EQ(s.check_exec().error().hint, "start it first");
    EXPECT_EQ(s.signal(15).error().code, Errc::kConflict);
    EXPECT_EQ(s.signal(99).error().code, Errc::kInvalid);
    const auto started = co_await s.start({});
    EXPECT_TRUE(started);
    const auto twice = co_await s.start({});
    EXPECT_EQ(twice.error().code, Errc::kConflict);
    Link link(ex, s);
    co_await link.open();
    const auto stream = *link.exec("trap 'exit 3' USR1; echo up; while :; do sleep 0.01; done");
    co_await until_output(stream, "up");
    EXPECT_EQ(s.check_exec().error().code, Errc::kConflict);
    EXPECT_TRUE(s.signal(10));
    const Output o = co_await finish(stream);
    EXPECT_EQ(o.result->exit_code, 3);
    co_await link.close();
    co_await s.stop();
    EXPECT_EQ(s.state(), SandboxState::kStopped);
    const auto again = co_await s.start({});
    EXPECT_TRUE(again);
  });
}

// Waits until the log has `count` launches.
awaitable<void> launched(any_io_executor, FakeVmm* vmm, const char* kind, int count) {
  while (vmm->launches(kind) < count) {
    const auto slept = co_await io::sleep_for(1ms);  // lint: sleep, the log has no event
    EXPECT_TRUE(slept);
  }
}
awaitable<void> stop_in_start(any_io_executor ex, Sandbox& s, FakeVmm* vmm, const char* kind,
                              int count) {
  std::string error;
  io::TaskScope scope(ex);
  scope.spawn(start_into(&s, &error));
  co_await launched(ex, vmm, kind, count);
  io::TaskScope stops(ex);  // several at once: each returns with the machine gone
  for (int i = 0; i < 3; ++i) stops.spawn(stop_it(&s));
  co_await stops.join();
  EXPECT_EQ(s.state(), SandboxState::kStopped);
  co_await scope.join();
  EXPECT_NE(error.find("was stopped while it started"), std::string::npos) << error;
}

TEST_F(SandboxTest, StopDuringABuildEndsTheStart) {
  vmm_.fresh = silent_agent();
  run([this](any_io_executor ex, Sandbox& s) { return stop_in_start(ex, s, &vmm_, "fresh", 1); });
  EXPECT_TRUE(host_.templates().empty());
}

TEST_F(SandboxTest, StopWhileACloneComesUp) {
  EXPECT_EQ(run_script("echo one").out, "one\n");
  vmm_.clone = silent_agent();
  run([this](any_io_executor ex, Sandbox& s) { return stop_in_start(ex, s, &vmm_, "restore", 2); });
}

awaitable<void> stop_in_failure(any_io_executor ex, Sandbox& s) {
  std::string error;
  io::TaskScope scope(ex);
  std::optional<Sandbox::Use> use(std::in_place, s);
  scope.spawn(start_into(&s, &error));
  while (s.state() != SandboxState::kStopped) {
    const auto slept = co_await io::sleep_for(1ms);  // lint: sleep, a failure has no event
    EXPECT_TRUE(slept);
  }
  EXPECT_EQ(error, "") << "it waits for whoever uses the machine";
  scope.spawn(stop_it(&s));
  io::asio::steady_timer turn(ex, 0ms);
  co_await turn.async_wait(io::asio::use_awaitable);
  use.reset();
  co_await scope.join();
  EXPECT_EQ(s.state(), SandboxState::kStopped) << "so that nobody tries again";
  EXPECT_NE(error.find("was stopped while it started"), std::string::npos) << error;
}
TEST_F(SandboxTest, StopWhileAFailedStartCleansUp) {
  vmm_.fresh = [](const Ports& p) { die(p, kPanics, "Kernel panic - not syncing\r\n"); };
  run([](any_io_executor ex, Sandbox& s) { return stop_in_failure(ex, s); });
  EXPECT_EQ(vmm_.launches("fresh"), 1);
}

awaitable<void> cancel_in_start(any_io_executor ex, Sandbox& s, FakeVmm* vmm) {
  std::string error;
  io::TaskScope scope(ex);
  scope.spawn(start_into(&s, &error));
  co_await launched(ex, vmm, "fresh", 1);
  static_cast<void>(co_await scope.close());  // the start cleans up although it is cancelled
  EXPECT_EQ(s.state(), SandboxState::kFailed);
  EXPECT_NE(error, "started");
}
TEST_F(SandboxTest, ACancelledStartCleansUp) {
  vmm_.fresh = silent_agent();
  run([this](any_io_executor ex, Sandbox& s) { return cancel_in_start(ex, s, &vmm_); });
  EXPECT_TRUE(host_.templates().empty());
}

TEST_F(SandboxTest, CancelledStopsUnderARunningCommandEnd) {
  run([](any_io_executor ex, Sandbox& s) -> awaitable<void> {
    const auto started = co_await s.start({});
    EXPECT_TRUE(started);
    Link link(ex, s);
    co_await link.open();
    const auto stream = *link.exec("echo up; sleep 100");
    co_await until_output(stream, "up");
    io::TaskScope stops(ex);
    for (int i = 0; i < 2; ++i) stops.spawn(stop_it(&s));
    io::asio::steady_timer turn(ex, 0ms);
    co_await turn.async_wait(io::asio::use_awaitable);
    static_cast<void>(co_await stops.close());
    EXPECT_EQ(s.guest(), nullptr);
    const Output o = co_await finish(stream);
    EXPECT_FALSE(o.result);
    co_await link.close();
  });
}

TEST_F(SandboxTest, ACancelIsHeardByACommandThatReadsNoStdin) {
  run([](any_io_executor ex, Sandbox& s) -> awaitable<void> {
    const auto started = co_await s.start({});
    EXPECT_TRUE(started);
    Link link(ex, s);
    co_await link.open();
    const auto stream = *link.exec("trap '' INT; echo up; sleep 100", 20'000, true);
    co_await until_output(stream, "up");
    const auto sent = co_await stream->send(wire::kStdin, std::string(64U << 10, 'x'));
    EXPECT_TRUE(sent);
    stream->cancel();
    const Output o = co_await finish(stream);
    EXPECT_TRUE(o.result);
    if (o.result) EXPECT_GE(o.result->exit_code, 128);
    co_await link.close();
  });
}

TEST_F(SandboxTest, StdinReachesTheCommandWholeAndEnds) {
  run([](any_io_executor ex, Sandbox& s) -> awaitable<void> {
    const auto started = co_await s.start({});
    EXPECT_TRUE(started);
    Link link(ex, s);
    co_await link.open();
    const auto stream = *link.exec("wc -c", 20'000, true);
    const auto sent = co_await stream->send(wire::kStdin, std::string(500'000, 'x'), true);
    EXPECT_TRUE(sent);
    const Output o = co_await finish(stream);
    EXPECT_EQ(o.out, "500000\n");
    co_await link.close();
  });
}

TEST_F(SandboxTest, AClientThatVanishesEndsTheCommand) {
  run([](any_io_executor ex, Sandbox& s) -> awaitable<void> {
    const auto started = co_await s.start({});
    EXPECT_TRUE(started);
    Link link(ex, s);
    co_await link.open();
    const auto stream = *link.exec("echo up; sleep 100", 20'000, true);
    co_await until_output(stream, "up");
    co_await link.close();  // waits for the handler, so that for the command
    EXPECT_FALSE(s.signal(15));
  });
}

TEST_F(SandboxTest, ASlowClientStopsTheCommandsWrites) {
  run([](any_io_executor ex, Sandbox& s) -> awaitable<void> {
    const auto started = co_await s.start({});
    EXPECT_TRUE(started);
    Link link(ex, s);
    co_await link.open();
    // stderr says how far the command got: with nobody reading stdout, not to its end.
    const auto stream = *link.exec("head -c 20000000 /dev/zero; echo done >&2", 100'000);
    EXPECT_EQ(s.state(), SandboxState::kStarted);
    const auto slept = co_await io::sleep_for(1500ms);  // lint: sleep, nothing is to happen
    EXPECT_TRUE(slept);
    stream->cancel();
    const Output o = co_await finish(stream);
    EXPECT_TRUE(o.result && o.result->signal);
    EXPECT_LT(o.out.size(), 2'000'000U);
    EXPECT_EQ(o.err, "");
    co_await link.close();
  });
}

}  // namespace
}  // namespace pyro::testing
