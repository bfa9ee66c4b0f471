// The network of a workspace: as long as its machine, by the policy that its record has.
#include <fmt/format.h>

#include "core/workspace.h"

namespace pyro::core {

namespace {

Error fixed_device(const std::string& id, bool has) {
  return {.code = Errc::kConflict,
          .message = fmt::format("the machine of {} has {} network device, which cannot be changed "
                                 "while it runs",
                                 id, has ? "a" : "no"),
          .hint = fmt::format("run: pyro workspace stop {0}; pyro workspace network set {0} ...; "
                              "pyro workspace start {0}",
                              id)};
}

}  // namespace

// Before the machine: there is no moment in which it has a network without this policy.
io::Task<void> Workspace::begin_network(policy::Policy policy) {
  if (!policy.has_network()) co_return Result<void>{};
  PYRO_CO_TRY(network_log_, NetworkLog::open(network_log_folder(folder_.path()), ex_));
  const auto log = network_log_;
  PYRO_CO_TRY(
      network_,
      Network::make(deps_.network, [log](const proto::NetEvents& news) { log->add(news); }, ex_));
  auto started = co_await network_->start(std::move(policy));
  if (!started) co_await end_network();
  co_return started;
}

// After the machine.
io::asio::awaitable<void> Workspace::end_network() {
  if (network_) co_await network_->close();
  if (network_log_) co_await network_log_->close();
  network_.reset();
  network_log_.reset();
}

io::Task<proto::NetworkState> Workspace::network_state() {
  PYRO_CO_CHECK(check_started());
  const std::shared_ptr<Network> network = network_;
  if (!network) co_return proto::NetworkState{};
  co_return co_await network->state();
}

Result<void> Workspace::check_published(policy::Preset preset) {
  if (preset == policy::Preset::kEgressAndPublish) return {};
  PYRO_TRY(const auto services, store_.services());
  for (const store::ServiceRecord& s : services) {
    if (store::is_over(s.state)) continue;
    PYRO_TRY(const auto parsed, proto::parse_object(s.definition));
    PYRO_TRY(const auto definition, proto::decode<proto::ServiceDefinition>(parsed));
    if (definition.published.empty()) continue;
    return fail_hint(Errc::kConflict,
                     fmt::format("the service {} has published ports, which {} does not allow",
                                 s.name, policy::preset_name(preset)),
                     fmt::format("run: pyro workspace service stop {} {}", id_, s.name));
  }
  return {};
}

io::Task<void> Workspace::do_set_network(policy::Policy policy) {
  PYRO_CO_TRY(const auto turn, co_await turns_.take());
  if (removed_) co_return fail(Errc::kNotFound, id_ + " was deleted");
  PYRO_CO_CHECK(policy::check_policy(policy));
  if (!sandbox_) co_return store_.set_network(policy);
  if (policy.has_network() != (network_ != nullptr))
    co_return std::unexpected(fixed_device(id_, network_ != nullptr));
  if (!network_) co_return store_.set_network(policy);
  PYRO_CO_CHECK(check_published(policy.preset));
  const policy::Policy before = network_->policy();
  PYRO_CO_CHECK(co_await network_->set_policy(policy));
  auto recorded = store_.set_network(policy);
  // What cannot be recorded would be another one after the next start: it is none now either.
  if (!recorded) static_cast<void>(co_await network_->set_policy(before));
  co_return recorded;
}

io::Task<void> Workspace::follow_network(std::int64_t cursor, std::shared_ptr<rpc::Stream> client) {
  const std::shared_ptr<NetworkLog> log = network_log_;
  if (!log) co_return Result<void>{};  // nothing is added to it now
  co_return co_await log->follow(cursor, std::move(client));
}

}  // namespace pyro::core
