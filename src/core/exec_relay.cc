#include "core/exec_relay.h"

#include <fmt/format.h>

#include <boost/asio/this_coro.hpp>

#include "base/text.h"

namespace pyro::core {

namespace asio = io::asio;

namespace {

constexpr auto kKillGrace = std::chrono::milliseconds(1000);
// Beyond timeout and grace, before the agent counts as dead.
constexpr auto kAgentSlack = std::chrono::seconds(10);

using StreamPtr = std::shared_ptr<rpc::Stream>;

// Client to guest: stdin, and the client's wish to end the command.
asio::awaitable<void> pump_in(StreamPtr client, StreamPtr guest) {
  for (;;) {
    auto item = co_await client->next();
    if (!item || std::holds_alternative<rpc::Cancelled>(*item)) {
      guest->cancel();
      co_return;
    }
    if (auto* data = std::get_if<rpc::Data>(&*item); data != nullptr && data->channel == wire::kStdin) {
      // A command that closed its stdin is no error: what comes for it is dropped.
      static_cast<void>(co_await guest->send(wire::kStdin, std::move(data->bytes), data->end));
    }
  }
}

// The agent ends a command at its timeout. This is for an agent that no longer does.
asio::awaitable<void> watch_deadline(std::chrono::milliseconds limit, StreamPtr guest) {
  const auto slept = co_await io::sleep_for(limit);
  if (slept) guest->abandon({.code = Errc::kDeadline, .message = "the guest stopped answering", .hint = {}});
}

// Guest to client: output, until the answer.
io::Task<proto::ExecResult> pump_out(StreamPtr guest, StreamPtr client, double& spawn_ms) {
  for (;;) {
    PYRO_CO_TRY(rpc::Incoming item, co_await guest->next());
    if (auto* data = std::get_if<rpc::Data>(&item)) {
      const auto sent = co_await client->send(data->channel, std::move(data->bytes), data->end);
      if (!sent) guest->cancel();  // nobody reads any more; drain until the answer
    } else if (auto* event = std::get_if<rpc::Event>(&item); event != nullptr && event->name == proto::ExecStarted::kName) {
      const auto started = proto::decode<proto::ExecStarted>(event->params);
      if (started) spawn_ms = static_cast<double>(started->spawn_us) / 1000.0;
    } else if (auto* response = std::get_if<rpc::Response>(&item)) {
      co_return proto::decode<proto::ExecResult>(response->result);
    }
  }
}

// A command that could not be run at all, as a shell reports it.
io::Task<proto::ExecVmResult> not_run(Error error, std::string program, StreamPtr client) {
  const bool missing = error.code == Errc::kNotFound;
  std::string text = fmt::format("pyro: {}: {}\n", to_utf8(program),
                                 missing ? "not found in the guest" : "cannot be executed in the guest");
  static_cast<void>(co_await client->send(wire::kStderr, std::move(text)));
  co_return proto::ExecVmResult{.exit_code = missing ? 127 : 126, .signal = {}};
}

proto::ExecVmResult finished(const proto::ExecResult& r, double spawn_ms) {
  return {.exit_code = r.timed_out ? 124 : r.shell_code(),
          .signal = r.signal,
          .timed_out = r.timed_out,
          .duration_us = r.duration_us,
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
  PYRO_CO_TRY(const StreamPtr stream, guest.session().open(proto::Exec::kName, proto::encode(exec)));
  on_open(stream);
  io::TaskScope scope(co_await asio::this_coro::executor);
  scope.spawn(pump_in(client, stream));
  if (timeout.count() > 0) scope.spawn(watch_deadline(timeout + kKillGrace + kAgentSlack, stream));
  double spawn_ms = 0;
  auto result = co_await pump_out(stream, client, spawn_ms);
  static_cast<void>(co_await scope.close());
  if (result) co_return finished(*result, spawn_ms);
  Error error = std::move(result.error());
  if (error.code == Errc::kDeadline) {
    co_return proto::ExecVmResult{.exit_code = 124, .signal = {}, .timed_out = true, .duration_us = timeout.count() * 1000};
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
