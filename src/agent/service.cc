#include "agent/service.h"

#include <chrono>

#include "agent/probe.h"

namespace pyro::agent {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
// Between attempts while no host is at the other end of the ports.
constexpr milliseconds kRetry{10};

}  // namespace

Service::Service(asio::any_io_executor ex, Machine& machine, ExecService& exec,
                 WorkspaceService& workspace, Log log)
    : ex_(ex),
      machine_(machine),
      exec_(exec),
      workspace_(workspace),
      log_(std::move(log)),
      session_over_(ex) {}

Result<boost::json::object> Service::answer(const rpc::Stream& stream) {
  const std::string& method = stream.method();
  if (method == proto::Ping::kName) return boost::json::object{};
  if (method == proto::Prepare::kName) {
    if (prepared_) return fail(Errc::kConflict, "prepare: done before");
    PYRO_TRY(const auto request, proto::decode<proto::Prepare>(stream.params()));
    const auto start = std::chrono::steady_clock::now();
    PYRO_TRY(auto groups, machine_.prepare(request));
    prepared_ = true;
    exec_.set_groups(std::move(groups));
    exec_.prepare_next(ex_);
    const auto took = std::chrono::steady_clock::now() - start;
    return proto::encode(proto::PrepareResult{
        .duration_us = std::chrono::duration_cast<std::chrono::microseconds>(took).count()});
  }
  if (method == proto::Rejuvenate::kName) {
    PYRO_TRY(const auto request, proto::decode<proto::Rejuvenate>(stream.params()));
    PYRO_CHECK(machine_.rejuvenate(request));
    return boost::json::object{};
  }
  if (method == proto::Freeze::kName) {
    if (exec_.running() != 0) return fail(Errc::kConflict, "freeze: a program is running");
    machine_.sync_disks();  // else every clone would write the same pages again
    after_ = After::kFreeze;
    return boost::json::object{};
  }
  if (method == proto::Rest::kName) {
    const bool idle = exec_.is_idle();
    if (idle) machine_.sync_disks();
    return proto::encode(proto::RestResult{.idle = idle});
  }
  if (method == proto::SetClock::kName) {
    PYRO_TRY(const auto request, proto::decode<proto::SetClock>(stream.params()));
    PYRO_CHECK(machine_.set_clock(request.wall_clock_ns));
    return boost::json::object{};
  }
  if (method == proto::Shutdown::kName) {
    workspace_.thaw();
    machine_.sync_disks();
    after_ = After::kPowerOff;
    return boost::json::object{};
  }
  return fail(Errc::kInvalid, "this agent has no method of that name");
}

asio::awaitable<void> Service::handle(std::shared_ptr<rpc::Stream> stream) {
  if (stream->method() == proto::Exec::kName) {
    co_await exec_.handle(stream);
    co_return;
  }
  if (stream->method() == proto::Probe::kName) {
    co_await handle_probe(stream);
    co_return;
  }
  if (WorkspaceService::serves(stream->method())) {
    co_await workspace_.handle(stream);
    co_return;
  }
  auto result = answer(*stream);
  if (result) {
    (void)stream->respond(*std::move(result));
  } else {
    (void)stream->respond(std::move(result.error()));
  }
  if (after_ != After::kGoOn) session_over_.set();
}

asio::awaitable<void> Service::watch(rpc::Session* session) {
  const Error why = co_await session->closed();
  if (why.code == Errc::kInvalid || why.code == Errc::kInternal) log_(why.message);
  session_over_.set();
}

asio::awaitable<void> Service::serve_one(rpc::Session* session) {
  const auto hello = co_await session->handshake_as_acceptor();
  if (!hello) {
    co_await session->close();
    const auto waited = co_await io::sleep_for(kRetry);
    static_cast<void>(waited);
    co_return;
  }
  session_over_.clear();
  io::TaskScope scope(ex_);
  scope.spawn(watch(session));
  const auto over = co_await session_over_.wait();
  static_cast<void>(over);
  const auto failure = co_await scope.close();
  static_cast<void>(failure);
  std::string reason;
  if (after_ == After::kFreeze) reason = "frozen";
  co_await session->close(std::move(reason));
}

asio::awaitable<void> Service::serve(sys::UniqueFd control, sys::UniqueFd data) {
  while (after_ != After::kPowerOff) {
    after_ = After::kGoOn;
    auto own_control = sys::duplicate(control.get());
    Result<sys::UniqueFd> own_data = sys::UniqueFd();
    if (data) own_data = sys::duplicate(data.get());
    if (!own_control || !own_data) {
      log_("no descriptor left for the ports");
      const auto waited = co_await io::sleep_for(std::chrono::seconds(1));
      static_cast<void>(waited);
      continue;
    }
    rpc::Session session(
        ex_, std::move(*own_control), std::move(*own_data),
        {.handler = [this](std::shared_ptr<rpc::Stream> stream) { return handle(stream); },
         .software = "pyro-agent"});
    co_await serve_one(&session);
  }
  machine_.power_off();
}

}  // namespace pyro::agent
