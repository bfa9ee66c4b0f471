#include "core/exec_relay.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/this_coro.hpp>

#include "base/text.h"
#include "core/input_queue.h"

namespace pyro::core {

namespace asio = io::asio;
namespace json = boost::json;

namespace {

constexpr auto kKillGrace = std::chrono::milliseconds(1000);
constexpr std::chrono::milliseconds kForever = std::chrono::hours(24 * 365);

using StreamPtr = std::shared_ptr<rpc::Stream>;

// From the client: stdin, and its wish to end the command. Never waits for the guest, so that the
// wish is heard also when the command does not read.
asio::awaitable<void> take_input(StreamPtr client, StreamPtr guest, InputQueue* input,
                                 std::chrono::milliseconds silence_limit) {
  client->manual_credit();
  for (;;) {
    auto item = co_await client->next();
    if (!item || std::holds_alternative<rpc::Cancelled>(*item)) break;
    auto* data = std::get_if<rpc::Data>(&*item);
    if (data == nullptr || data->channel != wire::kStdin) continue;
    input->push(std::move(*data));
  }
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) co_return;  // the command has ended
  guest->cancel();
  const auto slept = co_await io::sleep_for(kKillGrace + silence_limit);
  if (slept)
    guest->abandon(
        {.code = Errc::kUnavailable, .message = "the guest stopped answering", .hint = {}});
}

// To the guest, until it takes no more. For a command that closed its stdin the agent drops what
// comes.
asio::awaitable<void> give_input(StreamPtr client, StreamPtr guest, InputQueue* input,
                                 bool wanted) {
  for (;;) {
    auto data = co_await input->pop();
    if (!data) co_return;
    const std::size_t size = data->bytes.size();
    if (wanted) {
      const auto sent = co_await guest->send(wire::kStdin, std::move(data->bytes), data->end);
      if (!sent) co_return;  // it has ended: the client gets no credit, and soon its answer
    }
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

// What a command wrote, to whoever started it; null: as it came.
io::Task<void> show(StreamPtr client, ExecOutput* output, rpc::Data data) {
  const std::size_t stream = data.channel == wire::kStdout ? 0 : 1;
  if (output != nullptr) {
    data.bytes = output->feed(stream, data.bytes, ExecOutput::Clock::now());
    if (data.end) data.bytes += output->flush(stream);
    if (data.bytes.empty() && !data.end) co_return Result<void>{};
  }
  co_return co_await client->send(data.channel, std::move(data.bytes), data.end);
}

// What is due of what is held back; all of it at the end.
io::Task<void> show_held(StreamPtr client, ExecOutput* output, ExecOutput::Clock::time_point now) {
  constexpr std::array kChannels{wire::kStdout, wire::kStderr};
  for (std::size_t stream = 0; stream < kChannels.size(); ++stream) {
    if (!output->held().is_due(stream, now)) continue;
    std::string bytes = output->flush(stream);
    if (!bytes.empty()) PYRO_CO_CHECK(co_await client->send(kChannels[stream], std::move(bytes)));
  }
  co_return Result<void>{};
}

// Guest to client: output, until the answer.
io::Task<json::object> pump_out(StreamPtr guest, StreamPtr client, ExecOutput* output) {
  using Clock = ExecOutput::Clock;
  for (;;) {
    std::chrono::milliseconds limit = kForever;
    if (output != nullptr) limit = output->held().until_due(Clock::now(), kForever);
    PYRO_CO_TRY(auto item, co_await guest->next_within(limit));
    Result<void> sent;
    if (output != nullptr) sent = co_await show_held(client, output, Clock::now());
    if (!item) {  // only time has passed
    } else if (auto* data = std::get_if<rpc::Data>(&*item)) {
      if (data->channel == wire::kStdin)
        co_return fail(Errc::kInvalid, "the guest sent data on stdin");
      sent = co_await show(client, output, std::move(*data));
    } else if (auto* response = std::get_if<rpc::Response>(&*item)) {
      if (output != nullptr)
        static_cast<void>(co_await show_held(client, output, Clock::time_point::max()));
      co_return std::move(response->result);
    }
    if (!sent) guest->cancel();  // nobody reads any more; drain until the answer
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

io::Task<proto::ExecVmResult> relay_exec(Guest& guest, proto::Exec exec, StreamPtr client,
                                         ExecHooks hooks) {
  const std::string program = exec.argv.empty() ? "" : exec.argv.front().value;
  const auto timeout = std::chrono::milliseconds(exec.timeout_ms);
  exec.kill_grace_ms = kKillGrace.count();
  const bool wants_input = exec.stdin_open;
  auto opened = guest.session().open(proto::Exec::kName, proto::encode(std::move(exec)));
  if (!opened) {
    PYRO_CO_TRY(Error why, co_await guest.explain(std::move(opened.error())));
    co_return std::unexpected(std::move(why).context("the command could not be started"));
  }
  const StreamPtr stream = *std::move(opened);
  if (hooks.on_open) hooks.on_open(stream);
  const auto executor = co_await asio::this_coro::executor;
  const auto silence_limit = guest.limits().silence_limit;
  io::TaskScope scope(executor);
  InputQueue input(executor);
  scope.spawn(take_input(client, stream, &input, silence_limit));
  scope.spawn(give_input(client, stream, &input, wants_input));
  if (timeout.count() > 0)
    scope.spawn(watch_deadline(timeout + kKillGrace + silence_limit, stream));
  auto answer = co_await pump_out(stream, client, hooks.output);
  static_cast<void>(co_await scope.close());
  if (answer) {
    PYRO_CO_TRY(const auto result, proto::decode<proto::ExecResult>(*answer));
    PYRO_CO_CHECK(check(result));
    co_return finished(result);
  }
  Error error = std::move(answer.error());
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

io::Task<json::object> relay_request(Guest& guest, std::string method, json::object params,
                                     StreamPtr client) {
  PYRO_CO_TRY(const StreamPtr stream, guest.session().open(std::move(method), std::move(params)));
  const auto executor = co_await asio::this_coro::executor;
  io::TaskScope scope(executor);
  InputQueue input(executor);
  scope.spawn(take_input(client, stream, &input, guest.limits().silence_limit));
  scope.spawn(give_input(client, stream, &input, /*wanted=*/true));
  auto answer = co_await pump_out(stream, client, nullptr);
  static_cast<void>(co_await scope.close());
  if (answer) co_return answer;
  Error error = std::move(answer.error());
  if (!guest.session().is_open()) {
    PYRO_CO_TRY(error, co_await guest.explain(std::move(error)));
  }
  co_return std::unexpected(std::move(error));
}

}  // namespace pyro::core
