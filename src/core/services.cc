#include "core/services.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <utility>

#include "base/text.h"
#include "core/log_relay.h"
#include "core/sandbox_folder.h"
#include "core/workspace_names.h"
#include "proto/limits.h"
#include "sys/file.h"

namespace pyro::core {

namespace asio = io::asio;
using std::chrono::milliseconds;

namespace {

// Of a start that somebody gave up.
constexpr milliseconds kGivenUpGrace{2'000};
constexpr std::int64_t kLastPort = 65535;

Result<void> check_name(const std::string& name) {
  if (is_plain_name(name)) return {};
  return fail(Errc::kInvalid, quoted_name(name) + " is no name for a service");
}

Result<void> check_grace(std::int64_t timeout_ms) {
  return proto::in_range("timeout_ms", timeout_ms,
                         {.low = 0, .high = proto::kStopTimeoutRange.high * 1000});
}

// A client that waits for a start may give it up.
asio::awaitable<void> give_up_with(std::shared_ptr<rpc::Stream> client,
                                   std::shared_ptr<ServiceRun> run) {
  co_await until_client_goes(std::move(client));
  if (!run->began()) run->ask_to_stop(kGivenUpGrace);
}

asio::awaitable<void> leave_with(std::shared_ptr<rpc::Stream> client,
                                 std::shared_ptr<ServiceRun> run, bool* gone) {
  co_await until_client_goes(std::move(client));
  *gone = true;
  run->nudge();
}

asio::awaitable<void> stop_one(std::shared_ptr<ServiceRun> run, milliseconds grace) {
  static_cast<void>(co_await run->stop(grace));
}

}  // namespace

// What is recorded must be enough to run it again, and no secret may be recorded.
Result<void> Services::check_definition(const proto::ServiceDefinition& d) const {
  if (d.argv.empty() || d.argv.front().value.empty())
    return fail(Errc::kInvalid, "there is no command to run");
  PYRO_CHECK(proto::in_range("ready_timeout_ms", d.ready_timeout_ms,
                             {.low = 1, .high = proto::kReadyTimeoutRange.high * 1000}));
  PYRO_CHECK(proto::in_range("ready_interval_ms", d.ready_interval_ms, proto::kReadyIntervalRange));
  if (d.restart != "no" && d.restart != "on-failure" && d.restart != "always")
    return fail(Errc::kInvalid, "restart is no, on-failure or always");
  if (d.readiness) PYRO_CHECK(check(*d.readiness));
  for (const proto::PublishedPort& p : d.published) {
    PYRO_CHECK(proto::in_range("guest_port", p.guest_port, {.low = 1, .high = kLastPort}));
    PYRO_CHECK(proto::in_range("host_port", p.host_port, {.low = 0, .high = kLastPort}));
  }
  std::string all = d.command + "\n" + d.cwd;
  if (d.readiness) all += "\n" + d.readiness->path + "\n" + d.readiness->command;
  for (const auto& word : d.argv) all += "\n" + word.value;
  for (const auto& [name, value] : d.env) all += "\n" + name + "\n" + value.value;
  return check_recordable(deps_.secrets, all, "the service's command or variables", "--secret-env");
}

Services::RunPtr Services::running(const std::string& name) const {
  const auto found = runs_.find(name);
  return found == runs_.end() || found->second->over() ? nullptr : found->second;
}

// Of those that have ended the one that did so first is forgotten, with its log.
io::Task<void> Services::make_room_for(std::string name) {
  for (;;) {
    PYRO_CO_TRY(const auto known, deps_.store.services());
    const store::ServiceRecord* oldest = nullptr;
    for (const store::ServiceRecord& s : known) {
      if (s.name == name) co_return Result<void>{};
      if (is_over(s.state) && (oldest == nullptr || s.ended_at < oldest->ended_at)) oldest = &s;
    }
    if (std::ssize(known) < proto::kMostServices) co_return Result<void>{};
    if (oldest == nullptr) {
      co_return fail_hint(
          Errc::kLimit,
          fmt::format("{} services run in this workspace already", proto::kMostServices),
          "stop one: pyro workspace service stop");
    }
    PYRO_CO_CHECK(sys::remove_tree(service_log_folder(folder_, oldest->name)));
    PYRO_CO_CHECK(deps_.store.remove_service(oldest->name));
    if (auto run = runs_.extract(oldest->name)) co_await run.mapped()->close();
  }
}

io::Task<void> Services::begin(std::string name, proto::ServiceDefinition definition,
                               bool fresh_log, StreamPtr client) {
  PYRO_CO_CHECK(check_definition(definition));
  PYRO_CO_TRY(proto::Exec exec, make_exec_(definition));
  exec.whole_group = true;
  exec.kill_grace_ms = 0;  // end_run() has waited already
  PYRO_CO_CHECK(co_await make_room_for(name));
  if (stopping_) co_return fail(Errc::kConflict, "the workspace is being stopped");
  if (running(name)) {
    co_return fail_hint(Errc::kConflict, fmt::format("the service {} runs already", name),
                        "stop it first, or use: pyro workspace service restart");
  }
  PYRO_CO_TRY(const RunPtr run, ServiceRun::make({.name = name,
                                                  .definition = std::move(definition),
                                                  .exec = std::move(exec),
                                                  .log_folder = service_log_folder(folder_, name),
                                                  .fresh_log = fresh_log},
                                                 deps_, pace_, ex_));
  const RunPtr old = std::exchange(runs_[name], run);  // over, if there is one
  run->start();
  if (old) co_await old->close();
  io::TaskScope scope(ex_);
  scope.spawn(give_up_with(client, run));
  auto ready = co_await run->first_ready();
  if (!run->began()) run->ask_to_stop(kGivenUpGrace);  // this task was cancelled
  static_cast<void>(co_await scope.close());
  co_return ready;
}

io::Task<void> Services::start(proto::StartService request, StreamPtr client) {
  PYRO_CO_CHECK(check_name(request.name));
  co_return co_await begin(std::move(request.name), std::move(request.definition),
                           /*fresh_log=*/true, std::move(client));
}

io::Task<void> Services::restart(proto::RestartService request, StreamPtr client) {
  PYRO_CO_CHECK(check_name(request.name));
  PYRO_CO_TRY(const auto record, deps_.store.service(request.name));
  PYRO_CO_TRY(const auto parsed, proto::parse_object(record.definition));
  PYRO_CO_TRY(auto definition, proto::decode<proto::ServiceDefinition>(parsed));
  PYRO_CO_CHECK(check_grace(request.timeout_ms));
  if (const RunPtr old = running(request.name)) {
    bool gone = false;
    io::TaskScope scope(ex_);
    scope.spawn(leave_with(client, old, &gone));
    const auto stopped = co_await old->stop(milliseconds(request.timeout_ms), &gone);
    static_cast<void>(co_await scope.close());
    PYRO_CO_CHECK(stopped);
    if (client->cancelled()) co_return fail(Errc::kUnavailable, "nobody waits for it any more");
  }
  co_return co_await begin(std::move(request.name), std::move(definition), /*fresh_log=*/false,
                           std::move(client));
}

io::Task<void> Services::stop(proto::StopService request) {
  PYRO_CO_CHECK(check_name(request.name));
  PYRO_CO_CHECK(check_grace(request.timeout_ms));
  const auto found = runs_.find(request.name);
  if (found == runs_.end()) {
    PYRO_CO_CHECK(deps_.store.service(request.name));  // kNotFound
    co_return Result<void>{};
  }
  const RunPtr run = found->second;
  co_return co_await run->stop(milliseconds(request.timeout_ms));
}

io::Task<void> Services::follow(proto::FollowService request, StreamPtr client) {
  PYRO_CO_CHECK(check_name(request.name));
  const auto found = runs_.find(request.name);
  if (found == runs_.end()) co_return Result<void>{};  // it ended with an earlier machine
  const RunPtr run = found->second;
  bool gone = false;
  io::TaskScope scope(ex_);
  scope.spawn(leave_with(client, run, &gone));
  auto done = co_await run->follow(request.cursor, client, &gone);
  static_cast<void>(co_await scope.close());
  co_return done;
}

asio::awaitable<void> Services::stop_all(milliseconds grace) {
  stopping_ = true;
  io::TaskScope scope(ex_);
  for (const auto& [name, run] : runs_) {
    if (!run->over()) scope.spawn(stop_one(run, grace));
  }
  co_await scope.join();
}

asio::awaitable<void> Services::close() {
  stopping_ = true;
  for (const auto& [name, run] : runs_) co_await run->close();
}

}  // namespace pyro::core
