#include "client/connection.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>

#include "core/sandbox_folder.h"
#include "rpc/session.h"
#include "sys/no_sigpipe.h"
#include "sys/process.h"

namespace pyro::client {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

constexpr auto kGreetLimit = std::chrono::seconds(20);
constexpr std::size_t kStdinChunk = 32U << 10;
constexpr int kClientFd = 3;
constexpr int kFirstHoldFd = 4;

using StreamPtr = std::shared_ptr<rpc::Stream>;

Error interrupted() {
  return {.code = Errc::kUnavailable, .message = "interrupted", .hint = {}};
}

asio::awaitable<void> give_up_on_interrupt(int fd, StreamPtr stream) {
  const auto readable = co_await io::wait_readable(fd);
  if (!readable) co_return;
  stream->cancel();
  stream->abandon(interrupted());
}

asio::awaitable<void> abandon_after(std::chrono::milliseconds limit, StreamPtr stream) {
  const auto slept = co_await io::sleep_for(limit);
  if (!slept) co_return;
  stream->abandon(
      {.code = Errc::kDeadline,
       .message = "the sandbox's supervisor does not answer",
       .hint = "try again; if it stays so, end the process pyro-supervisor of this VM"});
}

// Regular files and devices such as /dev/null cannot be waited for (epoll_ctl(2), EPERM) and never
// block for long.
bool can_wait_for(int fd) {
  const sys::UniqueFd probe(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  return probe && ::epoll_ctl(probe.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

// Passes `fd` on until its end. The descriptor is somebody else's and may be shared with other
// processes, so its flags stay as they are: reads only happen when they cannot block.
asio::awaitable<void> pump_stdin(int fd, StreamPtr stream) {
  std::string buffer;
  const bool waits = can_wait_for(fd);
  for (;;) {
    if (waits) {
      const auto readable = co_await io::wait_readable(fd);
      if (!readable) co_return;
    }
    buffer.resize(kStdinChunk);
    const auto n = sys::retrying("read", [&] { return ::read(fd, buffer.data(), buffer.size()); });
    if (!n && n.error().os_errno == EAGAIN) continue;
    const bool end = !n || *n == 0;
    buffer.resize(end ? 0 : static_cast<std::size_t>(*n));
    const auto sent = co_await stream->send(wire::kStdin, buffer, end);
    if (!sent || end) co_return;
  }
}

// A command with stdio. `sequence`: of a workspace's journal, 0 until it is known and for a VM.
struct ExecCall {
  std::string method;
  json::object params;
  std::int64_t sequence = 0;

  [[nodiscard]] std::pair<const char*, json::object> interrupt() const {
    if (method == proto::ExecVm::kName)
      return {proto::SignalVm::kName, proto::encode(proto::SignalVm{.signo = SIGINT})};
    return {proto::SignalWorkspace::kName,
            proto::encode(proto::SignalWorkspace{.sequence = sequence, .signo = SIGINT})};
  }
};

// Ctrl-C: first the command gets SIGINT, as it would in a terminal; then it is ended. With a
// `grace` one interrupt does both, and `fd`, which may be somebody else's too, is not read.
asio::awaitable<void> forward_interrupts(int fd, std::chrono::milliseconds grace,
                                         rpc::Session* session, StreamPtr stream,
                                         const ExecCall* call) {
  const bool once = grace.count() > 0;
  char byte = 0;
  const auto asked = co_await io::wait_readable(fd);
  if (!asked || (!once && ::read(fd, &byte, 1) <= 0)) co_return;
  auto [method, params] = call->interrupt();
  const auto sent = co_await session->call(method, std::move(params), std::chrono::seconds(10));
  if (!sent) stream->cancel();
  if (once) {
    const auto slept = co_await io::sleep_for(grace);
    if (slept) stream->cancel();
    co_return;
  }
  const auto again = co_await io::wait_readable(fd);
  if (again && ::read(fd, &byte, 1) > 0) stream->cancel();
}

Result<void> deliver(const rpc::Data& data, const RunObserver& observer) {
  const auto& sink = data.channel == wire::kStderr ? observer.on_stderr : observer.on_stdout;
  if (data.bytes.empty() || !sink) return {};
  return sink(data.bytes);
}

}  // namespace

struct Connection::Impl {
  asio::io_context loop{1};
  std::unique_ptr<rpc::Session> session;

  explicit Impl(sys::UniqueFd fd) {
    session =
        std::make_unique<rpc::Session>(loop.get_executor(), std::move(fd), sys::UniqueFd(),
                                       rpc::SessionOptions{.handler = {}, .software = "pyro"});
  }
  ~Impl() {
    const sys::NoSigpipe quiet;
    asio::co_spawn(loop, session->close(), [](std::exception_ptr) {});
    loop.restart();
    loop.run();
  }

  // Runs one task to its end on this connection's loop.
  template <class T>
  Result<T> run(io::Task<T> task) {
    const sys::NoSigpipe quiet;  // the supervisor may have gone
    Result<T> result = fail(Errc::kInternal, "the call did not end");
    asio::co_spawn(loop, std::move(task), [&](std::exception_ptr e, Result<T> r) {
      result = e ? Result<T>(fail(Errc::kInternal, "the call failed")) : std::move(r);
      loop.stop();
    });
    loop.restart();
    loop.run();
    return result;
  }
};

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

Result<Connection> Connection::greet(std::unique_ptr<Impl> impl) {
  auto hello = impl->run(impl->session->handshake_as_initiator(kGreetLimit));
  if (!hello)
    return std::unexpected(
        std::move(hello.error()).context("the sandbox's supervisor does not answer"));
  return Connection(std::move(impl));
}

Result<Connection> Connection::spawn(const sys::Dirs& dirs, core::Reservation reservation) {
  PYRO_TRY(auto sockets, sys::make_socket_pair());
  const std::string program = dirs.libexec + "/pyro-supervisor";
  sys::SpawnSpec spec{.program = program,
                      .argv = {"pyro-supervisor", "--client", std::to_string(kClientFd)},
                      .env = {},
                      .cwd = "/",
                      .fds = {{sockets.theirs.get(), kClientFd}},
                      .new_session = true};
  int number = kFirstHoldFd;
  for (const sys::UniqueFd* held : {&reservation.memory, &reservation.vcpus}) {
    if (!*held) continue;
    spec.argv.insert(spec.argv.end(), {"--hold", std::to_string(number)});
    spec.fds.emplace_back(held->get(), number++);
  }
  auto started = sys::spawn_detached(spec);
  if (!started) {
    return std::unexpected(
        std::move(started.error()).with_hint("reinstall pyro: its helper programs are missing"));
  }
  sockets.theirs = sys::UniqueFd();
  return greet(std::make_unique<Impl>(std::move(sockets.ours)));
}

namespace {
// kNotFound when nobody listens.
Result<sys::UniqueFd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(Errc::kInvalid, path + " is too long for a socket");
  std::memcpy(address.sun_path, path.data(), path.size());
  sys::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return sys::fail_errno("socket", errno);
  auto connected = sys::retrying("connect " + path, [&] {
    // The sockets API takes every address as a sockaddr*.
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  });
  if (connected) return fd;
  Error error = std::move(connected.error());
  if (error.os_errno == ECONNREFUSED) error.code = Errc::kNotFound;
  return std::unexpected(std::move(error));
}
}  // namespace

Result<Connection> Connection::connect(const sys::Dirs& dirs, const std::string& id) {
  PYRO_TRY(sys::UniqueFd fd, connect_to(core::socket_of(dirs, id)));
  return greet(std::make_unique<Impl>(std::move(fd)));
}

namespace {
// Everything until the answer. An error of `on_data` ends the call and is what the caller gets.
io::Task<json::object> answer_of(StreamPtr stream, Connection::CallOptions options,
                                 const Connection::OnData* on_data) {
  std::optional<Error> broken;
  for (;;) {
    PYRO_CO_TRY(rpc::Incoming item, co_await stream->next());
    if (auto* event = std::get_if<rpc::Event>(&item);
        event != nullptr && event->name == proto::Phase::kName) {
      const auto phase = proto::decode<proto::Phase>(event->params);
      if (phase && options.on_phase) options.on_phase(*phase);
    } else if (auto* data = std::get_if<rpc::Data>(&item);
               data != nullptr && on_data != nullptr && !broken) {
      if (data->bytes.empty()) continue;
      if (auto taken = (*on_data)(data->bytes); !taken) {
        broken = std::move(taken.error());
        stream->cancel();
        stream->abandon(*broken);  // whatever it would still send is of no use
      }
    } else if (auto* response = std::get_if<rpc::Response>(&item)) {
      if (broken) co_return std::unexpected(std::move(*broken));
      co_return std::move(response->result);
    }
  }
}

io::Task<json::object> call_task(StreamPtr stream, Connection::CallOptions options,
                                 const Connection::OnData* on_data) {
  io::TaskScope scope(co_await asio::this_coro::executor);
  if (options.limit.count() > 0) scope.spawn(abandon_after(options.limit, stream));
  if (options.interrupt_fd >= 0) scope.spawn(give_up_on_interrupt(options.interrupt_fd, stream));
  auto answer = co_await answer_of(stream, std::move(options), on_data);
  static_cast<void>(co_await scope.close());
  co_return answer;
}

// A peer that takes nothing makes this wait for ever: not beyond the interrupt.
io::Task<void> send_task(StreamPtr stream, std::string bytes, bool end, int interrupt_fd) {
  io::TaskScope scope(co_await asio::this_coro::executor);
  if (interrupt_fd >= 0) scope.spawn(give_up_on_interrupt(interrupt_fd, stream));
  auto sent = co_await stream->send(wire::kStdin, std::move(bytes), end);
  static_cast<void>(co_await scope.close());
  co_return sent;
}

// The answer; an output that fails ends the command, and its error is what the caller gets.
io::Task<json::object> exec_loop(StreamPtr stream, ExecCall* call, const RunObserver* observer) {
  std::optional<Error> broken;
  for (;;) {
    PYRO_CO_TRY(rpc::Incoming item, co_await stream->next());
    if (auto* data = std::get_if<rpc::Data>(&item); data != nullptr && !broken) {
      if (auto delivered = deliver(*data, *observer); !delivered) {
        broken = std::move(delivered.error());
        stream->cancel();
      }
    } else if (auto* event = std::get_if<rpc::Event>(&item);
               event != nullptr && event->name == proto::JournaledCommand::kName) {
      PYRO_CO_TRY(const auto command, proto::decode<proto::JournaledCommand>(event->params));
      call->sequence = command.sequence;
    } else if (auto* response = std::get_if<rpc::Response>(&item)) {
      if (broken) co_return std::unexpected(std::move(*broken));
      co_return std::move(response->result);
    }
  }
}

io::Task<json::object> exec_task(rpc::Session* session, ExecCall call, std::optional<int> stdin_fd,
                                 const RunObserver* observer) {
  PYRO_CO_TRY(const StreamPtr stream, session->open(call.method, call.params));
  io::TaskScope scope(co_await asio::this_coro::executor);
  if (stdin_fd) scope.spawn(pump_stdin(*stdin_fd, stream));
  if (observer->interrupt_fd >= 0)
    scope.spawn(forward_interrupts(observer->interrupt_fd, observer->interrupt_grace, session,
                                   stream, &call));
  auto answer = co_await exec_loop(stream, &call, observer);
  static_cast<void>(co_await scope.close());
  co_return answer;
}
}  // namespace

bool Connection::is_open() const {
  return impl_->session->is_open();
}

Result<json::object> Connection::call(const std::string& method, json::object params,
                                      const CallOptions& options) {
  PYRO_TRY(const StreamPtr stream, impl_->session->open(method, std::move(params)));
  return impl_->run(call_task(stream, options, nullptr));
}

Result<json::object> Connection::download(const std::string& method, json::object params,
                                          const OnData& on_data, const CallOptions& options) {
  PYRO_TRY(const StreamPtr stream, impl_->session->open(method, std::move(params)));
  return impl_->run(call_task(stream, options, &on_data));
}

Result<json::object> Connection::upload(const std::string& method, json::object params,
                                        const Produce& produce, const CallOptions& options) {
  PYRO_TRY(const StreamPtr stream, impl_->session->open(method, std::move(params)));
  bool refused = false;
  const auto produced = produce([&](std::string_view bytes) {
    auto sent =
        impl_->run(send_task(stream, std::string(bytes), /*end=*/false, options.interrupt_fd));
    refused = !sent;
    return sent;
  });
  if (produced) {
    static_cast<void>(impl_->run(send_task(stream, "", /*end=*/true, options.interrupt_fd)));
  } else {
    stream->cancel();
  }
  auto answer = impl_->run(call_task(stream, options, nullptr));
  // A source that could not be read is why the peer was told to stop.
  if (!produced && !refused) return std::unexpected(produced.error());
  return answer;
}

Result<json::object> Connection::run(
    const std::function<io::Task<json::object>(rpc::Session& session)>& task) {
  return impl_->run(task(*impl_->session));
}

Result<void> Connection::kill_supervisor(const sys::Dirs& dirs, const std::string& id) {
  PYRO_TRY(const sys::UniqueFd fd, connect_to(core::socket_of(dirs, id)));
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return sys::fail_errno("SO_PEERCRED", errno);
  return sys::kill_and_wait(peer.pid);
}

Result<proto::ExecVmResult> Connection::exec(const proto::ExecVm& request,
                                             std::optional<int> stdin_fd,
                                             const RunObserver& observer) {
  ExecCall call{.method = proto::ExecVm::kName, .params = proto::encode(request)};
  PYRO_TRY(const json::object answer,
           impl_->run(exec_task(impl_->session.get(), std::move(call), stdin_fd, &observer)));
  return proto::decode<proto::ExecVmResult>(answer);
}

Result<proto::ExecWorkspaceResult> Connection::exec(const proto::ExecWorkspace& request,
                                                    std::optional<int> stdin_fd,
                                                    const RunObserver& observer) {
  ExecCall call{.method = proto::ExecWorkspace::kName, .params = proto::encode(request)};
  PYRO_TRY(const json::object answer,
           impl_->run(exec_task(impl_->session.get(), std::move(call), stdin_fd, &observer)));
  return proto::decode<proto::ExecWorkspaceResult>(answer);
}

}  // namespace pyro::client
