#include "client/local_shells.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <charconv>

#include "base/terminal_text.h"
#include "base/text.h"
#include "client/detach_key.h"
#include "client/workspace_paths.h"
#include "proto/limits.h"
#include "rpc/session.h"

namespace pyro::client {

namespace json = boost::json;
using io::asio::awaitable;
using std::chrono::milliseconds;

namespace {

constexpr std::string_view kPrefix = "shell-";
constexpr std::size_t kMostBytesOfACharacter = 4;
constexpr milliseconds kForever{-1};
// A paste into a program that reads nothing; beyond it the terminal has to wait.
constexpr std::size_t kMostWaitingKeys = 4U << 20;
// How long the keys before the detach key may take to get to the guest.
constexpr milliseconds kLastKeys{1000};
// How long it may take to begin to draw for another size, and how long nothing comes once it has.
constexpr milliseconds kDrawsAgain{3000};
constexpr milliseconds kHasDrawn{50};
// How long a key like Escape may look like the beginning of another one: not to be felt.
constexpr milliseconds kRestOfAKey{20};

using StreamPtr = std::shared_ptr<rpc::Stream>;

Result<std::int64_t> number_of(const std::string& shell_id) {
  std::int64_t number = 0;
  if (shell_id.starts_with(kPrefix)) {
    const char* const end = shell_id.data() + shell_id.size();
    const auto [last, error] = std::from_chars(shell_id.data() + kPrefix.size(), end, number);
    if (error == std::errc() && last == end && number > 0) return number;
  }
  return fail_hint(Errc::kInvalid, quoted_name(shell_id) + " is not the id of a shell",
                   "an id is shell-1, shell-2, ...: pyro workspace shell list WORKSPACE");
}

Result<proto::Terminal> size_of(int cols, int rows) {
  PYRO_CHECK(proto::in_range("cols", cols, proto::kTerminalRange));
  PYRO_CHECK(proto::in_range("rows", rows, proto::kTerminalRange));
  return proto::Terminal{.rows = static_cast<std::uint16_t>(rows),
                         .cols = static_cast<std::uint16_t>(cols)};
}

Result<int> signal_number(const std::string& name) {
  constexpr std::array<std::pair<const char*, int>, 7> kSignals{{{"HUP", SIGHUP},
                                                                 {"INT", SIGINT},
                                                                 {"TERM", SIGTERM},
                                                                 {"KILL", SIGKILL},
                                                                 {"QUIT", SIGQUIT},
                                                                 {"TSTP", SIGTSTP},
                                                                 {"CONT", SIGCONT}}};
  for (const auto& [known, number] : kSignals) {
    if (name == known || name == std::string("SIG") + known) return number;
  }
  return fail_hint(Errc::kInvalid, quoted_name(name) + " is no signal for a shell",
                   "use HUP, INT, TERM, KILL, QUIT, TSTP or CONT");
}

ShellInfo info_of(const std::string& workspace, const std::string& mode,
                  const store::ShellRecord& r) {
  ShellInfo info{.workspace_id = workspace,
                 .shell_id = std::string(kPrefix) + std::to_string(r.id),
                 .cwd = r.cwd,
                 .execution_mode = mode,
                 .cols = static_cast<int>(r.cols),
                 .rows = static_cast<int>(r.rows),
                 .state = r.ended_at ? "stopped" : "running",
                 .started_at = r.started_at,
                 .ended_at = r.ended_at,
                 .exit_code = {},
                 .end_reason = r.end_reason};
  if (r.exit_code) info.exit_code = static_cast<int>(*r.exit_code);
  return info;
}

struct Cut {
  std::size_t size = 0;
  bool by_limit = false;  // there are more characters than were asked for
};
// As much as can be read: whole characters, for plain text whole control sequences as well. Unless
// more can come, nothing completes what is unfinished at the end.
Cut cut(std::string_view bytes, const ShellReadOptions& o, bool more_can_come, bool more_kept) {
  const std::size_t all = whole_characters(bytes, bytes.size());
  Cut made{.size = whole_characters(bytes, static_cast<std::size_t>(o.max_chars))};
  made.by_limit = made.size < all;
  if (!made.by_limit && !more_can_come) return {.size = bytes.size()};
  if (!o.plain) return made;
  const std::size_t whole = whole_sequences(bytes.substr(0, made.size));
  // A sequence longer than what was asked for must not keep the reader where it is.
  if (whole > 0 || (!made.by_limit && !more_kept)) made.size = whole;
  return made;
}

// ---- streams

// Whatever the other end has to say, until its answer.
io::Task<json::object> take_output(StreamPtr stream, const ShellSink* sink) {
  std::optional<Error> broken;
  for (;;) {
    PYRO_CO_TRY(rpc::Incoming item, co_await stream->next());
    if (auto* event = std::get_if<rpc::Event>(&item);
        event != nullptr && event->name == proto::ShellAt::kName) {
      PYRO_CO_TRY(const auto at, proto::decode<proto::ShellAt>(event->params));
      if (!sink->on_position) continue;
      const TerminalModes modes = at.terminal.modes();
      sink->on_position({.cursor = at.cursor,
                         .missed_bytes = at.missed,
                         .full_screen = modes.screen() != 0,
                         .modes = TerminalModes().change_to(modes)});
    } else if (auto* data = std::get_if<rpc::Data>(&item); data != nullptr && !broken) {
      if (data->bytes.empty() || !sink->on_output) continue;
      if (auto taken = sink->on_output(data->bytes); !taken) {
        broken = std::move(taken.error());
        stream->cancel();
      }
    } else if (auto* response = std::get_if<rpc::Response>(&item)) {
      if (broken) co_return std::unexpected(std::move(*broken));
      co_return std::move(response->result);
    }
  }
}

awaitable<void> cancel_when_readable(int fd, StreamPtr stream, bool* stopped) {
  const auto readable = co_await io::wait_readable(fd);
  if (!readable) co_return;
  *stopped = true;
  stream->cancel();
}

void send_size(const StreamPtr& stream, const ShellKeys& keys, int fewer_rows = 0) {
  if (!keys.size) return;
  const auto [cols, rows] = keys.size();
  const auto size = size_of(cols, std::max(1, rows - fewer_rows));
  if (size) static_cast<void>(stream->send_event(proto::Terminal::kName, proto::encode(*size)));
}

awaitable<void> follow_size(const ShellKeys* keys, StreamPtr stream) {
  for (;;) {
    const auto resized = co_await io::wait_readable(keys->resized_fd);
    if (!resized) co_return;
    std::array<char, 64> marks{};
    if (::read(keys->resized_fd, marks.data(), marks.size()) <= 0) co_return;
    send_size(stream, *keys);
  }
}

// A program that has the whole screen draws it again for a new size, once it has seen that it is
// another: some (htop) draw nothing when it is the old one again by the time they look.
awaitable<void> draw_again(const ShellKeys* keys, StreamPtr stream, io::Changes* drawn) {
  const auto until = std::chrono::steady_clock::now() + kDrawsAgain;
  milliseconds quiet = kDrawsAgain;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    const auto woken = co_await drawn->after(drawn->count(), std::min(quiet, left));
    if (!woken && woken.error().code != Errc::kDeadline) co_return;
    if (!woken) break;
    quiet = kHasDrawn;
  }
  send_size(stream, *keys);
}

// Keys that were read and not sent yet.
struct Keys {
  explicit Keys(const io::asio::any_io_executor& ex) : changed(ex) {}
  std::string waiting;
  bool over = false;  // no more are to come
  io::Changes changed;
};

bool is_readable(int fd) {
  pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, 0) > 0;
}

// Reads on while the program in the guest takes nothing: the detach key is behind what it has not
// taken.
io::Task<void> read_keys(const ShellKeys& from, Keys* keys) {
  constexpr std::size_t kPiece = 4096;
  std::string held;  // what may become the detach key
  while (!keys->over) {
    if (!held.empty()) PYRO_CO_CHECK(co_await io::sleep_for(kRestOfAKey));
    if (!held.empty() && !is_readable(from.input_fd)) {
      keys->waiting += std::exchange(held, "");
      keys->changed.notify();
    }
    while (keys->waiting.size() >= kMostWaitingKeys)
      PYRO_CO_CHECK(co_await keys->changed.after(keys->changed.count(), kForever));
    PYRO_CO_CHECK(co_await io::wait_readable(from.input_fd));
    std::array<char, kPiece> piece{};
    const auto n = ::read(from.input_fd, piece.data(), piece.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    const bool end = n <= 0;
    if (!end) held.append(piece.data(), static_cast<std::size_t>(n));
    const DetachKeyAt key = from.detach_key ? find_detach_key(held, *from.detach_key)
                                            : DetachKeyAt{.begin = held.size()};
    const std::size_t sent = end ? held.size() : key.begin;
    keys->waiting += held.substr(0, sent);
    held.erase(0, sent);
    keys->over = end || key.pressed;
    keys->changed.notify();
  }
  co_return Result<void>{};
}

// The attachment ends once the last key was taken, or is not for a while.
awaitable<void> listen_to_keys(const ShellKeys* from, Keys* keys, StreamPtr stream,
                               bool* detached) {
  const auto read = co_await read_keys(*from, keys);
  if (!read) co_return;
  *detached = true;
  const auto slept = co_await io::sleep_for(kLastKeys);
  if (slept) stream->cancel();
}

awaitable<void> send_keys(Keys* keys, StreamPtr stream) {
  constexpr std::size_t kPiece = 16U << 10;
  for (;;) {
    while (keys->waiting.empty() && !keys->over) {
      const auto woken = co_await keys->changed.after(keys->changed.count(), kForever);
      if (!woken) co_return;
    }
    std::string piece = keys->waiting.substr(0, kPiece);
    keys->waiting.erase(0, piece.size());
    keys->changed.notify();
    const bool end = keys->over && keys->waiting.empty();
    const auto sent = co_await stream->send(wire::kStdin, std::move(piece), end);
    if (!sent || end) co_return;
  }
}

io::Task<json::object> follow_task(rpc::Session* session, proto::AttachShell request,
                                   const ShellSink* sink, int interrupt_fd) {
  PYRO_CO_TRY(const StreamPtr stream,
              session->open(proto::AttachShell::kName, proto::encode(request)));
  io::TaskScope scope(co_await io::asio::this_coro::executor);
  bool stopped = false;
  if (interrupt_fd >= 0) scope.spawn(cancel_when_readable(interrupt_fd, stream, &stopped));
  auto answer = co_await take_output(stream, sink);
  static_cast<void>(co_await scope.close());
  co_return answer;
}

io::Task<json::object> attach_task(rpc::Session* session, proto::AttachShell request,
                                   const ShellSink* sink, const ShellKeys* keys, bool* detached) {
  PYRO_CO_TRY(const StreamPtr stream,
              session->open(proto::AttachShell::kName, proto::encode(request)));
  io::Changes drawn(co_await io::asio::this_coro::executor);
  io::TaskScope scope(co_await io::asio::this_coro::executor);
  const ShellSink own{.on_output = [&](std::string_view bytes) -> Result<void> {
                        drawn.notify();
                        return sink->on_output ? sink->on_output(bytes) : Result<void>();
                      },
                      .on_position =
                          [&](const ShellPosition& position) {
                            if (sink->on_position) sink->on_position(position);
                            send_size(stream, *keys, position.full_screen ? 1 : 0);
                            if (position.full_screen) scope.spawn(draw_again(keys, stream, &drawn));
                          }};
  Keys waiting(co_await io::asio::this_coro::executor);
  if (keys->input_fd >= 0) {
    scope.spawn(listen_to_keys(keys, &waiting, stream, detached));
    scope.spawn(send_keys(&waiting, stream));
  }
  if (keys->resized_fd >= 0) scope.spawn(follow_size(keys, stream));
  if (keys->stop_fd >= 0) scope.spawn(cancel_when_readable(keys->stop_fd, stream, detached));
  auto answer = co_await take_output(stream, &own);
  static_cast<void>(co_await scope.close());
  co_return answer;
}

}  // namespace

// ---- records

Result<LocalShells::Place> LocalShells::find(const std::string& workspace,
                                             const std::string& shell_id) const {
  PYRO_TRY(const std::int64_t number, number_of(shell_id));
  PYRO_TRY(const std::string id, workspaces_.find(workspace));
  return Place{.workspace = id, .shell = number};
}

Result<ShellInfo> LocalShells::info(const Place& place) const {
  PYRO_TRY(auto store, workspaces_.settled_store(place.workspace));
  PYRO_TRY(const auto record, store.record());
  const auto shell = store.shell(place.shell);
  if (!shell && shell.error().code == Errc::kNotFound) {
    return fail_hint(Errc::kNotFound,
                     fmt::format("{} has no shell {}{}", place.workspace, kPrefix, place.shell),
                     "run: pyro workspace shell list " + place.workspace);
  }
  if (!shell) return std::unexpected(shell.error());
  return info_of(place.workspace, record.execution_mode, *shell);
}

// Why a call about a shell failed that the record says has ended, or never was.
Error LocalShells::explained(const Place& place, Error error) const {
  if (error.code != Errc::kConflict && error.code != Errc::kNotFound &&
      error.code != Errc::kUnavailable)
    return error;
  const auto known = info(place);
  if (!known) return known.error();
  if (known->state == "running") return error;
  static constexpr std::array<std::pair<const char*, const char*>, 5> kReasons{
      {{"exited", "its program has ended"},
       {"closed", "it was closed"},
       {"workspace_stopped", "its workspace was stopped"},
       {"machine_lost", "its machine ended by itself"},
       {"supervisor_lost", "the supervisor of its workspace was ended, and its machine with it"}}};
  std::string why = known->end_reason;
  for (const auto& [reason, text] : kReasons) {
    if (known->end_reason == reason) why = text;
  }
  return {.code = Errc::kConflict,
          .message = fmt::format("{} is stopped: {}", known->shell_id, why),
          .hint = "open another: pyro workspace shell open " + place.workspace};
}

Result<Connection> LocalShells::connect(const Place& place) {
  auto connection = workspaces_.connect(place.workspace, LocalWorkspaces::Need::kStarted, {});
  if (!connection) return std::unexpected(explained(place, std::move(connection.error())));
  return connection;
}

Result<void> LocalShells::ask(const Place& place, const char* method, json::object params,
                              int interrupt_fd) {
  PYRO_TRY(auto connection, connect(place));
  auto answer =
      connection.call(method, std::move(params),
                      {.on_phase = {}, .interrupt_fd = interrupt_fd, .limit = kQuickAnswer});
  if (!answer) return std::unexpected(explained(place, std::move(answer.error())));
  return {};
}

// ---- calls

Result<ShellInfo> LocalShells::open(const std::string& workspace, const ShellOptions& o) {
  PYRO_TRY(const proto::Terminal size, size_of(o.cols, o.rows));
  PYRO_CHECK(check_secret_variables(o.secret_env, {}));
  PYRO_TRY(const std::string id, workspaces_.find(workspace));
  PYRO_TRY(auto connection, workspaces_.connect(id, LocalWorkspaces::Need::kStarted, {}));
  PYRO_TRY(
      const json::object answer,
      connection.call(proto::OpenShell::kName,
                      proto::encode(proto::OpenShell{
                          .cwd = guest_path(o.cwd), .size = size, .secret_env = o.secret_env}),
                      {.on_phase = {}, .interrupt_fd = o.interrupt_fd, .limit = kQuickAnswer}));
  PYRO_TRY(const auto opened, proto::decode<proto::ShellOpened>(answer));
  return info({.workspace = id, .shell = opened.shell});
}

Result<ShellReadResult> LocalShells::read(const std::string& workspace, const std::string& shell_id,
                                          const ShellReadOptions& o) {
  PYRO_CHECK(proto::in_range("cursor", o.cursor, proto::kCursorRange));
  PYRO_CHECK(proto::in_range("max_chars", o.max_chars, proto::kShellCharsRange));
  PYRO_CHECK(proto::in_range("wait_for_idle_ms", o.wait_for_idle_ms, proto::kIdleRange));
  PYRO_CHECK(proto::in_range("wait_timeout_ms", o.wait_timeout_ms, proto::kIdleRange));
  PYRO_TRY(const Place place, find(workspace, shell_id));
  PYRO_TRY(auto connection, connect(place));
  const proto::ReadShell request{
      .shell = place.shell,
      .cursor = o.cursor,
      .max_bytes = std::min<std::int64_t>(o.max_chars * static_cast<int>(kMostBytesOfACharacter),
                                          proto::kMostShellOutput),
      .idle_ms = o.wait_for_idle_ms,
      .wait_ms = o.wait_timeout_ms};
  std::string bytes;
  const auto keep = [&](std::string_view piece) -> Result<void> {
    if (bytes.size() + piece.size() > static_cast<std::size_t>(proto::kMostShellOutput))
      return fail(Errc::kLimit, "the supervisor sent more than it was asked for");
    bytes += piece;
    return {};
  };
  const auto answer = connection.download(proto::ReadShell::kName, proto::encode(request), keep,
                                          {.on_phase = {}, .interrupt_fd = o.interrupt_fd});
  if (!answer) return std::unexpected(explained(place, answer.error()));
  PYRO_TRY(const auto read, proto::decode<proto::ShellRead>(*answer));
  const std::int64_t read_to = read.cursor + static_cast<std::int64_t>(bytes.size());
  const Cut used = cut(bytes, o, read.running || read_to < read.end, read_to < read.end);
  ShellReadResult result{.shell = {},
                         .cursor = read.cursor,
                         .next_cursor = read.cursor + static_cast<std::int64_t>(used.size),
                         .missed_bytes = std::max<std::int64_t>(0, read.cursor - o.cursor),
                         .output = {},
                         .truncated = used.by_limit || read_to < read.end,
                         .idle = read.idle};
  bytes.resize(used.size);
  PYRO_TRY(result.shell, info(place));
  const auto columns = static_cast<std::size_t>(result.shell.cols);
  result.output = o.plain ? plain_text(bytes, columns) : std::move(bytes);
  return result;
}

Result<ShellInfo> LocalShells::follow(const std::string& workspace, const std::string& shell_id,
                                      std::int64_t cursor, const ShellSink& sink,
                                      int interrupt_fd) {
  PYRO_CHECK(proto::in_range("cursor", cursor, proto::kCursorRange));
  PYRO_TRY(const Place place, find(workspace, shell_id));
  PYRO_TRY(auto connection, connect(place));
  const auto answer = connection.run([&](rpc::Session& session) {
    return follow_task(&session, {.shell = place.shell, .cursor = cursor}, &sink, interrupt_fd);
  });
  if (!answer) return std::unexpected(explained(place, answer.error()));
  return info(place);
}

Result<ShellWriteResult> LocalShells::write(const std::string& workspace,
                                            const std::string& shell_id, const std::string& input,
                                            bool append_newline, int interrupt_fd) {
  const std::string bytes = append_newline ? input + "\n" : input;
  PYRO_CHECK(proto::in_range("length of the input", static_cast<std::int64_t>(bytes.size()),
                             proto::kShellInputRange));
  PYRO_TRY(const Place place, find(workspace, shell_id));
  PYRO_CHECK(ask(place, proto::WriteShell::kName,
                 proto::encode(proto::WriteShell{.shell = place.shell, .input = bytes}),
                 interrupt_fd));
  ShellWriteResult result{.shell = {}, .input_length = static_cast<std::int64_t>(bytes.size())};
  PYRO_TRY(result.shell, info(place));
  return result;
}

Result<ShellInfo> LocalShells::signal(const std::string& workspace, const std::string& shell_id,
                                      const std::string& signal_name) {
  PYRO_TRY(const int signo, signal_number(signal_name));
  PYRO_TRY(const Place place, find(workspace, shell_id));
  PYRO_CHECK(ask(place, proto::SignalShell::kName,
                 proto::encode(proto::SignalShell{.shell = place.shell, .signo = signo})));
  return info(place);
}

Result<ShellInfo> LocalShells::resize(const std::string& workspace, const std::string& shell_id,
                                      std::optional<int> cols, std::optional<int> rows) {
  if (!cols && !rows) return fail(Errc::kInvalid, "neither cols nor rows was given");
  PYRO_TRY(const Place place, find(workspace, shell_id));
  // What is left out is taken for something that is within its range.
  PYRO_TRY(const proto::Terminal size, size_of(cols.value_or(1), rows.value_or(1)));
  proto::ResizeShell request{.shell = place.shell};
  if (cols) request.cols = size.cols;
  if (rows) request.rows = size.rows;
  PYRO_CHECK(ask(place, proto::ResizeShell::kName, proto::encode(request)));
  return info(place);
}

Result<ShellList> LocalShells::list(const std::string& workspace) {
  PYRO_TRY(const std::string id, workspaces_.find(workspace));
  PYRO_TRY(auto store, workspaces_.settled_store(id));
  PYRO_TRY(const auto record, store.record());
  PYRO_TRY(const auto shells, store.shells());
  ShellList list{.workspace_id = id, .shells = {}};
  for (const store::ShellRecord& s : shells)
    list.shells.push_back(info_of(id, record.execution_mode, s));
  return list;
}

Result<ShellInfo> LocalShells::close(const std::string& workspace, const std::string& shell_id,
                                     int interrupt_fd) {
  PYRO_TRY(const Place place, find(workspace, shell_id));
  PYRO_TRY(const ShellInfo before, info(place));
  auto closed = ask(place, proto::CloseShell::kName,
                    proto::encode(proto::CloseShell{.shell = place.shell}), interrupt_fd);
  PYRO_TRY(ShellInfo after, info(place));
  if (!closed && after.state == "running") return std::unexpected(std::move(closed.error()));
  return after;
}

Result<ShellAttachResult> LocalShells::attach(const std::string& workspace,
                                              const std::string& shell_id, const ShellSink& sink,
                                              const ShellKeys& keys) {
  PYRO_TRY(const Place place, find(workspace, shell_id));
  PYRO_TRY(auto connection, connect(place));
  ShellAttachResult result;
  const auto answer = connection.run([&](rpc::Session& session) {
    return attach_task(&session, {.shell = place.shell, .cursor = -1, .input = true}, &sink, &keys,
                       &result.detached);
  });
  if (!answer && !result.detached) return std::unexpected(explained(place, answer.error()));
  PYRO_TRY(result.shell, info(place));
  return result;
}

}  // namespace pyro::client
