#include "escape/tap_sandbox.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <utility>

namespace pyro::escape {

namespace asio = boost::asio;

TapSandbox::TapSandbox(TapPrograms programs, std::string net_namespace, std::string resolv_conf)
    : programs_(std::move(programs)),
      net_namespace_(std::move(net_namespace)),
      resolv_conf_(std::move(resolv_conf)),
      thread_([this] { loop_.run(); }) {
  ::signal(SIGPIPE, SIG_IGN);  // as in the programs: an engine may have gone
}

TapSandbox::~TapSandbox() {
  if (network_) {
    auto closed = asio::co_spawn(loop_, network_->close(), asio::use_future);
    closed.wait();
  }
  work_.reset();
  loop_.stop();
}

template <class T>
Result<T> TapSandbox::wait_for(io::Task<T> task) {
  return asio::co_spawn(loop_, std::move(task), asio::use_future).get();
}

Result<void> TapSandbox::start(const policy::Policy& policy) {
  PYRO_TRY(auto network, core::Network::make(
                             {.engine = programs_.engine,
                              .resolv_conf = resolv_conf_,
                              .net_namespace = net_namespace_},
                             [this](const proto::NetEvents& news) {
                               const std::scoped_lock lock(mutex_);
                               events_.insert(events_.end(), news.events.begin(),
                                              news.events.end());
                             },
                             loop_.get_executor()));
  PYRO_CHECK(wait_for(network->start(policy)));
  PYRO_TRY(const auto link, network->guest_end());
  PYRO_TRY(auto out, sys::make_pipe());
  constexpr int kLink = 3;
  PYRO_TRY(auto holder, sys::ChildProcess::spawn(
                            {.program = programs_.holder,
                             .argv = {"tap_holder"},
                             .env = {},
                             .cwd = "/",
                             .fds = {{out.write.get(), 1}, {STDERR_FILENO, 2}, {link.get(), kLink}},
                             .die_with_parent = true}));
  out.write = sys::UniqueFd();
  std::array<char, 16> line{};
  if (::read(out.read.get(), line.data(), line.size()) <= 0)
    return fail(Errc::kUnavailable, "there is no place for a guest");
  PYRO_TRY(place_, sys::open_net_namespace(fmt::format("/proc/{}/ns/net", holder.pid())));
  holder_.emplace(std::move(holder));
  network_ = std::move(network);
  return {};
}

Result<void> TapSandbox::set_policy(const policy::Policy& policy) {
  return network_ ? wait_for(network_->set_policy(policy)) : start(policy);
}

sys::SpawnSpec TapSandbox::spec(const std::vector<std::string>& words) const {
  sys::SpawnSpec out{.program = programs_.probe,
                     .argv = {"pyro-probe"},
                     .env = {},
                     .cwd = "/",
                     .fds = {},
                     .network = &place_,
                     .die_with_parent = true};
  out.argv.insert(out.argv.end(), words.begin(), words.end());
  return out;
}

Result<std::string> TapSandbox::probe(const std::vector<std::string>& words) {
  constexpr std::size_t kMost = 1U << 20;
  PYRO_TRY(const auto ran, sys::run_captured(spec(words), kMost));
  if (ran.status.shell_code() != 0)
    return fail(Errc::kInternal,
                fmt::format("pyro-probe ended with {}: {}", ran.status.shell_code(), ran.err));
  return ran.out;
}

Result<std::vector<proto::NetEvent>> TapSandbox::events() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(events_, {});
}

Result<std::map<std::string, std::int64_t>> TapSandbox::drops() {
  PYRO_TRY(const auto info, wait_for(network_->info()));
  return info.drops;
}

Result<std::uint16_t> TapSandbox::other_sandbox() {
  constexpr std::uint16_t kGuestPort = 7777;
  other_ = std::make_unique<TapSandbox>(programs_, net_namespace_, resolv_conf_);
  PYRO_CHECK(other_->set_policy({.preset = policy::Preset::kEgressAndPublish}));
  PYRO_TRY(auto out, sys::make_pipe());
  auto server = other_->spec({"serve", std::to_string(kGuestPort)});
  server.fds = {{out.write.get(), 1}};
  PYRO_TRY(auto process, sys::ChildProcess::spawn(server));
  out.write = sys::UniqueFd();
  std::array<char, 64> line{};
  if (::read(out.read.get(), line.data(), line.size()) <= 0)
    return fail(Errc::kUnavailable, "the other sandbox serves nothing");
  server_.emplace(std::move(process));
  return other_->wait_for(other_->network_->publish(0, kGuestPort));
}

}  // namespace pyro::escape
