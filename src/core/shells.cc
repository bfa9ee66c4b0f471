#include "core/shells.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "base/terminal_text.h"
#include "core/clock.h"
#include "proto/limits.h"

namespace pyro::core {

namespace asio = io::asio;
using std::chrono::milliseconds;

namespace {

// How long the start of a secret's value waits for the rest of it: while somebody looks, and else.
constexpr milliseconds kHoldForReaders{100};
constexpr milliseconds kHold{1000};
constexpr milliseconds kForever{-1};
constexpr milliseconds kLongTime{std::chrono::hours(24 * 365)};
constexpr milliseconds kStartLimit{30'000};
constexpr std::size_t kPiece = 64U << 10;   // bytes sent to a reader at once
constexpr std::int64_t kReplay = 16 << 10;  // bytes that whoever attaches is shown first
constexpr std::size_t kMostEnded = 16;      // shells whose output is kept after their end
constexpr int kLastSignal = 64;
constexpr milliseconds kSizeSettles{250};

Result<void> check_size(proto::Terminal size) {
  PYRO_CHECK(proto::in_range("cols", size.cols, proto::kTerminalRange));
  return proto::in_range("rows", size.rows, proto::kTerminalRange);
}

proto::ShellAt place_of(const ShellOutput& output, std::int64_t cursor, std::int64_t missed) {
  return {.cursor = cursor, .missed = missed, .terminal = proto::TerminalState::of(output.modes())};
}

// Whoever writes all of it again would type what was taken twice.
Error not_read(std::int64_t id, std::size_t taken, std::size_t size, milliseconds limit) {
  const char* const hint = taken > 0
                               ? "it gets what was taken once it reads: write only the rest then"
                               : "nothing of it was written: try again once the program reads";
  return {.code = Errc::kDeadline,
          .message = fmt::format(
              "the program in shell-{} does not read: {} of {} bytes were taken within {} s", id,
              taken, size, limit.count() / 1000),
          .hint = hint};
}

}  // namespace

struct Shells::Started {
  StreamPtr stream;
  rpc::Incoming first;
};

struct Shells::Shell {
  Shell(std::int64_t number, StreamPtr s, const Secrets& secrets, asio::any_io_executor ex)
      : id(number), stream(std::move(s)), output(secrets), changed(ex), input_turns(ex) {}

  std::int64_t id;
  StreamPtr stream;  // the agent's; of no use once it has ended
  ShellOutput output;
  io::Changes changed;
  io::Turns input_turns;
  bool running = true;
  bool closed = false;  // by close_one()
  int readers = 0;
  proto::Terminal size;  // the last that was asked for
  bool size_unrecorded = false;
};

namespace {
// Counts something, for as long as it lives: somebody who looks at a shell, a shell being opened.
class Reader {
 public:
  explicit Reader(int* count) : count_(count) { ++*count_; }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { --*count_; }

 private:
  int* count_;
};
}  // namespace

Result<Shells::ShellPtr> Shells::find(std::int64_t id) {
  const auto found = shells_.find(id);
  if (found != shells_.end()) return found->second;
  return fail(Errc::kNotFound, fmt::format("nothing is left of shell-{}", id));
}

Result<Shells::ShellPtr> Shells::find_running(std::int64_t id) {
  PYRO_TRY(ShellPtr shell, find(id));
  if (!shell->running) return fail(Errc::kConflict, fmt::format("shell-{} has ended", id));
  return shell;
}

// Returns when the program runs: whatever comes first says so. That need not be the event, which
// travels on another lane than what the program prints.
io::Task<Shells::Started> Shells::start(proto::Exec exec) {
  PYRO_CO_TRY(const StreamPtr stream,
              deps_.guest.session().open(proto::Exec::kName, proto::encode(std::move(exec))));
  PYRO_CO_TRY(auto item, co_await stream->next_within(kStartLimit));
  if (item) co_return Started{.stream = stream, .first = *std::move(item)};
  stream->cancel();
  co_return fail(Errc::kUnavailable, "the guest does not start the shell");
}

io::Task<std::int64_t> Shells::open(proto::Exec exec, std::string cwd, proto::Terminal size) {
  const auto running =
      std::ranges::count_if(shells_, [](const auto& s) { return s.second->running; });
  if (running + opening_ >= proto::kMostShells) {
    co_return fail_hint(Errc::kLimit,
                        fmt::format("{} shells run in this workspace already", running),
                        "close one: pyro workspace shell close");
  }
  const Reader opening(&opening_);
  PYRO_CO_TRY(auto awake, co_await deps_.rest.wake());
  exec.tty = size;
  exec.stdin_open = true;
  const bool choose = exec.argv.empty();
  if (choose) exec.argv = {{"/bin/bash"}};
  auto started = co_await start(exec);
  if (!started && choose && started.error().code == Errc::kNotFound) {
    exec.argv = {{"/bin/sh"}};
    started = co_await start(exec);
  }
  if (!started) co_return std::unexpected(std::move(started.error()));
  if (closing_) co_return fail(Errc::kConflict, "the workspace is being stopped");
  PYRO_CO_TRY(const std::int64_t id, deps_.store.add_shell({.cwd = std::move(cwd),
                                                            .cols = size.cols,
                                                            .rows = size.rows,
                                                            .started_at = now_seconds(),
                                                            .ended_at = {},
                                                            .exit_code = {}}));
  const auto shell = std::make_shared<Shell>(id, std::move(started->stream), deps_.secrets, ex_);
  shell->size = size;
  shells_[id] = shell;
  scope_.spawn(pump(shell, std::move(started->first)));
  co_return id;
}

// Until its end.
asio::awaitable<void> Shells::pump(ShellPtr shell, rpc::Incoming first) {
  const auto awake = co_await deps_.rest.wake();
  static_cast<void>(awake);  // it is, or its machine is about to end
  std::optional<std::int64_t> exit_code;
  std::string reason;
  Result<std::optional<rpc::Incoming>> item = std::move(first);
  for (;;) {
    if (!item) {
      reason = "machine_lost";
    } else if (!*item) {
      shell->output.flush();
    } else if (const auto* data = std::get_if<rpc::Data>(&**item)) {
      shell->output.feed(data->bytes);
    } else if (const auto* response = std::get_if<rpc::Response>(&**item)) {
      reason = shell->closed ? "closed" : "exited";
      const auto result = proto::decode<proto::ExecResult>(response->result);
      if (result) exit_code = std::clamp(result->shell_code(), 0, 255);
    }
    shell->changed.notify();
    if (!reason.empty()) break;
    milliseconds patience = kLongTime;
    if (shell->output.holds()) patience = shell->readers > 0 ? kHoldForReaders : kHold;
    item = co_await shell->stream->next_within(patience);
  }
  shell->output.flush();
  shell->running = false;
  record_end(*shell, exit_code, reason);
  shell->changed.notify();
  ended_.push_back(shell->id);
  forget_oldest();
}

// Before anybody is told: whoever is attached reads it then.
void Shells::record_end(const Shell& shell, std::optional<std::int64_t> exit_code,
                        const std::string& reason) {
  if (closing_) exit_code.reset();  // if it has one, then because it is being closed
  // When it cannot be recorded, the end of the workspace is recorded as its own.
  static_cast<void>(deps_.store.end_shell(shell.id, now_seconds(), exit_code,
                                          closing_ ? closing_reason_ : reason));
}

void Shells::forget_oldest() {
  for (; ended_.size() > kMostEnded; ended_.pop_front()) shells_.erase(ended_.front());
}

io::Task<proto::ShellRead> Shells::read(proto::ReadShell request, StreamPtr client) {
  PYRO_CO_CHECK(
      proto::in_range("max_bytes", request.max_bytes, {.low = 1, .high = proto::kMostShellOutput}));
  PYRO_CO_CHECK(proto::in_range("idle_ms", request.idle_ms, proto::kIdleRange));
  PYRO_CO_CHECK(proto::in_range("wait_ms", request.wait_ms, proto::kIdleRange));
  PYRO_CO_TRY(const ShellPtr shell, find(request.shell));
  if (request.cursor < 0 || request.cursor > shell->output.end()) {
    co_return fail(Errc::kInvalid, fmt::format("the cursor {} is beyond what was printed: {}",
                                               request.cursor, shell->output.end()));
  }
  const Reader reader(&shell->readers);
  const auto until = std::chrono::steady_clock::now() + milliseconds(request.wait_ms);
  bool idle = request.idle_ms == 0;
  while (!idle && shell->running) {
    const auto left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    const milliseconds quiet(request.idle_ms);
    const auto woken = co_await shell->changed.after(shell->changed.count(), std::min(quiet, left));
    if (!woken && woken.error().code != Errc::kDeadline) co_return std::unexpected(woken.error());
    idle = !woken && quiet <= left;
  }
  proto::ShellRead answer{.cursor = std::max(request.cursor, shell->output.begin()),
                          .end = 0,
                          .running = shell->running,
                          .idle = request.idle_ms > 0 && (idle || !shell->running)};
  const auto max = static_cast<std::size_t>(request.max_bytes);
  std::string bytes = shell->output.read(answer.cursor, max);
  answer.end = shell->output.end();
  while (!bytes.empty()) {
    std::string piece = bytes.substr(0, kPiece);
    bytes.erase(0, piece.size());
    PYRO_CO_CHECK(co_await client->send(wire::kStdout, std::move(piece)));
  }
  co_return answer;
}

// From a client that is attached: its keys and its wish to leave. Never waits for the guest, so
// that the wish is heard also when nobody reads the keys. `keys` null: they are not wanted.
asio::awaitable<void> Shells::take_keys(ShellPtr shell, StreamPtr client, InputQueue* keys,
                                        bool* gone) {
  client->manual_credit();
  for (;;) {
    auto item = co_await client->next();
    if (!item || std::holds_alternative<rpc::Cancelled>(*item)) break;
    if (auto* data = std::get_if<rpc::Data>(&*item)) {
      if (keys != nullptr && data->channel == wire::kStdin) {
        keys->push(std::move(*data));
      } else {
        client->consumed(data->channel, data->bytes.size());
      }
    } else if (const auto* event = std::get_if<rpc::Event>(&*item);
               event != nullptr && event->name == proto::Terminal::kName && keys != nullptr) {
      const auto size = proto::decode<proto::Terminal>(event->params);
      if (size) static_cast<void>(follow_size(shell, *size));
    }
  }
  *gone = true;
  shell->changed.notify();
}

// To the guest, until the client has no more: then it leaves.
asio::awaitable<void> Shells::give_keys(ShellPtr shell, StreamPtr client, InputQueue* keys,
                                        bool* gone) {
  for (;;) {
    auto data = co_await keys->pop();
    if (!data) co_return;
    const std::size_t size = data->bytes.size();
    if (size > 0) {
      const auto turn = co_await shell->input_turns.take();
      if (!turn) co_return;
      const auto sent = co_await shell->stream->send(wire::kStdin, std::move(data->bytes));
      if (!sent) co_return;  // a program that has ended reads no more; pump() finds out
    }
    if (data->end) break;
    client->consumed(data->channel, size);
  }
  *gone = true;
  shell->changed.notify();
}

// A recent part of the output, once more; returns where it goes on. What a full-screen program drew
// is of no use without what it drew before.
io::Task<std::int64_t> Shells::show_recent(ShellPtr shell, StreamPtr client) {
  const ShellOutput& output = shell->output;
  if (output.modes().screen() != 0) co_return output.end();
  const std::int64_t from = output.recent(kReplay);
  std::string bytes = output.read(from, kReplay);
  bytes.resize(whole_sequences(bytes));
  const std::int64_t to = from + static_cast<std::int64_t>(bytes.size());
  if (to == from) co_return to;
  PYRO_CO_CHECK(
      client->send_event(proto::ShellAt::kName, proto::encode(place_of(output, from, 0))));
  PYRO_CO_CHECK(co_await client->send(wire::kStdout, replayable(bytes)));
  co_return to;
}

// Everything from `cursor` on, until there is no more or nobody looks any more.
io::Task<void> Shells::show(ShellPtr shell, std::int64_t cursor, StreamPtr client,
                            const bool* gone) {
  if (cursor < 0) {
    PYRO_CO_TRY(cursor, co_await show_recent(shell, client));
  }
  bool said_where = false;
  for (;;) {
    const std::uint64_t seen = shell->changed.count();
    const std::int64_t at = std::max(cursor, shell->output.begin());
    if (at != cursor || !said_where) {
      PYRO_CO_CHECK(client->send_event(proto::ShellAt::kName,
                                       proto::encode(place_of(shell->output, at, at - cursor))));
      said_where = true;
    }
    std::string bytes = shell->output.read(at, kPiece);
    cursor = at + static_cast<std::int64_t>(bytes.size());
    if (*gone) co_return Result<void>{};
    if (!bytes.empty()) {
      PYRO_CO_CHECK(co_await client->send(wire::kStdout, std::move(bytes)));
    } else if (!shell->running) {
      co_return Result<void>{};
    } else {
      PYRO_CO_CHECK(co_await shell->changed.after(seen, kForever));
    }
  }
}

io::Task<proto::ShellRead> Shells::attach(proto::AttachShell request, StreamPtr client) {
  PYRO_CO_TRY(const ShellPtr shell,
              request.input ? find_running(request.shell) : find(request.shell));
  if (request.cursor > shell->output.end())
    co_return fail(Errc::kInvalid, "the cursor is beyond what was printed");
  const Reader reader(&shell->readers);
  bool gone = false;
  io::TaskScope scope(ex_);
  InputQueue keys(ex_);
  scope.spawn(take_keys(shell, client, request.input ? &keys : nullptr, &gone));
  if (request.input) scope.spawn(give_keys(shell, client, &keys, &gone));
  const auto shown = co_await show(shell, request.cursor, client, &gone);
  static_cast<void>(co_await scope.close());
  if (!shown && !gone) co_return std::unexpected(shown.error());
  co_return proto::ShellRead{
      .cursor = shell->output.begin(), .end = shell->output.end(), .running = shell->running};
}

io::Task<void> Shells::write(proto::WriteShell request) {
  PYRO_CO_CHECK(proto::in_range("length of the input",
                                static_cast<std::int64_t>(request.input.value.size()),
                                proto::kShellInputRange));
  PYRO_CO_TRY(const ShellPtr shell, find_running(request.shell));
  const std::size_t size = request.input.value.size();
  const milliseconds limit = deps_.limits.write;
  const auto until = std::chrono::steady_clock::now() + limit;
  const auto turn = co_await shell->input_turns.take_within(limit);
  if (!turn && turn.error().code == Errc::kDeadline)
    co_return std::unexpected(not_read(shell->id, 0, size, limit));
  if (!turn) co_return std::unexpected(turn.error());
  const auto left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
  PYRO_CO_TRY(const std::size_t taken,
              co_await shell->stream->send_within(wire::kStdin, std::move(request.input.value),
                                                  std::max(left, milliseconds(0))));
  if (taken < size) co_return std::unexpected(not_read(shell->id, taken, size, limit));
  co_return Result<void>{};
}

Result<void> Shells::signal(const proto::SignalShell& request) {
  if (request.signo < 1 || request.signo > kLastSignal)
    return fail(Errc::kInvalid, fmt::format("{} is no signal", request.signo));
  PYRO_TRY(const ShellPtr shell, find_running(request.shell));
  return shell->stream->send_event(proto::Signal::kName,
                                   proto::encode(proto::Signal{.signo = request.signo}));
}

Result<void> Shells::resize(const proto::ResizeShell& request) {
  PYRO_TRY(const ShellPtr shell, find_running(request.shell));
  const proto::Terminal size{.rows = request.rows.value_or(shell->size.rows),
                             .cols = request.cols.value_or(shell->size.cols)};
  PYRO_CHECK(check_size(size));
  PYRO_CHECK(shell->stream->send_event(proto::Terminal::kName, proto::encode(size)));
  shell->size = size;
  return deps_.store.resize_shell(shell->id, shell->size.cols, shell->size.rows);
}

// Of a terminal whose window somebody drags: many in a second, of which the last is recorded.
Result<void> Shells::follow_size(const ShellPtr& shell, proto::Terminal size) {
  // Whoever is shown the rest of it may go on for a while; nothing more begins here.
  if (closing_ || !shell->running) return {};
  PYRO_CHECK(check_size(size));
  PYRO_CHECK(shell->stream->send_event(proto::Terminal::kName, proto::encode(size)));
  shell->size = size;
  if (!std::exchange(shell->size_unrecorded, true)) scope_.spawn(record_size(shell));
  return {};
}

asio::awaitable<void> Shells::record_size(ShellPtr shell) {
  const auto slept = co_await io::sleep_for(kSizeSettles);
  if (!slept) co_return;
  shell->size_unrecorded = false;
  // A size that is not recorded is no reason to end anything.
  static_cast<void>(deps_.store.resize_shell(shell->id, shell->size.cols, shell->size.rows));
}

io::Task<void> Shells::close_one(std::int64_t id) {
  auto found = find(id);
  if (!found) {
    // Closed before, if there ever was one.
    PYRO_CO_CHECK(deps_.store.shell(id));
    co_return Result<void>{};
  }
  const ShellPtr shell = *std::move(found);
  if (shell->running) {
    shell->closed = true;
    shell->stream->cancel();
    const auto until = std::chrono::steady_clock::now() + deps_.limits.close;
    while (shell->running) {
      const auto left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
      if (left.count() <= 0) {
        co_return fail(Errc::kDeadline, fmt::format("the guest does not end shell-{}", id));
      }
      const auto woken = co_await shell->changed.after(shell->changed.count(), left);
      if (!woken && woken.error().code != Errc::kDeadline) co_return std::unexpected(woken.error());
    }
  }
  std::erase(ended_, id);
  shells_.erase(id);
  co_return Result<void>{};
}

asio::awaitable<void> Shells::close(std::string reason) {
  closing_ = true;
  closing_reason_ = std::move(reason);
  for (const auto& [id, shell] : shells_) shell->stream->cancel();
  static_cast<void>(co_await scope_.close());
  // Also of one whose pump() had not begun.
  for (const auto& [id, shell] : shells_) {
    if (std::exchange(shell->running, false)) record_end(*shell, {}, "");
    shell->changed.notify();
  }
}

}  // namespace pyro::core
