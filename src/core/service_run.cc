#include "core/service_run.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <boost/asio/this_coro.hpp>

#include "base/text.h"
#include "core/clock.h"
#include "core/log_relay.h"
#include "sys/clock.h"

namespace pyro::core {

namespace asio = io::asio;
using std::chrono::milliseconds;
using store::LogStream;
using store::ServiceState;
using Clock = std::chrono::steady_clock;

namespace {

constexpr milliseconds kHold{1000};  // of the start of a secret's value
constexpr std::array kLogStreams{LogStream::kStdout, LogStream::kStderr};
constexpr milliseconds kForever{-1};
constexpr milliseconds kLongTime{std::chrono::hours(24 * 365)};
constexpr milliseconds kStartLimit{30'000};
// For the answer of a probe whose time was over with that of the service.
constexpr milliseconds kLateAnswer{2'000};
constexpr milliseconds kMostBackoff{30'000};
// One that ran for so long begins again with the first pause.
constexpr double kSteady = 10;  // seconds
// What a piece of output costs beside its bytes: a write, and waking whoever follows.
constexpr std::size_t kFrameCost = 512;
constexpr const char* kNotEnded = "not_ended";
constexpr std::size_t kShownLines = 10;
constexpr std::size_t kShownBytes = 2048;

// The guest may say anything.
int exit_code(const proto::ExecResult& result) {
  return std::clamp(result.shell_code(), 0, 255);
}
std::string code_text(const std::optional<proto::ExecResult>& result) {
  return result ? fmt::format(" (exit code {})", exit_code(*result)) : "";
}

milliseconds left_until(Clock::time_point until) {
  return std::chrono::ceil<milliseconds>(until - Clock::now());
}

}  // namespace

milliseconds LogPace::take(std::size_t bytes) {
  const Clock::time_point now = Clock::now();
  const double passed = std::chrono::duration<double>(now - at_).count();
  at_ = now;
  room_ = std::min<double>(kBurst, room_ + (passed * kBytesPerSecond));
  room_ -= static_cast<double>(bytes);
  if (room_ >= 0) return milliseconds(0);
  return milliseconds(static_cast<std::int64_t>(-room_ * 1000 / kBytesPerSecond) + 1);
}

ServiceRun::ServiceRun(ServiceSpec spec, SessionDeps deps, LogPace& pace, store::ServiceLog log,
                       asio::any_io_executor ex)
    : spec_(std::move(spec)),
      deps_(deps),
      pace_(pace),
      ex_(ex),
      log_(std::move(log)),
      record_{.name = spec_.name, .ready_at = {}, .ended_at = {}, .exit_code = {}, .pid = {}},
      ports_(deps.network),
      streams_(deps.secrets, kHold),
      changed_(ex),
      backoff_(deps_.limits.first_pause),
      scope_(ex) {}

Result<std::shared_ptr<ServiceRun>> ServiceRun::make(ServiceSpec spec, SessionDeps deps,
                                                     LogPace& pace, asio::any_io_executor ex) {
  PYRO_TRY(auto log, store::ServiceLog::open(spec.log_folder, spec.fresh_log));
  for (proto::PublishedPort& port : spec.definition.published) port.bound = 0;
  std::shared_ptr<ServiceRun> service(
      new ServiceRun(std::move(spec), deps, pace, std::move(log), ex));
  service->note_ports();
  service->record_.started_at = now_seconds();
  PYRO_CHECK(deps.store.put_service(service->record_));
  return service;
}

void ServiceRun::save() {
  if (!closing_) saved_ = deps_.store.put_service(record_);
  changed_.notify();
}

void ServiceRun::note_ports() {
  record_.definition = proto::to_text(proto::encode(spec_.definition));
}

void ServiceRun::remark(const std::string& text) {
  log_.append(LogStream::kRemark, text + "\n", sys::wall_clock_ns() / 1000);
  changed_.notify();
}

void ServiceRun::announce(Result<void> first) {
  if (!first_) first_ = std::move(first);
  changed_.notify();
}

// ---- one run after another

asio::awaitable<void> ServiceRun::live() {
  // To its very end: between two runs nothing is left in the guest that keeps its machine from
  // rest.
  const auto awake = co_await deps_.rest.wake();
  Result<void> able;
  if (awake) {
    // Held also while it is started again: nobody else gets them meanwhile.
    able = co_await ports_.open(spec_.definition.published);
  } else {
    able = std::unexpected(awake.error());
  }
  note_ports();
  Result<void> began;
  if (!able) began = settle({.ended = true, .result = {}, .error = able.error()}, "");
  while (able && !closing_) {
    began = co_await run_once();
    if (!wants_restart(began)) break;
    announce(began);
    const double ran = now_seconds() - record_.started_at;
    if (ran > kSteady) backoff_ = deps_.limits.first_pause;
    remark(fmt::format("it is started again in {:.1f} s",
                       static_cast<double>(backoff_.count()) / 1000));
    record_.state = ServiceState::kStarting;
    record_.pid.reset();
    ++record_.restart_count;
    save();
    co_await pause_before_restart();
    if (stop_grace_) {
      record_.state = ServiceState::kStopped;
      record_.stop_reason = "stopped";
      break;
    }
  }
  // Whoever hears of the end finds its ports free.
  co_await ports_.close(spec_.definition.published);
  note_ports();
  save();
  over_ = true;
  announce(began);
}

// `began`: how this run did; of the first it decides.
bool ServiceRun::wants_restart(const Result<void>& began) const {
  if (closing_ || lost_ || stop_grace_ || !first_.value_or(began)) return false;
  const std::string& policy = spec_.definition.restart;
  if (policy == "always") return true;
  return policy == "on-failure" &&
         (record_.state == ServiceState::kFailed || record_.exit_code != 0);
}

asio::awaitable<void> ServiceRun::pause_before_restart() {
  const auto until = Clock::now() + backoff_;
  backoff_ = std::min(2 * backoff_, kMostBackoff);
  while (!stop_grace_ && !closing_) {
    const milliseconds left = left_until(until);
    if (left.count() <= 0) co_return;
    const auto woken = co_await changed_.after(changed_.count(), left);
    if (!woken && woken.error().code != Errc::kDeadline) co_return;
  }
}

io::Task<void> ServiceRun::run_once() {
  Run run;
  std::int64_t since_ns = 0;
  record_.state = ServiceState::kStarting;
  record_.started_at = now_seconds();
  record_.ready_at.reset();
  record_.ended_at.reset();
  record_.exit_code.reset();
  record_.stop_reason.clear();
  record_.last_error.clear();
  ended_by_.clear();
  run_begins_ = log_.end();
  auto launched = co_await launch(&since_ns);
  if (!launched) {
    run.ended = true;
    run.error = std::move(launched.error());
    co_return settle(run, "");
  }
  if (const auto* event = std::get_if<rpc::Event>(&*launched)) take_pid(*event);
  save();
  io::TaskScope scope(ex_);
  scope.spawn(pump(&run, *std::move(launched)));
  std::string not_ready;
  if (spec_.definition.readiness)
    not_ready = co_await wait_ready(&run, *spec_.definition.readiness, since_ns);
  if (!not_ready.empty()) {
    co_await end_run(&run, stop_grace_.value_or(deps_.guest.limits().failed_grace));
  } else {
    record_.ready_at = now_seconds();
    if (!run.ended && !stop_grace_) {
      record_.state = ServiceState::kRunning;
      save();
      announce({});
    }
  }
  while (!run.ended && !stop_grace_ && !closing_) {
    const auto woken = co_await changed_.after(changed_.count(), kForever);
    if (!woken) break;
  }
  if (!run.ended && stop_grace_) co_await end_run(&run, *stop_grace_);
  static_cast<void>(co_await scope.close());
  stream_.reset();
  co_return settle(run, not_ready);
}

// Returns when the program runs: whatever comes first says so. That need not be the event, which
// travels on another lane than what the program prints.
io::Task<rpc::Incoming> ServiceRun::launch(std::int64_t* since_ns) {
  if (spec_.definition.readiness && spec_.definition.readiness->type == "file") {
    PYRO_CO_TRY(*since_ns, co_await guest_clock(deps_.guest));
  }
  PYRO_CO_TRY(stream_, deps_.guest.session().open(proto::Exec::kName, proto::encode(spec_.exec)));
  PYRO_CO_TRY(auto first, co_await stream_->next_within(kStartLimit));
  if (first) co_return *std::move(first);
  stream_->cancel();
  co_return fail(Errc::kUnavailable, "the guest does not start the service");
}

// What a run prints, and its end.
asio::awaitable<void> ServiceRun::pump(Run* run, rpc::Incoming first) {
  Result<std::optional<rpc::Incoming>> item = std::move(first);
  for (;;) {
    if (!item) {
      run->lost = true;
      break;
    }
    flush_logs(RedactedStreams::Clock::now());
    if (!*item) {  // only time has passed
    } else if (auto* data = std::get_if<rpc::Data>(&**item)) {
      const auto taken = co_await pump_data(std::move(*data));
      if (!taken) break;
    } else if (const auto* event = std::get_if<rpc::Event>(&**item)) {
      if (take_pid(*event)) save();
    } else if (const auto* response = std::get_if<rpc::Response>(&**item)) {
      const auto result = proto::decode<proto::ExecResult>(response->result);
      if (result) run->result = *result;
      break;
    }
    item =
        co_await stream_->next_within(streams_.until_due(RedactedStreams::Clock::now(), kLongTime));
  }
  flush_logs(RedactedStreams::Clock::time_point::max());
  run->ended = true;
  changed_.notify();
}

// The guest may say anything; pid_max is 2^22 at most (proc(5)).
bool ServiceRun::take_pid(const rpc::Event& event) {
  const auto started = proto::decode<proto::Started>(event.params);
  if (event.name != proto::Started::kName || !started || record_.pid) return false;
  if (started->pid < 1 || started->pid > 1 << 22) return false;
  record_.pid = started->pid;
  return true;
}

// The guest gets credit for it at the next call of next_within(): not before its time.
io::Task<void> ServiceRun::pump_data(rpc::Data data) {
  const std::size_t which = data.channel == wire::kStdout ? 0 : 1;
  const std::string shown = streams_.feed(which, data.bytes, RedactedStreams::Clock::now());
  log_.append(kLogStreams[which], shown, sys::wall_clock_ns() / 1000);
  changed_.notify();
  const milliseconds wait = pace_.take(data.bytes.size() + kFrameCost);
  if (wait.count() > 0) co_return co_await io::sleep_for(wait);
  co_return Result<void>{};
}

void ServiceRun::flush_logs(RedactedStreams::Clock::time_point now) {
  const std::int64_t written_us = sys::wall_clock_ns() / 1000;
  for (std::size_t which = 0; which < kLogStreams.size(); ++which) {
    if (!streams_.is_due(which, now)) continue;
    log_.append(kLogStreams[which], streams_.flush(which), written_us);
    changed_.notify();
  }
}

asio::awaitable<void> ServiceRun::look(proto::Readiness readiness, std::int64_t since_ns,
                                       proto::Exec exec, milliseconds limit,
                                       std::optional<Result<ProbeOutcome>>* seen) {
  *seen = co_await probe(deps_.guest, deps_.secrets, std::move(readiness), since_ns,
                         std::move(exec), limit);
  changed_.notify();
}

asio::awaitable<std::string> ServiceRun::wait_ready(Run* run, proto::Readiness readiness,
                                                    std::int64_t since_ns) {
  const proto::ServiceDefinition& d = spec_.definition;
  const auto until = Clock::now() + milliseconds(d.ready_timeout_ms);
  std::string last;  // what was seen last
  proto::Exec exec = spec_.exec;
  exec.whole_group = false;
  for (;;) {
    if (run->ended) {
      co_return "it ended before it was ready" + code_text(run->result) +
          (last.empty() ? "" : "; the last probe: " + last);
    }
    if (stop_grace_ || closing_) co_return "it was stopped before it was ready";
    milliseconds left = left_until(until);
    if (left.count() <= 0) break;
    // In a task of its own: the end of the service, or a stop, need not wait for it.
    std::optional<Result<ProbeOutcome>> seen;
    io::TaskScope scope(ex_);
    scope.spawn(look(readiness, since_ns, exec, left, &seen));
    while (!seen && !run->ended && !stop_grace_ && !closing_) {
      left = left_until(until + kLateAnswer);
      if (left.count() <= 0) break;
      const auto woken = co_await changed_.after(changed_.count(), left);
      if (!woken && woken.error().code != Errc::kDeadline) break;
    }
    const bool answered = seen.has_value();
    static_cast<void>(co_await scope.close());
    if (answered) last = *seen ? (*seen)->detail : seen->error().message;
    if (run->ended || stop_grace_ || closing_) continue;  // the beginning says why
    if (!answered) {
      last = "the guest does not answer";
      break;
    }
    if (*seen && (*seen)->ready) co_return "";
    const auto next = std::min(Clock::now() + milliseconds(d.ready_interval_ms), until);
    while (!run->ended && !stop_grace_ && !closing_) {
      left = left_until(next);
      if (left.count() <= 0) break;
      const auto woken = co_await changed_.after(changed_.count(), left);
      if (!woken && woken.error().code != Errc::kDeadline) co_return "it was given up";
    }
  }
  co_return fmt::format("it was not ready within {:.0f} s: {}",
                        static_cast<double>(d.ready_timeout_ms) / 1000,
                        last.empty() ? "it was not looked at in time" : last);
}

asio::awaitable<void> ServiceRun::wait_for_end(Run* run, milliseconds limit) {
  const auto until = Clock::now() + limit;
  while (!run->ended) {
    const milliseconds left = left_until(until);
    if (left.count() <= 0) co_return;
    const auto woken = co_await changed_.after(changed_.count(), left);
    if (!woken && woken.error().code != Errc::kDeadline) co_return;
  }
}

asio::awaitable<void> ServiceRun::end_run(Run* run, milliseconds grace) {
  if (run->ended) co_return;
  ended_by_ = "sigterm";
  for (const int signo : {SIGTERM, SIGCONT}) {
    static_cast<void>(
        stream_->send_event(proto::Signal::kName, proto::encode(proto::Signal{.signo = signo})));
  }
  const auto until = Clock::now() + grace;
  while (!run->ended) {
    // Whoever asks for an earlier end gets it.
    const milliseconds left = left_until(stop_grace_ ? std::min(until, kill_at_) : until);
    if (left.count() <= 0) break;
    const auto woken = co_await changed_.after(changed_.count(), left);
    if (!woken && woken.error().code != Errc::kDeadline) break;
  }
  if (run->ended) co_return;
  ended_by_ = "sigkill";
  stream_->cancel();
  co_await wait_for_end(run, deps_.limits.gone);
  run->remains = !run->ended;
}

// The record of a run that is over, not saved yet. The result: how the service began, if it is the
// first.
Result<void> ServiceRun::settle(const Run& run, const std::string& not_ready) {
  record_.ended_at = now_seconds();
  record_.pid.reset();
  if (run.result) record_.exit_code = exit_code(*run.result);
  if (run.error) {
    const Error error = safe(*run.error, deps_.secrets);
    record_.state = ServiceState::kFailed;
    record_.stop_reason = "not_started";
    record_.last_error = error.message;
    remark("it could not be started: " + error.message);
    return std::unexpected(
        Error(error).context(fmt::format("the service {} could not be started", spec_.name)));
  }
  const bool stopped = stop_grace_.has_value();
  lost_ = run.lost || run.remains;
  if (run.remains) {
    record_.state = ServiceState::kFailed;
    record_.stop_reason = kNotEnded;
    record_.last_error = fmt::format("the guest does not end the service {}", spec_.name);
  } else if (run.lost) {
    record_.state = ServiceState::kStopped;
    record_.stop_reason = "machine_lost";
  } else if (!not_ready.empty() && !stopped) {
    record_.state = ServiceState::kFailed;
    record_.stop_reason = ended_by_.empty() ? "exited_before_ready" : "readiness_timeout";
    record_.last_error = redacted(deps_.secrets, printable(not_ready));
  } else if (!ended_by_.empty()) {
    record_.state = ServiceState::kStopped;
    record_.stop_reason = ended_by_;
  } else {
    record_.state = ServiceState::kExited;
    record_.stop_reason = "exited";
  }
  std::string text = "it has ended: " + record_.stop_reason;
  if (record_.exit_code) text += fmt::format(", exit code {}", *record_.exit_code);
  remark(text);
  // Without a probe it counts as ready when it runs.
  if (first_ || (not_ready.empty() && record_.state == ServiceState::kExited)) return {};
  std::string why = record_.last_error;
  if (why.empty()) {
    why = record_.stop_reason;
    if (ended_by_.empty()) why += code_text(run.result);
  }
  return fail_hint(
      record_.stop_reason == "readiness_timeout" ? Errc::kDeadline : Errc::kUnavailable,
      fmt::format("the service {} did not become ready: {}", spec_.name, why), last_lines());
}

// For the error of a start; secrets are out of it already.
std::string ServiceRun::last_lines() const {
  const auto bytes = store::read_log_bytes(spec_.log_folder, run_begins_);
  if (!bytes) return "";
  store::LogParser parser;
  parser.feed(bytes->bytes);
  std::vector<store::LogRecord> records;
  for (auto record = parser.next(); record && *record; record = parser.next()) {
    if ((*record)->stream != LogStream::kRemark) records.push_back(**std::move(record));
  }
  store::keep_last_lines(records, kShownLines);
  std::string text;
  for (const store::LogRecord& r : records) text += r.text;
  if (text.size() > kShownBytes) text.erase(0, text.size() - kShownBytes);
  while (text.ends_with('\n')) text.pop_back();
  if (text.empty()) return "it printed nothing";
  return "its last lines:\n" + printable(text);
}

// ---- calls

io::Task<void> ServiceRun::first_ready() {
  while (!first_ && !over_) PYRO_CO_CHECK(co_await changed_.after(changed_.count(), kForever));
  if (!first_) co_return fail(Errc::kUnavailable, "the workspace was stopped meanwhile");
  co_return *first_;
}

void ServiceRun::ask_to_stop(milliseconds grace) {
  const Clock::time_point kill_at = Clock::now() + grace;
  if (!stop_grace_ || kill_at < kill_at_) kill_at_ = kill_at;
  stop_grace_ = grace;
  changed_.notify();
}

io::Task<void> ServiceRun::stop(milliseconds grace, const bool* gone) {
  if (!over_) ask_to_stop(grace);
  while (!over_) {
    if (gone != nullptr && *gone)
      co_return fail(Errc::kUnavailable, "nobody waits for it any more");
    PYRO_CO_CHECK(co_await changed_.after(changed_.count(), kForever));
  }
  if (!saved_) save();  // the disk was full, perhaps
  PYRO_CO_CHECK(saved_);
  if (record_.stop_reason == kNotEnded) co_return fail(Errc::kDeadline, record_.last_error);
  co_return Result<void>{};
}

io::Task<void> ServiceRun::follow(std::int64_t cursor, std::shared_ptr<rpc::Stream> client,
                                  const bool* gone) {
  auto at = static_cast<std::uint64_t>(std::max<std::int64_t>(0, cursor));
  for (;;) {
    const std::uint64_t seen = changed_.count();
    const bool last = over_;
    PYRO_CO_TRY(const bool sent, co_await send_log(spec_.log_folder, &at, client));
    if (sent) continue;
    if (last || *gone) co_return Result<void>{};
    PYRO_CO_CHECK(co_await changed_.after(seen, kForever));
  }
}

asio::awaitable<void> ServiceRun::close() {
  closing_ = true;
  static_cast<void>(co_await scope_.close());
  over_ = true;
  changed_.notify();
}

}  // namespace pyro::core
