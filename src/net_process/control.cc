#include "net_process/control.h"

#include <fmt/core.h>

#include <cstring>

#include "net/engine_loop.h"
#include "proto/net_messages.h"

namespace pyro::net_process {

namespace asio = boost::asio;
using boost::json::object;

namespace {

// Events that come within this time travel together.
constexpr std::chrono::milliseconds kGather{20};
constexpr std::size_t kMostEvents = 256;  // in one answer

Result<net::Engine::Settings> settings_of(const proto::ConfigureNet& request) {
  net::Engine::Settings settings;
  PYRO_TRY(settings.policy, policy::parse_policy_text(request.policy));
  if (request.resolvers.size() > net::kMostResolvers)
    return fail(Errc::kLimit, "too many name servers");
  for (const proto::NetResolver& r : request.resolvers) {
    PYRO_TRY(const auto address, policy::Address::parse(r.address));
    settings.resolvers.push_back({.address = address, .port = r.port});
  }
  return settings;
}

proto::NetEvent message_of(const net::NetEvent& e) {
  return {.time_ns = e.time_ns,
          .kind = e.kind == net::NetEvent::Kind::kEnd ? "end" : "decision",
          .protocol = e.protocol,
          .name = e.name,
          .address = e.address ? e.address->text() : "",
          .port = e.port,
          .allow = e.allow,
          .rule = e.rule.text(),
          .reason = e.reason,
          .to_host = static_cast<std::int64_t>(e.to_host),
          .to_guest = static_cast<std::int64_t>(e.to_guest)};
}

}  // namespace

Result<object> Control::configure(const object& params) {
  PYRO_TRY(const auto request, proto::decode<proto::ConfigureNet>(params));
  PYRO_TRY(auto settings, settings_of(request));
  engine_.configure(std::move(settings), net::EngineLoop::now());
  return proto::encode(proto::ConfiguredNet{.policy = engine_.policy().text()});
}

Result<object> Control::publish(const object& params) {
  PYRO_TRY(const auto request, proto::decode<proto::PublishPort>(params));
  if (request.guest_port == 0) return fail(Errc::kInvalid, "port 0 of the guest");
  // Asked here for its reason: the engine says no by itself.
  if (engine_.policy().preset != policy::Preset::kEgressAndPublish)
    return fail(Errc::kDenied, "the network policy does not allow published ports");
  const auto port = engine_.publish(request.host_port, request.guest_port);
  if (!port) {
    Error error{
        .code = port.error() == EADDRINUSE ? Errc::kConflict : Errc::kDenied,
        .message = fmt::format("127.0.0.1:{}: {}", request.host_port, std::strerror(port.error()))};
    error.os_errno = port.error();
    return std::unexpected(std::move(error));
  }
  return proto::encode(proto::PortPublished{.host_port = *port});
}

Result<object> Control::unpublish(const object& params) {
  PYRO_TRY(const auto request, proto::decode<proto::UnpublishPort>(params));
  if (!engine_.unpublish(request.host_port))
    return fail(Errc::kNotFound, "that port is not published");
  return object{};
}

object Control::info() {
  const net::Counters& c = engine_.counters();
  const net::Engine::Sizes sizes = engine_.sizes();
  const auto number = [](std::uint64_t n) { return static_cast<std::int64_t>(n); };
  proto::NetInfo info{.policy = engine_.policy().text(),
                      .counters = {{"frames_from_guest", number(c.frames_from_guest)},
                                   {"frames_to_guest", number(c.frames_to_guest)},
                                   {"bytes_from_guest", number(c.bytes_from_guest)},
                                   {"bytes_to_guest", number(c.bytes_to_guest)},
                                   {"allowed", number(c.allowed)},
                                   {"refused", number(c.refused)},
                                   {"other_icmp", number(c.other_icmp)},
                                   {"replies_lost", number(c.replies_lost)},
                                   {"dns_queries", number(c.dns_queries)},
                                   {"dns_upstream", number(c.dns_upstream)}},
                      .sizes = {{"tcp", number(sizes.tcp)},
                                {"udp", number(sizes.udp)},
                                {"echo", number(sizes.echo)},
                                {"pins", number(sizes.pins)},
                                {"events", number(engine_.events().size())}}};
  for (std::size_t i = 0; i < c.drops.size(); ++i)
    info.drops[net::drop_name(static_cast<net::Drop>(i))] = number(c.drops[i]);
  return proto::encode(std::move(info));
}

io::Task<object> Control::take_events() {
  if (engine_.events().empty()) {
    news_.clear();
    PYRO_CO_CHECK(co_await news_.wait());
  }
  // A full answer waits for nobody: the queue is bounded, and what is newest would be lost.
  if (engine_.events().size() < kMostEvents) {
    PYRO_CO_CHECK(co_await io::sleep_for(kGather));
  }
  net::NetEvents::Taken taken = engine_.events().take(kMostEvents);
  proto::NetEvents answer{.lost = static_cast<std::int64_t>(taken.lost)};
  for (const net::NetEvent& e : taken.events) answer.events.push_back(message_of(e));
  co_return proto::encode(std::move(answer));
}

io::Task<object> Control::result_of(std::shared_ptr<rpc::Stream> stream) {
  const std::string& method = stream->method();
  if (method == proto::TakeNetEvents::kName) co_return co_await take_events();
  if (method == proto::AskNetInfo::kName) co_return info();
  if (method == proto::ConfigureNet::kName) co_return configure(stream->params());
  if (method == proto::PublishPort::kName) co_return publish(stream->params());
  if (method == proto::UnpublishPort::kName) co_return unpublish(stream->params());
  co_return fail(Errc::kInvalid, "unknown request " + method);
}

asio::awaitable<void> Control::answer(std::shared_ptr<rpc::Stream> stream) {
  auto result = co_await result_of(stream);
  changed_();
  if (result) {
    static_cast<void>(stream->respond(std::move(*result)));
  } else {
    static_cast<void>(stream->respond(std::move(result.error())));
  }
}

}  // namespace pyro::net_process
