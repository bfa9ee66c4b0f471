// Services of a workspace whose guest is hostile, broken, or only unlucky.
#include <sys/resource.h>

#include "support/hostile_sessions.h"

namespace pyro::testing {
namespace {

TEST_F(HostileSessions, AServiceMayPrintBeforeItsStart) {
  const auto info = start("speaks-first");
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->state, "running");
  EXPECT_EQ(info->pid, std::nullopt);
  const auto logs = services().logs(kId, "speaks-first", {});
  ASSERT_FALSE(logs->entries.empty());
  EXPECT_EQ(logs->entries.front().text, "early ");
  // At SIGTERM it says that it has started, at SIGCONT that it has ended.
  const auto stopped = services().stop(kId, "speaks-first", 60, -1);
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_EQ(stopped->stop_reason, "sigterm");
  EXPECT_EQ(stopped->exit_code, 4);
}

TEST_F(HostileSessions, WhatAServiceSaysOfItselfIsChecked) {
  const auto info = start("lies");
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->pid, std::nullopt);
  const auto over = start("ends-unstarted");
  ASSERT_TRUE(over) << over.error().message;
  const auto now = services().status(kId, "ends-unstarted");
  EXPECT_EQ(now->state, "exited");
  EXPECT_EQ(now->exit_code, 5);
  const auto many = start("sends-events");
  ASSERT_TRUE(many) << many.error().message;
  EXPECT_EQ(many->pid, 7);
  expect_the_workspace_lives();
}

TEST_F(HostileSessions, ProbesThatAreNotAnsweredAsTheyShouldBe) {
  const auto options = [](const std::string& url) {
    return ServiceOptions{.readiness = client::ServiceReadiness{.type = "http", .url = url},
                          .ready_timeout_seconds = 3,
                          .ready_interval_ms = 100};
  };
  const std::vector<std::pair<std::string, std::string>> cases{
      {"http://127.0.0.1:80/mute", "the guest does not answer"},
      {"http://127.0.0.1:80/wrong", "probe result"},
      {"http://127.0.0.1:80/long", "dddd"}};
  for (const auto& [url, why] : cases) {
    const auto info = start("ends-in-nonsense", options(url));  // at the signal that stops it
    ASSERT_FALSE(info);
    EXPECT_EQ(info.error().code, Errc::kDeadline) << info.error().message;
    EXPECT_NE(info.error().message.find(why), std::string::npos) << info.error().message;
    EXPECT_LT(info.error().message.size(), 1000U);
    const auto now = services().status(kId, "ends-in-nonsense");
    EXPECT_EQ(now->state, "failed");
    EXPECT_EQ(now->stop_reason, "readiness_timeout");
  }
  expect_the_workspace_lives();
}

TEST_F(ImpatientSessions, AServiceThatDoesNotEndIsNotSaidToHaveEnded) {
  ASSERT_TRUE(start("stays"));
  const auto stopped = services().stop(kId, "stays", 0, -1);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Errc::kDeadline) << stopped.error().message;
  const auto now = services().status(kId, "stays");
  EXPECT_EQ(now->state, "failed");
  EXPECT_EQ(now->stop_reason, "not_ended");
  EXPECT_EQ(now->exit_code, std::nullopt);
}

// ---- a machine with nothing in it that runs

awaitable<void> is_idle(StreamPtr stream) {
  ended(stream, proto::encode(proto::RestResult{.idle = true}));
  co_return;
}

class IdleSessions : public OneWorkspace {
 protected:
  IdleSessions() {
    agent_ = scripted_agent({{proto::Exec::kName, exec_script}, {proto::Rest::kName, is_idle}});
    peer_ = create(request());
  }
  [[nodiscard]] int pauses() const { return FakeVmm(host_.log()).launches("pause"); }
};

TEST_F(IdleSessions, WhileAServiceWaitsToBeStartedAgainItsMachineIsNotPaused) {
  constexpr const char* kName = "ends-unstarted";
  ASSERT_TRUE(services().start(kId, kName, {.argv = {kName}, .restart = "always"}, -1));
  // After pauses of 0.5, 1 and 2 s; the last is longer than a machine waits for its rest.
  const auto until = std::chrono::steady_clock::now() + Driver::kPatience;
  std::int64_t restarts = 0;
  while (restarts < 4 && std::chrono::steady_clock::now() < until) {
    const auto now = services().status(kId, kName);
    ASSERT_TRUE(now) << now.error().message;
    ASSERT_EQ(now->last_error, "");
    restarts = now->restart_count;
    ::usleep(20'000);  // lint: sleep, a restart has no event
  }
  EXPECT_GE(restarts, 4);
  EXPECT_EQ(pauses(), 0);
  ASSERT_TRUE(services().stop(kId, kName, 5, -1));
  while (pauses() == 0 && std::chrono::steady_clock::now() < until + Driver::kPatience)
    ::usleep(20'000);  // lint: sleep, a pause has no event
  EXPECT_EQ(pauses(), 1);
}

// ---- a guest that means well

class Sessions : public OneWorkspace {
 protected:
  explicit Sessions(core::SessionLimits limits = {}) {
    limits_ = limits;
    peer_ = create(request());
  }
  void limit_file_size(rlim_t bytes) {
    const rlimit limit{.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    EXPECT_EQ(::prlimit(supervisor_->pid(), RLIMIT_FSIZE, &limit, nullptr), 0);
  }
};

TEST_F(Sessions, AnEndThatCannotBeRecordedIsRecordedLater) {
  ASSERT_TRUE(services().start(kId, "web", {.command = "exec sleep 1000", .cwd = "/tmp"}, -1));
  limit_file_size(1);
  const auto failed = services().stop(kId, "web", 5, -1);
  ASSERT_FALSE(failed);
  EXPECT_EQ(services().status(kId, "web")->state, "running");  // as far as anybody can read
  limit_file_size(RLIM_INFINITY);
  const auto stopped = services().stop(kId, "web", 5, -1);
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_EQ(stopped->state, "stopped");
  EXPECT_EQ(stopped->stop_reason, "sigterm");
}

// Of those that pause for longer than their test takes.
class PausingSessions : public Sessions {
 protected:
  PausingSessions() : Sessions({.first_pause = 1000s}) {}
};

TEST_F(PausingSessions, OneThatWaitsToBeStartedAgainCanBeStopped) {
  ASSERT_TRUE(
      services().start(kId, "web", {.command = "exit 3", .cwd = "/tmp", .restart = "always"}, -1));
  const auto until = std::chrono::steady_clock::now() + Driver::kPatience;
  for (bool waits = false; !waits;) {
    ASSERT_LT(std::chrono::steady_clock::now(), until);
    const auto now = services().status(kId, "web");
    ASSERT_TRUE(now) << now.error().message;
    waits = now->state == "starting" && now->exit_code == 3;
    ::usleep(5'000);  // lint: sleep, a pause has no event
  }
  const auto stopped = services().stop(kId, "web", 5, -1);
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_EQ(stopped->state, "stopped");
  EXPECT_EQ(stopped->stop_reason, "stopped");
}

TEST_F(Sessions, ARestartEndsWithItsClient) {
  ASSERT_TRUE(services().start(
      kId, "web", {.command = "trap '' TERM; echo set; while :; do sleep 1; done", .cwd = "/tmp"},
      -1));
  const auto heard = services().follow(
      kId, "web", {},
      [](const client::LogEntry& entry) -> Result<void> {
        if (entry.text.find("set") == std::string::npos) return {};
        return fail(Errc::kConflict, "heard");
      },
      -1);
  ASSERT_FALSE(heard);
  ASSERT_EQ(heard.error().message, "heard");
  std::array<int, 2> interrupt{};
  ASSERT_EQ(::pipe2(interrupt.data(), O_CLOEXEC), 0);
  ASSERT_TRUE(sys::write_all(interrupt[1], "x"));
  const auto before = std::chrono::steady_clock::now();
  const auto given_up = services().restart(kId, "web", 20, interrupt[0]);
  EXPECT_FALSE(given_up);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 10s);
  for (const int fd : interrupt) ::close(fd);
  // Who asks for an earlier end gets it; nobody has started it again.
  const auto stopped = services().stop(kId, "web", 0, -1);
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_EQ(stopped->stop_reason, "sigkill");
}

}  // namespace
}  // namespace pyro::testing
