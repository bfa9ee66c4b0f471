#include "supervisor/supervisor.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>
#include <list>
#include <memory>

#include "base/stopwatch.h"
#include "core/sandbox.h"
#include "core/sandbox_folder.h"
#include "proto/limits.h"
#include "proto/supervisor_messages.h"
#include "rpc/session.h"
#include "sys/process.h"
#include "vmm/host_facts.h"
#include "vmm/qemu.h"

namespace pyro::supervisor {

namespace asio = boost::asio;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr auto kAcceptPause = std::chrono::milliseconds(100);
constexpr const char* kExecutionMode = "guest_serial";

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// What a sandbox is to be, and everything of the host that it stands on; made once that is known.
struct Host {
  Host(const proto::CreateVm& c, Monitor m)
      : spec(c),
        dirs{.cache = c.cache_dir,
             .state = c.state_dir,
             .runtime = c.runtime_dir,
             .libexec = c.libexec_dir},
        monitor(std::move(m)),
        environments(dirs),
        templates(dirs.templates(), *monitor.vmm) {}
  const proto::CreateVm spec;
  sys::Dirs dirs;
  Monitor monitor;
  image::Environments environments;  // pulls are made by the process that asks for them
  core::Templates templates;
};

// What the library checks too; here it keeps arithmetic within its types.
Result<void> check(const proto::CreateVm& r) {
  constexpr proto::Range kBootLimitMs{.low = 1, .high = 86'400'000};
  if (!core::is_vm_id(r.vm_id)) return fail(Errc::kInvalid, "not a VM id");
  PYRO_CHECK(proto::in_range("vcpu_count", r.vcpu_count, proto::kVcpuCountRange));
  PYRO_CHECK(proto::in_range("mem_mib", r.mem_mib, proto::kMemMibRange));
  PYRO_CHECK(proto::in_range("ttl_seconds", r.ttl_seconds, proto::kTtlSecondsRange));
  return proto::in_range("boot_limit_ms", r.boot_limit_ms, kBootLimitMs);
}

class Supervisor {
 public:
  Supervisor(asio::any_io_executor ex, MakeMonitor make_monitor)
      : ex_(ex), make_monitor_(std::move(make_monitor)), end_(ex), scope_(ex) {}
  asio::awaitable<void> run(sys::UniqueFd first_client);

 private:
  struct Client {
    std::shared_ptr<rpc::Session> session;  // run() holds on to it while it closes it
    bool leases = false;                    // the sandbox goes when this client does
  };
  using StreamPtr = std::shared_ptr<rpc::Stream>;

  asio::awaitable<void> serve(sys::UniqueFd socket, bool first);
  asio::awaitable<void> accept_clients(asio::local::stream_protocol::acceptor acceptor);
  asio::awaitable<void> end_at_expiry();
  asio::awaitable<void> end_on_signal();
  asio::awaitable<void> handle(Client* client, StreamPtr stream);

  io::Task<boost::json::object> dispatch(Client* client, StreamPtr stream);
  Result<proto::VmStatus> create(Client* client, const proto::CreateVm& request);
  Result<void> listen();
  io::Task<proto::StartVmResult> start(StreamPtr stream);
  io::Task<proto::ExecVmResult> exec(proto::ExecVm request, StreamPtr stream);
  io::Task<proto::VmStatus> remove();

  void make_sandbox();
  [[nodiscard]] bool may_blame_kvm(const Error& error) const;
  [[nodiscard]] proto::VmStatus status() const;
  Result<void> record() const;
  asio::awaitable<void> tear_down();

  asio::any_io_executor ex_;
  MakeMonitor make_monitor_;
  std::list<Client> clients_;
  double created_at_ = 0;
  std::unique_ptr<Host> host_;
  std::unique_ptr<core::SandboxFolder> folder_;
  std::unique_ptr<core::Sandbox> sandbox_;
  bool removed_ = false;
  io::Event end_;
  io::TaskScope scope_;
};

proto::VmStatus Supervisor::status() const {
  return {.vm_id = host_->spec.vm_id,
          .environment = host_->spec.environment,
          .state = removed_ ? "deleted" : core::state_name(sandbox_->state()),
          .execution_mode = kExecutionMode,
          .vcpu_count = host_->spec.vcpu_count,
          .mem_mib = host_->spec.mem_mib,
          .ttl_seconds = host_->spec.ttl_seconds,
          .created_at = created_at_,
          .expires_at = created_at_ + host_->spec.ttl_seconds,
          .last_error = sandbox_->last_error()};
}

Result<void> Supervisor::record() const {
  if (host_->spec.lease || removed_) return {};
  const proto::VmStatus s = status();
  return folder_->write({.vm_id = s.vm_id,
                         .environment = s.environment,
                         .state = s.state,
                         .execution_mode = s.execution_mode,
                         .last_error = s.last_error,
                         .vcpu_count = s.vcpu_count,
                         .mem_mib = s.mem_mib,
                         .ttl_seconds = s.ttl_seconds,
                         .created_at = s.created_at,
                         .expires_at = s.expires_at});
}

void Supervisor::make_sandbox() {
  core::SandboxSpec spec{
      .vm_id = host_->spec.vm_id,
      .environment = host_->spec.environment,
      .shape = {.accelerator = host_->monitor.accelerator,
                .mem_mib = host_->spec.mem_mib,
                .vcpus = host_->spec.vcpu_count},
      .cold = host_->spec.cold,
      .boot = {.agent_path = host_->dirs.libexec + "/pyro-agent",
               .tsc_khz = host_->monitor.tsc_khz,
               .boot_limit = std::chrono::milliseconds(host_->spec.boot_limit_ms)}};
  spec.boot.answer_limit = std::min(spec.boot.answer_limit, spec.boot.boot_limit);
  spec.boot.call_limit = std::min(spec.boot.call_limit, spec.boot.boot_limit);
  sandbox_ = std::make_unique<core::Sandbox>(std::move(spec),
                                             core::SandboxDeps{.vmm = *host_->monitor.vmm,
                                                               .templates = host_->templates,
                                                               .environments = host_->environments},
                                             ex_);
}

Result<proto::VmStatus> Supervisor::create(Client* client, const proto::CreateVm& request) {
  PYRO_CHECK(check(request));
  PYRO_TRY(auto monitor, make_monitor_(request));
  auto host = std::make_unique<Host>(request, std::move(monitor));
  PYRO_TRY(auto folder, core::SandboxFolder::create(host->dirs, request.vm_id));
  folder_ = std::make_unique<core::SandboxFolder>(std::move(folder));
  host_ = std::move(host);
  created_at_ = now_seconds();
  make_sandbox();
  client->leases = request.lease;
  if (!request.lease) {
    PYRO_CHECK(record());
    PYRO_CHECK(listen());
  }
  scope_.spawn(end_at_expiry());
  return status();
}

Result<void> Supervisor::listen() {
  const std::string path = core::socket_of(host_->dirs, host_->spec.vm_id);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail_hint(Errc::kInvalid, path + " is too long for a socket",
                     "set XDG_RUNTIME_DIR to a shorter path");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  sys::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return sys::fail_errno("socket", errno);
  const mode_t before = ::umask(0177);
  const auto bound = sys::retrying("bind " + path, [&] {
    // The sockets API takes every address as a sockaddr*.
    return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  });
  ::umask(before);
  PYRO_CHECK(bound);
  PYRO_CHECK(sys::retrying("listen", [&] { return ::listen(fd.get(), 64); }));
  asio::local::stream_protocol::acceptor acceptor(ex_, asio::local::stream_protocol(),
                                                  fd.release());
  // Else asio keeps this error to itself and waits for another client, although one may be waiting.
  acceptor.set_option(asio::socket_base::enable_connection_aborted(true));
  scope_.spawn(accept_clients(std::move(acceptor)));
  return {};
}

asio::awaitable<void> Supervisor::accept_clients(asio::local::stream_protocol::acceptor acceptor) {
  for (;;) {
    auto accepted = co_await acceptor.async_accept(kTuple);
    auto& [ec, socket] = accepted;
    if (ec == asio::error::operation_aborted) co_return;
    if (ec) {  // out of descriptors, or the client is gone already: others may have more luck
      const auto slept = co_await io::sleep_for(kAcceptPause);
      if (!slept) co_return;
      continue;
    }
    const int raw = socket.release();
    sys::UniqueFd fd(raw);
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(raw, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != ::geteuid())
      continue;
    scope_.spawn(serve(std::move(fd), /*first=*/false));
  }
}

asio::awaitable<void> Supervisor::serve(sys::UniqueFd socket, bool first) {
  const auto client = clients_.emplace(clients_.end());
  client->session = std::make_shared<rpc::Session>(
      ex_, std::move(socket), sys::UniqueFd(),
      rpc::SessionOptions{
          .handler = [this, &c = *client](StreamPtr s) { return handle(&c, std::move(s)); },
          .software = "pyro-supervisor"});
  const auto hello = co_await client->session->handshake_as_acceptor();
  if (hello) static_cast<void>(co_await client->session->closed());
  co_await client->session->close();
  const bool last_hope = first && !host_;  // nobody else can reach a sandbox that was not created
  if (client->leases || last_hope) end_.set();
  clients_.erase(client);
}

asio::awaitable<void> Supervisor::handle(Client* client, StreamPtr stream) {
  auto result = co_await dispatch(client, stream);
  if (result) {
    static_cast<void>(stream->respond(std::move(*result)));
  } else {
    static_cast<void>(stream->respond(std::move(result.error())));
  }
  if (removed_) end_.set();
}

io::Task<boost::json::object> Supervisor::dispatch(Client* client, StreamPtr stream) {
  const std::string& method = stream->method();
  if (method == proto::CreateVm::kName) {
    if (host_) co_return fail(Errc::kConflict, "this supervisor has a sandbox already");
    const auto request = proto::decode<proto::CreateVm>(stream->params());
    auto created = request ? create(client, *request)
                           : Result<proto::VmStatus>(std::unexpected(request.error()));
    if (!created) end_.set();  // answered by handle() before the loop gets there
    PYRO_CO_TRY(auto s, std::move(created));
    co_return proto::encode(std::move(s));
  }
  if (!sandbox_ || removed_) co_return fail(Errc::kNotFound, "there is no sandbox");
  if (method == proto::StatusVm::kName) co_return proto::encode(status());
  if (method == proto::StartVm::kName) {
    PYRO_CO_TRY(auto started, co_await start(stream));
    co_return proto::encode(std::move(started));
  }
  if (method == proto::ExecVm::kName) {
    PYRO_CO_TRY(auto request, proto::decode<proto::ExecVm>(stream->params()));
    PYRO_CO_TRY(auto done, co_await exec(std::move(request), stream));
    co_return proto::encode(std::move(done));
  }
  if (method == proto::SignalVm::kName) {
    PYRO_CO_TRY(const auto request, proto::decode<proto::SignalVm>(stream->params()));
    PYRO_CO_CHECK(sandbox_->signal(request.signo));
    co_return boost::json::object{};
  }
  if (method == proto::StopVm::kName) {
    co_await sandbox_->stop();
    PYRO_CO_CHECK(record());
    co_return proto::encode(status());
  }
  if (method == proto::DeleteVm::kName) {
    PYRO_CO_TRY(auto deleted, co_await remove());
    co_return proto::encode(std::move(deleted));
  }
  co_return fail(Errc::kInvalid, "unknown request " + method);
}

// Of errors of a start: the ones that another accelerator may not have.
bool is_of_the_machine(const Error& error) {
  return error.code == Errc::kDeadline || error.code == Errc::kUnavailable;
}

bool Supervisor::may_blame_kvm(const Error& error) const {
  const bool chosen = host_->spec.accelerator.empty();  // by us, and not asked for
  return host_->monitor.accelerator == vmm::Accelerator::kKvm && chosen && !end_.is_set() &&
         sandbox_->state() == core::SandboxState::kFailed && is_of_the_machine(error);
}

io::Task<proto::StartVmResult> Supervisor::start(StreamPtr stream) {
  const core::OnPhase on_phase = [stream](const std::string& phase, const std::string& detail) {
    static_cast<void>(stream->send_event(
        proto::Phase::kName, proto::encode(proto::Phase{.phase = phase, .detail = detail})));
  };
  auto stages = co_await sandbox_->start(on_phase);
  const auto cancelled = co_await asio::this_coro::cancellation_state;
  if (!stages && cancelled.cancelled() == asio::cancellation_type::none &&
      may_blame_kvm(stages.error())) {
    // The probe was satisfied, a whole guest was not. Emulation works everywhere.
    on_phase("template", "the guest did not come up under KVM; trying emulation (see pyro doctor)");
    const std::string why = stages.error().message.substr(0, stages.error().message.find('\n'));
    sandbox_->retry_with(vmm::Accelerator::kTcg);
    stages = co_await sandbox_->start(on_phase);
    // Where emulation fails as well it is not KVM's fault. A note that cannot be written costs the
    // next start the same detour, and this one nothing.
    if (stages) {
      static_cast<void>(vmm::distrust_kvm(host_->dirs.cache, "a guest did not come up: " + why));
    }
  }
  if (!stages && host_->spec.accelerator == vmm::accelerator_name(vmm::Accelerator::kKvm) &&
      is_of_the_machine(stages.error())) {
    stages = std::unexpected(
        std::move(stages.error())
            .context("KVM is forced by PYRO_ACCELERATOR")
            .with_hint("unset PYRO_ACCELERATOR: pyro then uses emulation where KVM does not work"));
  }
  PYRO_CO_CHECK(record());
  PYRO_CO_CHECK(stages);
  co_return proto::StartVmResult{.status = status(), .timing = std::move(*stages)};
}

io::Task<proto::ExecVmResult> Supervisor::exec(proto::ExecVm request, StreamPtr stream) {
  constexpr proto::Range kTimeoutMs{.low = 1, .high = proto::kTimeoutSecondsRange.high * 1000};
  PYRO_CO_CHECK(proto::in_range("timeout_ms", request.timeout_ms, kTimeoutMs));
  if (request.argv.empty()) co_return fail(Errc::kInvalid, "there is no command to run");
  PYRO_CO_CHECK(sandbox_->check_exec());  // nothing ran: the sandbox stays
  auto result = co_await sandbox_->exec(std::move(request), stream);
  const Stopwatch watch;
  auto deleted = co_await remove();
  const double ms = watch.ms();
  PYRO_CO_CHECK(result);
  result->deleted = deleted.has_value();
  result->cleanup_reason = deleted ? "post_exec_cleanup" : deleted.error().message;
  result->timing.push_back({.name = "teardown", .ms = ms});
  co_return result;
}

io::Task<proto::VmStatus> Supervisor::remove() {
  co_await sandbox_->stop();
  const proto::VmStatus before = status();
  PYRO_CO_CHECK(folder_->remove());
  removed_ = true;
  proto::VmStatus after = before;
  after.state = "deleted";
  co_return after;
}

asio::awaitable<void> Supervisor::end_at_expiry() {
  const auto slept = co_await io::sleep_for(std::chrono::seconds(host_->spec.ttl_seconds));
  if (slept) end_.set();
}

asio::awaitable<void> Supervisor::end_on_signal() {
  asio::signal_set signals(ex_, SIGTERM);
  const auto got = co_await signals.async_wait(kTuple);
  const auto& [ec, signo] = got;
  if (!ec) end_.set();
}

asio::awaitable<void> Supervisor::tear_down() {
  if (sandbox_) co_await sandbox_->stop();
  if (folder_ && !removed_) static_cast<void>(folder_->remove());
  removed_ = true;
}

asio::awaitable<void> Supervisor::run(sys::UniqueFd first_client) {
  scope_.spawn(end_on_signal());
  scope_.spawn(serve(std::move(first_client), /*first=*/true));
  static_cast<void>(co_await end_.wait());
  // Answers that are under way still go out; calls that are under way, such as a start, are
  // cancelled.
  std::vector<std::shared_ptr<rpc::Session>> sessions;
  for (const Client& client : clients_) sessions.push_back(client.session);
  for (const auto& session : sessions) co_await session->close("the sandbox has ended");
  co_await tear_down();
  static_cast<void>(co_await scope_.close());
}

}  // namespace

Result<Monitor> qemu_monitor(const proto::CreateVm& request) {
  PYRO_TRY(const auto facts,
           vmm::host_facts(request.cache_dir, /*fresh=*/false, request.accelerator));
  PYRO_TRY(auto qemu, vmm::known_qemu(request.cache_dir, request.qemu, request.search_path));
  return Monitor{.vmm = std::make_unique<vmm::QemuVmm>(std::move(qemu)),
                 .accelerator = facts.accelerator,
                 .tsc_khz = facts.tsc_khz};
}

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
