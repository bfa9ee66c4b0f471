#include "agent/exec.h"

#include <signal.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "agent/spawn.h"
#include "base/text.h"

namespace pyro::agent {
namespace {

namespace asio = boost::asio;
using Clock = ExecRun::Clock;

constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::int64_t kLongest = std::int64_t{365} * 24 * 3600 * 1000;

std::map<std::string, std::string> environment_of(const proto::Exec& request) {
  std::map<std::string, std::string> env = {
      {"PATH", kDefaultPath}, {"HOME", "/root"}, {"LANG", "C.UTF-8"}};
  if (request.tty) env["TERM"] = "xterm-256color";
  for (const auto& [name, value] : request.env) env[name] = value.value;
  return env;
}

std::vector<std::string> candidates(const std::string& name, std::string_view path) {
  if (name.find('/') != std::string::npos) return {name};
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t colon = std::min(path.find(':', at), path.size());
    const std::string_view dir = path.substr(at, colon - at);
    out.push_back(dir.empty() ? "./" + name : std::string(dir) + "/" + name);
    at = colon + 1;
  }
  return out;
}

Result<void> check(const proto::Exec& request) {
  if (request.argv.empty() || request.argv.front().value.empty()) {
    return fail(Errc::kInvalid, "exec: no program named");
  }
  const auto has_nul = [](const std::string& s) { return s.find('\0') != std::string::npos; };
  bool nul = has_nul(request.cwd.value);
  for (const auto& word : request.argv) nul = nul || has_nul(word.value);
  for (const auto& [name, value] : request.env) {
    if (name.empty() || name.find('=') != std::string::npos) {
      return fail(Errc::kInvalid, "exec: bad name of an environment variable");
    }
    nul = nul || has_nul(name) || has_nul(value.value);
  }
  if (nul) return fail(Errc::kInvalid, "exec: NUL bytes cannot be passed to a program");
  if (request.timeout_ms < 0 || request.timeout_ms > kLongest || request.kill_grace_ms < 0 ||
      request.kill_grace_ms > kLongest) {
    return fail(Errc::kInvalid, "exec: timeout out of range");
  }
  return {};
}

std::int64_t micros_since(Clock::time_point from) {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - from).count();
}

}  // namespace

ExecService::ExecService(Reaper& reaper, std::unique_ptr<CgroupPool> groups)
    : reaper_(reaper), groups_(std::move(groups)) {}

void ExecService::prepare_next(const asio::any_io_executor& ex) {
  if (next_io_) return;
  auto io = ExecIo::make_pipes(ex);
  if (io) next_io_ = *std::move(io);  // else the next exec tries again, and says why not
}

Result<std::unique_ptr<ExecIo>> ExecService::make_io(const ExecRun& run) {
  if (run.request.tty) return ExecIo::make_terminal(run.executor, *run.request.tty);
  auto io = next_io_ ? Result<std::unique_ptr<ExecIo>>(std::move(next_io_))
                     : ExecIo::make_pipes(run.executor);
  if (io && run.request.stdin_open) PYRO_CHECK((*io)->open_input());
  return io;
}

Result<void> ExecService::start(ExecRun& run) {
  PYRO_TRY(run.request, proto::decode<proto::Exec>(run.stream->params()));
  PYRO_CHECK(check(run.request));
  PYRO_TRY(run.io, make_io(run));
  if (groups_) {
    auto group = groups_->acquire();
    if (group) run.group = *std::move(group);
  }
  const auto env = environment_of(run.request);
  ProgramSpec spec{.paths = {},
                   .argv = proto::to_strings(run.request.argv),
                   .env = {},
                   .cwd = run.request.cwd.value,
                   .fds = {run.io->child(0), run.io->child(1), run.io->child(2)},
                   .terminal = run.request.tty.has_value(),
                   .cgroup_dir = run.group ? run.group->dir().get() : -1};
  for (const auto& [name, value] : env) spec.env.push_back(name + "=" + value);
  spec.paths = candidates(spec.argv.front(), env.at("PATH"));
  auto pid = spawn_program(spec);
  if (!pid) {
    if (run.group) groups_->release(std::move(run.group));
    return std::unexpected(std::move(pid.error()));
  }
  run.pid = *pid;
  run.started = Clock::now();
  reaper_.watch(run.pid, &run.watch);
  return {};
}

asio::awaitable<void> ExecService::handle(std::shared_ptr<rpc::Stream> stream) {
  // The program must be killed and reaped whatever happens to the session.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  const auto ex = co_await asio::this_coro::executor;
  ExecRun run(ex, stream);
  stream->manual_credit();
  if (auto r = start(run); !r) {
    (void)stream->respond(std::move(r.error()));
    co_return;
  }
  ++running_;
  const std::int64_t spawn_us = micros_since(run.received);
  run.begin();
  co_await run.supervise();
  proto::ExecResult result{.timed_out = run.timed_out,
                           .killed = run.killed,
                           .spawn_us = spawn_us,
                           .duration_us = micros_since(run.started)};
  reaper_.forget(run.pid);
  run.io->drain();
  co_await run.outputs.join();
  const auto input_failure = co_await run.inputs.close();
  static_cast<void>(input_failure);
  if (!run.watch.status) {
    result.signal = SIGKILL;
  } else if (run.watch.status->signaled) {
    result.signal = run.watch.status->value;
  } else {
    result.exit_code = run.watch.status->value;
  }
  --running_;
  (void)stream->respond(proto::encode(result));
  // The answer goes out first: looking after the group costs as much as the rest of the end.
  co_await asio::post(ex, asio::use_awaitable);
  if (run.group) groups_->release(std::move(run.group));
  prepare_next(ex);
}

}  // namespace pyro::agent
