#include "net_process/net_process.h"

#include <signal.h>
#include <sys/resource.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <memory>

#include "isolate/confine.h"
#include "net/engine_loop.h"
#include "net/host_socket.h"
#include "net_process/control.h"

namespace pyro::net_process {

namespace asio = boost::asio;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
// Before the control session has its turn.
constexpr int kTurns = 16;

// Every flow has a descriptor.
Result<void> raise_descriptor_limit() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return sys::fail_errno("getrlimit", errno);
  files.rlim_cur = files.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) return sys::fail_errno("setrlimit", errno);
  return {};
}

class NetProcess {
 public:
  NetProcess(std::unique_ptr<net::EngineLoop> loop, sys::UniqueFd control, asio::any_io_executor ex)
      : loop_(std::move(loop)),
        // Borrowed: given back before it goes.
        ready_(ex, loop_->fd()),
        control_(
            loop_->engine(), [this] { ready_.cancel(); }, ex),
        session_(
            ex, std::move(control), sys::UniqueFd(),
            rpc::SessionOptions{.handler = [this](auto stream) { return control_.answer(stream); },
                                .software = "pyro-net"}),
        scope_(ex) {}
  ~NetProcess() { ready_.release(); }
  NetProcess(const NetProcess&) = delete;
  NetProcess& operator=(const NetProcess&) = delete;

  asio::awaitable<void> run() {
    scope_.spawn(move_frames());
    const auto hello = co_await session_.handshake_as_acceptor();
    if (hello) static_cast<void>(co_await session_.closed());
    co_await session_.close();
    static_cast<void>(co_await scope_.close());
  }

 private:
  asio::awaitable<void> move_frames() {
    for (;;) {
      bool more = true;
      for (int i = 0; more && i < kTurns; ++i) more = loop_->turn();
      control_.wake();
      if (more) {
        co_await asio::post(ready_.get_executor(), asio::use_awaitable);
        continue;
      }
      // Also ended by whoever has used the engine (`changed`).
      static_cast<void>(
          co_await ready_.async_wait(asio::posix::descriptor_base::wait_read, kTuple));
      const auto state = co_await asio::this_coro::cancellation_state;
      if (state.cancelled() != asio::cancellation_type::none) co_return;
    }
  }

  std::unique_ptr<net::EngineLoop> loop_;
  asio::posix::stream_descriptor ready_;
  Control control_;
  rpc::Session session_;
  io::TaskScope scope_;
};

}  // namespace

Result<void> run_net_process(NetProcessOptions options) {
  ::signal(SIGPIPE, SIG_IGN);
  PYRO_CHECK(raise_descriptor_limit());
  PYRO_TRY(auto loop, net::EngineLoop::create(std::move(options.link)));
  static_cast<void>(net::best_peek_mode());  // asks the kernel, before it is forbidden
  asio::io_context context(1);
  NetProcess process(std::move(loop), std::move(options.control), context.get_executor());
  PYRO_CHECK(isolate::confine_relay());
  std::exception_ptr failure;
  asio::co_spawn(context, process.run(), [&](std::exception_ptr e) { failure = e; });
  context.run();
  if (failure) return fail(Errc::kInternal, "the network engine failed");
  return {};
}

}  // namespace pyro::net_process
