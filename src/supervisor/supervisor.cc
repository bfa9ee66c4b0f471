#include "supervisor/supervisor.h"

#include <signal.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "supervisor/server.h"
#include "supervisor/vm_service.h"
#include "supervisor/workspace_service.h"
#include "sys/process.h"

namespace pyro::supervisor {

namespace asio = boost::asio;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

class Supervisor {
 public:
  Supervisor(asio::any_io_executor ex, MakeMonitor make_monitor)
      : ex_(ex),
        make_monitor_(std::move(make_monitor)),
        end_(ex),
        server_(
            ex, [this](Client* c, StreamPtr s) { return answer(c, std::move(s)); },
            [this] { end_if_done(); }, [this](bool leased) { gone(leased); }),
        scope_(ex) {}
  asio::awaitable<void> run(sys::UniqueFd first_client);

 private:
  io::Task<boost::json::object> answer(Client* client, StreamPtr stream);
  Result<boost::json::object> create_vm(Client* client, const boost::json::object& params);
  io::Task<boost::json::object> create_workspace(Client* client, StreamPtr stream);
  Result<boost::json::object> open_workspace(const boost::json::object& params);
  Result<void> keep(std::unique_ptr<WorkspaceService> workspace);
  asio::awaitable<void> end_on_signal();
  void end_if_done();
  void gone(bool leased);

  asio::any_io_executor ex_;
  MakeMonitor make_monitor_;
  std::unique_ptr<Service> service_;
  io::Event end_;
  Server server_;
  io::TaskScope scope_;
};

Result<boost::json::object> Supervisor::create_vm(Client* client,
                                                  const boost::json::object& params) {
  PYRO_TRY(const auto request, proto::decode<proto::CreateVm>(params));
  PYRO_TRY(auto vm, VmService::create(request, make_monitor_, end_, ex_));
  VmService& created = *vm;
  service_ = std::move(vm);
  client->leases = request.lease;
  if (!request.lease) PYRO_CHECK(server_.listen(created.socket_path()));
  scope_.spawn(created.end_at_expiry());
  return proto::encode(created.status());
}

// Reached by everybody from now on, and looked after.
Result<void> Supervisor::keep(std::unique_ptr<WorkspaceService> workspace) {
  WorkspaceService& kept = *workspace;
  service_ = std::move(workspace);
  // One that was killed leaves its socket; the workspace's lock, which is ours, says that it is.
  static_cast<void>(::unlink(kept.socket_path().c_str()));
  PYRO_CHECK(server_.listen(kept.socket_path()));
  scope_.spawn(kept.keep_time());
  scope_.spawn(kept.watch_machine());
  return {};
}

io::Task<boost::json::object> Supervisor::create_workspace(Client* client, StreamPtr stream) {
  PYRO_CO_TRY(const auto request, proto::decode<proto::CreateWorkspace>(stream->params()));
  client->leases = true;
  PYRO_CO_TRY(auto made, WorkspaceService::create(
                             request, make_monitor_, end_, [this] { end_if_done(); }, ex_));
  WorkspaceService& workspace = *made;
  PYRO_CO_CHECK(keep(std::move(made)));
  PYRO_CO_TRY(auto started, co_await workspace.first_start(std::move(stream)));
  client->leases = false;
  co_return started;
}

Result<boost::json::object> Supervisor::open_workspace(const boost::json::object& params) {
  PYRO_TRY(const auto request, proto::decode<proto::OpenWorkspace>(params));
  PYRO_TRY(auto opened,
           WorkspaceService::open(request, make_monitor_, end_, [this] { end_if_done(); }, ex_));
  PYRO_CHECK(keep(std::move(opened)));
  return boost::json::object{};
}

io::Task<boost::json::object> Supervisor::answer(Client* client, StreamPtr stream) {
  const std::string& method = stream->method();
  const bool creates_vm = method == proto::CreateVm::kName;
  const bool creates_workspace = method == proto::CreateWorkspace::kName;
  if (creates_vm || creates_workspace || method == proto::OpenWorkspace::kName) {
    if (service_) co_return fail(Errc::kConflict, "this supervisor has a sandbox already");
    Result<boost::json::object> created;
    if (creates_workspace) {
      created = co_await create_workspace(client, stream);
    } else {
      created = creates_vm ? create_vm(client, stream->params()) : open_workspace(stream->params());
    }
    if (!created) end_.set();  // answered before the loop gets there
    co_return created;
  }
  if (!service_) co_return fail(Errc::kNotFound, "there is no sandbox");
  co_return co_await service_->answer(std::move(stream));
}

void Supervisor::end_if_done() {
  if (service_ && service_->done(server_.has_clients())) end_.set();
}

void Supervisor::gone(bool leased) {
  // Without a sandbox nobody else can ever reach this process.
  if (leased || !service_) end_.set();
  end_if_done();
}

asio::awaitable<void> Supervisor::end_on_signal() {
  asio::signal_set signals(ex_, SIGTERM);
  const auto got = co_await signals.async_wait(kTuple);
  const auto& [ec, signo] = got;
  if (!ec) end_.set();
}

asio::awaitable<void> Supervisor::run(sys::UniqueFd first_client) {
  scope_.spawn(end_on_signal());
  server_.serve(std::move(first_client));
  static_cast<void>(co_await end_.wait());
  co_await server_.close("the sandbox has ended");
  if (service_) co_await service_->tear_down();
  static_cast<void>(co_await scope_.close());
}

}  // namespace

Result<void> run_supervisor(SupervisorOptions options) {
  PYRO_CHECK(sys::no_new_privileges());
  ::signal(SIGPIPE, SIG_IGN);
  asio::io_context loop(1);
  Supervisor supervisor(loop.get_executor(), std::move(options.make_monitor));
  std::exception_ptr failure;
  asio::co_spawn(loop, supervisor.run(std::move(options.first_client)),
                 [&](std::exception_ptr e) { failure = e; });
  loop.run();
  if (failure) return fail(Errc::kInternal, "the supervisor failed");
  return {};
}

}  // namespace pyro::supervisor
