// One service: its runs one after another, as its restart policy wants them, its record and its
// log.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/redacted_streams.h"
#include "core/published_ports.h"
#include "core/readiness.h"
#include "core/shells.h"
#include "proto/service_requests.h"
#include "store/service_log.h"

namespace pyro::core {

// How fast the services of a workspace may print together: what is beyond it waits, and the
// services that print it.
class LogPace {
 public:
  static constexpr std::int64_t kBytesPerSecond = 4 << 20;
  static constexpr std::int64_t kBurst = 256 << 10;  // bytes

  // How long to wait after `bytes` were taken.
  std::chrono::milliseconds take(std::size_t bytes);

 private:
  using Clock = std::chrono::steady_clock;
  double room_ = kBurst;  // below zero: a debt
  Clock::time_point at_ = Clock::now();
};

struct ServiceSpec {
  std::string name;
  proto::ServiceDefinition definition;
  proto::Exec exec;  // of a run: argv, cwd, variables with the values of secrets
  std::string log_folder;
  bool fresh_log = true;
};

// Owner: Services. One loop. close() must have been awaited before it is destroyed.
class ServiceRun {
 public:
  static Result<std::shared_ptr<ServiceRun>> make(ServiceSpec spec, SessionDeps deps, LogPace& pace,
                                                  io::asio::any_io_executor ex);

  void start() { scope_.spawn(live()); }
  // Waits until the first run is ready, or has failed.
  io::Task<void> first_ready();
  // Ends it: SIGTERM to all of it, after `grace` SIGKILL. Returns when it is over and recorded, or
  // `*gone` (see nudge()).
  io::Task<void> stop(std::chrono::milliseconds grace, const bool* gone = nullptr);
  // The same, without waiting for it. A grace that was given before counts.
  void ask_to_stop(std::chrono::milliseconds grace);
  // Its log from `cursor` on, until it is over and all was sent, or `*gone` (see nudge()).
  io::Task<void> follow(std::int64_t cursor, std::shared_ptr<rpc::Stream> client, const bool* gone);
  void nudge() { changed_.notify(); }
  // Whether it is known how the first run began.
  [[nodiscard]] bool began() const { return first_.has_value(); }
  [[nodiscard]] bool over() const { return over_; }
  // Ends its tasks, and with them every call under way; the record is the caller's to change.
  io::asio::awaitable<void> close();

 private:
  // What became of one run.
  struct Run {
    bool ended = false;
    bool lost = false;                        // with its machine
    bool remains = false;                     // SIGKILL did not end it
    std::optional<proto::ExecResult> result;  // none: the guest did not say
    std::optional<Error> error;               // why it could not be started
  };
  ServiceRun(ServiceSpec spec, SessionDeps deps, LogPace& pace, store::ServiceLog log,
             io::asio::any_io_executor ex);
  io::asio::awaitable<void> live();
  io::Task<void> run_once();
  io::Task<rpc::Incoming> launch(std::int64_t* since_ns);
  io::asio::awaitable<void> pump(Run* run, rpc::Incoming first);
  bool take_pid(const rpc::Event& event);  // true: it was news
  io::Task<void> pump_data(rpc::Data data);
  void flush_logs(RedactedStreams::Clock::time_point now);  // what is due
  // Empty: it is ready. Else why it is not; `run` may have ended.
  io::asio::awaitable<std::string> wait_ready(Run* run, proto::Readiness readiness,
                                              std::int64_t since_ns);
  io::asio::awaitable<void> wait_for_end(Run* run, std::chrono::milliseconds limit);
  io::asio::awaitable<void> end_run(Run* run, std::chrono::milliseconds grace);
  io::asio::awaitable<void> pause_before_restart();
  Result<void> settle(const Run& run, const std::string& not_ready);
  [[nodiscard]] bool wants_restart(const Result<void>& began) const;
  io::asio::awaitable<void> look(proto::Readiness readiness, std::int64_t since_ns,
                                 proto::Exec exec, std::chrono::milliseconds limit,
                                 std::optional<Result<ProbeOutcome>>* seen);
  void announce(Result<void> first);
  void save();
  void note_ports();
  void remark(const std::string& text);
  [[nodiscard]] std::string last_lines() const;

  ServiceSpec spec_;
  SessionDeps deps_;
  LogPace& pace_;
  io::asio::any_io_executor ex_;
  store::ServiceLog log_;
  store::ServiceRecord record_;
  PublishedPorts ports_;
  Result<void> saved_;  // whether the record is as record_ is
  RedactedStreams streams_;
  std::shared_ptr<rpc::Stream> stream_;                  // the agent's, of the current run
  io::Changes changed_;                                  // of log and state
  std::optional<Result<void>> first_;                    // how the first run began
  std::optional<std::chrono::milliseconds> stop_grace_;  // it is to end
  std::chrono::steady_clock::time_point kill_at_;        // when stop_grace_ is there
  std::uint64_t run_begins_ = 0;                         // cursor in the log
  std::string ended_by_;                                 // a signal of ours: sigterm, sigkill
  std::chrono::milliseconds backoff_;
  bool lost_ = false;  // with its machine
  bool over_ = false;
  bool closing_ = false;
  io::TaskScope scope_;
};

}  // namespace pyro::core
