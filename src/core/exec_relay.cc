#include "core/exec_relay.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <deque>

#include "base/text.h"

namespace pyro::core {

namespace asio = io::asio;

namespace {

constexpr auto kKillGrace = std::chrono::milliseconds(1000);

using StreamPtr = std::shared_ptr<rpc::Stream>;

// Stdin that the guest has not taken yet; the client's credit bounds it.
struct Input {
  explicit Input(const asio::any_io_executor& ex) : arrived(ex) {}
  std::deque<rpc::Data> waiting;
  io::Event arrived;
};

// From the client: stdin, and its wish to end the command. Never waits for the guest, so that the
// wish is heard also when the command does not read.
asio::awaitable<void> take_input(StreamPtr client, StreamPtr guest, Input* input,
                                 std::chrono::milliseconds silence_limit) {
  client->manual_credit();
  for (;;) {
    auto item = co_await client->next();
    if (!item || std::holds_alternative<rpc::Cancelled>(*item)) break;
    auto* data = std::get_if<rpc::Data>(&*item);
    if (data == nullptr || data->channel != wire::kStdin) continue;
    input->waiting.push_back(std::move(*data));
    input->arrived.set();
  }
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) co_return;  // the command has ended
  guest->cancel();
  const auto slept = co_await io::sleep_for(kKillGrace + silence_limit);
  if (slept)
    guest->abandon(
        {.code = Errc::kUnavailable, .message = "the guest stopped answering", .hint = {}});
}

// To the guest. A command that closed its stdin is no error: what comes for it is dropped.
asio::awaitable<void> give_input(StreamPtr client, StreamPtr guest, Input* input, bool wanted) {
  for (;;) {
    while (input->waiting.empty()) {
      input->arrived.clear();
      const auto woken = co_await input->arrived.wait();
      if (!woken) co_return;
    }
    rpc::Data data = std::move(input->waiting.front());
    input->waiting.pop_front();
    const std::size_t size = data.bytes.size();
    if (wanted)
      static_cast<void>(co_await guest->send(wire::kStdin, std::move(data.bytes), data.end));
    client->consumed(wire::kStdin, size);
  }
}

// The agent ends a command at its timeout. This is for an agent that no longer does.
asio::awaitable<void> watch_deadline(std::chrono::milliseconds limit, StreamPtr guest) {
  const auto slept = co_await io::sleep_for(limit);
  if (slept)
    guest->abandon({.code = Errc::kDeadline, .message = "the guest stopped answering", .hint = {}});
}

// The agent's answer comes from the guest and may say anything.
Result<void> check(const proto::ExecResult& r) {
  constexpr int kLastSignal = 64;
  const bool code = r.exit_code && *r.exit_code >= 0 && *r.exit_code <= 255;
  const bool signal = r.signal && *r.signal >= 1 && *r.signal <= kLastSignal;
  if (code != signal && r.exit_code.has_value() != r.signal.has_value()) return {};
  return fail(Errc::kInvalid, "the guest's answer says neither an exit code nor a signal");
}

// Guest to client: output, until the answer.
io::Task<proto::ExecResult> pump_out(StreamPtr guest, StreamPtr client) {
  for (;;) {
    PYRO_CO_TRY(rpc::Incoming item, co_await guest->next());
    if (auto* data = std::get_if<rpc::Data>(&item)) {
      if (data->channel == wire::kStdin)
        co_return fail(Errc::kInvalid, "the guest sent data on stdin");
      const auto sent = co_await client->send(data->channel, std::move(data->bytes), data->end);
      if (!sent) guest->cancel();  // nobody reads any more; drain until the answer
    } else if (auto* response = std::get_if<rpc::Response>(&item)) {
      PYRO_CO_TRY(const auto result, proto::decode<proto::ExecResult>(response->result));
      PYRO_CO_CHECK(check(result));
      co_return result;
    }
  }
}

// A command that could not be run at all, as a shell reports it.
io::Task<proto::ExecVmResult> not_run(Error error, std::string program, StreamPtr client) {
  const bool missing = error.code == Errc::kNotFound;
  std::string text =
      fmt::format("pyro: {}: {}\n", to_utf8(program),
                  missing ? "not found in the guest" : "cannot be executed in the guest");
  static_cast<void>(co_await client->send(wire::kStderr, std::move(text)));
  co_return proto::ExecVmResult{.exit_code = missing ? 127 : 126, .signal = {}};
}

proto::ExecVmResult finished(const proto::ExecResult& r) {
  const double spawn_ms = std::max(0.0, static_cast<double>(r.spawn_us) / 1000.0);
  return {.exit_code = r.timed_out ? 124 : r.shell_code(),
          .signal = r.signal,
          .timed_out = r.timed_out,
          .duration_us = std::max<std::int64_t>(0, r.duration_us),
          .timing = {{.name = "spawn_command", .ms = spawn_ms}}};
}

}  // namespace

io::Task<proto::ExecVmResult> relay_exec(Guest& guest, proto::ExecVm request, StreamPtr client,
                                         std::function<void(StreamPtr)> on_open) {
  const std::string program = request.argv.empty() ? "" : request.argv.front().value;
  const auto timeout = std::chrono::milliseconds(request.timeout_ms);
  proto::Exec exec{.argv = std::move(request.argv),
                   .cwd = "/root",
                   .stdin_open = request.stdin_open,
                   .timeout_ms = timeout.count(),
                   .kill_grace_ms = kKillGrace.count()};
  auto opened = guest.session().open(proto::Exec::kName, proto::encode(exec));
  if (!opened) {
    PYRO_CO_TRY(Error why, co_await guest.explain(std::move(opened.error())));
    co_return std::unexpected(std::move(why).context("the command could not be started"));
  }
  const StreamPtr stream = *std::move(opened);
  on_open(stream);
  const auto executor = co_await asio::this_coro::executor;
  const auto silence_limit = guest.limits().silence_limit;
  io::TaskScope scope(executor);
  Input input(executor);
  scope.spawn(take_input(client, stream, &input, silence_limit));
  scope.spawn(give_input(client, stream, &input, request.stdin_open));
  if (timeout.count() > 0)
    scope.spawn(watch_deadline(timeout + kKillGrace + silence_limit, stream));
  auto result = co_await pump_out(stream, client);
  static_cast<void>(co_await scope.close());
  if (result) co_return finished(*result);
  Error error = std::move(result.error());
  if (error.code == Errc::kDeadline) {
    co_return proto::ExecVmResult{
        .exit_code = 124, .signal = {}, .timed_out = true, .duration_us = timeout.count() * 1000};
  }
  const bool machine_lives = guest.session().is_open();
  if (machine_lives && (error.code == Errc::kNotFound || error.code == Errc::kDenied)) {
    co_return co_await not_run(std::move(error), program, std::move(client));
  }
  if (machine_lives) co_return std::unexpected(std::move(error));
  PYRO_CO_TRY(Error why, co_await guest.explain(std::move(error)));
  co_return std::unexpected(std::move(why).context("the command did not end"));
}

}  // namespace pyro::core
