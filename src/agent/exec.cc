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
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
// How long a program may take to disappear after SIGKILL (it may hang in the kernel).
constexpr milliseconds kKillLimit{5000};
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

struct ExecService::Run {
  Run(const asio::any_io_executor& ex, std::shared_ptr<rpc::Stream> s)
      : executor(ex), stream(std::move(s)), watch(ex), outputs(ex), inputs(ex) {}

  asio::any_io_executor executor;
  std::shared_ptr<rpc::Stream> stream;
  proto::Exec request;
  Reaper::Watch watch;
  pid_t pid = -1;
  std::unique_ptr<Cgroup> group;
  std::unique_ptr<ExecIo> io;
  Clock::time_point received = Clock::now();
  Clock::time_point started;
  bool timed_out = false;
  bool killed = false;
  bool cancelled = false;  // the host wants it to end
  bool lost = false;       // the host is gone
  io::TaskScope outputs;
  io::TaskScope inputs;

  void signal_group(int signo) const {
    if (!watch.status) ::kill(-pid, signo);
  }
  void kill_all() const {
    if (group) (void)group->kill();
    signal_group(SIGKILL);
  }
  asio::awaitable<void> take_input();
};

ExecService::ExecService(Reaper& reaper, std::unique_ptr<CgroupPool> groups)
    : reaper_(reaper), groups_(std::move(groups)) {}

asio::awaitable<void> ExecService::Run::take_input() {
  co_await asio::this_coro::throw_if_cancelled(false);
  for (;;) {
    auto item = co_await stream->next();
    if (!item) {
      lost = true;
      watch.changed.set();
      co_return;
    }
    if (auto* data = std::get_if<rpc::Data>(&*item)) {
      io->feed(std::move(*data));
    } else if (std::holds_alternative<rpc::Cancelled>(*item)) {
      cancelled = true;
      watch.changed.set();
    } else if (const auto* event = std::get_if<rpc::Event>(&*item)) {
      if (event->name == proto::Signal::kName) {
        const auto signal = proto::decode<proto::Signal>(event->params);
        if (signal && signal->signo > 0 && signal->signo < NSIG) signal_group(signal->signo);
      } else if (event->name == proto::Terminal::kName) {
        const auto size = proto::decode<proto::Terminal>(event->params);
        if (size) io->resize(*size);
      }
    }
  }
}

void ExecService::prepare_next(const asio::any_io_executor& ex) {
  if (next_io_) return;
  auto io = ExecIo::make_pipes(ex);
  if (io) next_io_ = *std::move(io);  // else the next exec tries again, and says why not
}

Result<std::unique_ptr<ExecIo>> ExecService::make_io(const Run& run) {
  if (run.request.tty) return ExecIo::make_terminal(run.executor, *run.request.tty);
  auto io = next_io_ ? Result<std::unique_ptr<ExecIo>>(std::move(next_io_))
                     : ExecIo::make_pipes(run.executor);
  if (io && run.request.stdin_open) PYRO_CHECK((*io)->open_input());
  return io;
}

Result<void> ExecService::start(Run& run) {
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
  run.io->begin(run.stream);
  return {};
}

// Waits until the program has ended, by itself or because it was made to.
asio::awaitable<void> ExecService::supervise(Run* run) {
  const auto ended = [run] { return run->watch.status.has_value(); };
  const auto stop = [run] { return run->cancelled || run->lost; };
  const auto limit = milliseconds(run->request.timeout_ms);
  while (!ended() && !stop()) {
    run->watch.changed.clear();
    if (limit.count() == 0) {
      const auto woken = co_await run->watch.changed.wait();
      static_cast<void>(woken);
      continue;
    }
    const auto left = std::chrono::ceil<milliseconds>(run->started + limit - Clock::now());
    if (left.count() <= 0) break;
    const auto woken = co_await run->watch.changed.wait_for(left);
    static_cast<void>(woken);
  }
  if (ended()) co_return;
  run->timed_out = !stop();
  run->killed = true;
  run->signal_group(SIGTERM);
  run->signal_group(SIGCONT);  // a stopped program would not see it
  auto until = Clock::now() + milliseconds(run->request.kill_grace_ms);
  while (!ended() && !run->lost) {
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    if (left.count() <= 0) break;
    run->watch.changed.clear();
    const auto woken = co_await run->watch.changed.wait_for(left);
    static_cast<void>(woken);
  }
  run->kill_all();
  until = Clock::now() + kKillLimit;
  while (!ended()) {
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    if (left.count() <= 0) break;
    run->watch.changed.clear();
    const auto woken = co_await run->watch.changed.wait_for(left);
    static_cast<void>(woken);
  }
}

asio::awaitable<void> ExecService::handle(std::shared_ptr<rpc::Stream> stream) {
  // The program must be killed and reaped whatever happens to the session.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  const auto ex = co_await asio::this_coro::executor;
  Run run(ex, stream);
  stream->manual_credit();
  if (auto r = start(run); !r) {
    (void)stream->respond(std::move(r.error()));
    co_return;
  }
  ++running_;
  const std::int64_t spawn_us = micros_since(run.received);
  run.outputs.spawn(run.io->pump(wire::kStdout));
  if (!run.request.tty) run.outputs.spawn(run.io->pump(wire::kStderr));
  run.inputs.spawn(run.take_input());
  run.inputs.spawn(run.io->write_stdin());
  co_await supervise(&run);
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
