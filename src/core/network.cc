#include "core/network.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <utility>

#include "core/resolvers.h"
#include "sys/file.h"
#include "vmm/vmm.h"

namespace pyro::core {

namespace asio = io::asio;
using boost::json::object;

namespace {

constexpr std::size_t kMostDeaths = 3;
constexpr std::chrono::seconds kAgain{1};  // before what has failed is tried once more

}  // namespace

struct Network::Engine {
  Engine(sys::ChildProcess p, sys::UniqueFd control, asio::any_io_executor ex)
      : process(std::move(p)),
        session(ex, std::move(control), sys::UniqueFd(),
                rpc::SessionOptions{.handler = {}, .software = "pyro"}) {}
  sys::ChildProcess process;
  rpc::Session session;
};

Result<std::unique_ptr<Network>> Network::make(NetworkDeps deps, OnEvents on_events,
                                               asio::any_io_executor ex) {
  PYRO_TRY(auto link, vmm::make_link());
  return std::unique_ptr<Network>(new Network(std::move(deps), std::move(on_events),
                                              std::move(link.ours), std::move(link.theirs), ex));
}

Network::Network(NetworkDeps deps, OnEvents on_events, sys::UniqueFd engine_end,
                 sys::UniqueFd guest_end, asio::any_io_executor ex)
    : deps_(std::move(deps)),
      on_events_(std::move(on_events)),
      engine_end_(std::move(engine_end)),
      guest_end_(std::move(guest_end)),
      ex_(ex),
      changed_(ex),
      configuring_(ex),
      scope_(ex) {}

Network::~Network() = default;

Result<sys::UniqueFd> Network::guest_end() const {
  return sys::duplicate(guest_end_.get());
}

io::Task<Network::EnginePtr> Network::running() {
  while (!engine_ && why_not_.empty() && !closing_) {
    const std::uint64_t seen = changed_.count();
    PYRO_CO_CHECK(co_await changed_.after(seen, deps_.answer));
  }
  if (engine_) co_return engine_;
  co_return fail_hint(Errc::kUnavailable, why_not_, "stop and start the machine for another one");
}

// ---- the engine's life

io::Task<void> Network::start(policy::Policy policy) {
  PYRO_CO_CHECK(policy::check_policy(policy));
  policy_ = std::move(policy);
  PYRO_CO_CHECK(co_await run_engine());
  scope_.spawn(keep_running());
  co_return Result<void>{};
}

io::Task<void> Network::run_engine() {
  PYRO_CO_TRY(auto control, sys::make_socket_pair());
  constexpr int kLink = 3;
  constexpr int kControl = 4;
  sys::NetNamespace where;
  if (!deps_.net_namespace.empty()) {
    PYRO_CO_TRY(where, sys::open_net_namespace(deps_.net_namespace));
  }
  PYRO_CO_TRY(auto process, sys::ChildProcess::spawn({.program = deps_.engine,
                                                      .argv = {"pyro-net"},
                                                      .env = {},
                                                      .cwd = "/",
                                                      .fds = {{engine_end_.get(), kLink},
                                                              {control.theirs.get(), kControl}},
                                                      .network = where.net ? &where : nullptr,
                                                      .new_session = true,
                                                      .die_with_parent = true}));
  control.theirs = sys::UniqueFd();
  auto engine = std::make_shared<Engine>(std::move(process), std::move(control.ours), ex_);
  auto ready = co_await engine->session.handshake_as_initiator(deps_.answer);
  Result<void> done;
  if (!ready) done = std::unexpected(std::move(ready.error()));
  if (done) {
    resolvers_ = read_resolvers(deps_.resolv_conf);
    done = co_await configure(engine, policy_);
  }
  if (!done) {
    co_await engine->session.close();
    co_return std::unexpected(std::move(done.error()).context("starting the network engine"));
  }
  Ports missing = co_await publish_all(engine, published_);
  if (closing_) {
    // Nobody would end what is spawned now: close() waits for what there was.
    co_await engine->session.close();
    co_return fail(Errc::kUnavailable, "the machine has ended");
  }
  engine_ = engine;
  changed_.notify();
  scope_.spawn(take_events(engine));
  // Somebody else was faster.
  if (!missing.empty()) scope_.spawn(publish_missing(engine, std::move(missing)));
  co_return Result<void>{};
}

io::Task<object> Network::call(EnginePtr engine, const char* method, object params) {
  co_return co_await engine->session.call(method, std::move(params), deps_.answer);
}

io::Task<void> Network::configure(EnginePtr engine, policy::Policy policy) {
  const std::string text = policy.text();
  const proto::ConfigureNet request{.policy = text, .resolvers = resolvers_};
  const auto answer = co_await call(engine, proto::ConfigureNet::kName, proto::encode(request));
  Result<proto::ConfiguredNet> configured =
      answer ? proto::decode<proto::ConfiguredNet>(*answer) : std::unexpected(answer.error());
  if (configured && configured->policy != text)
    configured = fail(Errc::kInternal, "it has another policy than it was given");
  if (configured) co_return Result<void>{};
  // It may decide by either of two, and change its mind later: another one starts with ours. One
  // that only took too long for what else there is goes on, and so do its flows.
  if (answer || text != policy_.text()) engine->session.abort(configured.error());
  co_return std::unexpected(std::move(configured.error()).context("the network engine"));
}

asio::awaitable<Network::Ports> Network::publish_all(EnginePtr engine, Ports wanted) {
  Ports missing;
  for (const auto& [host_port, guest_port] : wanted) {
    if (!published_.contains(host_port)) continue;  // nobody wants it any more
    const proto::PublishPort request{.host_port = host_port, .guest_port = guest_port};
    const auto published = co_await call(engine, proto::PublishPort::kName, proto::encode(request));
    if (!published) {
      missing.emplace(host_port, guest_port);
    } else if (!published_.contains(host_port)) {  // given up while it was asked for
      const proto::UnpublishPort gone{.host_port = host_port};
      const auto done = co_await call(engine, proto::UnpublishPort::kName, proto::encode(gone));
      static_cast<void>(done);
    }
  }
  co_return missing;
}

asio::awaitable<void> Network::publish_missing(EnginePtr engine, Ports missing) {
  while (!missing.empty()) {
    const auto slept = co_await io::sleep_for(kAgain);
    if (!slept || engine_ != engine) co_return;
    missing = co_await publish_all(engine, std::move(missing));
  }
}

asio::awaitable<void> Network::keep_running() {
  for (;;) {
    const EnginePtr engine = engine_;
    const Error why = co_await engine->session.closed();
    const auto state = co_await asio::this_coro::cancellation_state;
    if (closing_ || state.cancelled() != asio::cancellation_type::none) co_return;
    engine_.reset();
    static_cast<void>(engine->process.signal(SIGKILL));
    co_await engine->session.close();
    std::string last;
    for (bool up = false; !up;) {
      if (died_too_often()) {
        why_not_ = fmt::format("the network engine ended {} times within {} s: there is no network",
                               kMostDeaths, deps_.span.count()) +
                   last;
        co_return changed_.notify();
      }
      if (!last.empty()) static_cast<void>(co_await io::sleep_for(kAgain));
      const auto again = co_await run_engine();
      if (closing_) co_return;
      up = again.has_value();
      if (!up) last = ": " + again.error().message;
    }
    ++restarts_;
  }
}

bool Network::died_too_often() {
  const auto now = std::chrono::steady_clock::now();
  deaths_.push_back(now);
  while (deaths_.front() + deps_.span < now) deaths_.pop_front();
  return deaths_.size() >= kMostDeaths;
}

asio::awaitable<void> Network::close() {
  closing_ = true;
  if (engine_) {
    static_cast<void>(engine_->process.signal(SIGKILL));
    co_await engine_->session.close();
  }
  static_cast<void>(co_await scope_.close());
  engine_.reset();
  if (why_not_.empty()) why_not_ = "the machine has ended";
  changed_.notify();
}

// ---- what it tells

asio::awaitable<void> Network::take_events(EnginePtr engine) {
  for (;;) {
    const auto answer = co_await engine->session.call(proto::TakeNetEvents::kName, {},
                                                      std::chrono::milliseconds(-1));
    if (!answer) co_return;
    const auto news = proto::decode<proto::NetEvents>(*answer);
    if (!news) co_return engine->session.abort(news.error());
    on_events_(*news);
    // Names could not be resolved: the host may have other name servers by now.
    const bool unanswered = std::ranges::any_of(news->events, [](const proto::NetEvent& e) {
      return e.protocol == "dns" && (e.reason == "timeout" || e.reason == "no-route");
    });
    if (unanswered) static_cast<void>(co_await reload_resolvers(engine));
  }
}

io::Task<void> Network::reload_resolvers(EnginePtr engine) {
  // Not the policy that is just being replaced.
  PYRO_CO_TRY(const auto turn, co_await configuring_.take());
  auto now = read_resolvers(deps_.resolv_conf);
  if (now == resolvers_) co_return Result<void>{};
  auto before = std::exchange(resolvers_, std::move(now));
  auto done = co_await configure(engine, policy_);
  if (!done) resolvers_ = std::move(before);  // the next name without an answer tries again
  co_return done;
}

// ---- calls

io::Task<void> Network::set_policy(policy::Policy policy) {
  PYRO_CO_CHECK(policy::check_policy(policy));
  PYRO_CO_TRY(const auto turn, co_await configuring_.take());
  EnginePtr engine;
  do {
    PYRO_CO_TRY(engine, co_await running());
    resolvers_ = read_resolvers(deps_.resolv_conf);
    PYRO_CO_CHECK(co_await configure(engine, policy));
    // One that has taken its place meanwhile has the old policy.
  } while (engine_ != engine);
  policy_ = std::move(policy);
  // The engine has closed them.
  if (policy_.preset != policy::Preset::kEgressAndPublish) published_.clear();
  co_return Result<void>{};
}

io::Task<std::uint16_t> Network::publish(std::uint16_t host_port, std::uint16_t guest_port) {
  PYRO_CO_TRY(const EnginePtr engine, co_await running());
  const proto::PublishPort request{.host_port = host_port, .guest_port = guest_port};
  PYRO_CO_TRY(const auto answer,
              co_await call(engine, proto::PublishPort::kName, proto::encode(request)));
  PYRO_CO_TRY(const auto published, proto::decode<proto::PortPublished>(answer));
  published_[published.host_port] = guest_port;
  co_return published.host_port;
}

io::Task<void> Network::unpublish(std::uint16_t host_port) {
  published_.erase(host_port);
  const EnginePtr engine = engine_;
  if (!engine) co_return Result<void>{};  // with it went the port
  PYRO_CO_CHECK(co_await call(engine, proto::UnpublishPort::kName,
                              proto::encode(proto::UnpublishPort{.host_port = host_port})));
  co_return Result<void>{};
}

io::Task<proto::NetInfo> Network::info() {
  PYRO_CO_TRY(const EnginePtr engine, co_await running());
  PYRO_CO_TRY(const auto answer, co_await call(engine, proto::AskNetInfo::kName, {}));
  co_return proto::decode<proto::NetInfo>(answer);
}

io::Task<proto::NetworkState> Network::state() {
  auto known = co_await info();
  proto::NetworkState state{.running = known.has_value(), .restarts = restarts_, .info = {}};
  if (known) {
    state.info = *std::move(known);
  } else {
    state.error = known.error().message;
  }
  co_return state;
}

asio::awaitable<void> Network::hear_out() {
  constexpr int kTries = 20;
  constexpr std::chrono::milliseconds kPause{5};
  for (int i = 0; i < kTries; ++i) {
    const auto known = co_await info();
    if (!known || known->sizes.find("events") == known->sizes.end()) co_return;
    if (known->sizes.at("events") == 0) co_return;
    const auto slept = co_await io::sleep_for(kPause);
    if (!slept) co_return;
  }
}

}  // namespace pyro::core
