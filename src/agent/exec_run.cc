#include "agent/exec_run.h"

#include <signal.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace pyro::agent {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
// How long a program may take to disappear after SIGKILL (it may hang in the kernel).
constexpr milliseconds kKillLimit{5000};

}  // namespace

ExecRun::ExecRun(const asio::any_io_executor& ex, std::shared_ptr<rpc::Stream> s)
    : executor(ex), stream(std::move(s)), watch(ex), outputs(ex), inputs(ex), events_(ex) {}

void ExecRun::begin() {
  io->begin(stream);
  if (request.whole_group) watch_whole_group();
  // A plain exec does without: its answer is all that the host waits for.
  if (request.whole_group || request.tty) {
    (void)stream->send_event(proto::Started::kName, proto::encode(proto::Started{.pid = pid}));
  }
  outputs.spawn(io->pump(wire::kStdout));
  if (!request.tty) outputs.spawn(io->pump(wire::kStderr));
  inputs.spawn(take_input());
  inputs.spawn(io->write_stdin());
}

// Without a group, or where it cannot be watched, the program ends with its main process.
void ExecRun::watch_whole_group() {
  if (!group) return;
  auto events = group->open_events();
  if (!events) return;
  boost::system::error_code failed;
  events_.assign(events->get(), failed);
  if (failed) return;
  (void)events->release();  // owned by events_
  inputs.spawn(watch_group());
}

// The kernel tells of an empty group by itself. That its last process was reaped would say the same
// only if every process were ours to reap, and dead for the group by then (not so from Linux 6.19).
asio::awaitable<void> ExecRun::watch_group() {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (Cgroup::populated_now(events_.native_handle())) {
    const auto woken = co_await events_.async_wait(ExecIo::Descriptor::wait_error, kTuple);
    if (std::get<0>(woken)) co_return;
  }
  emptied_ = true;
  watch.changed.set();
}

asio::awaitable<void> ExecRun::take_input() {
  co_await asio::this_coro::throw_if_cancelled(false);
  for (;;) {
    auto item = co_await stream->next();
    if (!item) {
      lost_ = true;
      watch.changed.set();
      co_return;
    }
    if (auto* data = std::get_if<rpc::Data>(&*item)) {
      io->feed(std::move(*data));
    } else if (std::holds_alternative<rpc::Cancelled>(*item)) {
      cancelled_ = true;
      watch.changed.set();
    } else if (const auto* event = std::get_if<rpc::Event>(&*item)) {
      if (event->name == proto::Signal::kName) {
        const auto wanted = proto::decode<proto::Signal>(event->params);
        if (wanted && wanted->signo > 0 && wanted->signo < NSIG) {
          asked_to_end_ = asked_to_end_ || wanted->signo == SIGTERM;
          signal(wanted->signo);
        }
      } else if (event->name == proto::Terminal::kName) {
        const auto size = proto::decode<proto::Terminal>(event->params);
        if (size) io->resize(*size);
      }
    }
  }
}

// Until it was reaped the main process keeps the number from being given to another group.
void ExecRun::signal_process_group(int signo) const {
  if (!watch.status) ::kill(-pid, signo);
}

void ExecRun::signal(int signo) {
  if (is_whole()) return group->signal(signo);
  if (watch.status) return;
  if (!request.tty) return signal_process_group(signo);
  if (signo == SIGHUP || signo == SIGCONT) {
    return group ? group->signal(signo) : signal_process_group(signo);
  }
  const pid_t front = io->foreground();
  if (front <= 0 || ::kill(-front, signo) != 0) signal_process_group(signo);
}

void ExecRun::ask_to_end() {
  // An interactive shell ignores SIGTERM: its terminal goes. Nobody reads the output any more.
  const bool hang_up = request.tty && !timed_out;
  if (hang_up) io->hang_up();
  if (hang_up && !is_whole()) return;
  for (const int signo : {hang_up ? SIGHUP : SIGTERM, SIGCONT}) {  // a stopped one would not see it
    if (is_whole()) {
      group->signal(signo);
    } else {
      signal_process_group(signo);
    }
  }
}

void ExecRun::kill_all() {
  if (group) (void)group->kill();
  signal_process_group(SIGKILL);
}

bool ExecRun::has_failed() const {
  return watch.status && (watch.status->signaled || watch.status->value != 0);
}

template <class Done>
asio::awaitable<void> ExecRun::wait(Done done, Clock::time_point until) {
  while (!done()) {
    watch.changed.clear();
    if (until == Clock::time_point::max()) {
      const auto woken = co_await watch.changed.wait();
      static_cast<void>(woken);
      continue;
    }
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    if (left.count() <= 0) co_return;
    const auto woken = co_await watch.changed.wait_for(left);
    static_cast<void>(woken);
  }
}

asio::awaitable<void> ExecRun::supervise() {
  const auto ended = [this] { return has_ended(); };
  const auto limit = milliseconds(request.timeout_ms);
  const auto until = limit.count() == 0 ? Clock::time_point::max() : started + limit;
  co_await wait([this] { return watch.status || is_unwanted(); }, until);
  if (watch.status && is_whole() && !emptied_) {
    if (!group->populated()) {  // the usual end; the kernel may tell of it some milliseconds later
      emptied_ = true;
    } else if (has_failed() &&
               !asked_to_end_) {  // ports and files are free when the host hears of it
      kill_all();
      co_await wait(ended, Clock::now() + kKillLimit);
      co_return;
    }
  }
  co_await wait([this] { return has_ended() || is_unwanted(); }, until);
  if (has_ended()) co_return;
  timed_out = !is_unwanted();
  killed = true;
  ask_to_end();
  co_await wait([this] { return has_ended() || lost_; },
                Clock::now() + milliseconds(request.kill_grace_ms));
  if (is_whole() && has_ended()) co_return;
  kill_all();  // also what the program has left behind
  co_await wait(ended, Clock::now() + kKillLimit);
}

}  // namespace pyro::agent
